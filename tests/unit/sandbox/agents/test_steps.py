from collections.abc import Callable

import pytest

from sandbox.agents.agent import Verdict
from sandbox.agents.steps import MAX_STEPS, parse_steps, run_steps
from sandbox.errors import LimitExceededError, SessionError, StepsError
from sandbox.events import CallFinished, CallProposed, Confinement, Ended, Event, Started
from sandbox.job import ToolCall, ToolResult

READ = {"tool": "Read", "input": {"file_path": "a"}}
BASH = {"tool": "Bash", "input": {"command": "false"}}


class Tools:
    """A box whose calls end as the test says."""

    def __init__(self, *tools: str, ok: Callable[[ToolCall], bool] = lambda call: True) -> None:
        self.tools = frozenset(tools or ("Read", "Bash"))
        self.confinement = Confinement(("namespaces",), "cgroup")
        self.called: list[str] = []
        self._ok = ok

    async def call(self, call: ToolCall) -> ToolResult:
        self.called.append(call.call_id)
        ok = self._ok(call)
        return ToolResult(call.call_id, ok, "out", error=None if ok else "exit code 1")


async def follow(steps: list[object], tools: Tools, *, deny: str = "") -> tuple[Ended, list[Event]]:
    events: list[Event] = []

    async def gate(call: ToolCall) -> Verdict:
        return Verdict(allow=call.call_id != deny, reason="too dangerous")

    async def emit(event: Event) -> None:
        events.append(event)

    return await run_steps(parse_steps(steps), tools, gate, emit), events


async def test_each_step_is_proposed_run_and_told_in_order() -> None:
    tools = Tools()
    ended, events = await follow([READ, BASH], tools)
    assert ended == Ended("success")
    assert [type(event) for event in events] == [
        Started,
        CallProposed,
        CallFinished,
        CallProposed,
        CallFinished,
    ]
    assert tools.called == ["step-1", "step-2"]


async def test_it_stops_at_the_first_failure() -> None:
    tools = Tools(ok=lambda call: call.tool != "Bash")
    ended, _ = await follow([BASH, READ], tools)
    assert (ended.outcome, ended.reason_code) == ("failed", "step_failed")
    assert "step-1 (Bash)" in ended.detail
    assert tools.called == ["step-1"]


async def test_a_failure_that_is_allowed_goes_on() -> None:
    tools = Tools(ok=lambda call: call.tool != "Bash")
    ended, _ = await follow([BASH | {"allow_failure": True}, READ], tools)
    assert ended.outcome == "success"


async def test_a_denied_call_blocks_and_does_not_run() -> None:
    tools = Tools()
    ended, events = await follow([READ, BASH | {"allow_failure": True}], tools, deny="step-2")
    assert (ended.outcome, ended.reason_code) == ("blocked", "denied")
    assert "too dangerous" in ended.detail
    assert tools.called == ["step-1"]
    assert isinstance(events[-1], CallProposed)


async def test_a_tool_out_of_scope_blocks_before_anything_runs() -> None:
    tools = Tools("Read")
    ended, events = await follow([READ, BASH], tools)
    assert (ended.outcome, ended.reason_code) == ("blocked", "tool_not_granted")
    assert tools.called == []
    assert [type(event) for event in events] == [Started]


async def test_a_run_that_is_killed_has_failed_for_the_limits_reason() -> None:
    def killed(call: ToolCall) -> bool:
        raise LimitExceededError("memory", "Too much.")

    ended, _ = await follow([BASH | {"allow_failure": True}], Tools(ok=killed))
    assert (ended.outcome, ended.reason_code, ended.detail) == ("failed", "memory", "Too much.")


def test_steps_are_read_with_their_names() -> None:
    step = BASH | {"save_as": "report.txt", "allow_failure": True}
    assert parse_steps([READ, step]) == (
        ToolCall("step-1", "Read", {"file_path": "a"}),
        ToolCall("step-2", "Bash", {"command": "false"}, save_as="report.txt", allow_failure=True),
    )


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        "Bash",
        [],
        [READ] * (MAX_STEPS + 1),
        ["Read"],
        [{1: 2}],
        [{"tool": "Read"}],
        [{"tool": 1, "input": {}}],
        [{"tool": "Read", "input": []}],
        [{"tool": "Read", "input": {1: "a"}}],
        [{"tool": "Read", "input": {}}],
        [{"tool": "WebFetch", "input": {"url": "x"}}],
        [READ | {"when": "always"}],
        [READ | {"save_as": "../x"}],
        [READ | {"save_as": 1}],
        [READ | {"allow_failure": "yes"}],
    ],
)
def test_anything_else_is_refused(value: object) -> None:
    with pytest.raises(StepsError):
        parse_steps(value)


async def park(
    steps: list[object], tools: Tools, silent: str, session: dict[str, object] | None = None
) -> Ended:
    async def gate(call: ToolCall) -> Verdict:
        return Verdict(allow=call.call_id != silent, park=call.call_id == silent)

    async def emit(event: Event) -> None:
        pass

    return await run_steps(parse_steps(steps), tools, gate, emit, session)


async def test_list_that_nobody_answers_is_set_aside_before_that_call_and_goes_on_there() -> None:
    tools = Tools()
    ended = await park([READ, BASH, READ], tools, "step-2")
    assert (ended.outcome, ended.reason_code, ended.session) == ("blocked", "parked", {"next": 1})
    assert tools.called == ["step-1"]
    assert await park([READ, BASH, READ], tools, "", {"next": 1}) == Ended("success")
    assert tools.called == ["step-1", "step-2", "step-3"]


@pytest.mark.parametrize(
    "session", [{}, {"next": -1}, {"next": 2}, {"next": True}, {"next": "1"}, {"next": None}]
)
async def test_session_of_another_list_is_taken_up_by_nobody(session: dict[str, object]) -> None:
    tools = Tools()
    with pytest.raises(SessionError, match="names no step"):
        await park([READ, BASH], tools, "", session)
    assert tools.called == []
