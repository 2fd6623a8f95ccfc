"""A recipient that remembers, written from chapters 2 and 5 of docs/PROTOCOL.md: what it has opened, under which ids, and how late it was.

It is no relation of the product's journal, and no journal at all: three facts, as the page states them.
"""

import copy
import uuid
from typing import Any

from tests.support import independent_opener
from tests.support.independent_bytes import RefusalError, unpadded

Json = dict[str, Any]


def handle(digest: str) -> str:
    """Chapter 2: the UUID that is made from a D."""
    raw = bytearray.fromhex(digest)[:16]
    raw[6], raw[8] = 0x80 | raw[6] & 0x0F, 0x80 | raw[8] & 0x3F
    return str(uuid.UUID(bytes=bytes(raw)))


class Memory:
    """One recipient, from nothing on."""

    def __init__(self) -> None:
        self._people: Json = {}
        self._device, self._standing = "", {}  # type: str, Json
        self._opened: set[str] = set()

    def world(self, **people: Any) -> Json:
        """Get to know the people."""
        self._people = people
        return {}

    def open(self, **case: Any) -> Json:
        """Open one envelope, knowing exactly what is said."""
        try:
            return independent_opener.open_case(self._people, case)
        except RefusalError as refusal:
            return {"refused": refusal.code}
        except (ValueError, KeyError, TypeError, AttributeError, IndexError):
            return {"refused": "malformed"}

    def begin(self, device: str, standing: Json) -> Json:
        """Begin with an empty memory."""
        self._device, self._standing, self._opened = device, copy.deepcopy(standing), set()
        return {}

    def know(self, edge_status: str | None = None, now: int | None = None) -> Json:
        """Learn that an edge has another status, or that time has passed."""
        if edge_status is not None:
            self._standing["edge"]["status"] = edge_status
        if now is not None:
            self._standing["now"] = now
        return {}

    def deliver(self, envelope: str) -> Json:
        """Open what the relay delivers, and remember it if it opens."""
        said = self.open(
            device=self._device,
            first_contact=None,
            envelope=envelope,
            standing={**self._standing, **self._met(unpadded(envelope)[6:38].hex())},
        )
        if "digest" in said:
            self._opened.add(said["digest"])
            self._standing["floor"] = max(self._standing["floor"], self._standing["now"])
        return said

    def _met(self, claimed: str) -> Json:
        """Whether the D that a header claims was opened before, or another one of its id."""
        if claimed in self._opened:
            return {"seen": True}
        return {"id_taken": len(claimed) == 64 and handle(claimed) in map(handle, self._opened)}
