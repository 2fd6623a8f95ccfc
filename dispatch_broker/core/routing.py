"""The first of the three layers: may this envelope pass, judged by its clear header alone, and into whose mailboxes.

A task needs an active edge from its author to its recipient and room under the daily limit. What follows a task, in
either direction, passes between the edge's pair whatever its status, so that a revoked edge can still be wound up. The
recipient's daemon checks all of it again from its own copies: this layer spares people noise, it is not the wall.
"""

from dataclasses import dataclass

from dispatch_broker.core.effects import CountTask, Effect, Effects, PutEnvelope, Wake
from dispatch_broker.core.mailbox import ttl_ms
from dispatch_broker.core.quota import Quotas, Usage, room
from dispatch_broker.core.records import Account, Edge, EdgeStatus
from dispatch_broker.core.refusal import BrokerCode, Refusal
from dispatch_protocol.envelope import EnvelopeClass, Header
from dispatch_protocol.keys import DeviceId, EdgeId, Genesis

DAY_MS = 86_400_000

_CLOSED = {
    EdgeStatus.PENDING: Refusal(BrokerCode.NO_EDGE, "this edge is not confirmed yet"),
    EdgeStatus.REVOKED: Refusal(BrokerCode.EDGE_REVOKED, "this edge was revoked"),
    EdgeStatus.EXPIRED: Refusal(BrokerCode.EDGE_EXPIRED, "this edge has expired"),
}


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One listed device: whose it is (None: nobody's), what waits there, and who left this digest there, if any."""

    device: DeviceId
    owner: Genesis | None
    waiting: Usage
    holds_from: Genesis | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The daily limit's book: distinct tasks of the last 24 hours on this edge, and whether this one is among them."""

    tasks: int
    counted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposit:
    """Everything that decides on one deposit."""

    raw: bytes
    header: Header
    depositor: Account
    device: DeviceId
    edge: Edge | None
    mailboxes: tuple[Mailbox, ...]
    deposited: Usage
    tally: Tally


def admit(deposit: Deposit, quotas: Quotas, now_ms: int) -> Effects | Refusal:
    """Decide on one deposit; a repeated one passes again and is stored once."""
    header = deposit.header
    if header.from_device != deposit.device:
        return Refusal(
            BrokerCode.WRONG_DEVICE, "the envelope names another device than the one that brings it"
        )
    refusal = _trusted(deposit, now_ms) or _addressed(deposit)
    if refusal is not None:
        return refusal
    missing = tuple(mailbox for mailbox in deposit.mailboxes if mailbox.holds_from is None)
    refusal = _fits(deposit, missing, quotas) if missing else None
    if refusal is not None:
        return refusal
    effects: list[Effect] = []
    if header.klass is EnvelopeClass.TASK and not deposit.tally.counted:
        effects.append(CountTask(header.edge, header.digest, now_ms))
    if missing:
        devices = tuple(mailbox.device for mailbox in missing)
        effects.append(
            PutEnvelope(
                raw=deposit.raw,
                digest=header.digest,
                depositor=deposit.depositor.genesis,
                devices=devices,
                ttl_ms=ttl_ms(header, now_ms),
            )
        )
        effects.extend(Wake(device) for device in devices)
    return tuple(effects)


def _trusted(deposit: Deposit, now_ms: int) -> Refusal | None:
    """Refuse what no edge carries."""
    header, edge, author = deposit.header, deposit.edge, deposit.depositor.genesis
    if author == header.to_genesis and header.edge == EdgeId.SELF and header.klass is EnvelopeClass.TRUST:
        return None  # the devices of one household speak of trust among themselves
    if edge is None or author == header.to_genesis or not edge.joins(author, header.to_genesis):
        return Refusal(BrokerCode.NO_EDGE, "there is no trust edge between these two")
    if header.klass is not EnvelopeClass.TASK:
        return None
    if author != edge.giver.genesis:
        return Refusal(BrokerCode.NO_EDGE, "this edge points the other way")
    closed = _CLOSED.get(edge.at(now_ms))
    if closed is not None:
        return closed
    if not deposit.tally.counted and deposit.tally.tasks >= edge.max_per_day:
        return Refusal(
            BrokerCode.DAILY_LIMIT, f"{edge.max_per_day} dispatches a day are allowed on this edge"
        )
    return None


def _addressed(deposit: Deposit) -> Refusal | None:
    """Refuse what is sealed to devices that the recipient does not have, or lies under another depositor's digest."""
    for mailbox in deposit.mailboxes:
        if mailbox.owner != deposit.header.to_genesis:
            return Refusal(
                BrokerCode.DEVICE_UNKNOWN, f"{mailbox.device.hex[:8]} is no active device of the recipient"
            )
        if mailbox.holds_from not in {None, deposit.depositor.genesis}:
            return Refusal(BrokerCode.ID_COLLISION, "somebody else's envelope has this digest")
    return None


def _fits(deposit: Deposit, missing: tuple[Mailbox, ...], quotas: Quotas) -> Refusal | None:
    """Refuse what would overfill a mailbox or the depositor's share of all mailboxes."""
    klass, size = deposit.header.klass, len(deposit.raw)
    copies = Usage(len(missing), size * len(missing))
    refusal = room(klass, deposit.deposited, quotas.deposited, copies, "your account")
    for mailbox in missing:
        refusal = refusal or room(
            klass, mailbox.waiting, quotas.waiting, Usage(1, size), "the recipient's mailbox"
        )
    return refusal
