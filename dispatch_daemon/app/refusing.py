"""What follows from a refusal on arrival: a repeat is answered as before, a refused task with a signed no.

It is bounded, because each answer costs a row and a signature, and whoever floods is owed none.
"""

import logging
from dataclasses import replace

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.people import People
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.core import intake, reports, threads
from dispatch_daemon.core.effects import Effect
from dispatch_daemon.core.receipts import receipt
from dispatch_daemon.core.records import Box, DispatchRecord, MessageRecord
from dispatch_daemon.core.trust_records import EdgeRecord
from dispatch_protocol.envelope import EnvelopeClass, Header
from dispatch_protocol.errors import DispatchError, RefusalCode, RefusedError
from dispatch_protocol.messages.registry import decode_body
from dispatch_protocol.messages.task import Task
from dispatch_protocol.payloads import Kind, kind_of
from dispatch_protocol.signing import Signed
from dispatch_protocol.unseal import unseal

DAY_MS = 86_400_000
_REFUSALS_A_DAY = 100  # of one edge
log = logging.getLogger("dispatch.incoming")


class Refusing:
    """Answers what the opening list has refused, as far as it is answered at all."""

    def __init__(self, journal: Journal, people: People, clock: Clock, performer: Performer) -> None:
        self._journal = journal
        self._people = people
        self._clock = clock
        self._performer = performer
        self._refused_at: dict[str, list[int]] = {}  # by edge: when tasks of it were refused

    async def refused(self, header: Header, raw: bytes, error: RefusedError) -> None:
        """Answer one refusal, if its author is known and is owed an answer."""
        log.warning("refused envelope %s: %s", header.digest.hex[:16], error)
        if not error.answerable:
            return
        if error.reason is RefusalCode.REPLAYED:
            await self._repeated(header)
        elif header.klass is EnvelopeClass.TASK:
            await self._refuse_task(header, raw, error)

    async def _repeated(self, header: Header) -> None:
        """Answer a repeat with what was answered the first time; the effect happened once."""
        digest = header.digest.hex
        now_ms = self._clock.now_ms()
        record = self._journal.dispatch(digest)
        if record is not None and record.box is Box.INBOX:
            await self._owe_answers_again(record, now_ms)
            return
        message = self._journal.messages.message(digest)
        if message is not None:
            await self._hold_again(message)
            return
        answer = self._journal.answer(digest)
        about = self._journal.dispatch(answer.about) if answer else None
        if answer is None or about is None or about.box is not Box.SENT:
            return
        if self._journal.outbox.holds_about(about.digest):
            return  # what answers it is on its way already, however often the relay repeats the question
        report = reports.Report.of(Signed.decode(answer.signed))
        places = self._journal.answer_places(about.digest, answer.device)
        taken = sum(not waits for _, _, waits in places)
        effects = reports.acknowledge_again(
            about, report, taken, self._people.own, self._people.peer_of(about), self._clock.moment()
        )
        await self._performer.perform(effects)

    async def _hold_again(self, message: MessageRecord) -> None:
        """Say once more that words are held, unless that waits to leave anyway, however often they come."""
        record = self._journal.dispatch(message.about)
        if message.ours or record is None:
            return
        if self._journal.outbox.holds_heard(message.about, message.digest.encode()):
            return
        peer = self._people.peer_of(record)
        effects = threads.held(record, message, self._people.own, peer, self._clock.moment())
        await self._performer.perform(effects)

    async def _owe_answers_again(self, record: DispatchRecord, now_ms: int) -> None:
        for answer in self._journal.answers(record.digest):
            if answer.device == self._people.own.device.hex:
                self._journal.outbox.owe_once_more(answer, to=record.peer, edge=record.edge, now_ms=now_ms)
        await self._journal.database.committed()

    async def _refuse_task(self, header: Header, raw: bytes, error: RefusedError) -> None:
        """Send the author a signed refusal; the record says that this task was never taken in."""
        keys = self._people.keys
        signed = unseal(raw, device=keys.signing.device, sealing=keys.sealing).signed
        # What the author signed is refused. The header only claims a digest, and may claim that of somebody else's.
        header = replace(header, digest=signed.digest)
        edge = self._journal.edge(header.edge.hex)
        if edge is None or self._journal.dispatch(header.digest.hex) is not None:
            return
        moment = self._clock.moment()
        peer = self._people.peer(edge.peer)
        if not self.may_refuse(edge.edge, moment.now_ms):
            return
        try:
            # Bytes of another type are not read as a task, however much they look like one.
            task = decode_body(Kind.TASK, signed.body) if kind_of(signed.payload_type) is Kind.TASK else None
        except DispatchError:
            task = None
        if isinstance(task, Task) and error.reason is not RefusalCode.ID_COLLISION:
            record = intake.arrived(signed, task, address=edge.address, now_ms=moment.now_ms)
            effects = intake.refuse(
                record, self._people.own, peer, moment, code=error.reason, detail=error.detail
            )
        else:
            effects = self._refuse_unreadable(header, edge, error, signed.payload_type)
        await self._performer.perform(effects)

    def may_refuse(self, edge: str, now_ms: int) -> bool:
        """Say whether one more refusal of an edge's tasks is kept and told, and count it.

        Each costs a row and a signature. An honest contact never comes near the bound, because the relay stops it
        before; whoever floods past it talks to nobody.
        """
        recent = [at_ms for at_ms in self._refused_at.get(edge, ()) if at_ms > now_ms - DAY_MS]
        if len(recent) >= _REFUSALS_A_DAY:
            log.warning("a flood of tasks that are refused comes over edge %s; it is dropped", edge[:16])
            return False
        self._refused_at[edge] = [*recent, now_ms]
        return True

    def _refuse_unreadable(
        self, header: Header, edge: EdgeRecord, error: RefusedError, named: str
    ) -> list[Effect]:
        """Answer a document that this journal cannot hold as a dispatch: signed, refused, and only once."""
        if self._journal.answers(header.digest.hex):
            return []
        moment = self._clock.moment()
        stand_in = intake.unreadable(header, peer=edge.peer, address=edge.address, now_ms=moment.now_ms)
        kind = intake.refusal_type(error.reason)
        _, effects = receipt(
            stand_in,
            self._people.own,
            self._people.peer(edge.peer),
            moment,
            kind,
            code=error.code,
            detail=error.detail,
            data=intake.refusal_data(kind, self._people.own, named),
        )
        return effects[1:]  # the answer without the stand-in's own row
