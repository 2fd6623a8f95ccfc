"""One of Bob's real devices, as its household makes it, for whoever speaks to it in a vector: a journal, and what changes in it."""

import asyncio
import json
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.app.sharing import torn_logs
from dispatch_protocol.chain import Chain, read_links
from dispatch_protocol.keys import Genesis
from dispatch_protocol.messages.household import Log
from dispatch_protocol.messages.registry import decode_body
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.signing import sign
from tests.support.besieged_desk import Desk
from tests.support.vectors import world
from tests.support.vectors.cases import bob_knows
from tests.support.vectors.forge import forge

_TABLES = ("contacts", "edges", "invitations", "rules", "deeds", "handovers", "questions", "acts")
_NOTED = ("device_names", "removed_rules")


class Hearing:
    """A device of Bob's that hears the others, over a journal of its own."""

    def __init__(self, links: list[Any], genesis: str, device: str, now: int) -> None:
        self._home = tempfile.TemporaryDirectory()
        chain = Chain.verify(read_links(links), expect=Genesis.from_hex(genesis))
        machine = next(each for each in world.MACHINES if each.device.hex == device)
        standing = replace(bob_knows(), own=chain, peer=None, edge=None, now_ms=now)
        self._desk = Desk(Path(self._home.name), standing, machine)
        self._panics: list[Any] = []
        self._desk.incoming._household.on_panic = self._panics.append

    def hear(self, by: str, body: str) -> dict[str, Any]:
        """Deliver one document, signed by the device of a vector and sealed as any other."""
        speaks = next(each for each in world.MACHINES if each.device.hex == by)
        signed = sign(speaks.sign, payload_type(Kind.LOG), body.encode())
        message = decode_body(Kind.LOG, signed.body)
        assert isinstance(message, Log)
        raw = forge(signed.digest.hex, signed, message, [self._desk.machine.recipient])
        before = self._held()
        asyncio.run(self._desk.incoming.deliver(raw))
        followed = {device: seq for device, seq, _, _ in self._desk.journal.logs.heads()}
        return {"changes": self._held() != before, "followed": followed.get(by, 0)}

    def _held(self) -> str:
        journal: Journal = self._desk.journal
        rows = [journal.database.read(f"SELECT * FROM {table}") for table in _TABLES]
        noted = [journal.meta(name) for name in _NOTED]
        return json.dumps([rows, noted, len(self._panics)], default=repr)

    @property
    def torn(self) -> list[str]:
        """The devices that have told two histories of their log."""
        return torn_logs(self._desk.journal)

    def close(self) -> None:
        """Let go of the journal."""
        self._desk.close()
        with suppress(OSError):
            self._home.cleanup()
