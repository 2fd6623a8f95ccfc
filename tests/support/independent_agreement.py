"""Which fields of a body contradict each other, kind by kind, from docs/protocol/FIELDS.md alone."""

from collections.abc import Callable

from tests.support.independent_bytes import Json
from tests.support.independent_household import is_document
from tests.support.independent_shapes import Holds, exactly, listed, one_of, text, word, written
from tests.support.independent_shapes import document as is_dsse

KIB = 1024
ZEROS, NO_EDGE, WEEK_MS = "00" * 32, "00" * 16, 7 * 86_400_000
STATES = "queued running waiting_approval settling applying completed failed cancelled"
DATA: dict[str, dict[str, Holds]] = {
    "started": {"agent": word},
    "heartbeat": {"state": one_of(*STATES.split())},
    "waiting": {"state": one_of(*STATES.split())},
    "unsupported": {"payload_type": text(128, 1)},
    "stale_chain": {"links": listed(is_dsse, 1_000, 1)},
}


def about(said: Json) -> bool:
    """What concerns a dispatch names it."""
    return bool(said["re"] != ZEROS)


def placed(said: Json) -> bool:
    """What stands on an edge and concerns no dispatch."""
    return said["edge"] != NO_EDGE and said["re"] == ZEROS


def lives_a_week(said: Json) -> bool:
    return placed(said) and said["expires"] == said["created"] + WEEK_MS


def follows(said: Json) -> bool:
    return about(said) and (said["seq"] == 1) == (said["prev"] == ZEROS)


def task(said: Json) -> bool:
    own, life = said["edge"] == NO_EDGE, said["expires"] - said["created"]
    names = [each["name"] for each in said["attachments"]]
    return (
        own == (said["from"]["identity"] == said["to"]["identity"])
        and own == (said["grant_version"] is None)
        and said["re"] == ZEROS
        and len(set(said["after"])) == len(said["after"])
        and len(set(names)) == len(names)
        and len(written(said["steps"])) <= 256 * KIB
        and (60_000 <= life <= 86_400_000 if said["expires"] else own)
    )


def decision(said: Json) -> bool:
    accepted = said["decision"] == "accepted"
    return follows(said) and accepted == (said["mode"] is not None) == (said["run_id"] is not None)


def receipt(said: Json) -> bool:
    needs = said["type"] in {"refused", "cancelled"}
    return (
        follows(said)
        and not (needs and said["code"] is None)
        and exactly(DATA.get(said["type"], {}))(said["data"])
    )


def result(said: Json) -> bool:
    shown = said["returns"] == "status" and (
        *(
            said[name]
            for name in ("summary", "changeset", "changeset_digest", "diffs", "diff_truncated", "artifacts")
        ),
    )
    return (
        follows(said)
        and said["ended"] >= said["started"]
        and not (said["outcome"] == "success" and said["code"] is not None)
        and sum(len(diff["text"].encode()) for diff in said["diffs"]) <= 256 * KIB
        and [event["seq"] for event in said["events"]] == list(range(1, len(said["events"]) + 1))
        and (said["returns"] == "trace" or not said["events"])
        and not any(shown or ())
    )


def grant(said: Json) -> bool:
    parents = [(each["n"], each["device"]) for each in said["parents"]]
    return (
        placed(said)
        and not said["expires"]
        and said["version"]["device"] == said["from"]["device"]
        and parents == sorted(set(parents))
        and bool(parents) == (said["version"]["n"] > 1)
        and all(n < said["version"]["n"] for n, _ in parents)
    )


def checkpoint(said: Json) -> bool:
    return placed(said) and not said["expires"] and len(set(said["entries"])) == len(said["entries"])


AGREES: dict[str, Callable[[Json], bool]] = {
    "task": task,
    "cancel": about,
    "ack": about,
    "message": about,
    "heard": about,
    "decision": decision,
    "receipt": receipt,
    "result": result,
    "grant": grant,
    "acceptance": placed,
    "confirmation": placed,
    "comparison": lives_a_week,
    "reveal": lives_a_week,
    "checkpoint": checkpoint,
    "log": is_document,
}
