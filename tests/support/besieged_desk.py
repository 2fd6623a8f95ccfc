"""Bob's incoming path with the keys and people of the vectors: what a vector says its opener knows is in his journal.

So every envelope of the vectors arrives at the rooms that a real daemon takes envelopes in with, and a test can ask what
the list alone cannot say: who is told, how, and whether anybody else's work goes on.
"""

import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.adapters.keystore import Keys
from dispatch_daemon.app.chains import Chains
from dispatch_daemon.app.edges import Edges
from dispatch_daemon.app.first_contact import FirstContact
from dispatch_daemon.app.household import Household
from dispatch_daemon.app.incoming import Incoming
from dispatch_daemon.app.own_chain import OwnChain
from dispatch_daemon.app.people import People
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.app.watchers import Watchers
from dispatch_daemon.core.effects import Put
from dispatch_daemon.core.records import Box, DispatchRecord
from dispatch_daemon.core.trust_records import (
    ContactRecord,
    Direction,
    EdgeRecord,
    InvitationRecord,
    InvitationStatus,
    Trust,
)
from dispatch_protocol.chain import Chain, write_links
from dispatch_protocol.envelope import Envelope
from dispatch_protocol.grant import GrantDocument, Version
from dispatch_protocol.keys import Digest, EdgeId, Genesis
from dispatch_protocol.lifecycle import DispatchState
from dispatch_protocol.messages.answers import Receipt, ReceiptType
from dispatch_protocol.messages.checkpoint import Checkpoint
from dispatch_protocol.messages.household import Log
from dispatch_protocol.messages.registry import Message, decode_body
from dispatch_protocol.messages.task import Task
from dispatch_protocol.payloads import Kind, kind_of, payload_type
from dispatch_protocol.scopes import Scopes
from dispatch_protocol.signing import Signed, dispatch_id, sign_document
from dispatch_protocol.standing import EdgeStanding, EdgeStatus, Standing
from tests.support.fate import Fate, FatedClock
from tests.support.vectors import world
from tests.support.vectors.cases import bob_knows
from tests.support.vectors.fixed import fixed
from tests.support.vectors.forge import forge, signed_by
from tests.support.vectors.world import Machine

_CODE = re.compile(r"refused envelope [0-9a-f]+: (\w+):|(dropped) \d+ bytes that are no envelope")
_UNTOLD = frozenset({Kind.LOG, Kind.CHECKPOINT})
_LAST_WORDS = {ReceiptType.REFUSED, ReceiptType.EXPIRED, ReceiptType.CANCELLED}
NEIGHBOURS_EDGE = EdgeId(fixed("the neighbour's edge", 16))


class _StandingClock(FatedClock):
    """A clock that stands where a vector says."""

    def __init__(self, journal: Journal, now_ms: int) -> None:
        super().__init__(journal, Fate("vectors"))
        self.stands_ms = now_ms

    def wall_ms(self) -> int:
        return self.stands_ms


class Desk:
    """The incoming path of one of Bob's devices, knowing what a standing says."""

    def __init__(
        self, home: Path, standing: Standing | None = None, machine: Machine = world.BOB_LAPTOP
    ) -> None:
        standing = standing or bob_knows()
        self.machine = machine
        self.journal = Journal(home / f"{machine.name}.db", boot="vectors")
        self.journal.database.read("PRAGMA synchronous = OFF")
        keys = Keys(
            signing=machine.sign, sealing=machine.sealing, recovery=None, genesis=standing.own.genesis
        )
        self.people = people = People(self.journal, keys, standing.own)
        self.clock = _StandingClock(self.journal, standing.now_ms)
        self.performer = performer = Performer(self.journal, self.clock, Watchers(), keys.signing)
        first_contact = FirstContact(self.journal, people, self.clock, performer)
        edges = Edges(self.journal, self.clock, performer)
        desk = (self.journal, people, self.clock, performer)
        self.chains = Chains(*desk, lambda: None, OwnChain(*desk))
        self.incoming = Incoming(*desk, first_contact, edges, self.chains, Household(*desk))
        self.journal.remember("floor_ms", standing.floor_ms)
        if standing.edge is not None:
            self._know(standing.edge, standing)
        self.journal.database.commit()

    def _know(self, edge: EdgeStanding, standing: Standing) -> None:
        own = standing.own.genesis
        outgoing = edge.dispatcher == own
        other = edge.trustor if outgoing else edge.dispatcher
        if standing.peer is not None and standing.peer.genesis == other:
            self._pin(standing.peer, "alice@example.org")
        self._put(_edge_record(edge, other, outgoing=outgoing))

    def _pin(self, chain: Chain, address: str) -> None:
        contact = ContactRecord(
            genesis=chain.genesis.hex,
            address=address,
            trust=Trust.TOKEN,
            chain=tuple(write_links(chain.links)),
            pinned_ms=world.NOW_MS,
        )
        self._put(contact)

    def invited_bob(self) -> None:
        """Let this be Alice's device, which has given Bob a token."""
        self._put(_invitation_record(Direction.OUTGOING, "bob@example.org", InvitationStatus.PENDING, None))
        self.journal.database.commit()

    def accepted_alice(self, acceptance: Digest, *, with_token: bool = True) -> None:
        """Let this be Bob's device, which has pinned Alice, answered with this acceptance, and waits."""
        self._pin(world.ALICE.chain, "alice@example.org")
        pending = EdgeStanding(world.EDGE, EdgeStatus.PENDING, world.ALICE.genesis, world.BOB.genesis)
        self._put(_edge_record(pending, world.ALICE.genesis, outgoing=False))
        record = _invitation_record(
            Direction.INCOMING, "alice@example.org", InvitationStatus.ACCEPTED, acceptance.hex
        )
        self._put(record if with_token else replace(record, secret=None))
        self.journal.database.commit()

    def befriend_a_neighbour(self) -> None:
        """Let somebody else, who does nothing wrong, have an edge of their own."""
        chain = world.MALLORY.chain
        self._pin(chain, "neighbour@example.org")
        edge = EdgeStanding(NEIGHBOURS_EDGE, EdgeStatus.ACTIVE, chain.genesis, world.BOB.genesis)
        self._put(_edge_record(edge, chain.genesis, outgoing=False))
        self.journal.database.commit()

    def from_the_neighbour(self, label: str) -> bytes:
        """Return an honest task of the neighbour's, at the time that it is here now."""
        now_ms = max(self.clock.wall_ms(), self.journal.floor_ms)
        head = world.head(
            label,
            world.MALLORY,
            world.MALLORY_LAPTOP,
            world.BOB,
            edge=NEIGHBOURS_EDGE,
            created_ms=now_ms,
            expires_ms=now_ms + world.HOUR_MS,
        )
        task = world.task(label, head)
        return forge(label, signed_by(world.MALLORY_LAPTOP, task), task, [self.machine.recipient])

    def _put(self, record: Any) -> None:
        self.journal.write([Put(record)], now_ms=self.journal.floor_ms, signatures={})

    def sent(self, signed: Signed) -> None:
        """Let this device have sent a task, over the edge that the task names."""
        task = decode_body(Kind.TASK, signed.body)
        assert isinstance(task, Task)
        self._put(
            DispatchRecord(
                digest=signed.digest.hex,
                dispatch_id=str(dispatch_id(signed.digest)),
                box=Box.SENT,
                peer=task.head.recipient.identity.hex,
                address="bob@example.org",
                edge=task.head.edge.hex,
                state=DispatchState.SENT,
                signed=signed.encode(),
                thread_id=str(task.thread),
                created_ms=task.head.created_ms,
                expires_ms=task.head.expires_ms,
                arrived_ms=task.head.created_ms,
            )
        )
        self.journal.database.commit()

    def squat(self, raw: bytes) -> None:
        """Let another document have the dispatch id of this envelope's."""
        header = Envelope.decode(raw).header
        other = bytearray(header.digest.raw)
        other[-1] ^= 1
        self._put(
            DispatchRecord(
                digest=bytes(other).hex(),
                dispatch_id=str(dispatch_id(header.digest)),
                box=Box.INBOX,
                peer=world.ALICE.genesis.hex,
                address="alice@example.org",
                edge=world.EDGE.hex,
                state=DispatchState.DELIVERED,
                signed=b"",
                thread_id="",
                created_ms=world.NOW_MS,
                expires_ms=0,
                arrived_ms=world.NOW_MS,
            )
        )

    def told(self) -> list[tuple[str, Message]]:
        """Return what this device owes other people: the genesis it is for, and the document.

        What it tells the other devices of its own person is none of that, and checkpoints are what `unlogged` is about.
        """
        return [(to, decode_body(kind, signed.body)) for to, kind, signed in self._owed(_UNTOLD)]

    def household(self) -> list[tuple[Digest, Log]]:
        """Return what this device has told the other devices of its own person, in order."""
        bodies = [(signed.digest, decode_body(kind, signed.body)) for _, kind, signed in self._owed()]
        return [(digest, body) for digest, body in bodies if isinstance(body, Log)]

    def unlogged(self) -> set[Digest]:
        """Return the last words that no checkpoint enters in the log of its edge, and what one enters that is none."""
        said: set[Digest] = set()
        entered: set[Digest] = set()
        for _, kind, signed in self._owed():
            message = decode_body(kind, signed.body)
            if isinstance(message, Checkpoint):
                entered.update(message.entries)
            elif isinstance(message, Receipt) and message.type in _LAST_WORDS:
                said.add(signed.digest)
        return said ^ entered

    def _owed(self, without: frozenset[Kind] = frozenset()) -> Iterator[tuple[str, Kind, Signed]]:
        for to, signed in self.journal.database.read("SELECT recipient, signed FROM outbox ORDER BY rowid"):
            document = Signed.decode(signed)
            kind = kind_of(document.payload_type)
            assert kind is not None
            if kind not in without:
                yield to, kind, document

    def inbox(self) -> list[DispatchRecord]:
        """Return every dispatch that this device holds."""
        return self.journal.page(Box.INBOX, before=None, limit=1000)

    def close(self) -> None:
        self.journal.database._connection.close()


def _invitation_record(
    direction: Direction, address: str, status: InvitationStatus, acceptance: str | None
) -> InvitationRecord:
    return InvitationRecord(
        invitation_id=world.EDGE.hex,
        direction=direction,
        address=address,
        document=world.INVITATION.to_json(),
        status=status,
        created_ms=world.NOW_MS,
        expires_ms=world.NOW_MS + world.HOUR_MS,
        link="",
        mac_required=True,
        secret=world.SECRET,
        acceptance=acceptance,
    )


def _edge_record(edge: EdgeStanding, other: Genesis, *, outgoing: bool) -> EdgeRecord:
    grant = GrantDocument(
        head=world.head("desk", world.BOB, world.BOB_LAPTOP, world.ALICE),
        version=Version(1, world.BOB_LAPTOP.device),
        scopes=Scopes(tools=("Read",)),
    )
    document = sign_document([world.BOB_LAPTOP.sign], payload_type(Kind.GRANT), grant.encode())
    return EdgeRecord(
        edge=edge.edge.hex,
        direction=Direction.OUTGOING if outgoing else Direction.INCOMING,
        peer=other.hex,
        address="alice@example.org",
        status=edge.status,
        grant=document.to_json(),
        created_ms=world.NOW_MS,
        expires_ms=edge.expires_ms,
    )


@contextmanager
def desk_of(*arguments: Any, **named: Any) -> Iterator[Desk]:
    """A desk with an honest neighbour, for the length of a block."""
    desk = Desk(*arguments, **named)
    desk.befriend_a_neighbour()
    try:
        yield desk
    finally:
        desk.close()


def codes(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the codes of the refusals so far, as the daemon's log has them."""
    return codes_of(caplog.records)


def codes_of(records: Iterable[logging.LogRecord]) -> list[str]:
    """Return the codes of the refusals among records of the daemon's log."""
    matches = (_CODE.match(record.getMessage()) for record in records)
    return [match[1] or "malformed" for match in matches if match]


def receipts(desk: Desk, genesis: Any) -> list[Receipt]:
    """Return the receipts that are owed to somebody; nothing else may be owed to them."""
    told = [message for to, message in desk.told() if to == genesis.hex]
    assert all(isinstance(message, Receipt) for message in told)
    return [message for message in told if isinstance(message, Receipt)]
