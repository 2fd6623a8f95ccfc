"""What both of our programs share at their end of the pipe: a recipient that remembers what it has taken in."""

import copy
from collections.abc import Callable
from typing import Any

Json = dict[str, Any]


class Recipient:
    """One recipient; `opens` opens a case and returns `{digest}` or `{refused}`."""

    def __init__(self, opens: Callable[[Json, Json], Json]) -> None:
        self._opens = opens
        self._world: Json = {}
        self._device, self._standing = "", {}  # type: str, Json
        self._digests: set[str] = set()

    def world(self, **document: Any) -> Json:
        """Get to know the people."""
        self._world = {**document, "cases": []}
        return {}

    def open(self, **case: Any) -> Json:
        """Open one envelope, knowing exactly what is said."""
        return self._opens(self._world, case)

    def begin(self, device: str, standing: Json) -> Json:
        """Begin with an empty memory."""
        self._device, self._standing, self._digests = device, copy.deepcopy(standing), set()
        return {}

    def know(self, edge_status: str | None = None, now: int | None = None) -> Json:
        """Learn that an edge has another status, or that time has passed."""
        if edge_status is not None:
            self._standing["edge"]["status"] = edge_status
        if now is not None:
            self._standing["now"] = now
        return {}

    def deliver(self, envelope: str) -> Json:
        """Open what the relay delivers; what was taken in once is refused the next time."""
        case = {
            "device": self._device,
            "first_contact": None,
            "envelope": envelope,
            "standing": self._standing,
        }
        said = self._opens(self._world, case)
        if said.get("digest") in self._digests:
            return {"refused": "replayed"}
        if "digest" in said:
            self._digests.add(said["digest"])
        return said
