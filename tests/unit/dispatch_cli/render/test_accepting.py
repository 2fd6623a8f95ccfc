"""How a run is told before it begins: where, under what, and what somebody else will see of it, if anybody else does."""

import pytest

from dispatch_cli.render.accepting import runs_line
from dispatch_cli.render.lines import View, plain
from tests.support.scripted_answers import SCOPES

WIDE = View(None, 1_767_323_045_678, "/home/bob")


@pytest.mark.parametrize(("box", "sees"), [("inbox", True), ("own", False)])
def test_of_ones_own_task_nobody_else_sees_a_step(box: str, sees: bool) -> None:
    run = {"cwd": "/home/bob/api", "agent": "steps", "scopes": {**SCOPES, "returns": "trace"}}
    told = plain(runs_line({"box": box, "runs": [run]}, WIDE))
    assert told.startswith("Runs in ~/api · agent steps, confined · may Glob, Grep, Read")
    assert ("they see every step" in told) is sees


@pytest.mark.parametrize("scopes", [{**SCOPES, "approval": "manual"}, None])
@pytest.mark.parametrize("agent", ["acp", "claude", "model", "steps"])
def test_a_program_that_decides_itself_what_it_asks_is_not_said_to_ask_each_call(
    agent: str, scopes: dict[str, object] | None
) -> None:
    told = plain(runs_line({"box": "inbox", "runs": [{"agent": agent, "scopes": scopes}]}, WIDE))
    assert "you approve each call" in told
    assert ("you approve each call that its agent asks for" in told) is (agent == "acp")
