"""Granted tool servers for an agent with a program of its own: what it finds inside, and what passes to a server outside."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dispatch_daemon.adapters.servers import server
from tests.support.model_server import ModelServer, model_server
from tests.support.patience import eventually
from tests.support.processes import naming
from tests.support.resident_bench import KEY, PLACEHOLDER, Bench, bench_for
from tests.support.witness import Witness

TOOL = "mcp__files__note"
NOTE = {"tool": TOOL, "input": {"text": "hello"}}
OTHER = {"tool": TOOL, "input": {"text": "another"}}
SILENTLY = {"tool": "Silently", "input": NOTE}
READ = {"tool": "Read", "input": {"file_path": "notes.md"}}
MISBEHAVE = {
    "die": ("ended before it answered", "out of [31mcheese"),
    "flood": ("talked without end",),
    "endless": ("a line that is longer than any answer",),
    "wrong-id": ("answered what was not asked",),
    "garble": ("which is no message", "not JSON"),
}
# What any program inside can do, whoever started it.
BY_HAND = "mcp(SERVED['{tool}'][0], {method!r}, {params!r})"
both = pytest.mark.parametrize("agent", ["acp", "claude"])
one = pytest.mark.parametrize("agent", ["acp"])


@pytest.fixture
def bench(agent: str) -> Iterator[Bench]:
    with bench_for(agent) as made:
        yield made


@pytest.fixture
async def model(bench: Bench) -> AsyncIterator[ModelServer]:
    async with model_server() as playing:
        bench.url = playing.url
        yield playing


def inside(agent: str, code: str) -> dict[str, object]:
    """Have an expression evaluated by the program inside, in whichever way it does that."""
    return {"tool": "Eval" if agent == "acp" else "Bash", "input": {"code": code}}


def by_hand(agent: str, method: str, params: dict[str, object]) -> dict[str, object]:
    return inside(agent, BY_HAND.format(tool=TOOL, method=method, params=params))


def returned(model: ModelServer, number: int = 1) -> str:
    """Return what came back to the agent's model of the calls of a turn."""
    return json.dumps(model.requests[number]["messages"][-1])


def notes(log: Path) -> list[str]:
    text = log.read_text() if log.exists() else ""
    return [line for line in text.splitlines() if line.startswith("note ")]


@both
async def test_a_granted_call_is_asked_once_made_once_and_told(bench: Bench, model: ModelServer) -> None:
    log = bench.serve(files="honest")
    settled = await bench.do(["I note it.", NOTE], [READ], ["Done."])
    assert settled.outcome == "success", (settled, bench.witness.told)
    assert notes(log) == ['note {"text": "hello"}']
    asked = [(tool, given) for _, tool, given in bench.witness.of("asked")]
    assert asked[0] == (TOOL, {"text": "hello"})
    assert [tool for tool, _ in asked].count(TOOL) == 1
    assert [tool for _, tool, _ in bench.witness.of("proposed")] == [TOOL, "Read"]
    assert [(each["call_id"], each["output"]) for each in bench.witness.of("finished")] == [
        ("call-1", "noted hello"),
        ("call-2", "first\n"),
    ]
    assert "noted hello" in returned(model)
    started, _, ended = log.read_text().splitlines()
    assert ended == "ended in order"
    assert naming(str(log)) == [], started


@both
async def test_it_finds_exactly_the_granted_tools_and_none_of_the_server(
    bench: Bench, model: ModelServer, agent: str
) -> None:
    log = bench.serve(files="honest", mail="honest")
    bench.servers = ("files",)
    look = (
        "[dict(os.environ), sys.argv, SERVED, open('/proc/self/cmdline').read(), glob.glob('/proc/[0-9]*')]"
    )
    settled = await bench.do([inside(agent, look)], [NOTE], ["Done."])
    assert settled.outcome == "success", settled
    there = {each["name"] for each in model.requests[0]["tools"] if each["name"].startswith("mcp__")}
    assert there == {f"mcp__files__{own}" for own in ("note", "where", "fail")}
    told = str(model.requests)
    for hidden in (str(log), "tool_server.py", KEY, "mail"):
        assert hidden not in told


@both
async def test_a_denied_call_is_never_made_and_is_the_last(bench: Bench, model: ModelServer) -> None:
    log = bench.serve(files="honest")
    bench.witness.allows = lambda tool: tool != TOOL
    settled = await bench.do([NOTE], ["Done."])
    assert (settled.outcome, settled.code) == ("blocked", "denied")
    assert settled.detail == f"{TOOL} was denied: as the test says."
    assert notes(log) == []
    assert len(model.requests) == 1


@one
async def test_what_calls_without_asking_is_asked_at_the_gate(bench: Bench, model: ModelServer) -> None:
    """The agent's own manners decide nothing: what reaches the gate is asked there, whole, and told as it was made."""
    log = bench.serve(files="honest")
    settled = await bench.do([SILENTLY], ["Done."])
    assert settled.outcome == "success", (settled, bench.witness.told)
    assert bench.witness.of("asked") == [("call-2", TOOL, {"text": "hello"})]
    assert bench.witness.of("proposed") == [("call-2", TOOL, {"text": "hello"})]
    assert [each["output"] for each in bench.witness.of("finished")] == ["noted hello"]
    assert notes(log) == ['note {"text": "hello"}']


@one
async def test_a_no_at_the_gate_is_an_answer_that_says_so_and_the_end(
    bench: Bench, model: ModelServer
) -> None:
    log = bench.serve(files="honest")
    bench.witness.allows = lambda tool: tool != TOOL
    kept = bench.ground.work / "heard"
    hears = "__import__('pathlib').Path('heard').write_text(json.dumps({call}))".format(
        call=BY_HAND.format(
            tool=TOOL, method="tools/call", params={"name": "note", "arguments": {"text": "x"}}
        )
    )
    settled = await bench.do([{"tool": "Eval", "input": {"code": hears}}], ["Done."])
    assert (settled.outcome, settled.code) == ("blocked", "denied")
    assert settled.detail == f"{TOOL} was denied: as the test says."
    assert notes(log) == []
    assert not kept.exists(), "what it wrote stayed in its copy"


@both
async def test_a_yes_is_for_the_call_that_was_shown_and_for_one(
    bench: Bench, model: ModelServer, agent: str
) -> None:
    """Something else inside makes another call, and then the same one twice, on the yes that the agent was given."""
    log = bench.serve(files="honest")
    calls = [
        by_hand(agent, "tools/call", {"name": "note", "arguments": {"text": text}})
        for text in ("other", "x", "x")
    ]
    settled = await bench.do(calls, [NOTE], ["Done."])
    assert settled.outcome == "success", (settled, bench.witness.told)
    asked = [given["text"] for _, tool, given in bench.witness.of("asked") if tool == TOOL]
    assert asked == ["other", "x", "x", "hello"]
    assert [json.loads(line[5:])["text"] for line in notes(log)] == ["other", "x", "x", "hello"]


@both
@pytest.mark.parametrize(
    "tool", ["mcp__mail__note", "mcp__files__nothing", "mcp__files_note", "mcp__Files__note", "WebFetch"]
)
async def test_no_other_tool_is_reached(bench: Bench, model: ModelServer, agent: str, tool: str) -> None:
    """By the names of the agent, and by hand at the gate; the control is a server that is here, and not granted."""
    log = bench.serve(files="honest", mail="honest")
    bench.servers = ("files",)
    own = tool.rpartition("__")[2]
    name = f"../mail/{own}" if own == "note" else own
    by_name = by_hand(agent, "tools/call", {"name": name, "arguments": {}})
    settled = await bench.do([{"tool": tool, "input": {"text": "x"}}, by_name], ["Done."])
    assert settled.outcome == "success", (settled, bench.witness.told)
    assert [asked for _, asked, _ in bench.witness.of("asked")] == ([] if agent == "acp" else ["Bash"])
    assert "is not granted" in str(bench.witness.of("finished")), "it was tried, and that is told"
    assert notes(log) == []


@one
@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("urllib.request.urlopen('http://127.0.0.1:3130/mail')", "HTTPError"),
        (
            "mcp({'url': 'http://127.0.0.1:3130/mail', 'headers': SERVED[T][0]['headers']}, 'ping', {})",
            "HTTPError",
        ),
        ("mcp({'url': SERVED[T][0]['url'], 'headers': {}}, 'ping', {})", "HTTPError"),
        (
            "mcp({'url': SERVED[T][0]['url'], 'headers': {'authorization': 'Bearer x'}}, 'ping', {})",
            "HTTPError",
        ),
        ("urllib.request.urlopen(SERVED[T][0]['url'])", "HTTPError"),
        ("urllib.request.urlopen('http://127.0.0.1:3131/files')", "URLError"),
        ("mcp(SERVED[T][0], 'ping', {})['result']", "{}"),
    ],
)
async def test_only_its_own_servers_are_behind_the_gate(
    bench: Bench, model: ModelServer, code: str, found: str
) -> None:
    log = bench.serve(files="honest", mail="honest")
    bench.servers = ("files",)
    settled = await bench.do(
        [{"tool": "Eval", "input": {"code": code.replace("T]", f"{TOOL!r}]")}}], ["Done."]
    )
    assert settled.outcome == "success", settled
    assert bench.witness.of("finished")[0]["output"].startswith(found)
    assert notes(log) == []


@one
async def test_what_leaves_for_the_network_is_its_endpoint_and_nothing_else(
    bench: Bench, model: ModelServer
) -> None:
    bench.serve(files="honest")
    await bench.do([NOTE], ["Done."])
    assert bench.witness.of("crossed") == [
        (True, "the MCP server files, a program of this machine outside the wall", ""),
        *[(True, f"POST {model.url}/v1/messages", "")] * 2,
    ]
    assert PLACEHOLDER not in str(model.requests)


@both
@pytest.mark.parametrize("mode", sorted(MISBEHAVE))
async def test_a_server_that_misbehaves_fails_its_call_and_the_run_goes_on(
    bench: Bench, model: ModelServer, mode: str
) -> None:
    log = bench.serve(files=mode, honest="honest")
    fine = {"tool": "mcp__honest__note", "input": {"text": "still here"}}
    settled = await bench.do([NOTE], [NOTE], [fine], ["Done."])
    assert settled.outcome == "success", (settled, bench.witness.told)
    first, second, third = bench.witness.of("finished")
    for words in MISBEHAVE[mode]:
        assert words in str(first["error"])
        assert json.dumps(words)[1:-1] in returned(model).encode().decode("unicode_escape")
    assert first["error"] == second["error"], "it is not started again in this run"
    assert third["output"] == "noted still here"
    assert log.read_text().count("started") == 2


@both
async def test_a_server_that_hangs_fails_its_call_in_time(
    bench: Bench, model: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = bench.serve(files="hang")
    monkeypatch.setattr(server, "CALL_S", 2.0)
    settled = await bench.do([NOTE], ["Done."])
    assert settled.outcome == "success", settled
    assert "did not answer tools/call within 2 s" in str(bench.witness.of("finished")[0]["error"])
    assert naming(f"grandchild-of-{log}") == []


@both
async def test_a_spent_budget_ends_a_run_with_servers(bench: Bench, model: ModelServer) -> None:
    log = bench.serve(files="honest")
    bench.turns = 1
    settled = await bench.do([NOTE], [OTHER], ["Done."])
    assert (settled.outcome, settled.code) == ("blocked", "budget")
    assert notes(log) == ['note {"text": "hello"}']
    assert naming(str(log)) == []


@both
async def test_a_cancelled_run_leaves_nothing_of_a_server(bench: Bench, model: ModelServer) -> None:
    log = bench.serve(files="hang")
    running = asyncio.create_task(bench.do([NOTE], ["Done."]))
    await eventually(lambda: running.done() or (log.exists() and "hangs" in log.read_text()))
    assert naming(f"grandchild-of-{log}") != [], "the control: there is something to leave behind"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert naming(str(log)) == []


@both
async def test_a_run_that_nobody_answered_goes_on_with_a_server_started_anew(
    bench: Bench, model: ModelServer
) -> None:
    log = bench.serve(files="honest")
    bench.falls_silent(TOOL)
    turns = (["I begin.", READ], [NOTE], [NOTE], ["Done."])
    parked = await bench.do(*turns)
    assert (parked.code, parked.resumable) == ("parked", True), parked
    assert notes(log) == []
    bench.witness = Witness()
    settled = await bench.do(*turns, resume=True)
    assert settled.outcome == "success", (settled, bench.witness.told)
    assert notes(log) == ['note {"text": "hello"}']


@one
async def test_a_call_at_the_gate_that_nobody_answered_parks_the_run_too(
    bench: Bench, model: ModelServer
) -> None:
    log = bench.serve(files="honest")
    bench.falls_silent(TOOL)
    turns = ([SILENTLY], [SILENTLY], ["Done."])
    parked = await bench.do(*turns)
    assert (parked.code, parked.resumable) == ("parked", True), parked
    bench.witness = Witness()
    settled = await bench.do(*turns, resume=True)
    assert settled.outcome == "success", (settled, bench.witness.told)
    assert len(notes(log)) == 1


@one
async def test_an_agent_that_takes_no_servers_is_refused_before_it_begins(
    bench: Bench, model: ModelServer
) -> None:
    assert bench.program is not None
    bench.program = replace(bench.program, argv=(*bench.program.argv, "--no-http"))
    settled = await bench.do([READ], ["Done."])
    assert settled.outcome == "success", "the control: without servers it works"
    bench.executor.forget("run-1")
    model.requests.clear()
    bench.serve(files="honest")
    settled = await bench.do([READ], ["Done."])
    assert (settled.outcome, settled.code) == ("failed", "servers_unreachable")
    assert "mcpCapabilities.http" in settled.detail
    assert model.requests == []


@both
async def test_it_works_without_a_server_that_cannot_be_asked(bench: Bench, model: ModelServer) -> None:
    bench.serve(files="old", honest="honest")
    settled = await bench.do([{"tool": "mcp__honest__note", "input": {"text": "x"}}], ["Done."])
    assert settled.outcome == "success", settled
    assert "mcp__files" not in str(model.requests[0]["tools"])
    assert "Its tools are not offered in this run." in bench.witness.of("noted")[0]
