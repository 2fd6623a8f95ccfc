"""Composing a dispatch: everything that decides what will happen goes into one signed body, once."""

from dataclasses import dataclass
from uuid import UUID

from dispatch_daemon.core.composing import Moment, Own, Peer, head_of, send_of
from dispatch_daemon.core.effects import Effect, Note, Plan, Put, Send, TaskKind
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.records import Box, DispatchRecord
from dispatch_daemon.core.requests import SendRequest
from dispatch_protocol.errors import LocalError
from dispatch_protocol.grant import Version
from dispatch_protocol.keys import DeviceId, Digest
from dispatch_protocol.lifecycle import DispatchState, Outcome
from dispatch_protocol.limits import (
    BACKGROUND_CHARS,
    DELIVERABLE_CHARS,
    EXPIRY_DEFAULT_S,
    EXPIRY_MAX_S,
    EXPIRY_MIN_S,
    LINK_CHARS,
    LINKS,
    META_KEY_CHARS,
    META_PAIRS,
    META_VALUE_CHARS,
    PROJECT_CHARS,
    REASON_CHARS,
    REPLY_CHARS,
    TASK_CHARS,
)
from dispatch_protocol.messages.files import Attachment
from dispatch_protocol.messages.steps import Step
from dispatch_protocol.messages.task import Origin, Task, is_link
from dispatch_protocol.messages.trace import EventType
from dispatch_protocol.signing import dispatch_id

# An end that brought nothing back: asking once more is asking for the first time.
_RESENDABLE = (
    DispatchState.REFUSED,
    DispatchState.EXPIRED,
    DispatchState.DECLINED,
    DispatchState.CANCELLED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressee:
    """Whom a dispatch is for, over which edge, and which device of theirs will run it."""

    peer: Peer
    address: str
    edge: str
    box: Box
    owner_device: DeviceId
    grant_version: Version | None


def check(request: SendRequest) -> None:
    """Refuse what is over a limit before anything is signed.

    Raises:
        ServiceError: `invalid`, naming the field, the limit and what was given.
    """
    _text("task", request.task, TASK_CHARS, empty=False)
    for name, value, limit in (
        ("background", request.background, BACKGROUND_CHARS),
        ("deliverable", request.deliverable, DELIVERABLE_CHARS),
        ("project", request.project, PROJECT_CHARS),
    ):
        if value is not None:
            _text(name, value, limit)
    if len(request.links) > LINKS:
        raise ServiceError("invalid", f"{len(request.links)} links; a dispatch carries at most {LINKS}")
    for link in request.links:
        _text("link", link, LINK_CHARS, empty=False)
        if not is_link(link):
            raise ServiceError(
                "invalid",
                f"{link[:100]!r} is no link like https://example.org/page or mailto:bob@example.org",
            )
    if len(request.meta) > META_PAIRS:
        raise ServiceError(
            "invalid", f"{len(request.meta)} meta pairs; a dispatch carries at most {META_PAIRS}"
        )
    for key, value in request.meta.items():
        _text("meta key", key, META_KEY_CHARS, empty=False)
        _text(f"meta {key}", value, META_VALUE_CHARS)
    if request.expires_s is not None and not EXPIRY_MIN_S <= request.expires_s <= EXPIRY_MAX_S:
        raise ServiceError(
            "invalid", f"expires is {request.expires_s} s; it must be {EXPIRY_MIN_S} to {EXPIRY_MAX_S}"
        )
    if request.timeout_s is not None and request.timeout_s < 1:
        raise ServiceError("invalid", "timeout must be at least 1 s")


def check_reason(reason: str | None) -> None:
    """Refuse a reason that the other side would not read; one of no characters is none."""
    if reason is not None:
        _text("reason", reason, REASON_CHARS)


def check_reply(text: str) -> None:
    """Refuse words that their reader would not take."""
    _text("reply", text, REPLY_CHARS, empty=False)


def check_text(text: str) -> None:
    """Refuse a result's words that are none, or more than its reader takes."""
    _text("text", text, REPLY_CHARS, empty=False)


def _text(name: str, value: str, limit: int, *, empty: bool = True) -> None:
    if not empty and not value.strip():
        raise ServiceError("empty_task" if name == "task" else "invalid", f"the {name} is empty")
    if len(value) > limit:
        raise ServiceError("too_long", f"the {name} has {len(value):,} characters; the limit is {limit:,}")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise ServiceError("not_encodable", f"the {name} holds a lone surrogate, which is not text") from None


def compose(
    request: SendRequest,
    steps: tuple[Step, ...],
    to: Addressee,
    own: Own,
    moment: Moment,
    *,
    idempotency_key: str | None,
    files: tuple[Attachment, ...] = (),
    parent: DispatchRecord | None = None,
) -> tuple[DispatchRecord, list[Effect]]:
    """Return the record of the new dispatch and the effects that sign, keep and owe it.

    The record's `signed` is empty; the performer completes it with the signature. A text of no characters is none.
    With a `parent` it joins the thread of that one.

    Raises:
        ServiceError: `invalid` if the body as a whole is not one that a recipient would read.
    """
    expires_ms = _expiry(request, moment.now_ms, own_job=to.box is Box.OWN)
    now_ms, nonce = moment.now_ms, moment.nonce()
    task = Task(
        head=head_of(
            own, to.peer, edge=to.edge, about=None, now_ms=now_ms, nonce=nonce, expires_ms=expires_ms
        ),
        principal=own.party,
        origin=Origin(surface=request.surface),
        owner_device=to.owner_device,
        grant_version=to.grant_version,
        task=request.task,
        background=request.background or None,
        links=tuple(request.links),
        deliverable=request.deliverable or None,
        project=request.project or None,
        attachments=files,
        steps=steps,
        meta=dict(request.meta),
        timeout_s=request.timeout_s,
        budget=request.budget,
        thread=moment.uuid() if parent is None else UUID(parent.thread_id),
        parent=None if parent is None else Digest.from_hex(parent.digest),
    )
    try:
        send = send_of(task, deliver=to.box is not Box.OWN, keep=False)
    except LocalError as error:
        raise ServiceError("invalid", f"this dispatch would not be readable: {error.detail}") from error
    record = _record(send, task.thread, to, moment.now_ms, expires_ms, idempotency_key)
    effects: list[Effect] = [
        Put(record),
        send,
        Note(record.digest, moment.now_ms, EventType.REQUEST_CREATED, {"by": "you"}),
    ]
    if expires_ms:
        effects.append(Plan(kind=TaskKind.EXPIRE, key=record.digest, not_before_ms=expires_ms, payload={}))
    return record, effects


def require_resendable(record: DispatchRecord) -> None:
    """Refuse to send anew what is not ours, goes on, or has brought something back.

    Raises:
        ServiceError: `wrong_party`, `not_pending`.
    """
    if record.box is Box.INBOX:
        raise ServiceError("wrong_party", "this was sent to you; only its sender sends it anew")
    unable = record.state is DispatchState.FINISHED and record.outcome is Outcome.NEED_INPUT
    if record.state not in _RESENDABLE and not unable:
        raise ServiceError(
            "not_pending",
            f"this dispatch is {record.state}; what was refused, declined, cancelled, has expired or needed input is sent anew",
            hint=f"dispatch followup {record.dispatch_id[:8]} TASK",
        )


def request_again(record: DispatchRecord, task: Task) -> SendRequest:
    """Return what a dispatch asked for, to be asked anew; it stays open for as long as it did, from now."""
    lives_ms = record.expires_ms - record.created_ms if record.expires_ms else None
    return SendRequest(
        recipient=None if record.box is Box.OWN else record.address,
        task=task.task,
        background=task.background,
        links=task.links,
        deliverable=task.deliverable,
        project=task.project,
        meta=task.meta,
        expires_s=None if lives_ms is None else lives_ms // 1000,
        timeout_s=task.timeout_s,
        surface=task.origin.surface if task.origin is not None else "api",
    )


def _expiry(request: SendRequest, now_ms: int, *, own_job: bool) -> int:
    """Return when the time to a decision is over; one's own job waits as long as it must, unless it shall not."""
    lives_s = request.expires_s if request.expires_s is not None else (0 if own_job else EXPIRY_DEFAULT_S)
    return now_ms + lives_s * 1000 if lives_s else 0


def _record(
    send: Send, thread: UUID, to: Addressee, now_ms: int, expires_ms: int, idempotency_key: str | None
) -> DispatchRecord:
    return DispatchRecord(
        digest=send.digest,
        dispatch_id=str(dispatch_id(Digest.from_hex(send.digest))),
        box=to.box,
        peer=send.to,
        address=to.address,
        edge=to.edge,
        # One's own job has arrived where it was composed: it waits for a decision at once.
        state=DispatchState.DELIVERED if to.box is Box.OWN else DispatchState.QUEUED,
        signed=b"",
        thread_id=str(thread),
        created_ms=now_ms,
        expires_ms=expires_ms,
        arrived_ms=now_ms,
        idempotency_key=idempotency_key,
    )
