"""One body with some places changed, as the vectors of bodies write it down: where, and what stands there instead."""

import copy
from typing import Any

Json = dict[str, Any]


def put(at: str, value: Any) -> Json:
    """Let another value stand at a place (`attachments.0.name`)."""
    return {"at": at, "put": value}


def drop(at: str) -> Json:
    """Leave a field out."""
    return {"at": at, "drop": True}


def fill(at: str, text: str, times: int) -> Json:
    """Let a long text stand there: this one, so many times."""
    return {"at": at, "fill": [text, times]}


def copies(at: str, number: int) -> Json:
    """Let a list have so many copies of its first element."""
    return {"at": at, "copies": number}


def changed(body: Any, changes: list[Json]) -> Any:
    """Return the body with these changes made, in their order."""
    made = copy.deepcopy(body)
    for change in changes:
        *path, last = [int(part) if part.isdigit() else part for part in change["at"].split(".")]
        place = made
        for part in path:
            place = place[part]
        if "drop" in change:
            del place[last]
        elif "fill" in change:
            text, times = change["fill"]
            place[last] = text * times
        elif "copies" in change:
            place[last] = [copy.deepcopy(place[last][0]) for _ in range(change["copies"])]
        else:
            place[last] = copy.deepcopy(change["put"])
    return made
