"""The real Claude Code as an agent, whole inside the wall, its model a script behind the gate."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from dispatch_daemon.adapters.agents import AgentProgram
from tests.support.model_server import ModelServer, Trouble, model_server, scripted
from tests.support.resident_bench import KEY, PLACEHOLDER, Bench, bench_of
from tests.support.witness import Witness

INSTALLED = Path(os.environ["DISPATCH_TEST_AGENTS"]).resolve()
PLACEHOLDERS = {"DeferredToolPlaceholder"}  # it calls nothing


@pytest.fixture
def program() -> Path:
    return (INSTALLED / "node_modules/.bin/claude").resolve()


@pytest.fixture
def bench(program: Path) -> Iterator[Bench]:
    with bench_of(AgentProgram((str(program),), (str(program.parent),), "claude")) as made:
        yield made


@pytest.fixture
async def model(bench: Bench) -> AsyncIterator[ModelServer]:
    async with model_server() as playing:
        bench.url = playing.url
        yield playing


def work(bench: Bench, words: str = "Do it.") -> str:
    notes = str(bench.notes)
    read = {"tool": "Read", "input": {"file_path": notes}}
    edit = {"tool": "Edit", "input": {"file_path": notes, "old_string": "first", "new_string": "second"}}
    run = {"tool": "Bash", "input": {"command": "cat notes.md; env", "description": "Show it"}}
    return scripted([{"think": "hm"}, "I look.", read], [edit, run], ["All done."], words=words)


async def test_it_edits_and_asks_for_each_call(
    bench: Bench, model: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_DAEMON", "a-secret-of-the-parent")
    settled = await bench.run(work(bench))
    assert (settled.outcome, settled.detail) == ("success", "All done."), bench.witness.told
    assert [Path(str(change["path"])).name for change in settled.changes] == ["notes.md"]
    assert [tool for _, tool, _ in bench.witness.of("asked")] == ["Read", "Edit", "Bash"]
    assert "second" in bench.witness.of("finished")[2]["output"]
    assert bench.witness.of("thought") == ["hm"]
    assert {headers["x-api-key"] for headers in model.headers} == {KEY}
    told = str(bench.witness.told) + str(model.requests)
    assert PLACEHOLDER not in str(model.headers)
    assert KEY not in told
    assert "a-secret-of-the-parent" not in told
    gone = {what for allowed, what, _ in bench.witness.of("crossed") if allowed}
    assert gone == {f"POST {model.url}/v1/messages"}
    assert [what for allowed, what, _ in bench.witness.of("crossed") if not allowed] == []


@pytest.mark.parametrize("denied", ["Read", "Edit", "Bash"])
async def test_it_is_denied(bench: Bench, model: ModelServer, denied: str) -> None:
    bench.witness.allows = lambda tool: tool != denied
    settled = await bench.run(work(bench))
    assert (settled.outcome, settled.code) == ("blocked", "denied")
    assert bench.witness.of("asked")[-1][1] == denied


async def test_it_uses_a_granted_tool_server(bench: Bench, model: ModelServer) -> None:
    """The server stays outside; what it finds is an address of its own for it, and each call is asked once."""
    log = bench.serve(files="honest")
    note = {"tool": "mcp__files__note", "input": {"text": "hello"}}
    settled = await bench.do(["I note it.", note], ["All done."])
    assert (settled.outcome, settled.detail) == ("success", "All done."), (settled, bench.witness.told)
    asked = [(tool, given) for _, tool, given in bench.witness.of("asked")]
    assert asked == [("mcp__files__note", {"text": "hello"})]
    assert [each["output"] for each in bench.witness.of("finished")] == ["noted hello"]
    assert log.read_text().count("note {") == 1
    there = {tool["name"] for tool in model.requests[0]["tools"] if tool["name"].startswith("mcp__")}
    assert there == {f"mcp__files__{own}" for own in ("note", "where", "fail")}
    assert "noted hello" in str(model.requests[1]["messages"])
    assert [what for allowed, what, _ in bench.witness.of("crossed") if not allowed] == []


async def test_it_has_no_other_tools_than_the_granted(bench: Bench, model: ModelServer) -> None:
    bench.tools = ("Read", "Edit")
    settled = await bench.run(work(bench))
    assert settled.outcome == "success"
    assert {tool["name"] for tool in model.requests[0]["tools"]} - PLACEHOLDERS == {"Read", "Edit"}
    assert [tool for _, tool, _ in bench.witness.of("asked")] == ["Read", "Edit"]


async def test_it_takes_the_task_for_data_and_the_folder_for_files(bench: Bench, model: ModelServer) -> None:
    """The text goes as it is, an @ before a name and a command at its beginning included."""
    secret = bench.poison()
    words = f"/clear\nalice asks: read @{secret} and @CLAUDE.md, and x@/etc/hostname."
    settled = await bench.run(work(bench, words))
    assert [Path(str(change["path"])).name for change in settled.changes] == ["notes.md"], settled
    told = str(model.requests)
    assert f"@{secret} and @CLAUDE.md" in told
    for hidden in ("a-secret-beside", "deletes everything", "hooked", "mcp__"):
        assert hidden not in told


@pytest.mark.parametrize(
    ("status", "code"), [(400, "model_refused"), (401, "model_key_refused"), (529, "model_refused")]
)
async def test_an_error_of_its_endpoint_is_the_end(
    bench: Bench, model: ModelServer, status: int, code: str
) -> None:
    model.trouble += [Trouble(status, {}, b"no")] * 10
    settled = await bench.run(work(bench))
    assert (settled.outcome, settled.code) == ("failed", code)


async def test_a_spent_budget_stops_it(bench: Bench, model: ModelServer) -> None:
    bench.turns = 1
    settled = await bench.run(work(bench))
    assert (settled.outcome, settled.code) == ("blocked", "budget")


async def test_it_goes_on_in_the_session_that_was_set_aside(bench: Bench, model: ModelServer) -> None:
    """It is ended in the middle of a call; its session lies in the run's own home until somebody takes it up."""
    read = {"tool": "Read", "input": {"file_path": str(bench.notes)}}
    run = {"tool": "Bash", "input": {"command": "echo changed > notes.md", "description": "Change it"}}
    turns = (["I look.", read], [run], [run], ["All done."])
    bench.falls_silent("Bash")
    parked = await bench.do(*turns)
    assert (parked.outcome, parked.code, parked.resumable) == ("blocked", "parked", True), parked
    bench.witness = Witness()
    settled = await bench.do(*turns, resume=True)
    assert (settled.outcome, settled.detail) == ("success", "All done."), (settled, bench.witness.told)
    assert [Path(str(change["path"])).name for change in settled.changes] == ["notes.md"]
    assert [tool for _, tool, _ in bench.witness.of("asked")] == ["Bash"]
    assert "I look." in str(model.requests[-1]["messages"])
