import itertools

import pytest

from dispatch_protocol.errors import LocalError
from dispatch_protocol.lifecycle import (
    DISPATCH,
    RUN,
    TAKEN_BACK,
    DispatchState,
    Outcome,
    RunState,
    Status,
    advance,
    is_final,
    mermaid,
    run_end,
    status,
)

D, R = DispatchState, RunState

# The tables as the design states them, word for word.
DESIGN_DISPATCH = """
    draft→blocked queued
    blocked→queued held cancelled
    held→queued cancelled
    queued→sent refused expired cancelled
    sent→delivered accepted declined refused expired cancelled
    delivered→accepted declined refused expired cancelled
    expired→delivered accepted declined refused cancelled
    accepted→waiting_input finished
    waiting_input→accepted finished
"""
DESIGN_RUN = """
    queued→running failed cancelled
    running→waiting_approval settling failed cancelled
    waiting_approval→running applying failed cancelled
    settling→waiting_approval applying completed failed cancelled
    applying→completed failed
"""


def pairs(text):
    lines = [line.strip().split("→") for line in text.strip().splitlines()]
    return {(state, to) for state, tos in lines for to in tos.split()}


@pytest.mark.parametrize(
    "table, states, text", [(DISPATCH, DispatchState, DESIGN_DISPATCH), (RUN, RunState, DESIGN_RUN)]
)
def test_exactly_the_pairs_of_the_design_are_legal(table, states, text):
    legal = pairs(text)
    for state, to in itertools.product(states, states):
        if (state.value, to.value) in legal:
            assert advance(table, state, to) is to
        else:
            with pytest.raises(LocalError) as error:
                advance(table, state, to)
            assert error.value.code == "bad_transition"


@pytest.mark.parametrize(
    "table, expected",
    [
        (DISPATCH, {D.FINISHED, D.DECLINED, D.REFUSED, D.CANCELLED}),
        (RUN, {R.COMPLETED, R.FAILED, R.CANCELLED}),
    ],
)
def test_what_nothing_follows_is_final(table, expected):
    assert {state for state in table if is_final(table, state)} == expected


def test_end_that_nobody_signed_is_taken_back_to_where_answers_are_awaited():
    assert dict(TAKEN_BACK) == {D.REFUSED: D.SENT, D.CANCELLED: D.SENT}
    for state, after in TAKEN_BACK.items():
        assert is_final(DISPATCH, state)
        assert state in DISPATCH[D.QUEUED]
        assert after in DISPATCH[D.QUEUED]


def test_only_a_success_completes():
    assert {outcome: run_end(outcome) for outcome in Outcome} == {
        Outcome.SUCCESS: R.COMPLETED,
        Outcome.BLOCKED: R.FAILED,
        Outcome.NEED_INPUT: R.FAILED,
        Outcome.FAILED: R.FAILED,
    }


class TestStatus:
    @pytest.mark.parametrize(
        "state, expected",
        [(D.BLOCKED, Status.WAITING)]
        + [
            (state, Status(state.value))
            for state in D
            if state not in {D.DRAFT, D.BLOCKED, D.ACCEPTED, D.FINISHED}
        ],
    )
    def test_before_and_without_a_run_the_dispatch_speaks(self, state, expected):
        assert status(state) is expected

    @pytest.mark.parametrize(
        "runs, expected",
        [
            ([], Status.ACCEPTED),
            ([R.QUEUED], Status.ACCEPTED),
            ([R.RUNNING], Status.RUNNING),
            ([R.SETTLING], Status.RUNNING),
            ([R.APPLYING], Status.RUNNING),
            ([R.WAITING_APPROVAL], Status.WAITING_APPROVAL),
            ([R.COMPLETED], Status.ACCEPTED),
            ([R.FAILED, R.RUNNING], Status.RUNNING),
            ([Outcome.SUCCESS], Status.ACCEPTED),
        ],
    )
    def test_while_accepted_the_last_run_speaks(self, runs, expected):
        assert status(D.ACCEPTED, runs, 1) is expected

    @pytest.mark.parametrize(
        "runs, expected",
        [
            ([R.COMPLETED], Status.COMPLETED),
            ([R.FAILED], Status.FAILED),
            ([R.CANCELLED], Status.CANCELLED),
            ([R.FAILED, R.COMPLETED], Status.COMPLETED),
            ([Outcome.SUCCESS], Status.COMPLETED),
            ([Outcome.BLOCKED], Status.FAILED),
        ],
    )
    def test_when_finished_the_last_run_speaks(self, runs, expected):
        assert status(D.FINISHED, runs, 1) is expected

    def test_two_accepted_decisions_are_a_conflict_whatever_else_is_true(self):
        assert status(D.ACCEPTED, [R.RUNNING], 2) is Status.CONFLICT
        assert status(D.FINISHED, [], 2) is Status.CONFLICT

    def test_a_yes_and_a_no_are_a_conflict_and_two_noes_are_none(self):
        assert status(D.ACCEPTED, [R.RUNNING], 1, 1) is Status.CONFLICT
        assert status(D.DECLINED, [], 1, 1) is Status.CONFLICT
        assert status(D.DECLINED, [], 0, 2) is Status.DECLINED

    @pytest.mark.parametrize("state, runs", [(D.DRAFT, []), (D.FINISHED, []), (D.FINISHED, [R.RUNNING])])
    def test_what_cannot_be_has_no_status(self, state, runs):
        with pytest.raises(LocalError) as error:
            status(state, runs)
        assert error.value.code == "no_status"


def test_the_diagram_is_drawn_from_the_table():
    drawn = mermaid(RUN).splitlines()
    assert drawn[:2] == ["stateDiagram-v2", "    [*] --> queued"]
    arrows = {tuple(line.strip().split(" --> ")) for line in drawn[1:]}
    ends = {(state.value, "[*]") for state in RUN if is_final(RUN, state)}
    assert arrows == pairs(DESIGN_RUN) | ends | {("[*]", "queued")}
    assert len(drawn) == len(arrows) + 1
