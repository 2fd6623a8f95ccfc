"""Paying what is owed to the relay: every outbox row is sealed and deposited until the relay has it.

Sealing happens here, at the last moment, to the devices the recipient's chain then has. A refusal of the
relay is final for that document and is told to whoever waits for it; silence is retried for ever.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from dispatch_daemon.adapters.journal import Journal, OutboxRow, Task
from dispatch_daemon.adapters.relay import RelayRejectedError, RelayUnreachableError
from dispatch_daemon.app.chains import Chains
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.pausing import may_leave
from dispatch_daemon.app.people import People
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.core import decisions, retry, rotating
from dispatch_daemon.core.effects import Durable, Effect, Note, Put, Settle, TaskKind, Unplan
from dispatch_daemon.core.records import Box, DispatchRecord
from dispatch_daemon.ports import Relay
from dispatch_protocol.chain import Chain
from dispatch_protocol.errors import LocalError, RefusalCode, RefusedError
from dispatch_protocol.keys import DeviceId, Digest, EdgeId, SealingPublic
from dispatch_protocol.lifecycle import DISPATCH, DispatchState, advance
from dispatch_protocol.messages.registry import decode_body
from dispatch_protocol.messages.task import Task as TaskBody
from dispatch_protocol.messages.trace import EventType
from dispatch_protocol.payloads import Kind, class_of, kind_of
from dispatch_protocol.seal import seal
from dispatch_protocol.signing import Signed

# Nobody acknowledges these; a repeat of what they answer brings forth a new one.
_UNANSWERED = frozenset(
    {
        Kind.ACK,
        Kind.CONFIRMATION,
        Kind.GRANT,
        Kind.HEARD,
        Kind.COMPARISON,
        Kind.REVEAL,
        Kind.LOG,
        Kind.CHECKPOINT,
    }
)
# What was sent once, or is owed about a task that was taken in, is not dropped because a relay has forgotten the edge:
# it may have been restored from a backup. Only a document that no relay could ever take is given up.
NEVER_CODES = frozenset({"id_collision", "malformed", "too_large", "frame_too_long", "blob_address"})
RETRY_CODES = frozenset({"quota", "rate_limited", "draining", "unavailable"})

log = logging.getLogger("dispatch.depositing")


class KeyTooOldError(LocalError):
    """Nothing new may be sealed to a device that has not replaced its sealing key for so long."""

    def __init__(self) -> None:
        """Say what to do about it."""
        super().__init__(
            "sealing_key_old",
            "the other side's device has not been on for sixty days, and nothing is sealed to a key that old;"
            " it makes a new one by itself as soon as it runs",
        )


class Taker(Relay, Protocol):
    """The link to the relay, as far as it takes what is sent."""

    async def deposit(self, envelope: bytes) -> None: ...


class Depositor:
    """Settles `deposit` and `relay_call` tasks. `relay` returns the present link, or None before a login."""

    def __init__(
        self,
        journal: Journal,
        people: People,
        clock: Clock,
        performer: Performer,
        relay: Callable[[], Taker | None],
        chains: Chains,
    ) -> None:
        self.journal = journal
        self.people = people
        self.clock = clock
        self.performer = performer
        self.relay = relay
        self.chains = chains
        self._tried: dict[str, asyncio.Future[None]] = {}
        self.on_answered: Callable[[], None] | None = None

    def settled(self, digest: str) -> "asyncio.Future[None]":
        """Return a future that is done once this document's first deposit was answered, or could not be tried."""
        return self._tried.setdefault(digest, asyncio.get_running_loop().create_future())

    async def deposit(self, task: Task) -> None:
        """Deposit one outbox row; the row itself stays until its recipient has said that it is there."""
        try:
            await self._deposit(task)
        finally:
            tried = self._tried.pop(task.key, None)
            if tried is not None and not tried.done():
                tried.set_result(None)
            self._answered()

    def _answered(self) -> None:
        """Tell whoever waits for something to have left that the relay was asked."""
        if self.on_answered is not None:
            self.on_answered()

    async def _deposit(self, task: Task) -> None:
        row = self.journal.outbox.row(task.key)
        relay = self.relay()
        if row is None:
            await self.performer.perform([Unplan(TaskKind.DEPOSIT, task.key)])
            return
        if relay is None or not may_leave(self.journal, Signed.decode(row.signed)):
            self._again(task)
            return
        if self._may_have_grown(row):
            await self.chains.learn(row.recipient)
        try:
            sealed = self._sealed(row)
        except KeyTooOldError as error:
            if self._unsent(row) is None:
                log.info("for %s it waits: %s", row.recipient[:16], error)
                self._again(task)
            else:
                await self._given_up(row, error.code, error.detail)
            return
        except RefusedError as error:
            # Their chain states a key that nothing may be sealed to: it is as if there were nobody.
            log.warning("nothing can be sealed for %s: %s", row.recipient[:16], error)
            await self._given_up(row, error.code, error.detail)
            return
        try:
            await relay.deposit(sealed)
        except RelayUnreachableError:
            self._again(task)
        except RelayRejectedError as error:
            await self._rejected(task, row, error)
        else:
            self.performer.note(self._deposited(row))  # the relay has it on its disk

    async def give_up(self, digest: str, code: str, detail: str) -> bool:
        """End a dispatch that cannot leave because its files cannot; False for a document that goes without them."""
        row = self.journal.outbox.row(digest)
        if row is None or self._unsent(row) is None:
            return False
        await self._given_up(row, code, detail)
        tried = self._tried.pop(digest, None)
        if tried is not None and not tried.done():
            tried.set_result(None)
        return True

    async def call(self, task: Task) -> None:
        """Make one owed call to the relay: each of them may be repeated without harm."""
        try:
            await self._call(task)
        finally:
            self._answered()

    async def _call(self, task: Task) -> None:
        relay = self.relay()
        if relay is None:
            self._again(task)
            return
        args = task.payload["args"]
        assert isinstance(args, dict)  # noqa: S101 - planned by this program
        try:
            await relay.call(str(task.payload["op"]), args)
        except RelayUnreachableError:
            self._again(task)
        except RelayRejectedError as error:
            if error.code in RETRY_CODES:
                self._again(task)
                return
            await self._called(task)
            if task.payload["op"] == "links":  # another device of one's own has told it something else
                await self.chains.learn(self.people.own.genesis, patiently=True)
        else:
            await self._called(task)

    async def _called(self, task: Task) -> None:
        """Owe a call no more; one that was planned anew meanwhile, with other words, is owed still."""
        owed = self.journal.tasks.get(task.kind, task.key)
        if owed is not None and owed.payload == task.payload:
            await self.performer.perform([Unplan(task.kind, task.key)])

    def _may_have_grown(self, row: OutboxRow) -> bool:
        """Say whether a device that this is for should have a newer key than the one that is known here."""
        chain = self.people.chain_of(row.recipient)
        now_ms, own = self.clock.now_ms(), self.people.keys.signing.device
        return chain is not None and any(
            rotating.is_due(device, now_ms) for name, device in chain.devices.items() if name != own
        )

    def _sealed(self, row: OutboxRow) -> bytes:
        chain = self.people.chain_of(row.recipient)
        assert chain is not None  # noqa: S101 - nothing is owed to somebody who is not pinned
        signed, kind = Signed.decode(row.signed), _kind(row)
        own = self.people.keys.signing.device
        recipients = _recipients(chain, kind, signed, but=own, now_ms=self.clock.now_ms())
        about = Digest.ZERO if kind is Kind.TASK or row.about == row.digest else Digest.from_hex(row.about)
        return seal(
            signed,
            klass=class_of(kind),
            re=about,
            from_device=own,
            to_genesis=chain.genesis,
            edge=EdgeId.from_hex(row.edge),
            created_ms=row.created_ms,
            expires_ms=row.expires_ms,
            recipients=recipients,
            content_key=self.clock.random(32),
            ephemerals=[self.clock.random(32) for _ in recipients],
        )

    def _deposited(self, row: OutboxRow) -> list[Durable]:
        effects: list[Durable] = [Unplan(TaskKind.DEPOSIT, row.digest)]
        if _kind(row) in _UNANSWERED:
            effects.append(Settle(row.digest))
        record = self.journal.dispatch(row.digest)
        if record is not None and record.state is DispatchState.QUEUED:
            sent = replace(record, state=advance(DISPATCH, record.state, DispatchState.SENT))
            note = Note(record.digest, self.clock.now_ms(), EventType.STATUS, {"status": "sent"})
            effects += [Put(sent), note]
        return effects

    async def _rejected(self, task: Task, row: OutboxRow, error: RelayRejectedError) -> None:
        unsent = self._unsent(row) is not None
        # A device that the relay does not know was revoked, it says; the others may have what it may not.
        learnt = error.code == "device_unknown" and await self.chains.learn(row.recipient)
        if learnt or error.code in RETRY_CODES or (not unsent and error.code not in NEVER_CODES):
            self._again(task)
            return
        await self._given_up(row, error.code, error.detail)

    def _unsent(self, row: OutboxRow) -> DispatchRecord | None:
        record = self.journal.dispatch(row.digest)
        unsent = record is not None and record.box is Box.SENT and record.state is DispatchState.QUEUED
        return record if unsent else None

    async def _given_up(self, row: OutboxRow, code: str, detail: str) -> None:
        """Owe this document to nobody any more; a dispatch that was never sent is refused for this reason."""
        record = self._unsent(row)
        effects: list[Effect] = [Settle(row.digest)]
        if record is not None:
            effects = decisions.refuse_unsent(record, self.clock.now_ms(), code=code, detail=detail)
        await self.performer.perform(effects)

    def _again(self, task: Task) -> None:
        jitter = int.from_bytes(self.clock.random(2))
        self.journal.tasks.retry(task, retry.next_attempt_ms(self.clock.now_ms(), task.attempts, jitter))


def _kind(row: OutboxRow) -> Kind:
    kind = kind_of(Signed.decode(row.signed).payload_type)
    assert kind is not None  # noqa: S101 - signed by this program
    return kind


def _recipients(
    chain: Chain, kind: Kind, signed: Signed, *, but: DeviceId, now_ms: int
) -> tuple[tuple[DeviceId, SealingPublic], ...]:
    """Return the devices to seal to: those that were active at the head which the document states, and are still.

    What is for one's own household is for one's other devices. To a key that is too old nothing is sealed.

    Raises:
        RefusedError: `stale_chain`, none of them is left.
        KeyTooOldError: the keys of all of them are too old, or that of the one device which may start the task.
    """
    if len(chain.links) == 1 and not rotating.is_refused(next(iter(chain.devices.values())), now_ms):
        return chain.recipients  # there is one head to state, and one key
    body = decode_body(kind, signed.body)
    stated = chain.at(body.head.recipient.head)
    recipients = [
        pair
        for pair in chain.recipients
        if stated is not None and pair[0] in stated.devices and (kind is not Kind.LOG or pair[0] != but)
    ]
    if not recipients:
        raise RefusedError(RefusalCode.STALE_CHAIN, "none of the devices that it was signed for is left")
    fresh = tuple(pair for pair in recipients if not rotating.is_refused(chain.devices[pair[0]], now_ms))
    starts = chain.runs(body.owner_device) if isinstance(body, TaskBody) else None
    if not fresh or (starts is not None and starts not in dict(fresh)):
        raise KeyTooOldError
    return fresh
