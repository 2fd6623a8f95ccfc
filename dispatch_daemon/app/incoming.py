"""Everything that arrives from the relay: opened by the protocol's list, then handed to the room it concerns.

Returning means that the relay may forget the envelope: what mattered is in the journal by then. Bytes that
cannot be opened are dropped with a line in the log, because nobody can be told; a task that was signed by a
contact and is refused is answered with a signed refusal.
"""

import itertools
import logging

from dispatch_daemon.adapters.journal import Journal, JournalError
from dispatch_daemon.app.auditing import Auditing
from dispatch_daemon.app.chains import Chains
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.comparing import Comparing
from dispatch_daemon.app.edges import Edges
from dispatch_daemon.app.first_contact import FirstContact
from dispatch_daemon.app.household import Household
from dispatch_daemon.app.people import People
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.app.refusing import DAY_MS, Refusing
from dispatch_daemon.app.sharing import is_elsewhere, is_owner
from dispatch_daemon.core import decisions, intake, reports, threads, views
from dispatch_daemon.core.attachments import size_of
from dispatch_daemon.core.effects import SettleAbout
from dispatch_daemon.core.grants import binding
from dispatch_daemon.core.records import Box, DispatchRecord
from dispatch_daemon.core.trust_records import Direction, EdgeRecord
from dispatch_protocol.answer_chain import HELD
from dispatch_protocol.chain import Chain
from dispatch_protocol.envelope import Envelope, EnvelopeClass, Header
from dispatch_protocol.errors import DispatchError, MalformedError, RefusalCode, RefusedError
from dispatch_protocol.grant import GrantDocument
from dispatch_protocol.head import Head
from dispatch_protocol.keys import Digest, EdgeId, Genesis
from dispatch_protocol.limits import ATTACHMENT_BYTES
from dispatch_protocol.messages.answers import Decision, Receipt
from dispatch_protocol.messages.checkpoint import Checkpoint
from dispatch_protocol.messages.comparing import Comparison, Reveal
from dispatch_protocol.messages.follow_on import Ack, Cancel, Heard, Message
from dispatch_protocol.messages.household import Log
from dispatch_protocol.messages.result import Result
from dispatch_protocol.messages.task import Task
from dispatch_protocol.payloads import Kind, kind_of
from dispatch_protocol.signing import Signed, dispatch_id
from dispatch_protocol.standing import EdgeStanding, EdgeStatus, Standing
from dispatch_protocol.unseal import Opened, open_envelope, unseal

_OUR_MISTAKES = (AssertionError, AttributeError, LookupError, TypeError, ValueError)
log = logging.getLogger("dispatch.incoming")


class Incoming:
    """Takes delivered envelopes in, one after another."""

    def __init__(
        self,
        journal: Journal,
        people: People,
        clock: Clock,
        performer: Performer,
        first_contact: FirstContact,
        edges: Edges,
        chains: Chains,
        household: Household,
        *,
        file_bytes: int = ATTACHMENT_BYTES,
    ) -> None:
        self._journal = journal
        self._people = people
        self._clock = clock
        self._performer = performer
        self._first_contact = first_contact
        self._edges = edges
        self._chains = chains
        self._household = household
        self._file_bytes = file_bytes
        self._comparing = Comparing(journal, people, clock, performer)
        self.auditing = Auditing(journal, people, clock, performer)
        self._refusing = Refusing(journal, people, clock, performer)

    async def deliver(self, raw: bytes) -> None:
        """Take one envelope in; raises JournalError if it could not be kept (then it is not acknowledged).

        Nothing else may come out of here: an envelope that is offered again and again, and fails each time, would
        keep everything behind it away from this machine for as long as its sender likes.
        """
        try:
            header = Envelope.decode(raw).header
        except MalformedError as error:
            log.warning("dropped %d bytes that are no envelope: %s", len(raw), error.detail)
            return
        try:
            await self._take_in(header, raw)
        except JournalError:
            raise  # not kept, so not acknowledged: it comes again
        except RefusedError as error:
            await self._refusing.refused(header, raw, error)
        except DispatchError as error:
            log.warning("dropped envelope %s: %s", header.digest.hex[:16], error)
        except _OUR_MISTAKES:
            log.exception(
                "dropped envelope %s, which this daemon failed to understand", header.digest.hex[:16]
            )

    async def _take_in(self, header: Header, raw: bytes) -> None:
        if header.klass is EnvelopeClass.TRUST and self._introduces(raw):
            await self._first_contact.deliver(header, raw)
            return
        try:
            opened = self._open(header, raw)
        except RefusedError as error:
            if not await self._learnt(header, raw, error):
                raise
            opened = self._open(header, raw)  # down the list again, once
        await self._accept(opened)

    async def _learnt(self, header: Header, raw: bytes, error: RefusedError) -> bool:
        """Say whether a contact's chain was found to have grown since it was pinned, after a refusal that may mean so.

        Of a signer that is unknown nothing is known yet, so nothing that it says is read.
        """
        edge, own = self._journal.edge(header.edge.hex), self._people.own.genesis
        if (
            error.reason is RefusalCode.STALE_CHAIN
        ):  # they may know of a device of ours that we do not know yet
            return await self._chains.learn(own)
        if error.reason not in (RefusalCode.CHAIN_UNKNOWN, RefusalCode.SIGNER_UNKNOWN):
            return False
        if header.edge == EdgeId.SELF:
            return await self._chains.learn(own)
        if edge is None:
            return False
        keys, signed = self._people.keys, None
        if error.reason is RefusalCode.CHAIN_UNKNOWN:
            signed = unseal(raw, device=keys.signing.device, sealing=keys.sealing).signed
        return await self._chains.learn(edge.peer, signed)

    def _open(self, header: Header, raw: bytes) -> Opened:
        keys = self._people.keys
        return open_envelope(
            raw, device=keys.signing.device, sealing=keys.sealing, standing=self._standing(header)
        )

    def _introduces(self, raw: bytes) -> bool:
        """Say whether this is of a first contact: then its signer cannot be pinned yet."""
        keys = self._people.keys
        signed = unseal(raw, device=keys.signing.device, sealing=keys.sealing).signed
        return kind_of(signed.payload_type) in (Kind.ACCEPTANCE, Kind.CONFIRMATION)

    def _standing(self, header: Header) -> Standing:
        edge = self._journal.edge(header.edge.hex)
        digest = header.digest.hex
        named = self._journal.dispatch_named(str(dispatch_id(header.digest)))
        own = self._people.own
        return Standing(
            own=own.chain,
            peer=self._peer(header, edge),
            edge=standing_of(edge, own.chain.genesis) if edge else None,
            now_ms=self._clock.wall_ms(),
            floor_ms=self._journal.floor_ms,
            seen=any(
                look(digest) is not None
                for look in (
                    *(self._journal.dispatch, self._journal.answer, self._journal.logs.document),
                    self._journal.messages.message,
                )
            ),
            id_taken=named is not None and named.digest != digest,
        )

    def _peer(self, header: Header, edge: EdgeRecord | None) -> Chain | None:
        """Return the pinned chain that the sender must belong to: one's own where no edge is named."""
        if header.edge == EdgeId.SELF:
            return self._people.own.chain
        return None if edge is None else self._people.chain_of(edge.peer)

    # -- what was opened -------------------------------------------------------------------------------

    async def _accept(self, opened: Opened) -> None:
        if opened.header.edge == EdgeId.SELF and not isinstance(opened.body, Log):
            log.warning("no use for a %s from another device of one's own", opened.kind)
            return
        match opened.body:
            case Log() as message:
                await self._household.take(opened, message)
            case Task() as task:
                await self._task(opened, task)
            case Decision() | Receipt() | Result() as answer:
                await self._answer(reports.Report(answer, opened.signed))
            case Cancel() as cancel:
                await self._cancel(cancel)
            case Ack() as ack:
                await self._acknowledged(ack)
            case Message() as words:
                await self._said(opened, words)
            case Heard() as heard:
                await self._heard(opened, heard)
            case GrantDocument():
                await self._edges.grant_changed(opened)
            case Checkpoint() as checkpoint:
                await self.auditing.take(opened, checkpoint)
            case Comparison() | Reveal() as message:
                await self._comparing.deliver(opened, message)
            case _:
                log.warning("no use for a %s in %s", opened.kind, opened.signed.digest.hex[:16])

    async def _task(self, opened: Opened, task: Task) -> None:
        edge = self._journal.edge(opened.header.edge.hex)
        assert edge is not None  # noqa: S101 - the opening list has checked it
        if self._people.in_conflict(edge.peer):
            raise RefusedError(
                RefusalCode.CHAIN_FORKED, "its author has two histories; nothing new is taken in"
            )
        moment = self._clock.moment()
        limit = binding(edge).scopes.max_per_day
        arrivals = self._journal.arrivals(edge.edge, moment.now_ms - DAY_MS)
        if (
            limit is not None
            and arrivals >= limit
            and not self._refusing.may_refuse(edge.edge, moment.now_ms)
        ):
            return
        record = intake.arrived(opened.signed, task, address=edge.address, now_ms=moment.now_ms)
        effects = intake.receive(
            record,
            task,
            self._people.own,
            self._people.peer_of(record),
            moment,
            arrivals_today=arrivals,
            max_per_day=limit if limit is not None else 2**31,
            file_bytes=self._file_bytes,
            handovers=self._journal.handovers(record.digest),
            waiting_bytes=self._waiting_bytes(edge.edge) if task.attachments else 0,
        )
        log.info("task %s from %s", record.dispatch_id[:8], record.peer[:16])
        await self._performer.perform(effects)

    def _waiting_bytes(self, edge: str) -> int:
        """Return how many bytes have the files of what came over an edge and is not over."""
        return sum(size_of(views.task_of(record)) for record in self._journal.on_edge(edge))

    async def _answer(self, report: reports.Report) -> None:
        about = report.message.head.re
        record = self._journal.dispatch(about.hex)
        if record is None or record.box is not Box.SENT or not _between(record, report.message.head):
            log.warning("an answer about %s, which was not sent there", about.hex[:16])
            return
        moment = self._clock.moment()
        runs = self._journal.runs(record.digest)
        effects = reports.receive(
            record,
            runs[-1] if runs else None,
            self._evidence(record, report),
            report,
            self._people.own,
            self._people.peer_of(record),
            moment,
        )
        await self._performer.perform(effects)

    def _evidence(self, record: DispatchRecord, report: reports.Report) -> reports.Evidence:
        """Return what is held of one device's answers to a dispatch, as far as this answer touches it.

        Only those that it lets through, or contradicts, are read: whoever sends many answers too early must not make
        each of them cost as much as all before it.
        """
        taken: list[Digest] = []
        waiting: dict[int, str] = {}
        device = report.message.head.sender.device.hex
        for digest, seq, waits in self._journal.answer_places(record.digest, device):
            if waits:
                waiting[seq] = digest
            else:
                taken.append(Digest.from_hex(digest))
        seq, due = report.message.seq, len(taken) + 1
        if seq > due and seq not in waiting and len(waiting) >= HELD:
            raise RefusedError(RefusalCode.SEQUENCE_GAP, f"answer {seq} came while {due} is missing")
        touched = [waiting[seq]] if seq in waiting else []
        if seq == due:
            after = itertools.takewhile(waiting.__contains__, itertools.count(due + 1))
            touched += [waiting[each] for each in after]
        answers = [answer for digest in touched if (answer := self._journal.answer(digest)) is not None]
        held = tuple(reports.Report.of(Signed.decode(answer.signed)) for answer in answers)
        return reports.Evidence(taken=tuple(taken), held=held)

    async def _cancel(self, cancel: Cancel) -> None:
        record = self._journal.dispatch(cancel.head.re.hex)
        if record is None or record.box is not Box.INBOX or not _between(record, cancel.head):
            log.warning("a cancel for %s, which did not come from there", cancel.head.re.hex[:16])
            return
        if is_elsewhere(self._journal, self._people.own, record):
            return  # whoever has it answers
        runs = self._journal.runs(record.digest)
        effects = decisions.cancel_received(
            record,
            runs[-1] if runs else None,
            self._journal.approvals_of(record.digest),
            self._people.own,
            self._people.peer_of(record),
            self._clock.moment(),
            by="author",
            detail=cancel.reason,
            speaks=is_owner(self._journal, self._people.own, record),
        )
        await self._performer.perform(effects)

    async def _acknowledged(self, ack: Ack) -> None:
        record = self._journal.dispatch(ack.head.re.hex)
        if record is None or record.box is not Box.INBOX or not _between(record, ack.head):
            log.warning("an ack for %s, which did not come from there", ack.head.re.hex[:16])
            return
        if ack.device != self._people.own.device or ack.seq < record.answer_seq:
            return
        await self._performer.perform([SettleAbout(record.digest)])

    async def _said(self, opened: Opened, words: Message) -> None:
        """Take words in; they are kept and told as held, and nothing else follows from them."""
        record = self._journal.dispatch(words.head.re.hex)
        if record is None or not _between(record, words.head):
            log.warning("words about %s, which is nothing between us", words.head.re.hex[:16])
            return
        if self._people.in_conflict(record.peer):
            raise RefusedError(RefusalCode.CHAIN_FORKED, "whoever wrote it has two histories")
        said = self._journal.messages.about(record.digest)
        effects = threads.arrived(
            record,
            words,
            opened.signed,
            self._people.own,
            self._people.peer_of(record),
            self._clock.moment(),
            theirs=sum(not each.ours for each in said),
        )
        if not effects:
            log.warning("words about %s, which it has no place for", record.digest[:16])
        await self._performer.perform(effects)

    async def _heard(self, opened: Opened, heard: Heard) -> None:
        record = self._journal.dispatch(heard.head.re.hex)
        message = self._journal.messages.message(heard.message.hex)
        known = record is not None and message is not None and message.about == record.digest
        if record is None or message is None or not known or not _between(record, heard.head):
            log.warning("words about %s are said to be held, and are not ours", heard.head.re.hex[:16])
            return
        await self._performer.perform(threads.heard(message, opened.signed, self._clock.now_ms()))


def _between(record: DispatchRecord, head: Head) -> bool:
    """Say whether a document about a dispatch comes from its other side, over its own edge."""
    return record.peer == head.sender.identity.hex and record.edge == head.edge.hex


def standing_of(edge: EdgeRecord, own: Genesis) -> EdgeStanding:
    """Return an edge of the journal as the opening list wants to see it."""
    peer = Genesis.from_hex(edge.peer)
    outgoing = edge.direction is Direction.OUTGOING
    return EdgeStanding(
        edge=EdgeId.from_hex(edge.edge),
        status=EdgeStatus(edge.status),
        dispatcher=own if outgoing else peer,
        trustor=peer if outgoing else own,
        expires_ms=edge.expires_ms,
    )
