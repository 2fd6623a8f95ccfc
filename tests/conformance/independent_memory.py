"""A recipient that remembers, written from docs/PROTOCOL.md: what it has opened, under which ids, about what, and how late it was.

It is no relation of the product's journal, and no journal at all: a few facts, as chapters 2, 5, 6 and 8 name them.
"""

import copy
import hashlib
import uuid
from collections.abc import Sequence
from typing import Any

from tests.support import independent_opener
from tests.support.independent_bytes import RefusalError, pae, unpadded
from tests.support.independent_evidence import WrongError, hold
from tests.support.independent_names import genesis
from tests.support.independent_session import signed as taken_apart

Json = dict[str, Any]


def handle(digest: str) -> str:
    """Chapter 2: the UUID that is made from a D."""
    raw = bytearray.fromhex(digest)[:16]
    raw[6], raw[8] = 0x80 | raw[6] & 0x0F, 0x80 | raw[8] & 0x3F
    return str(uuid.UUID(bytes=bytes(raw)))


def _digest(signed: bytes) -> str:
    """Return the D of an S."""
    payload_type, body, _ = taken_apart(signed)
    return hashlib.sha256(pae(payload_type, body)).hexdigest()


class Memory:
    """One recipient, from nothing on."""

    def __init__(self) -> None:
        self._people: Json = {}
        self._device, self._standing = "", {}  # type: str, Json
        self._opened: set[str] = set()
        self._dispatches: set[str] = set()

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

    def begin(self, device: str, standing: Json, sent: Sequence[str] = ()) -> Json:
        """Begin with an empty memory, but for what this device has sent."""
        self._device, self._standing, self._opened = device, copy.deepcopy(standing), set()
        self._dispatches = {_digest(bytes.fromhex(each)) for each in sent}
        return {}

    def know(self, edge_status: str | None = None, now: int | None = None, peer: Json | None = None) -> Json:
        """Learn that an edge has another status, that time has passed, or how the other side's chain is told now."""
        if edge_status is not None:
            self._standing["edge"]["status"] = edge_status
        if now is not None:
            self._standing["now"] = now
        if peer is not None:
            self._standing["peer"] = self._told(peer)
        return {}

    def deliver(self, envelope: str) -> Json:
        """Open what the relay delivers, and remember it if it opens."""
        raw = unpadded(envelope)
        said = self.open(
            device=self._device,
            first_contact=None,
            envelope=envelope,
            standing={**self._standing, **self._met(raw[6:38].hex())},
        )
        if "digest" in said:
            about, kind = raw[38:70].hex(), said["payload_type"].split(".")[2]
            if kind == "message" and about not in self._dispatches:
                return {"refused": "no_such_dispatch"}  # chapter 8: dropped, and so not remembered
            self._opened.add(said["digest"])
            if kind == "task":
                self._dispatches.add(said["digest"])
            self._standing["floor"] = max(self._standing["floor"], self._standing["now"])
        return said

    def _told(self, peer: Json) -> Json:
        """Chapter 6, two tellings: which of the two is held from now on."""
        held: Json = self._standing["peer"]
        before, now = (self._links(each) for each in (held, peer))
        if not now:
            return held
        try:
            kept = hold(before, now, genesis(self._people, held["identity"]))
        except WrongError:
            return held
        return peer if kept == now else held

    def _links(self, chain: Json) -> list[Json]:
        people = self._people.get("identities", [])
        told: list[list[Json]] = [each["links"] for each in people if each["name"] == chain["identity"]]
        return told[0][: chain["links"]] if told else []

    def _met(self, claimed: str) -> Json:
        """Whether the D that a header claims was opened before, or another one of its id."""
        if claimed in self._opened:
            return {"seen": True}
        return {"id_taken": len(claimed) == 64 and handle(claimed) in map(handle, self._opened)}
