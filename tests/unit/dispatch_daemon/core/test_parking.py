"""A run that nobody answers is set aside whole, taken up along the tables, or thrown away and told."""

import pytest

from dispatch_daemon.core import parking
from dispatch_daemon.core.effects import Effect, Plan, StopRun, TaskKind, Unplan
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.questions import run_paths, scopes_of, with_run_paths
from dispatch_daemon.core.records import DispatchRecord, RunRecord
from dispatch_daemon.core.rundir import RunDirectory
from dispatch_protocol.encoding import JSON
from dispatch_protocol.lifecycle import DispatchState, Outcome, RunState
from dispatch_protocol.messages.answers import PARKED, Receipt, ReceiptType
from dispatch_protocol.messages.result import Result
from dispatch_protocol.scopes import Returns, Scopes
from tests.support.desk import ALICE_PEER, BOB_OWN, MOMENT, SCOPES, puts, received, run, sends, sent
from tests.support.documents import NOW_MS

ACCEPTED = received(DispatchState.ACCEPTED)
HERE = (("/src", "rw"),)
PLACE = RunDirectory("/src", HERE)
CHANGE: dict[str, JSON] = {"op": "create", "path": "/src/a"}
CONFINED: dict[str, JSON] = {"layers": [], "limits_by": "cgroup", "warnings": []}


def asking(**more: object) -> RunRecord:
    """Return a run that waits for an answer."""
    return run(RunState.WAITING_APPROVAL, scopes=with_run_paths(SCOPES, HERE), **more)


def set_aside() -> tuple[DispatchRecord, RunRecord, list[Effect]]:
    effects = parking.parked(ACCEPTED, asking(changeset=(CHANGE,)), BOB_OWN, ALICE_PEER, MOMENT)
    return puts(effects, DispatchRecord)[-1], puts(effects, RunRecord)[-1], effects


def test_parked_run_waits_with_what_it_wrote_and_its_author_hears_no_word_of_the_call() -> None:
    record, kept, effects = set_aside()
    assert (record.state, record.outcome, record.ended_code) == (
        DispatchState.WAITING_INPUT,
        Outcome.BLOCKED,
        PARKED,
    )
    assert (kept.state, kept.outcome, kept.parked_ms, kept.changeset) == (
        RunState.WAITING_APPROVAL,
        Outcome.BLOCKED,
        NOW_MS,
        (CHANGE,),
    )
    (said,) = sends(effects)
    assert isinstance(said, Receipt)
    assert (said.type, said.code, said.data) == (ReceiptType.WAITING, PARKED, {"state": "waiting_approval"})
    assert said.detail == parking.detail(NOW_MS)
    (plan,) = [effect for effect in effects if isinstance(effect, Plan)]
    assert (plan.kind, plan.key) == (TaskKind.RETENTION, kept.run_id)
    assert plan.not_before_ms == NOW_MS + 7 * 86_400_000
    assert Unplan(TaskKind.RUN, kept.run_id) in effects


def test_only_a_parked_run_of_this_machine_is_taken_up() -> None:
    record, kept, _ = set_aside()
    assert parking.require_parked(record, kept) is kept
    for other, with_run, code in (
        (sent(DispatchState.WAITING_INPUT), kept, "wrong_party"),
        (ACCEPTED, kept, "not_pending"),
        (record, None, "not_pending"),
        (record, asking(), "not_pending"),
    ):
        with pytest.raises(ServiceError) as raised:
            parking.require_parked(other, with_run)
        assert raised.value.code == code


def test_resumed_run_is_owed_under_the_scopes_of_now() -> None:
    record, kept, _ = set_aside()
    now = Scopes(tools=("Read",))
    effects = parking.resumed(record, kept, scopes=now, place=PLACE, now_ms=NOW_MS + 1)
    (taken_up,) = puts(effects, DispatchRecord)
    (owed,) = puts(effects, RunRecord)
    assert (taken_up.state, taken_up.outcome, taken_up.ended_code) == (DispatchState.ACCEPTED, None, None)
    assert (scopes_of(owed), run_paths(owed)) == (now, list(HERE))
    assert (owed.state, owed.changeset, owed.code) == (RunState.WAITING_APPROVAL, (), None)
    assert parking.is_owed(taken_up, owed)
    assert not parking.is_owed(record, kept)
    assert not parking.is_owed(taken_up, asking())
    assert Unplan(TaskKind.RETENTION, owed.run_id) in effects
    assert [effect.kind for effect in effects if isinstance(effect, Plan)] == [TaskKind.RUN]
    assert sends(effects) == []


@pytest.mark.parametrize("paths", [(), (("/src", "ro"),), (("/src", "rw"), ("/doc", "ro"))])
def test_edge_that_grants_other_paths_now_takes_nothing_up(paths: tuple[tuple[str, str], ...]) -> None:
    record, kept, _ = set_aside()
    with pytest.raises(ServiceError) as raised:
        parking.resumed(record, kept, scopes=SCOPES, place=RunDirectory("/src", paths), now_ms=NOW_MS)
    assert raised.value.code == "scopes_changed"


def test_author_hears_of_a_resumed_run_once_its_wall_stands() -> None:
    owed = asking(parked_ms=NOW_MS, agent=None)
    effects = parking.restarted(ACCEPTED, owed, BOB_OWN, ALICE_PEER, MOMENT, confinement=CONFINED, model="m")
    (running,) = puts(effects, RunRecord)
    assert running.model == "m"
    assert (running.state, running.parked_ms, running.confinement) == (RunState.RUNNING, None, CONFINED)
    (said,) = sends(effects)
    assert isinstance(said, Receipt)
    assert (said.type, said.data) == (ReceiptType.STARTED, {"agent": "none"})
    assert [effect.kind for effect in effects if isinstance(effect, Plan)] == [TaskKind.HEARTBEAT]


def test_dropped_run_ends_blocked_and_says_no_more_than_it_may() -> None:
    record, kept, _ = set_aside()
    effects = parking.dropped(
        record,
        kept,
        BOB_OWN,
        ALICE_PEER,
        MOMENT,
        code="discarded",
        detail="thrown away",
        returns=Returns.STATUS,
        events=(),
    )
    (result,) = sends(effects)
    assert isinstance(result, Result)
    assert (result.outcome, result.code, result.summary) == (Outcome.BLOCKED, "discarded", "")
    (over,) = puts(effects, RunRecord)
    assert (over.state, over.parked_ms) == (RunState.FAILED, None)
    assert Unplan(TaskKind.RETENTION, kept.run_id) in effects
    assert effects[-1] == StopRun(kept.run_id, "discarded")
