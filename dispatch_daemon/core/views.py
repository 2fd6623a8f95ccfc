"""What the outside sees of the journal: the JSON shapes that people's scripts rely on.

Fields may be added here and never renamed; what does not apply is null, never absent.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from dispatch_daemon.core import endings, siblings
from dispatch_daemon.core.gate import acts_outside, call_input
from dispatch_daemon.core.questions import may_review, meanings, scopes_of
from dispatch_daemon.core.records import (
    AnswerRecord,
    ApprovalKind,
    ApprovalRecord,
    ApprovalState,
    Box,
    DispatchRecord,
    EventRecord,
    RunRecord,
)
from dispatch_daemon.core.siblings import ALONE, Shared
from dispatch_daemon.core.trust_views import scopes_view
from dispatch_protocol.encoding import JSON
from dispatch_protocol.lifecycle import TAKEN_BACK, DispatchState
from dispatch_protocol.loopback import short_id
from dispatch_protocol.messages.answers import Verdict
from dispatch_protocol.messages.registry import decode_body
from dispatch_protocol.messages.task import Task
from dispatch_protocol.payloads import Kind
from dispatch_protocol.signing import Signed, dispatch_id
from dispatch_protocol.timestamps import format_time, time_or_none

ME = "me"


def task_of(record: DispatchRecord) -> Task:
    """Return the task as its author signed it."""
    task = decode_body(Kind.TASK, Signed.decode(record.signed).body)
    assert isinstance(task, Task)  # noqa: S101 - what a dispatch record holds
    return task


def dispatch(
    record: DispatchRecord,
    runs: Sequence[RunRecord],
    *,
    own_address: str | None,
    arriving: bool = False,
    unread: int = 0,
    shared: Shared = ALONE,
    owner: dict[str, JSON] | None = None,
) -> dict[str, JSON]:
    """Return one dispatch as lists show it.

    `arriving` says that files of it, or of its result, have not come yet; `unread` counts what the other side wrote
    about it and nobody has read here; `shared` is what one's other devices did with it,
    and `owner` which of them is to run it.
    """
    task = task_of(record)
    me = own_address or ME
    peer = me if record.box is Box.OWN else record.address
    sender, recipient = (peer, me) if record.box is Box.INBOX else (me, peer)
    return {
        "dispatch_id": record.dispatch_id,
        "short_id": short_id(record.dispatch_id),
        "box": record.box,
        "from": sender,
        "to": recipient,
        "task": task.task,
        "status": siblings.status_word(record, runs, shared),
        "elsewhere": siblings.view(record, shared),
        "owner": owner,
        "outcome": siblings.outcome(record, shared),
        "created_at": format_time(record.created_ms),
        "expires_at": time_or_none(record.expires_ms),
        "thread_id": record.thread_id,
        "parent": None if task.parent is None else str(dispatch_id(task.parent)),
        "unread": unread,
        "after": [str(dispatch_id(digest)) for digest in task.after],
        "attachments": [
            {"name": item.name, "size_bytes": item.size_bytes, "sha256": item.sha256.hex}
            for item in task.attachments
        ],
        "files_arriving": arriving,
        "cancel_requested": record.cancel_requested,
        "error": endings.error(record),
        "last_heard": time_or_none(record.last_heard_ms),
        "presumed": is_presumed(record),
    }


def is_presumed(record: DispatchRecord) -> bool:
    """Say whether a sent dispatch is over only as far as this machine believes: no signed answer says so."""
    if record.box is not Box.SENT:
        return False
    if record.state in TAKEN_BACK:
        return not record.answer_seq
    return record.state is DispatchState.EXPIRED and record.ended_code is None


def dispatch_whole(
    record: DispatchRecord,
    *,
    runs: Sequence[RunRecord],
    events: Sequence[EventRecord],
    approvals: Sequence[ApprovalRecord],
    answers: Sequence[AnswerRecord],
    own_address: str | None,
    trust: str | None,
    arriving: bool = False,
    messages: Sequence[dict[str, JSON]] = (),
    thread: Sequence[DispatchRecord] = (),
    downloads: Mapping[str, str] = MappingProxyType({}),
    shared: Shared = ALONE,
    owner: dict[str, JSON] | None = None,
) -> dict[str, JSON]:
    """Return everything this machine knows about one dispatch.

    `messages` are the views of what was said about it, `thread` is every dispatch of its thread, and `downloads` are
    addresses of artifacts by their names.
    """
    task = task_of(record)
    last = runs[-1] if runs else None
    known = {run.run_id: run for run in runs}
    return {
        **dispatch(
            record,
            runs,
            own_address=own_address,
            arriving=arriving,
            unread=sum(message["unread"] is True for message in messages),
            shared=shared,
            owner=owner,
        ),
        "accepted_on": _said_on(Verdict.ACCEPTED, answers, siblings.accepting(shared), shared),
        "declined_on": _said_on(Verdict.DECLINED, answers, siblings.declining(shared), shared),
        "trust": trust,
        "author": _author(record, task),
        **_written(task),
        "messages": list(messages),
        "thread": [_in_thread(each) for each in thread],
        "runs": [run_view(run) for run in runs],
        "events": [event_view(event, ALONE if record.box is Box.SENT else shared) for event in events],
        "approvals": [
            approval_view(item, record, known[item.run_id], own_address=own_address, trust=trust)
            for item in approvals
            if item.state is ApprovalState.OPEN
        ],
        "questions": questions_view(approvals, last),
        "artifacts": [_artifact(item, downloads) for item in (last.artifacts if last else ())],
        **_changes(last),
        "receipts": [receipt_view(answer) for answer in answers if answer.seq and not answer.held],
        "decision": None if record.decision is None else {"asks_because": None, **record.decision},
        "result": _end(record),
    }


def _changes(run: RunRecord | None) -> dict[str, JSON]:
    """Return what a run would change, or has changed."""
    return {
        "changeset": list(run.changeset) if run else [],
        "left_behind": list(run.left_behind) if run else [],
        "diffs": list(run.diffs) if run else [],
    }


def _author(record: DispatchRecord, task: Task) -> dict[str, JSON]:
    """Return whose device signed the task, and its digest."""
    sender = task.head.sender
    return {"identity": sender.identity.hex, "device": sender.device.hex, "digest": record.digest}


def _written(task: Task) -> dict[str, JSON]:
    """Return what its author wrote beside the task."""
    return {
        "background": task.background,
        "links": list(task.links),
        "deliverable": task.deliverable,
        "project": task.project,
        "meta": dict(task.meta),
        "steps": [step.write() for step in task.steps],
        "timeout_s": task.timeout_s,
        "budget": task.budget.write(),
    }


def _end(record: DispatchRecord) -> dict[str, JSON] | None:
    if record.state is not DispatchState.FINISHED:
        return None
    return {"outcome": record.outcome, "summary": record.summary}


def _said_on(
    word: Verdict, answers: Sequence[AnswerRecord], told: Sequence[str], shared: Shared
) -> list[JSON]:
    """Return every device of the recipient that has said this, as far as this machine knows: two of them may be a conflict."""
    said = [answer.device for answer in answers if answer.type == word]
    devices = dict.fromkeys([*said, *told])
    return [siblings.device_view(device, shared) for device in devices]


def _in_thread(record: DispatchRecord) -> dict[str, JSON]:
    return {"dispatch_id": record.dispatch_id, "box": record.box, "task": task_of(record).task}


def run_view(run: RunRecord) -> dict[str, JSON]:
    """Return one execution of a dispatch."""
    return {
        "run_id": run.run_id,
        "status": run.state,
        "outcome": run.outcome,
        "code": run.code,
        "detail": run.detail,
        "device": run.device,
        "agent": run.agent,
        "model": run.model,
        "cwd": run.cwd,
        "started_at": time_or_none(run.started_ms),
        "ended_at": time_or_none(run.ended_ms),
        "last_heard": time_or_none(run.last_heard_ms),
        "usage": run.usage,
        "undo_until": time_or_none(run.undo_until_ms if run.undone_ms is None else None),
        "originals_bytes": run.originals_bytes,
        "undone_at": time_or_none(run.undone_ms),
        "confinement": run.confinement,
        "scopes": None if run.scopes is None else scopes_view(scopes_of(run)),
    }


def event_view(event: EventRecord, shared: Shared = ALONE) -> dict[str, JSON]:
    """Return one entry of a trace; the other device at which something was decided has its name."""
    data = event.data
    if "decided_on" in data:  # of a result it is whatever its device wrote
        device = data["decided_on"]
        named = siblings.device_view(device, shared) if isinstance(device, str) else None
        data = {**data, "decided_on": named}
    return {
        "seq": event.seq,
        "at": format_time(event.at_ms),
        "run_id": event.run_id,
        "type": event.type,
        "data": data,
    }


def questions_view(approvals: Sequence[ApprovalRecord], run: RunRecord | None) -> dict[str, JSON]:
    """Return how many questions the last run has put, by what became of them."""
    of_run = [item for item in approvals if run is not None and item.run_id == run.run_id]
    return {
        "answered": sum(item.state in (ApprovalState.APPROVED, ApprovalState.DENIED) for item in of_run),
        "unanswered": sum(item.state is ApprovalState.EXPIRED for item in of_run),
        "open": sum(item.state is ApprovalState.OPEN for item in of_run),
    }


def approval_view(
    approval: ApprovalRecord,
    record: DispatchRecord,
    run: RunRecord,
    *,
    own_address: str | None,
    trust: str | None,
) -> dict[str, JSON]:
    """Return a question of a run exactly as the human has to see it before answering."""
    is_call = approval.kind is ApprovalKind.TOOL
    shown: JSON = call_input(approval) if is_call else approval.payload.get("changes")
    return {
        "dispatch_id": record.dispatch_id,
        "request_id": approval.request_id,
        "run_id": approval.run_id,
        "kind": approval.kind,
        "from": (own_address or ME) if record.box is Box.OWN else record.address,
        "tool": approval.tool,
        "input": shown,
        "title": approval.title,
        "description": str(approval.payload.get("description", "")),
        "payload": approval.payload,
        "subject_digest": approval.subject,
        "device": run.device,
        "on": None,
        "flags": list(approval.flags),
        "state": approval.state,
        "asked_at": format_time(approval.asked_ms),
        "expires_at": format_time(approval.deadline_ms),
        "grants": ["once", "always", "session"] if is_call else ["once"],
        "grant_details": list(meanings(approval, run, own=record.box is Box.OWN)),
        "can_review": is_call and not acts_outside(approval.tool or "") and may_review(run, trust),
    }


def receipt_view(answer: AnswerRecord) -> dict[str, JSON]:
    """Return one signed statement by its type and digest."""
    return {
        "type": answer.type,
        "at": format_time(answer.at_ms),
        "device": answer.device,
        "digest": answer.digest,
        "seq": answer.seq,
    }


def _artifact(item: Mapping[str, JSON], downloads: Mapping[str, str]) -> dict[str, JSON]:
    return {
        "name": item.get("name"),
        "kind": item.get("kind"),
        "mime_type": item.get("mime_type"),
        "size_bytes": item.get("size_bytes"),
        "sha256": item.get("sha256"),
        "download_url": downloads.get(str(item.get("name"))),
    }
