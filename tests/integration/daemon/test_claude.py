"""Claude Code as an agent, from the order to what it would change: the real wall, gate and model's server.

Its program here is one of the tests that has its habits; the real one is driven by `scripts/test --agents`.
"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from dispatch_daemon.adapters.agents import AgentProgram
from dispatch_daemon.adapters.executor import try_agent
from sandbox.agents.claude import launch
from tests.support.model_server import ModelServer, model_server, scripted
from tests.support.resident_bench import KEY, PLACEHOLDER, Bench, bench_of

READ = {"tool": "Read", "input": {"file_path": "notes.md"}}
EDIT = {"tool": "Edit", "input": {"file_path": "notes.md", "old_string": "first", "new_string": "second"}}
RUN = {"tool": "Bash", "input": {"command": "cat notes.md"}}


@pytest.fixture
def bench() -> Iterator[Bench]:
    with bench_of(speaks="claude") as made:
        yield made


@pytest.fixture
async def model(bench: Bench) -> AsyncIterator[ModelServer]:
    async with model_server() as playing:
        bench.url = playing.url
        yield playing


async def test_it_is_asked_for_each_call_those_that_only_read_among_them(
    bench: Bench, model: ModelServer
) -> None:
    settled = await bench.run(scripted([{"think": "hm"}, "I look.", READ], [EDIT, RUN], ["All of it."]))
    assert (settled.outcome, settled.detail) == ("success", "All of it."), bench.witness.told
    assert [Path(str(change["path"])).name for change in settled.changes] == ["notes.md"]
    assert bench.notes.read_text() == "first\n"
    calls = [(tool, given) for _, tool, given in bench.witness.of("asked")]
    assert calls == [(each["tool"], each["input"]) for each in (READ, EDIT, RUN)]
    assert bench.witness.of("proposed") == bench.witness.of("asked")
    assert [result["output"] for result in bench.witness.of("finished")] == ["first\n", "edited", "second\n"]
    kinds = [kind for kind, _ in bench.witness.told]
    assert kinds[:7] == ["started", "crossed", "thought", "said", "proposed", "asked", "finished"]
    assert bench.witness.of("said") == ["I look.", "All of it."]
    assert (settled.spent.turns, settled.spent.tokens.total) == (3, 48)
    assert {headers["x-api-key"] for headers in model.headers} == {KEY}
    assert PLACEHOLDER not in str(model.headers) + str(model.requests)


async def test_a_denied_call_is_the_last(bench: Bench, model: ModelServer) -> None:
    bench.witness.allows = lambda tool: tool == "Read"
    settled = await bench.run(scripted([READ], [EDIT, RUN], ["Done."]))
    assert (settled.outcome, settled.code, settled.changeset) == ("blocked", "denied", None)
    assert settled.detail.startswith("Edit was denied: ")
    assert [tool for _, tool, _ in bench.witness.of("asked")] == ["Read", "Edit"]


async def test_what_is_not_granted_is_absent_and_refused_if_it_is_called_all_the_same(
    bench: Bench, model: ModelServer
) -> None:
    bench.tools = ("Read", "Edit")
    insists = {"tool": "Bash", "input": {"command": "true", "insists": True}}
    settled = await bench.run(scripted([RUN], [insists], [EDIT], ["Done."]))
    assert settled.outcome == "success"
    assert {tool["name"] for tool in model.requests[0]["tools"]} == {"Read", "Edit"}
    assert "No such tool" in str(model.requests[1]["messages"])
    assert "the tool Bash is not granted" in str(model.requests[2]["messages"])
    assert [tool for _, tool, _ in bench.witness.of("asked")] == ["Edit"]


@pytest.mark.parametrize("granted", [("Read", "Edit", "Bash"), ("Read",)])
async def test_a_call_without_asking_ends_it(
    bench: Bench, model: ModelServer, granted: tuple[str, ...]
) -> None:
    bench.tools = granted
    settled = await bench.run(scripted([{"tool": "Silently", "input": READ}], ["Done."]))
    assert (settled.outcome, settled.code) == ("blocked", "denied")
    assert "without asking" in settled.detail


async def test_a_yes_is_for_the_call_that_was_shown(bench: Bench, model: ModelServer) -> None:
    """A second question under the same name with another input is another question."""
    same = {"subtype": "can_use_tool", "tool_use_id": "toolu_0_0", "tool_name": "Bash"}
    first = {"tool": "Ask", "input": same | {"input": {"command": "ls"}}}
    other = {"tool": "Ask", "input": same | {"input": {"command": "rm -rf ."}}}
    await bench.run(scripted([first, other], ["Done."]))
    assert [given["command"] for _, _, given in bench.witness.of("asked")] == ["ls", "rm -rf ."]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("no message", "agent_garbled"),
        ("[]", "agent_garbled"),
        ('{"type": 7}', "agent_garbled"),
        ('{"type": "control_request", "request": {"subtype": "can_use_tool"}}', "agent_garbled"),
        ('{"type": "control_request", "request": {"subtype": "other"}, "request_id": 1}', "agent_garbled"),
        ('{"type": "result", "subtype": "success", "is_error": false, "result": " "}', "agent_silent"),
        ('{"type": "result", "subtype": "success", "result": "Done."}', "agent_error"),
        ('{"type": "result", "subtype": "error_max_turns", "is_error": false}', "agent_error"),
        (
            '{"type": "result", "subtype": "success", "is_error": true, "result": "API Error: 500"}',
            "agent_error",
        ),
        (
            '{"type": "result", "subtype": "success", "is_error": false, "result": "x", "stop_reason": "refusal"}',
            "model_declined",
        ),
        (
            '{"type": "result", "subtype": "success", "is_error": false, "result": "x", "stop_reason": "max_tokens"}',
            "agent_cut",
        ),
    ],
)
async def test_a_program_that_fails_or_lies_is_never_a_success(
    bench: Bench, model: ModelServer, line: str, code: str
) -> None:
    settled = await bench.run(scripted([EDIT, {"tool": "Garble", "input": {"line": line}}], ["Done."]))
    assert (settled.outcome, settled.code) == ("failed", code)
    assert settled.changeset is None


async def test_a_program_that_ends_early_says_why(bench: Bench, model: ModelServer) -> None:
    settled = await bench.run(scripted([EDIT, {"tool": "Leave", "input": {}}], ["Done."]))
    assert (settled.outcome, settled.code) == ("failed", "agent_ended")
    assert "leaving early" in settled.detail


@pytest.mark.parametrize("subtype", ["mcp_message", "elicitation", "hook_callback"])
async def test_what_is_not_served_is_answered_with_an_error(
    bench: Bench, model: ModelServer, subtype: str
) -> None:
    ask = {"tool": "Ask", "input": {"subtype": subtype, "callback_id": "another"}}
    await bench.run(scripted([ask], ["Done."]))
    assert "this is not served here" in str(model.requests[1]["messages"])


async def test_trying_it_starts_it_and_asks_its_model(bench: Bench, model: ModelServer) -> None:
    assert (await try_agent(bench.executor, bench.agent))[-2:] == [
        ("its program works", True, "it said ready", None),
        ("asks its model", True, "1 calls of claude (anthropic:a-model) through the gate", None),
    ]
    bench.program = AgentProgram(("/usr/bin/false",), speaks="claude")
    tried = await try_agent(bench.executor, bench.agent)
    assert [name for name, ok, *_ in tried if not ok] == ["its program works", "asks its model"]


@pytest.mark.parametrize(
    ("left_out", "harm"),
    [
        ("--setting-sources=", "deletes everything"),
        ("--strict-mcp-config", "served"),
        ("--tools", "WebFetch"),
    ],
)
async def test_each_setting_of_its_command_holds_something_back(
    bench: Bench, model: ModelServer, monkeypatch: pytest.MonkeyPatch, left_out: str, harm: str
) -> None:
    """What the tests' program would do without them, so that a test of a poisoned folder can fail."""
    bench.poison()
    look = {"tool": "Bash", "input": {"command": "ls"}}

    async def told() -> str:
        model.requests.clear()
        await bench.run(scripted([look], ["Done."]))
        return str(model.requests)

    assert harm not in await told()
    whole = launch.arguments

    def without(*given: Any) -> tuple[str, ...]:
        words = whole(*given)
        at = words.index(left_out)
        return words[:at] + words[at + (2 if left_out == "--tools" else 1) :]

    monkeypatch.setattr(launch, "arguments", without)
    bench.executor.forget("run-1")
    assert harm in await told()
