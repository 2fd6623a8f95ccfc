"""A task arrives: it becomes an undecided dispatch of this machine, or a signed refusal to its author.

The envelope has passed the opening list by now. What is left is what only this journal knows: how many
this edge has brought today, and what this daemon cannot do.
"""

from collections.abc import Sequence
from dataclasses import replace

from dispatch_daemon.core import attachments
from dispatch_daemon.core.composing import Moment, Own, Peer
from dispatch_daemon.core.effects import Effect, Note, Plan, TaskKind, Unplan
from dispatch_daemon.core.expiry import expiry_plan
from dispatch_daemon.core.handover import owner
from dispatch_daemon.core.receipts import receipt
from dispatch_daemon.core.records import Box, DispatchRecord
from dispatch_daemon.core.shared_records import HandoverRecord
from dispatch_protocol.chain import write_links
from dispatch_protocol.encoding import JSON
from dispatch_protocol.envelope import Header
from dispatch_protocol.errors import RefusalCode
from dispatch_protocol.lifecycle import DISPATCH, DispatchState, advance
from dispatch_protocol.limits import ATTACHMENT_BYTES
from dispatch_protocol.messages.answers import ReceiptType
from dispatch_protocol.messages.task import Task
from dispatch_protocol.messages.trace import EventType
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.signing import Signed, dispatch_id


def arrived(signed: Signed, task: Task, *, address: str, now_ms: int) -> DispatchRecord:
    """Return the record of a task that reached this machine, not yet answered."""
    return DispatchRecord(
        digest=signed.digest.hex,
        dispatch_id=str(dispatch_id(signed.digest)),
        box=Box.INBOX,
        peer=task.head.sender.identity.hex,
        address=address,
        edge=task.head.edge.hex,
        state=DispatchState.SENT,
        signed=signed.encode(),
        thread_id=str(task.thread),
        created_ms=task.head.created_ms,
        expires_ms=task.head.expires_ms,
        arrived_ms=now_ms,
    )


def receive(
    record: DispatchRecord,
    task: Task,
    own: Own,
    peer: Peer,
    moment: Moment,
    *,
    arrivals_today: int,
    max_per_day: int,
    file_bytes: int = ATTACHMENT_BYTES,
    waiting_bytes: int = 0,
    handovers: Sequence[HandoverRecord] = (),
) -> list[Effect]:
    """Take in a dispatch that may be decided, or refuse it with a signed reason; its files are owed from then on.

    `file_bytes` is the largest file that this machine takes, `waiting_bytes` what the edge's other files have, `handovers`
    who of our devices gave it to whom, which may have come before it.
    """
    if own.chain.runs(task.owner_device) is None:
        return refuse(record, own, peer, moment, code="owner_unknown")
    too_much = attachments.refusal(task, limit_bytes=file_bytes, waiting_bytes=waiting_bytes)
    if too_much is not None:
        return refuse(record, own, peer, moment, code=too_much[0], detail=too_much[1])
    if task.after:
        return refuse(record, own, peer, moment, code="dependencies_unsupported")
    if arrivals_today >= max_per_day:
        detail = f"this edge allows {max_per_day} dispatches in 24 hours"
        return refuse(record, own, peer, moment, code="daily_limit", detail=detail)
    delivered = replace(record, state=advance(DISPATCH, record.state, DispatchState.DELIVERED))
    _, effects = receipt(delivered, own, peer, moment, ReceiptType.DELIVERED)
    effects.append(Note(record.digest, moment.now_ms, EventType.REQUEST_CREATED, {"by": record.address}))
    if (
        task.attachments and owner(task, handovers, own) == own.device
    ):  # whoever runs it needs them, and nobody else
        effects.append(Plan(kind=TaskKind.FETCH, key=record.digest, not_before_ms=moment.now_ms, payload={}))
    return [*effects, expiry_plan(record)]


def spoilt(
    record: DispatchRecord, own: Own, peer: Peer, moment: Moment, *, code: RefusalCode, detail: str
) -> list[Effect]:
    """Refuse an undecided dispatch whose author has sealed other files than were signed."""
    return [
        *refuse(record, own, peer, moment, code=str(code), detail=detail),
        Unplan(TaskKind.FETCH, record.digest),
        Unplan(TaskKind.EXPIRE, record.digest),
    ]


def refuse(
    record: DispatchRecord,
    own: Own,
    peer: Peer,
    moment: Moment,
    *,
    code: str | RefusalCode,
    detail: str | None = None,
) -> list[Effect]:
    """Refuse a dispatch for good: its author gets the code, signed; this machine keeps the record."""
    kind = refusal_type(code) if isinstance(code, RefusalCode) else ReceiptType.REFUSED
    over = DispatchState.EXPIRED if kind is ReceiptType.EXPIRED else DispatchState.REFUSED
    refused = replace(
        record,
        state=advance(DISPATCH, record.state, over),
        ended_code=str(code),
        ended_detail=detail,
    )
    _, effects = receipt(
        refused,
        own,
        peer,
        moment,
        kind,
        code=str(code),
        detail=detail,
        data=refusal_data(kind, own, payload_type(Kind.TASK)),
    )
    note = Note(record.digest, moment.now_ms, EventType.STATUS, {"status": str(over), "code": str(code)})
    return [*effects, note]


def unreadable(header: Header, *, peer: str, address: str, now_ms: int) -> DispatchRecord:
    """Return a stand-in for a document that cannot be a dispatch here, so that its refusal can be composed."""
    return DispatchRecord(
        digest=header.digest.hex,
        dispatch_id=str(dispatch_id(header.digest)),
        box=Box.INBOX,
        peer=peer,
        address=address,
        edge=header.edge.hex,
        state=DispatchState.SENT,
        signed=b"",
        thread_id="",
        created_ms=header.created_ms,
        expires_ms=header.expires_ms,
        arrived_ms=now_ms,
    )


def refusal_data(kind: ReceiptType, own: Own, named: str) -> dict[str, JSON]:
    """Return what a refusal carries: the type that was not understood, or our links for a stale view of us."""
    if kind is ReceiptType.UNSUPPORTED:
        return {"payload_type": named}
    if kind is ReceiptType.STALE_CHAIN:
        return {"links": write_links(own.chain.links)}
    return {}


def refusal_type(code: RefusalCode) -> ReceiptType:
    """Return the receipt that says this refusal."""
    if code in (RefusalCode.UNSUPPORTED, RefusalCode.MANDATE_UNSUPPORTED):
        return ReceiptType.UNSUPPORTED
    if code is RefusalCode.STALE_CHAIN:
        return ReceiptType.STALE_CHAIN
    if code is RefusalCode.EXPIRED:
        return ReceiptType.EXPIRED
    return ReceiptType.REFUSED
