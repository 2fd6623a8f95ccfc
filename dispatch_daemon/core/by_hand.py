"""By hand: a human does the task with their own tools, and then says what came of it.

Nothing of it is confined, and both sides are told so: the decision says `by_hand`, the run names no wall. It has no
agent, no calls and no questions, and it outlives the daemon, because there is nothing here that could be cut off.
"""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from dispatch_daemon.core.composing import Moment, Own, Peer, answer
from dispatch_daemon.core.decisions import require_acceptable
from dispatch_daemon.core.effects import Effect, Note, Put, TaskKind, Unplan
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.receipts import receipt
from dispatch_daemon.core.records import Box, DispatchRecord, RunRecord
from dispatch_daemon.core.runs import Ending, ended, heartbeat_plan, move
from dispatch_daemon.core.siblings import Shared
from dispatch_protocol.encoding import JSON
from dispatch_protocol.lifecycle import DISPATCH, RUN, DispatchState, Outcome, RunState, advance
from dispatch_protocol.messages.answers import Decision, Mode, ReceiptType, Verdict
from dispatch_protocol.messages.trace import EventType, Usage
from dispatch_protocol.scopes import Returns, Scopes

BY_HAND = str(Mode.BY_HAND)


def is_by_hand(run: RunRecord) -> bool:
    """Return whether a human does this run."""
    return run.agent == BY_HAND


def accept(
    record: DispatchRecord,
    own: Own,
    peer: Peer,
    moment: Moment,
    *,
    scopes: Scopes,
    shared: Shared,
    here: bool = False,
) -> tuple[RunRecord, list[Effect]]:
    """Accept an undecided dispatch to do it oneself; it is under way at once, and signs of life are promised.

    Raises:
        ServiceError: as `decisions.accept`.
    """
    require_acceptable(record, own, moment.now_ms, shared, here=here)
    run = _begun(record, own, moment, scopes)
    accepted = replace(
        record,
        state=advance(DISPATCH, record.state, DispatchState.ACCEPTED),
        accepted_decisions=record.accepted_decisions + 1,
        decision={"mode": BY_HAND, "target": None, "async": True, "reason": None},
    )
    after, said = answer(
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
            mode=Mode.BY_HAND,
            run_id=UUID(run.run_id),
        ),
    )
    _, started = receipt(
        after, own, peer, moment, ReceiptType.STARTED, run=run, data={"agent": BY_HAND}, number=1
    )
    data: dict[str, JSON] = {"cwd": None, "agent": BY_HAND, "confinement": None}
    return run, [
        *said,
        *started,
        Put(run),
        Note(
            record.digest, moment.now_ms, EventType.DECISION_MADE, {"decision": "accepted", "mode": BY_HAND}
        ),
        Note(record.digest, moment.now_ms, EventType.RUN_STARTED, data, run.run_id),
        Unplan(TaskKind.EXPIRE, record.digest),
        heartbeat_plan(run.run_id, moment.now_ms),
    ]


def _begun(record: DispatchRecord, own: Own, moment: Moment, scopes: Scopes) -> RunRecord:
    return RunRecord(
        run_id=str(moment.uuid()),
        digest=record.digest,
        state=advance(RUN, RunState.QUEUED, RunState.RUNNING),
        created_ms=moment.now_ms,
        started_ms=moment.now_ms,
        last_heard_ms=moment.now_ms,
        device=own.device.hex,
        agent=BY_HAND,
        scopes=scopes.write(),
    )


def require_by_hand(record: DispatchRecord, run: RunRecord | None) -> RunRecord:
    """Return the run that a human of this machine is doing.

    Raises:
        ServiceError: `wrong_party` for what somebody else does, `not_pending` if no human is at it.
    """
    if record.box is Box.SENT:
        raise ServiceError("wrong_party", "you sent this dispatch; only its recipient completes it")
    if run is None or run.state is not RunState.RUNNING or not is_by_hand(run):
        raise ServiceError(
            "not_pending", "nobody does this dispatch by hand, so there is nothing to complete"
        )
    return run


def complete(
    record: DispatchRecord,
    run: RunRecord,
    own: Own,
    peer: Peer,
    moment: Moment,
    *,
    text: str,
    artifacts: Sequence[dict[str, JSON]],
    returns: Returns,
) -> list[Effect]:
    """End a run by hand with what its human says; those words are signed, as far as `returns` lets them leave."""
    settling, moved = move(run, RunState.SETTLING, moment.now_ms, artifacts=tuple(artifacts))
    return [
        *moved,
        *ended(
            record,
            settling,
            own,
            peer,
            moment,
            ending=Ending(outcome=Outcome.SUCCESS, summary=text),
            returns=returns,
            usage=Usage(),
            events=(),
            approvals=(),
        ),
    ]
