"""A recipient that is the product: what the relay delivers goes through the rooms of a real daemon, into a real journal.

Nothing is remembered here. What was taken in, and whether it comes again, is what the journal says.
"""

import asyncio
import logging
import tempfile
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.core.effects import Put
from dispatch_protocol.encoding import unb64u
from dispatch_protocol.envelope import Envelope
from dispatch_protocol.errors import RemoteError
from dispatch_protocol.keys import SigningKey
from dispatch_protocol.signing import Signed
from dispatch_protocol.standing import EdgeStatus
from tests.support.besieged_desk import Desk, codes_of
from tests.support.vectors.opening import Book
from tests.support.vectors.world import Machine

Json = dict[str, Any]


class _Said(logging.Handler):
    """What the daemon's log says of what arrives."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


class Recipient:
    """One recipient; a fresh home for each scene."""

    def __init__(self) -> None:
        self._book: Book | None = None
        self._devices: dict[str, Json] = {}
        self._standing: Json = {}
        self._desk: Desk | None = None
        self._let_go: Callable[[], object] = lambda: None

    def world(self, **document: Any) -> Json:
        """Get to know the people."""
        self._book = Book({**document, "cases": []})
        self._devices = {device["name"]: device for device in document["devices"]}
        return {}

    def open(self, **case: Any) -> Json:
        """Open one envelope, knowing exactly what is said: the list alone, without a journal."""
        assert self._book is not None
        try:
            signed = self._book.open(case).signed
        except RemoteError as error:
            return {"refused": error.code}
        return {
            "digest": signed.digest.hex,
            "payload_type": signed.payload_type,
            "body": signed.body.decode(),
        }

    def begin(self, device: str, standing: Json, sent: Sequence[str] = ()) -> Json:
        """Begin with an empty journal, but for the contact and the edge of a standing, and what was sent over it."""
        assert self._book is not None
        self._let_go()
        _, sealing = self._book.keys({"device": device})
        signing = SigningKey(bytes.fromhex(self._devices[device]["signing_seed"]))
        home, known = tempfile.TemporaryDirectory(), self._book.standing({"standing": standing})
        self._desk = Desk(Path(home.name), known, Machine(device, signing, tuple(sealing)))
        self._let_go = weakref.finalize(self, _let_go, self._desk, home)
        self._standing = standing
        for signed in sent:
            self._desk.sent(Signed.decode(bytes.fromhex(signed)))
        return {}

    def know(self, edge_status: str | None = None, now: int | None = None, peer: Json | None = None) -> Json:
        """Learn that an edge has another status, that time has passed, or how the other side's chain is told now."""
        assert self._desk is not None
        assert self._book is not None
        if edge_status is not None:
            journal = self._desk.journal
            edge = journal.edge(self._standing["edge"]["edge"])
            assert edge is not None
            ended = replace(edge, status=EdgeStatus(edge_status))
            journal.write([Put(ended)], now_ms=journal.floor_ms, signatures={})
        if now is not None:
            self._desk.clock.stands_ms = now
        if peer is not None:
            chain = self._book.chain(peer)
            asyncio.run(self._desk.chains.take(chain.genesis.hex, chain.links))
        return {}

    def deliver(self, envelope: str) -> Json:
        """Let a daemon take in what the relay delivers: it is taken in if nothing is said against it and the journal is another now."""
        assert self._desk is not None
        raw, said, room = unb64u(envelope), _Said(), logging.getLogger("dispatch.incoming")
        before = _kept(self._desk.journal)
        room.addHandler(said)
        try:
            asyncio.run(self._desk.incoming.deliver(raw))
        finally:
            room.removeHandler(said)
        refused = codes_of(said.records)
        if refused or _kept(self._desk.journal) == before:
            return {"refused": refused[0] if refused else "nothing_new"}
        return {"digest": Envelope.decode(raw).header.digest.hex}


def _let_go(desk: Desk, home: "tempfile.TemporaryDirectory[str]") -> None:
    """Let go of a journal, and of the directory in which it is."""
    desk.close()
    with suppress(OSError):
        home.cleanup()


def _kept(journal: Journal) -> list[list[tuple[Any, ...]]]:
    """Return every row of a journal, but for the time and the like that it notes."""
    tables = journal.database.read("SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'meta'")
    return [[tuple(row) for row in journal.database.read(f"SELECT * FROM {name}")] for (name,) in tables]
