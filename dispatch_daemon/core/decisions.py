"""The human's decisions about a dispatch, and the ends that need no recipient: accept, decline, cancel, refuse.

Every function takes the record as the journal has it and returns effects; a pair of states that is not in
the protocol's table is refused in words before anything is written.
"""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from dispatch_daemon.core.composing import Moment, Own, Peer, answer, head_of, send_of
from dispatch_daemon.core.effects import (
    Effect,
    Note,
    Plan,
    Put,
    Resolve,
    Settle,
    StopRun,
    TaskKind,
    Unplan,
)
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.expiry import is_expired
from dispatch_daemon.core.handover import require_owner
from dispatch_daemon.core.questions import with_run_paths
from dispatch_daemon.core.receipts import receipt
from dispatch_daemon.core.records import ENDED, ApprovalRecord, ApprovalState, Box, DispatchRecord, RunRecord
from dispatch_daemon.core.rundir import RunDirectory
from dispatch_daemon.core.siblings import Shared, require_here
from dispatch_protocol.encoding import JSON
from dispatch_protocol.lifecycle import DISPATCH, RUN, DispatchState, RunState, advance
from dispatch_protocol.messages.answers import Decision, Mode, ReceiptType, Verdict
from dispatch_protocol.messages.follow_on import Cancel
from dispatch_protocol.messages.trace import EventType
from dispatch_protocol.scopes import Scopes

_UNDECIDED = (DispatchState.DELIVERED,)
_UNSENT = (DispatchState.QUEUED,)


def accept(
    record: DispatchRecord,
    own: Own,
    peer: Peer,
    moment: Moment,
    *,
    scopes: Scopes,
    place: RunDirectory,
    agent: str,
    model: str | None = None,
    asks_because: str | None = None,
    shared: Shared,
    here: bool = False,
) -> tuple[RunRecord, list[Effect]]:
    """Accept an undecided dispatch and owe its run; `here` is a human's word that it shall be this device in any case.

    Raises:
        ServiceError: as `require_acceptable`.
    """
    require_acceptable(record, own, moment.now_ms, shared, here=here)
    run = _queued(record, own, moment, scopes=scopes, place=place, agent=agent, model=model)
    accepted = replace(
        record,
        state=advance(DISPATCH, record.state, DispatchState.ACCEPTED),
        accepted_decisions=record.accepted_decisions + 1,
        decision=_yes(scopes, place, asks_because),
    )
    _, effects = answer(
        accepted,
        own,
        peer,
        now_ms=moment.now_ms,
        nonce=moment.nonce(),
        make=lambda head, seq, prev: Decision(
            head=head,
            seq=seq,
            prev=prev,
            decision=Verdict.ACCEPTED,
            mode=Mode(scopes.approval),
            run_id=UUID(run.run_id),
        ),
    )
    return run, [
        *effects,
        Put(run),
        Note(
            record.digest, moment.now_ms, EventType.DECISION_MADE, {"decision": "accepted", "cwd": place.cwd}
        ),
        Unplan(TaskKind.EXPIRE, record.digest),
        Plan(kind=TaskKind.RUN, key=run.run_id, not_before_ms=moment.now_ms, payload={}),
    ]


def _yes(scopes: Scopes, place: RunDirectory, asks_because: str | None) -> dict[str, JSON]:
    """Return a yes as the recipient's own machine shows it."""
    return {
        "mode": str(scopes.approval),
        "target": place.cwd,
        "async": True,
        "reason": None,
        "asks_because": asks_because,
    }


def _queued(
    record: DispatchRecord,
    own: Own,
    moment: Moment,
    *,
    scopes: Scopes,
    place: RunDirectory,
    agent: str,
    model: str | None,
) -> RunRecord:
    """Return the run of a dispatch that is being accepted; the scopes of now decide to its end."""
    return RunRecord(
        run_id=str(moment.uuid()),
        digest=record.digest,
        state=RunState.QUEUED,
        created_ms=moment.now_ms,
        cwd=place.cwd,
        device=own.device.hex,
        agent=agent,
        model=model,
        scopes=with_run_paths(scopes, place.paths),
    )


def decline(
    record: DispatchRecord, own: Own, peer: Peer, moment: Moment, *, reason: str | None, shared: Shared
) -> list[Effect]:
    """Decline an undecided dispatch; its author gets the human's signed no, and the reason if there is one."""
    require_undecided(record, shared)
    reason = reason or None
    declined = replace(
        record,
        state=advance(DISPATCH, record.state, DispatchState.DECLINED),
        decision={"mode": None, "target": None, "async": False, "reason": reason},
    )
    _, effects = answer(
        declined,
        own,
        peer,
        now_ms=moment.now_ms,
        nonce=moment.nonce(),
        make=lambda head, seq, prev: Decision(
            head=head, seq=seq, prev=prev, decision=Verdict.DECLINED, reason=reason
        ),
    )
    return [
        *effects,
        Note(
            record.digest, moment.now_ms, EventType.DECISION_MADE, {"decision": "declined", "reason": reason}
        ),
        Unplan(TaskKind.EXPIRE, record.digest),
    ]


def refuse_unsent(
    record: DispatchRecord, now_ms: int, *, code: str, detail: str | None = None
) -> list[Effect]:
    """End a dispatch that never left: the relay refused it, or its edge is gone."""
    refused = replace(
        record,
        state=advance(DISPATCH, record.state, DispatchState.REFUSED),
        ended_code=code,
        ended_detail=detail,
    )
    return [
        Put(refused),
        Settle(record.digest),
        Unplan(TaskKind.EXPIRE, record.digest),
        Note(record.digest, now_ms, EventType.STATUS, {"status": "refused", "code": code}),
    ]


def cancel_sent(
    record: DispatchRecord, own: Own, peer: Peer, moment: Moment, *, reason: str | None
) -> list[Effect]:
    """Cancel as the author: at once if it never left, else as a signed request to the recipient."""
    if record.state in ENDED:
        raise ServiceError("not_pending", f"this dispatch is over: {record.state}")
    if record.state in _UNSENT:
        gone = replace(record, state=advance(DISPATCH, record.state, DispatchState.CANCELLED))
        note = Note(record.digest, moment.now_ms, EventType.STATUS, {"status": "cancelled"})
        return [Put(gone), Settle(record.digest), Unplan(TaskKind.EXPIRE, record.digest), note]
    if record.cancel_requested:
        return []
    head = head_of(
        own, peer, edge=record.edge, about=record.digest, now_ms=moment.now_ms, nonce=moment.nonce()
    )
    return [
        Put(replace(record, cancel_requested=True)),
        send_of(Cancel(head=head, reason=reason or None), deliver=True, keep=True),
        Note(record.digest, moment.now_ms, EventType.CANCEL_REQUESTED, {"by": "author", "reason": reason}),
    ]


def cancel_received(
    record: DispatchRecord,
    run: RunRecord | None,
    approvals: Sequence[ApprovalRecord],
    own: Own,
    peer: Peer,
    moment: Moment,
    *,
    by: str,
    code: str = "cancelled",
    detail: str | None = None,
    speaks: bool = True,
) -> list[Effect]:
    """Cancel where the dispatch runs: undecided it ends, running it is killed and discarded, applying it finishes.

    `by` is "author", "recipient", "edge" or "device"; `code` becomes the receipt's reason. A device that is not the owner
    does not speak of what it has not decided: the owner may be running it.
    """
    requested = Note(record.digest, moment.now_ms, EventType.CANCEL_REQUESTED, {"by": by, "reason": detail})
    if record.state in _UNDECIDED:
        gone = replace(record, state=advance(DISPATCH, record.state, DispatchState.CANCELLED))
        said = receipt(gone, own, peer, moment, ReceiptType.CANCELLED, code=code, detail=detail)[1]
        return [requested, *(said if speaks else [Put(gone)]), Unplan(TaskKind.EXPIRE, record.digest)]
    if record.state not in (DispatchState.ACCEPTED, DispatchState.WAITING_INPUT) or run is None:
        return []
    if run.state is RunState.APPLYING:
        return [requested]
    over, stopped = _stopped(record, run, moment.now_ms, code=code, detail=detail)
    return [
        requested,
        *receipt(over, own, peer, moment, ReceiptType.CANCELLED, code=code, detail=detail, run=run)[1],
        Put(stopped),
        *withdraw(approvals, moment.now_ms),
        Note(record.digest, moment.now_ms, EventType.DISCARDED, {"reason": code}, run.run_id),
        Unplan(TaskKind.RUN, run.run_id),
        Unplan(TaskKind.HEARTBEAT, run.run_id),
        Unplan(TaskKind.RETENTION, run.run_id),
        StopRun(run.run_id, code),
    ]


def _stopped(
    record: DispatchRecord, run: RunRecord, now_ms: int, *, code: str, detail: str | None
) -> tuple[DispatchRecord, RunRecord]:
    """Return a dispatch and its run as they are once it was cancelled; what was kept of a parked one is not."""
    over = replace(
        record,
        state=advance(DISPATCH, record.state, DispatchState.FINISHED),
        outcome=None,
        ended_code=code,
        ended_detail=detail,
    )
    stopped = replace(
        run,
        state=advance(RUN, run.state, RunState.CANCELLED),
        ended_ms=now_ms,
        outcome=None,
        code=code,
        detail=detail,
        parked_ms=None,
    )
    return over, stopped


def withdraw(approvals: Sequence[ApprovalRecord], now_ms: int) -> list[Effect]:
    """Close the open questions of a run that will not go on."""
    effects: list[Effect] = []
    for approval in approvals:
        if approval.state is ApprovalState.OPEN:
            effects += [
                Put(replace(approval, state=ApprovalState.WITHDRAWN, decided_ms=now_ms)),
                Unplan(TaskKind.ANSWER_DEADLINE, approval.request_id),
                Resolve(approval.request_id),
            ]
    return effects


def require_undecided(record: DispatchRecord, shared: Shared) -> None:
    """Refuse to decide what is not this machine's to decide, or is decided already, here or on another device of ours."""
    if record.box is Box.SENT:
        raise ServiceError("wrong_party", "you sent this dispatch; only its recipient decides")
    require_here(record, shared)
    if record.state not in _UNDECIDED:
        raise ServiceError("not_pending", f"nothing is pending on this dispatch: it is {record.state}")


def require_acceptable(
    record: DispatchRecord, own: Own, now_ms: int, shared: Shared, *, here: bool = False
) -> None:
    """Refuse to take on what is not this machine's, is decided already, or whose time is up.

    `shared` is what our devices know together of it.

    Raises:
        ServiceError: `not_pending` if it is decided or over, `decided_elsewhere` if another device of ours has it,
            `not_owner` if another one is to run it, `expired` if its time is up.
    """
    require_undecided(record, shared)
    require_owner(record, shared, own, here=here)
    if is_expired(record, now_ms):
        raise ServiceError("expired", "this dispatch expired before it was decided")
