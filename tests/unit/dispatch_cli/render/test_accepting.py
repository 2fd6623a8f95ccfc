"""How a run is told before it begins: where, under what, and what somebody else will see of it, if anybody else does."""

import pytest

from dispatch_cli.render.accepting import ended_lines, runs_lines
from dispatch_cli.render.lines import View, plain
from tests.support.door_documents import finished
from tests.support.scripted_answers import SCOPES

WIDE = View(None, 1_767_323_045_678, "/home/bob")


@pytest.mark.parametrize(("box", "sees"), [("inbox", True), ("own", False)])
def test_of_ones_own_task_nobody_else_sees_a_step(box: str, sees: bool) -> None:
    run = {"cwd": "/home/bob/api", "agent": "steps", "scopes": {**SCOPES, "returns": "trace"}}
    told = "\n".join(map(plain, runs_lines({"box": box, "runs": [run]}, WIDE)))
    assert told.startswith("Runs in ~/api · agent steps, confined · may Glob, Grep, Read")
    assert ("they see every step" in told) is sees


@pytest.mark.parametrize("scopes", [{**SCOPES, "approval": "manual"}, None])
@pytest.mark.parametrize("agent", ["acp", "claude", "model", "steps"])
def test_a_program_that_decides_itself_what_it_asks_is_not_said_to_ask_each_call(
    agent: str, scopes: dict[str, object] | None
) -> None:
    told = "\n".join(
        map(plain, runs_lines({"box": "inbox", "runs": [{"agent": agent, "scopes": scopes}]}, WIDE))
    )
    assert "you approve each call" in told
    assert ("you approve each call that its agent asks for" in told) is (agent == "acp")


@pytest.mark.parametrize("kept", [True, False])
def test_what_was_applied_is_told_with_the_way_back_while_it_is_kept(kept: bool) -> None:
    run = {"undo_until": "2026-01-09T03:04:05.678Z" if kept else None}
    ended = finished(box="own", runs=[run])
    told = "\n".join(map(plain, ended_lines(ended, WIDE)))
    assert "Applied: 2 paths changed." in told
    assert ("take its changes back with   dispatch undo 4f2a91c0" in told) is kept
