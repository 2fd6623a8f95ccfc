"""The agent with a model, against an endpoint that plays scripts: the loop, both protocols, and whatever goes wrong."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from sandbox.agents.agent import Verdict
from sandbox.agents.model.endpoint import ATTEMPTS, LONGEST_PAUSE_S, Endpoint, Protocol
from sandbox.agents.model.loop import Allowance, Spent, run_model
from sandbox.errors import LimitExceededError, SandboxError
from sandbox.events import CallFinished, CallProposed, Confinement, Ended, Event, Said, Started, Thought
from sandbox.job import Limits, PathGrant, Policy, ToolCall, ToolResult
from sandbox.price import Price
from sandbox.wall.runner import open_box
from tests.support.grounds import Ground
from tests.support.model_server import ModelServer, Trouble, model_server, scripted

BOTH = pytest.mark.parametrize("protocol", list(Protocol), ids=str)
READ = {"tool": "Read", "input": {"file_path": "a.txt"}}
KEY = "the-key-of-the-owner"


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with model_server() as playing:
        yield playing


@dataclass
class Tools:
    """A box whose calls all say the same."""

    tools: frozenset[str] = frozenset({"Read", "Bash"})
    output: str = "what it said"
    ok: bool = True
    called: list[ToolCall] = field(default_factory=list)
    confinement = Confinement(("namespaces",), "cgroup")

    async def end(self) -> SandboxError:
        return await asyncio.Future()

    async def call(self, call: ToolCall) -> ToolResult:
        self.called.append(call)
        return ToolResult(call.call_id, self.ok, self.output, error=None if self.ok else "exit code 1")


@dataclass
class Run:
    """One run of the loop: what it was told and what it used."""

    endpoint: Endpoint
    tools: Any = field(default_factory=Tools)
    deny: str = ""
    allowance: Allowance = field(default_factory=Allowance)
    spent: Spent = field(default_factory=Spent)
    events: list[Event] = field(default_factory=list)

    async def through(self, prompt: str) -> Ended:
        async def gate(call: ToolCall) -> Verdict:
            return Verdict(allow=call.tool != self.deny, reason="not that")

        async def emit(event: Event) -> None:
            self.events.append(event)

        return await run_model(
            self.endpoint, prompt, "/src", self.tools, gate, emit, self.allowance, self.spent
        )


def endpoint(server: ModelServer, protocol: Protocol = Protocol.ANTHROPIC) -> Endpoint:
    return Endpoint(protocol, "a-model", server.url, KEY, pause=_at_once, proxied=False)


async def _at_once(_: float) -> None:
    """Lose no time between two attempts."""


def results(body: dict[str, Any]) -> list[Any]:
    """Return what the last request tells the model of its calls, in either protocol."""
    if "system" in body:
        return [block["content"] for block in body["messages"][-1]["content"]]
    return [message["content"] for message in body["messages"] if message["role"] == "tool"]


@BOTH
async def test_the_model_calls_reads_what_came_back_and_ends_with_its_words(
    server: ModelServer, protocol: Protocol
) -> None:
    run = Run(endpoint(server, protocol))
    ended = await run.through(scripted([{"think": "hm"}, "I look.", READ], ["It says nothing."]))
    assert ended == Ended("success", "", "It says nothing.")
    assert [type(event) for event in run.events] == [
        Started,
        Thought,
        Said,
        CallProposed,
        CallFinished,
        Said,
    ]
    assert run.tools.called == [ToolCall("call-1-1", "Read", {"file_path": "a.txt"})]
    assert results(server.requests[1]) == ["what it said"]
    assert (run.spent.turns, run.spent.tokens.total) == (2, 32)


@BOTH
async def test_the_key_stands_in_its_header_and_nowhere_else(server: ModelServer, protocol: Protocol) -> None:
    run = Run(endpoint(server, protocol))
    await run.through(scripted(["done"]))
    named = {name for name, value in server.headers[0].items() if KEY in value}
    assert named == {{"anthropic": "x-api-key", "openai": "authorization"}[protocol]}
    assert KEY not in str(server.requests) + repr(run.endpoint)


@BOTH
async def test_only_granted_tools_are_offered_with_the_fields_that_are_checked(
    server: ModelServer, protocol: Protocol
) -> None:
    await Run(endpoint(server, protocol)).through(scripted(["done"]))
    offered = server.requests[0]["tools"]
    tools = [tool.get("function", tool) for tool in offered]
    assert [tool["name"] for tool in tools] == ["Bash", "Read"]
    schema = tools[1].get("input_schema") or tools[1]["parameters"]
    assert (list(schema["properties"]), schema["required"]) == (
        ["file_path", "offset", "limit"],
        ["file_path"],
    )
    assert schema["additionalProperties"] is False


@BOTH
@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"tool": "Write", "input": {"file_path": "x", "content": ""}}, "There is no tool 'Write'"),
        ({"tool": "web_search", "input": {}}, "There is no tool 'web_search'"),
        ({"tool": "Read", "input": {"file_path": "x", "why": "y"}}, "Read has no field 'why'"),
        ({"tool": "Read", "raw": '{"file_path": '}, "not a JSON object"),
        ({"tool": "Read", "raw": "[1]"}, "not a JSON object"),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_a_call_that_cannot_be_made_is_told_to_the_model_and_never_asked(
    server: ModelServer, protocol: Protocol, wrong: dict[str, Any], told: str
) -> None:
    run = Run(endpoint(server, protocol))
    ended = await run.through(scripted([wrong, READ], ["well"]))
    assert ended.outcome == "success"
    assert [call.tool for call in run.tools.called] == ["Read"]
    refused, allowed = results(server.requests[1])
    assert told in refused
    assert allowed == "what it said"


@BOTH
async def test_a_denied_call_ends_the_run_and_the_rest_of_its_turn_is_never_made(
    server: ModelServer, protocol: Protocol
) -> None:
    run = Run(endpoint(server, protocol), deny="Bash")
    ended = await run.through(scripted([{"tool": "Bash", "input": {"command": "rm -r /"}}, READ], ["no"]))
    assert (ended.outcome, ended.reason_code) == ("blocked", "denied")
    assert "not that" in ended.detail
    assert run.tools.called == []
    assert len(server.requests) == 1


@BOTH
async def test_a_failed_call_is_told_as_one(server: ModelServer, protocol: Protocol) -> None:
    run = Run(endpoint(server, protocol), tools=Tools(ok=False))
    assert (await run.through(scripted([READ], ["well"]))).outcome == "success"
    assert "exit code 1\nwhat it said" in str(results(server.requests[1])[0])


async def test_long_output_is_cut_for_the_model_and_says_so(server: ModelServer) -> None:
    run = Run(endpoint(server), tools=Tools(output="x" * 40_000))
    await run.through(scripted([READ], ["well"]))
    (told,) = results(server.requests[1])
    assert told.endswith("[cut here: 10000 more characters]")


async def test_thinking_goes_back_to_its_vendor_with_its_signature(server: ModelServer) -> None:
    await Run(endpoint(server)).through(scripted([{"think": "hm"}, READ], ["well"]))
    spoken = server.requests[1]["messages"][1]["content"]
    assert spoken[0] == {"type": "thinking", "thinking": "hm", "signature": "signed"}


@BOTH
async def test_an_answer_that_was_cut_is_asked_to_go_on(server: ModelServer, protocol: Protocol) -> None:
    run = Run(endpoint(server, protocol))
    ended = await run.through(scripted(["It be", {"cut": True}], ["gan."]))
    assert ended == Ended("success", "", "gan.")
    assert "length limit" in str(server.requests[1]["messages"][-1])


@BOTH
async def test_a_model_that_declines_or_says_nothing_is_no_success(
    server: ModelServer, protocol: Protocol
) -> None:
    declined = await Run(endpoint(server, protocol)).through(scripted(["No.", {"refuse": True}]))
    assert (declined.outcome, declined.reason_code) == ("failed", "model_declined")
    silent = await Run(endpoint(server, protocol)).through(scripted([]))
    assert (silent.outcome, silent.reason_code) == ("failed", "model_silent")


@pytest.mark.parametrize(
    ("allowance", "words"),
    [(Allowance(turns=2), "2 turns"), (Allowance(tokens=20), "32 of 20 tokens")],
    ids=["turns", "tokens"],
)
async def test_a_budget_that_is_used_up_blocks(server: ModelServer, allowance: Allowance, words: str) -> None:
    run = Run(endpoint(server), allowance=allowance)
    ended = await run.through(scripted([READ], [READ], [READ], ["done"]))
    assert (ended.outcome, ended.reason_code) == ("blocked", "budget")
    assert words in ended.detail
    assert len(server.requests) == 2


DEAR = Price(1_000_000, 2_000_000)  # 22 millionths of a dollar for a turn of the server


@pytest.mark.parametrize(
    ("price", "limit", "words", "asked"),
    [
        (DEAR, 44, "the model has cost $0.000044 of $0.000044", 2),
        (DEAR, 45, "the model has cost $0.000066 of $0.000045", 3),
        (None, 44, "what this model costs is not known", 0),
    ],
)
async def test_money_that_is_used_up_blocks(
    server: ModelServer, price: Price | None, limit: int, words: str, asked: int
) -> None:
    run = Run(endpoint(server), allowance=Allowance(cost_microusd=limit), spent=Spent(price=price))
    ended = await run.through(scripted([READ], [READ], [READ], ["done"]))
    assert (ended.outcome, ended.reason_code) == ("blocked", "budget")
    assert words in ended.detail
    assert len(server.requests) == asked
    assert run.spent.cost_microusd == (None if price is None else 22 * asked)


async def test_an_endpoint_that_counts_nothing_cannot_keep_a_limit_in_money(server: ModelServer) -> None:
    server.counts = False
    allowance, spent = Allowance(cost_microusd=10**9), Spent(price=DEAR)
    run = Run(endpoint(server, Protocol.OPENAI), allowance=allowance, spent=spent)
    ended = await run.through(scripted([READ], ["done"]))
    assert (ended.outcome, ended.reason_code) == ("blocked", "budget")
    assert "does not say how many tokens it used" in ended.detail
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [429, 500, 529])
async def test_a_busy_endpoint_is_asked_again_and_not_for_ever(server: ModelServer, status: int) -> None:
    busy = Trouble(status, {"retry-after": "7"}, b"later")
    server.trouble = [busy] * (ATTEMPTS - 1)
    assert (await Run(endpoint(server)).through(scripted(["done"]))).outcome == "success"
    server.trouble = [busy] * ATTEMPTS
    ended = await Run(endpoint(server)).through(scripted(["done"]))
    assert ended.outcome == "failed"
    assert f"answered {status}: later" in ended.detail
    assert server.trouble == []


async def test_pauses_grow_stay_bounded_and_follow_the_endpoint(server: ModelServer) -> None:
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    patient = replace(endpoint(server), pause=pause)
    server.trouble = [
        Trouble(500),
        Trouble(429, {"retry-after": "7"}),
        Trouble(429, {"retry-after": "99999"}),
        Trouble(500),
    ]
    await Run(patient).through(scripted(["done"]))
    assert pauses == [1.0, 7.0, LONGEST_PAUSE_S]


@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        (Trouble(401, body=b"bad key"), "model_key_refused"),
        (Trouble(404, body=b"no such model"), "model_unknown"),
        (Trouble(400, body=b"\x1b[2Jodd"), "model_refused"),
        (Trouble(307, {"location": "http://127.0.0.1:1/"}), "model_refused"),
        (Trouble(200, {"content-type": "text/html"}, b"<p>"), "model_garbled"),
        (Trouble(200, {"content-type": "text/event-stream"}, b"data: nonsense\n\n"), "model_garbled"),
        (Trouble(200, {"content-type": "text/event-stream"}, b"data: [1]\n\n"), "model_garbled"),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value.status),
)
async def test_what_asking_again_cannot_mend_is_asked_once(
    server: ModelServer, trouble: Trouble, code: str
) -> None:
    server.trouble = [trouble]
    ended = await Run(endpoint(server)).through(scripted(["done"]))
    assert (ended.outcome, ended.reason_code) == ("failed", code)
    assert len(server.requests) == 1
    assert ended.detail.isprintable()


@BOTH
async def test_an_answer_that_breaks_off_is_asked_for_again(server: ModelServer, protocol: Protocol) -> None:
    server.trouble = [Trouble(200, {"content-type": "text/event-stream"}, b'data: {"type": "ping"}\n\n')]
    assert (await Run(endpoint(server, protocol)).through(scripted(["done"]))).outcome == "success"


@BOTH
async def test_an_error_in_the_stream_is_said(server: ModelServer, protocol: Protocol) -> None:
    event = b'data: {"type": "error", "error": {"type": "invalid_request_error", "message": "too odd"}}\n\n'
    server.trouble = [Trouble(200, {"content-type": "text/event-stream"}, event)]
    ended = await Run(endpoint(server, protocol)).through(scripted(["done"]))
    assert (ended.outcome, ended.reason_code) == ("failed", "model_refused")
    assert "too odd" in ended.detail


@BOTH
@pytest.mark.parametrize("status", [200, 400, 401, 500])
async def test_a_key_that_the_endpoint_says_back_is_shown_to_nobody(
    server: ModelServer, protocol: Protocol, status: int
) -> None:
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": f"the key {KEY} is bad"}}
    said = f"data: {json.dumps(error)}\n\n".encode()
    server.trouble = [Trouble(status, {"content-type": "text/event-stream"}, said)] * ATTEMPTS
    run = Run(endpoint(server, protocol))
    ended = await run.through(scripted(["done"]))
    assert "is bad" in ended.detail
    assert KEY not in str(run.events) + str(ended)


async def test_an_endpoint_that_is_not_there_is_said() -> None:
    nowhere = Endpoint(Protocol.OPENAI, "m", "http://127.0.0.1:9", pause=_at_once, proxied=False)
    ended = await Run(nowhere).through(scripted(["done"]))
    assert (ended.outcome, ended.reason_code) == ("failed", "model_unreachable")
    assert "127.0.0.1:9" in ended.detail


async def test_a_box_that_was_killed_ends_the_run(server: ModelServer) -> None:
    class Killed(Tools):
        async def call(self, call: ToolCall) -> ToolResult:
            raise LimitExceededError("memory", "The run used more memory than it may.")

    ended = await Run(endpoint(server), tools=Killed()).through(scripted([READ], ["done"]))
    assert (ended.outcome, ended.reason_code) == ("failed", "memory")


async def test_in_a_live_box_the_model_edits_a_file_in_its_copy(
    server: ModelServer, own_ground: Ground, tmp_path: Path
) -> None:
    (own_ground.work / "greeting.txt").write_text("Helo\n")
    policy = Policy(
        (PathGrant(str(own_ground.work), "rw"),),
        str(own_ground.work),
        frozenset({"Read", "Edit", "Bash"}),
    )
    edit = {"file_path": "greeting.txt", "old_string": "Helo", "new_string": "Hello"}
    prompt = scripted(
        [{"tool": "Read", "input": {"file_path": "greeting.txt"}}],
        [{"tool": "Edit", "input": edit}, {"tool": "Bash", "input": {"command": "cat greeting.txt; env"}}],
        ["Corrected."],
    )
    own_ground.driven += 1
    async with open_box(policy, tmp_path / "run", "run-1") as box:
        ended = await Run(endpoint(server), tools=box).through(prompt)
    assert ended == Ended("success", "", "Corrected.")
    _, said = results(server.requests[2])
    assert said.startswith("Hello\n")
    assert KEY not in said
    assert (own_ground.work / "greeting.txt").read_text() == "Helo\n"


async def test_a_box_that_goes_over_a_limit_while_the_model_thinks_ends_the_run(
    server: ModelServer, own_ground: Ground, tmp_path: Path
) -> None:
    limits = Limits(upper_bytes=4 << 20)
    policy = Policy(
        (PathGrant(str(own_ground.work), "rw"),), str(own_ground.work), frozenset({"Bash"}), limits=limits
    )
    fills = "setsid sh -c 'sleep 1; head -c 32M /dev/zero > big; sleep 60' >/dev/null 2>&1 & true"
    own_ground.driven += 1
    async with open_box(policy, tmp_path / "run", "run-1") as box:
        result = await box.call(ToolCall("call-1", "Bash", {"command": fills}))
        assert result.ok
        server.trouble.append(Trouble(hangs=True))
        ended = await Run(endpoint(server), tools=box).through(scripted(["done"]))
    assert (ended.outcome, ended.reason_code) == ("failed", "disk")
    assert len(server.requests) == 1
