"""Documents of a household's log, read from chapter 8 of docs/PROTOCOL.md alone: which are well formed, field by field.

It shares no line and no library with the product. What an entry may say is one table, in the order of the page.
"""

from typing import Any

from tests.support.independent_bytes import Json, canonical
from tests.support.independent_shapes import (
    EDGE,
    ID,
    TIME,
    Holds,
    document,
    encoded,
    exactly,
    flag,
    listed,
    nullable,
    number,
    one_of,
    text,
    word,
)


def payload(value: Any) -> bool:
    return isinstance(value, dict) and len(canonical(value)) <= 64 * 1024


DOCUMENTS = listed(document, 1_000, 1)
ASKED: dict[str, Holds] = {
    "dispatch": ID,
    "run_id": EDGE,
    "request": EDGE,
    "subject": ID,
    "grant": nullable(exactly({"n": number(1), "device": ID})),
    "deadline": TIME,
    "device": ID,
}
ENTRIES: dict[str, dict[str, Holds]] = {
    "pin": {
        "genesis": ID,
        "address": text(254),
        "alias": nullable(text(255, 1)),
        "trust": word,
        "links": DOCUMENTS,
        "conflict": nullable(DOCUMENTS),
        "pinned": TIME,
    },
    "edge": {
        "edge": EDGE,
        "direction": word,
        "status": word,
        "peer": ID,
        "address": text(254),
        "grant": document,
        "created": TIME,
        "expires": TIME,
    },
    "invitation": {
        "invitation": EDGE,
        "direction": word,
        "status": word,
        "address": text(254),
        "document": document,
        "created": TIME,
        "expires": TIME,
        "link": text(2_000),
        "mac_required": flag,
        "secret": nullable(encoded(16)),
        "accepted_by": nullable(ID),
        "acceptance": nullable(ID),
    },
    "rule": {
        "rule": text(64, 1),
        "edge": EDGE,
        "tool": text(64, 1),
        "command": nullable(text(100_000)),
        "path": nullable(text(4_096, 1)),
        "subject": nullable(ID),
        "created": TIME,
        "removed": flag,
    },
    "name": {"device": ID, "name": text(255, 1), "named": TIME},
    "panic": {"device": ID, "called": TIME},
    "handover": {"dispatch": ID, "turn": number(1), "to": ID, "handed": TIME},
    "question": {
        **ASKED,
        "about": word,
        "tool": nullable(text(255, 1)),
        "title": text(100_000),
        "payload": nullable(payload),
        "flags": listed(text(100_000), 1_000),
        "asked": TIME,
        "state": one_of("open", "approved", "denied", "expired", "withdrawn"),
        "by": nullable(ID),
    },
    "verdict": {**ASKED, "approved": flag, "reason": nullable(text(2_000, 1)), "said": TIME},
    "acts": {"since": TIME, "digests": listed(ID, 1_000, 1), "root": ID},
    "deed": {
        "dispatch": ID,
        "device": ID,
        "deed": one_of("accepted", "finished", "declined", "cancelled", "refused"),
        "run_id": nullable(EDGE),
        "outcome": nullable(one_of("success", "blocked", "need_input", "failed")),
        "done": TIME,
    },
}
# What stands in an entry only if there is something to say: each of a group, or none of it.
SOMETIMES: dict[str, list[dict[str, Holds]]] = {
    "pin": [{"compared": TIME, "known_before": nullable(word)}, {"named": number(1)}],
    "invitation": [{"offered_on": ID}, {"also_proved_by": ID, "also_proved": TIME}],
}


def is_entry(value: Any) -> bool:
    """Whether an entry is one of the page's."""
    if not isinstance(value, dict) or not isinstance(value.get("kind"), str) or value["kind"] not in ENTRIES:
        return False
    kind, said = value["kind"], {name: each for name, each in value.items() if name != "kind"}
    fields = dict(ENTRIES[kind])
    for group in SOMETIMES.get(kind, []):
        if group.keys() & said.keys():
            fields |= group
    return exactly(fields)(said) and agrees(kind, said)


def agrees(kind: str, said: Json) -> bool:
    """Whether the fields of an entry fit each other."""
    if kind == "question":
        return said["state"] == "open" or said["payload"] is None
    if kind == "deed":
        ran = (said["run_id"] is not None) == (said["deed"] in ("accepted", "finished"))
        return ran and (said["outcome"] is None or said["deed"] == "finished")
    return True


def is_document(body: Json) -> bool:
    """Whether a body with the head of chapter 8 is a document of a log."""
    zeros = "00" * 32
    head = exactly({"device": ID, "seq": number(1), "digest": ID})
    return (
        (body["edge"], body["re"]) == ("00" * 16, zeros)
        and body["from"]["identity"] == body["to"]["identity"]
        and number()(body["seq"])
        and ID(body["prev"])
        and (body["prev"] == zeros) == (body["seq"] <= 1)
        and listed(head, 32)(body["heads"])
        and listed(is_entry, 1_000)(body["entries"])
    )
