"""Every signed body down to its last field, written from docs/protocol/FIELDS.md alone: what holds, and with which code it is refused.

It shares no line and no library with the product.
"""

import ipaddress
import re
from typing import Any

from tests.support import independent_scopes
from tests.support.independent_agreement import AGREES, WEEK_MS
from tests.support.independent_bytes import Json
from tests.support.independent_scopes import BUDGET, between
from tests.support.independent_shapes import (
    BODY,
    EDGE,
    ID,
    TIME,
    Holds,
    address,
    blank,
    document,
    encoded,
    exactly,
    file_name,
    flag,
    listed,
    nullable,
    number,
    one_of,
    printable,
    sized,
    strict,
    text,
    word,
    written,
)

KIB = 1024
PARTY = exactly({"identity": ID, "device": ID, "head": ID})
RECIPIENT = exactly({"identity": ID, "head": ID})
VERSION = exactly({"n": number(1), "device": ID})
BLOB = exactly({"address": ID, "key": encoded(32)})
KEYS = exactly({"sign": ID, "seal": ID})
LINKS = listed(document, 1_000, 1)
MODE = nullable(between(0, 0o7777))
ANY: Holds = lambda _: True  # noqa: E731 - one of a table
HEAD: dict[str, Holds] = {
    "nonce": encoded(16),
    "from": PARTY,
    "to": RECIPIENT,
    "edge": EDGE,
    "re": ID,
    "created": TIME,
    "expires": TIME,
}


def link_in_text(value: Any) -> bool:
    if not text(500, 1)(value):
        return False
    scheme = re.match(r"(https?://|mailto:)", value, re.IGNORECASE)
    after = value[scheme.end() :] if scheme else ""
    return bool(after) and printable(value) and not any(blank(each) for each in value)


def tool(value: Any) -> bool:
    return text(64)(value) and re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", value) is not None


def meta(value: Any) -> bool:
    if not isinstance(value, dict) or len(value) > 20:
        return False
    return all(text(64, 1)(name) and text(1_000)(each) for name, each in value.items())


STEP = exactly(
    {
        "tool": tool,
        "input": sized(256 * KIB),
        "save_as": nullable(file_name),
        "allow_failure": flag,
    }
)
FILE: dict[str, Holds] = {"name": file_name, "size": number(), "sha256": ID}
EVENTS = (
    "dispatch.request.created dispatch.decision.made dispatch.scheduled dispatch.completed status run_started run_state "
    "tool_call tool_result approval_asked approval_decided message reasoning changeset applied discarded undone "
    "artifact files warning gate cancel_requested run_ended"
)
CHANGE = exactly(
    {
        "op": one_of("create", "modify", "delete", "rename", "mode", "symlink", "mkdir"),
        "path": text(4_096, 1),
        "kind": word,
        "old_mode": MODE,
        "new_mode": MODE,
        "size": nullable(number()),
        "sha256": nullable(ID),
        "target": nullable(text(4_096)),
        "flags": listed(text(64, 1), 32),
    }
)
EVENT = exactly({"seq": number(1), "at": TIME, "type": one_of(*EVENTS.split()), "data": sized(256 * KIB)})
DIFF = exactly({"path": text(4_096, 1), "text": text(256 * KIB), "truncated": flag, "binary": flag})
ARTIFACT = exactly({**FILE, "kind": word, "mime_type": text(255, 1), "blob": nullable(BLOB)})
USED = ("tool_calls", "turns", "input_tokens", "output_tokens", "cost_microusd")
PLACE: dict[str, Holds] = {"seq": number(1), "prev": ID}
FIELDS: dict[str, dict[str, Holds]] = {
    "task": {
        "principal": PARTY,
        "mandate": ANY,
        "origin": nullable(exactly({"surface": word, "ref": nullable(text(255, 1))})),
        "owner_device": ID,
        "grant_version": nullable(VERSION),
        "task": lambda value: text(100_000, 1)(value) and not blank(value),
        "background": nullable(text(20_000, 1)),
        "links": listed(link_in_text, 10),
        "deliverable": nullable(text(2_000, 1)),
        "project": nullable(text(200, 1)),
        "attachments": listed(exactly({**FILE, "blob": BLOB}), 50),
        "steps": listed(STEP, 1_000),
        "instructions": nullable(text(20_000, 1)),
        "meta": meta,
        "route": nullable(word),
        "device": nullable(ID),
        "after": listed(ID, 32),
        "on_failure": one_of("cancel", "hold"),
        "retries": between(0, 10),
        "timeout": nullable(between(1, 604_800)),
        "budget": BUDGET,
        "thread": EDGE,
        "parent": nullable(ID),
    },
    "cancel": {"reason": nullable(text(2_000, 1))},
    "ack": {"device": ID, "seq": number(1)},
    "message": {
        "thread": EDGE,
        "seq": number(1),
        "text": lambda value: text(8_000, 1)(value) and not blank(value),
        "surface": word,
        "audience": word,
    },
    "heard": {"message": ID},
    "decision": {
        **PLACE,
        "decision": one_of("accepted", "declined"),
        "mode": nullable(one_of("manual", "review", "auto", "by_hand")),
        "reason": nullable(text(2_000, 1)),
        "run_id": nullable(EDGE),
    },
    "receipt": {
        **PLACE,
        "type": one_of(
            *("delivered", "refused", "expired", "started", "heartbeat", "waiting", "cancelled"),
            *("unsupported", "stale_chain"),
        ),
        "code": nullable(word),
        "detail": nullable(text(2_000, 1)),
        "run_id": nullable(EDGE),
        "data": ANY,
    },
    "result": {
        **PLACE,
        "run_id": EDGE,
        "outcome": one_of("success", "blocked", "need_input", "failed"),
        "summary": text(100_000),
        "returns": one_of("status", "result", "trace"),
        "agent": word,
        "started": TIME,
        "ended": TIME,
        "code": nullable(word),
        "changeset": listed(CHANGE, 10_000),
        "changeset_digest": nullable(ID),
        "diffs": listed(DIFF, 10_000),
        "diff_truncated": flag,
        "artifacts": listed(ARTIFACT, 1_000),
        "events": listed(EVENT, 10_000),
        "usage": nullable(exactly({name: nullable(number()) for name in USED})),
        "confinement": nullable(
            exactly(
                {
                    "layers": listed(text(64, 1), 32),
                    "limits_by": text(64),
                    "warnings": listed(text(2_000, 1), 32),
                }
            )
        ),
    },
    "grant": {
        "version": VERSION,
        "parents": listed(VERSION, 8),
        "status": one_of("active", "revoked"),
        "scopes": lambda value: independent_scopes.code_of(value) != "malformed",
    },
    "acceptance": {
        "invitation": ID,
        "from_email": address,
        "to_email": address,
        "links": LINKS,
        "grant": document,
        "mac": nullable(encoded(32)),
    },
    "confirmation": {
        "invitation": ID,
        "acceptance": ID,
        "mac": nullable(encoded(32)),
        "offer": nullable(document),
    },
    "comparison": {"from_email": address, "to_email": address, "commitment": encoded(32)},
    "reveal": {"mine": ID, "yours": ID, "random": encoded(32)},
    "checkpoint": {"since": number(), "entries": listed(ID, 1_000, 1), "root": ID},
    "log": {"seq": ANY, "prev": ANY, "heads": ANY, "entries": ANY},  # chapter 8 has a reading of its own
}
LINK: dict[str, Holds] = {"prev": ID, "created": TIME, "nonce": encoded(16)}


def roles(value: Any) -> bool:
    return listed(one_of("approver", "runner"), 2)(value) and value == sorted(set(value))


def survivors(value: Any) -> bool:
    return listed(ID, 32)(value) and value == sorted(set(value))


LATER: dict[str, dict[str, Holds]] = {
    "add_device": {**LINK, "device": KEYS, "roles": roles},
    "revoke_device": {**LINK, "device": ID},
    "rotate_sealing": {**LINK, "device": KEYS},
    "set_roles": {**LINK, "device": ID, "roles": roles},
    "recover": {**LINK, "epoch": number(1), "survivors": survivors, "device": nullable(KEYS)},
}


def relay(value: Any) -> bool:
    """A relay's address in its one spelling (chapter 7)."""
    if not text(2_000)(value):
        return False
    found = re.fullmatch(
        r"(https?)://([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::([1-9][0-9]{0,4}))?((?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*)",
        value,
    )
    if found is None or int(found[3] or 1) > 65_535:
        return False
    if found[3] == {"https": "443", "http": "80"}[found[1]]:
        return False
    return not found[2].startswith("[") or six(found[2][1:-1])


def six(host: str) -> bool:
    try:
        found = ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return found.ipv4_mapped is None and str(found) == host


ALONE: dict[str, dict[str, Holds]] = {
    "genesis": {
        "kind": one_of("person", "service"),
        "device": KEYS,
        "recovery": ID,
        "created": TIME,
        "nonce": encoded(16),
    },
    "invitation": {
        "nonce": encoded(16),
        "from": PARTY,
        "from_email": address,
        "to_email": address,
        "broker": relay,
        "mac": one_of("required", "optional"),
        "created": TIME,
        "expires": TIME,
    },
    "session": {
        "url": text(2_000, 1),
        "challenge": encoded(32),
        "nonce": encoded(32),
        "genesis": ID,
        "device": ID,
        "counter": number(1),
    },
}


def code_of(kind: str, raw: bytes) -> str | None:
    """Why a body is refused as one of this kind (`genesis` and `link` are links), or None if it holds."""
    try:
        body = strict(raw) if len(raw) <= BODY else None
    except ValueError:
        return "malformed"
    if not isinstance(body, dict) or not number()(body.get("v")):
        return "malformed"
    if body["v"] != 1:
        return "unsupported"
    if written(body) != raw:
        return "malformed"
    said = {name: value for name, value in body.items() if name != "v"}
    if kind == "link":
        return code_of_link(said)
    if kind in ALONE:
        return None if exactly(ALONE[kind])(said) and agrees_alone(kind, said) else "malformed"
    return code_of_message(kind, said)


def code_of_link(said: Json) -> str | None:
    if not text(64)(said.get("type")):
        return "malformed"
    if said["type"] not in LATER:
        return "unsupported"
    rest = {name: value for name, value in said.items() if name != "type"}
    return None if exactly(LATER[said["type"]])(rest) else "malformed"


def agrees_alone(kind: str, said: Json) -> bool:
    if kind == "genesis":
        return bool(said["recovery"] != said["device"]["sign"])
    return kind != "invitation" or 0 < said["expires"] - said["created"] <= WEEK_MS


def code_of_message(kind: str, said: Json) -> str | None:
    if not exactly({**HEAD, **FIELDS[kind]})(said):
        return "malformed"
    if said["expires"] and said["expires"] <= said["created"]:
        return "malformed"
    if kind == "task" and (said["mandate"] is not None or said["principal"] != said["from"]):
        return "mandate_unsupported"
    if kind == "grant" and independent_scopes.code_of(said["scopes"]) is not None:
        return independent_scopes.code_of(said["scopes"])
    return None if AGREES[kind](said) else "malformed"
