"""The end that silence brings: judged by this machine's clock, on either side of a dispatch.

The recipient says that a dispatch expired, signed; the author can only presume it, and an answer that comes later
corrects the presumption. Every look at the clock owes the next one, until nothing is left to wait for.
"""

from dataclasses import replace

from dispatch_daemon.core.composing import Moment, Own, Peer
from dispatch_daemon.core.effects import Effect, Note, Plan, Put, SettleAbout, TaskKind, Unplan
from dispatch_daemon.core.receipts import receipt
from dispatch_daemon.core.records import Box, DispatchRecord
from dispatch_protocol.lifecycle import DISPATCH, DispatchState, advance
from dispatch_protocol.limits import EXPIRY_GRACE_MS
from dispatch_protocol.messages.answers import ReceiptType
from dispatch_protocol.messages.trace import EventType

_WAITING = (DispatchState.QUEUED, DispatchState.SENT, DispatchState.DELIVERED)


def is_expired(record: DispatchRecord, now_ms: int) -> bool:
    """Return whether the time to a decision is over, with the grace that clocks are owed."""
    return bool(record.expires_ms) and now_ms > record.expires_ms + EXPIRY_GRACE_MS


def may_expire(record: DispatchRecord) -> bool:
    """Return whether silence can still end this dispatch."""
    return bool(record.expires_ms) and record.state in _WAITING


def expiry_plan(record: DispatchRecord) -> Plan:
    """Owe the look at the clock after this dispatch's time to a decision."""
    return Plan(
        kind=TaskKind.EXPIRE,
        key=record.digest,
        not_before_ms=record.expires_ms + EXPIRY_GRACE_MS + 1,
        payload={},
    )


def look(
    record: DispatchRecord, own: Own, peer: Peer, moment: Moment, *, elsewhere: bool = False
) -> list[Effect]:
    """End a dispatch whose time is over, as whichever side of it we are; else look again later, or never again.

    What another device of ours has decided (`elsewhere`) does not expire here.
    """
    sent = record.box is Box.SENT
    if elsewhere:
        return [Unplan(TaskKind.EXPIRE, record.digest)]
    effects = _presume(record, moment.now_ms) if sent else _end(record, own, peer, moment)
    if not effects and may_expire(record):
        return [expiry_plan(record)]
    return [*effects, Unplan(TaskKind.EXPIRE, record.digest)]


def _end(record: DispatchRecord, own: Own, peer: Peer, moment: Moment) -> list[Effect]:
    """End an undecided dispatch whose time is up, and say so to its author."""
    if record.state is not DispatchState.DELIVERED or not is_expired(record, moment.now_ms):
        return []
    expired = replace(record, state=advance(DISPATCH, record.state, DispatchState.EXPIRED))
    return receipt(expired, own, peer, moment, ReceiptType.EXPIRED, code="expired")[1] + [
        Note(record.digest, moment.now_ms, EventType.STATUS, {"status": "expired"})
    ]


def _presume(record: DispatchRecord, now_ms: int) -> list[Effect]:
    """Presume at the author that a dispatch without a decision has expired."""
    if not may_expire(record):
        return []
    unsent = record.state is DispatchState.QUEUED
    if now_ms < record.expires_ms if unsent else not is_expired(record, now_ms):
        return []
    expired = replace(record, state=advance(DISPATCH, record.state, DispatchState.EXPIRED))
    note = Note(record.digest, now_ms, EventType.STATUS, {"status": "expired", "presumed": not unsent})
    return [Put(expired), SettleAbout(record.digest), note]  # the task, and the cancel that may follow it
