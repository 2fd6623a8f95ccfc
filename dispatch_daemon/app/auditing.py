"""The logs at work: every last word about a dispatch is entered in the log of its edge, and the other side's are kept.

It stands behind the performer, as the household does: the checkpoint is owed in the very commit that signs the word, by
whichever room said it, so that nothing can be said and not be entered.
"""

import logging
from collections.abc import Sequence

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.people import People
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.core import auditing
from dispatch_daemon.core.auditing import Examined
from dispatch_daemon.core.effects import Effect, Put
from dispatch_daemon.core.records import AnswerRecord
from dispatch_daemon.core.trust_records import EdgeRecord
from dispatch_protocol.keys import Digest
from dispatch_protocol.merkle import EMPTY, Tree
from dispatch_protocol.messages.checkpoint import Checkpoint
from dispatch_protocol.messages.registry import decode_body
from dispatch_protocol.payloads import Kind, kind_of
from dispatch_protocol.signing import Signed
from dispatch_protocol.unseal import Opened

_FLOODED = "audit_flooded"  # edges over which more checkpoints came than are kept
_SPARE = 16  # checkpoints beyond two for each task that was sent: more than that nobody has to keep
log = logging.getLogger("dispatch.audit")


class Auditing:
    """The logs of edges, one's own and those of the other sides."""

    def __init__(self, journal: Journal, people: People, clock: Clock, performer: Performer) -> None:
        self._journal = journal
        self._people = people
        self._clock = clock
        self._performer = performer
        self._trees: dict[str, Tree] = {}
        performer.audit = self.told

    def told(self, effects: Sequence[Effect]) -> Sequence[Effect]:
        """Return the checkpoints that enter the last words among these effects."""
        sends: list[Effect] = []
        for number, (edge, said) in enumerate(auditing.last_words(effects).items()):
            record = self._journal.edge(edge)
            if record is not None:
                peer, moment = self._people.peer(record.peer), self._clock.moment()
                tree = self._tree(edge)
                send = auditing.told(self._people.own, peer, edge, tree, said, moment, number)
                # If it cannot be kept, the journal holds fewer entries than this, and it is read anew.
                self._trees[edge] = tree.grown([Digest.from_hex(each.digest) for each in said])
                sends.append(send)
        return sends

    def _tree(self, edge: str) -> Tree:
        """Return this device's own log of an edge; it is read from the journal when it is not what was read last."""
        device = self._people.own.device.hex
        held = self._trees.get(edge, EMPTY)
        size = self._journal.log_size(edge, device)
        if held.size != size:
            held = EMPTY
            of_device = [each for each in self._journal.answers(edge) if each.device == device]
            for row in sorted(of_device, key=lambda row: row.seq):
                message = _checkpoint(row)
                if message.since == held.size:
                    held = held.grown(message.entries)
            self._trees[edge] = held
        return held

    async def take(self, opened: Opened, message: Checkpoint) -> None:
        """Keep another side's checkpoint; what it amounts to is found when somebody looks."""
        edge = message.head.edge.hex
        if self._journal.answers_count(edge) >= 2 * self._journal.sent_over(edge) + _SPARE:
            log.warning("more checkpoints of %s than tasks were sent", opened.header.from_device.hex[:16])
            if edge not in self._flooded():
                self._journal.remember(_FLOODED, [*self._flooded(), edge])
                await self._journal.database.committed()
            return
        signed = opened.signed
        row = auditing.kept(message, signed.digest.hex, signed.encode(), self._clock.now_ms())
        await self._performer.perform([Put(row)])

    def logs(self) -> list[tuple[EdgeRecord, str, Examined]]:
        """Return every log that is known here, edge by edge and device by device, with what it amounts to."""
        found: list[tuple[EdgeRecord, str, Examined]] = []
        for edge in self._journal.edges():
            by_device = _by_device(self._journal.answers(edge.edge))
            for device in self._journal.answering(edge.edge):  # also one that keeps no log
                by_device.setdefault(device, [])
            for device, rows in sorted(by_device.items()):
                found.append((edge, device, self._examined(edge.edge, device, rows)))
        return found

    def _flooded(self) -> list[str]:
        held = self._journal.meta(_FLOODED)
        return [str(edge) for edge in held] if isinstance(held, list) else []

    def _examined(self, edge: str, device: str, rows: Sequence[AnswerRecord]) -> Examined:
        held: dict[Digest, tuple[str, int]] = {}
        for answer in self._journal.last_words(edge, device):
            signed = Signed.decode(answer.signed)
            kind = kind_of(signed.payload_type)
            message = None if kind is None else decode_body(kind, signed.body)
            if message is not None:
                held[signed.digest] = (answer.type, message.head.created_ms)
        return auditing.examine(
            {Digest.from_hex(row.digest): _checkpoint(row) for row in rows},
            held,
            self._clock.now_ms(),
            flooded=edge in self._flooded() and device != self._people.own.device.hex,
        )


def _checkpoint(row: AnswerRecord) -> Checkpoint:
    """Read a checkpoint that the journal holds; it was verified when it came, or made here."""
    message = decode_body(Kind.CHECKPOINT, Signed.decode(row.signed).body)
    assert isinstance(message, Checkpoint)  # noqa: S101 - its kind says so
    return message


def _by_device(rows: Sequence[AnswerRecord]) -> dict[str, list[AnswerRecord]]:
    found: dict[str, list[AnswerRecord]] = {}
    for row in rows:
        found.setdefault(row.device, []).append(row)
    return found
