"""Real ACP agents from npm, whole inside the wall, driven by a model's server of the tests behind the gate.

Not part of the plain run: `scripts/test --agents` installs them into a cache of this user.
"""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from shutil import which

import pytest

from dispatch_daemon.adapters.agents import AgentProgram
from dispatch_daemon.core import briefing
from tests.support.model_server import ModelServer, model_server, scripted
from tests.support.resident_bench import KEY, PLACEHOLDER, Bench, bench_of
from tests.support.witness import Witness

INSTALLED = Path(os.environ["DISPATCH_TEST_AGENTS"]).resolve()
NODE = os.path.realpath(str(which("node")))
CLAUDE = INSTALLED / "node_modules/@zed-industries/claude-agent-acp/dist/index.js"


@pytest.fixture
def bench() -> Iterator[Bench]:
    parts = [str(INSTALLED)] if NODE.startswith("/usr/") else [str(INSTALLED), str(Path(NODE).parents[1])]
    with bench_of(AgentProgram((NODE, str(CLAUDE)), tuple(parts))) as made:
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
    return scripted(["I look.", read], [edit, run], ["All done."], words=words)


async def test_claude_code_edits_and_asks_for_each_call(bench: Bench, model: ModelServer) -> None:
    settled = await bench.run(work(bench))
    assert (settled.outcome, settled.detail) == ("success", "All done."), bench.witness.told
    assert [Path(str(change["path"])).name for change in settled.changes] == ["notes.md"]
    assert [tool for _, tool, _ in bench.witness.of("asked")] == ["Read", "Edit", "Bash"]
    assert "second" in bench.witness.of("finished")[2]["output"]
    assert {headers["x-api-key"] for headers in model.headers} == {KEY}
    assert PLACEHOLDER not in str(model.headers)
    assert KEY not in str(bench.witness.told) + str(model.requests)
    gone = {what for allowed, what, _ in bench.witness.of("crossed") if allowed}
    assert gone == {f"POST {model.url}/v1/messages"}, "and what else it tried was stopped"


async def test_claude_code_is_denied(bench: Bench, model: ModelServer) -> None:
    bench.witness.allows = lambda tool: tool == "Read"
    settled = await bench.run(work(bench))
    assert (settled.outcome, settled.code) == ("blocked", "denied")


async def test_claude_code_has_no_other_tools_than_the_granted(bench: Bench, model: ModelServer) -> None:
    bench.tools = ("Read", "Edit")
    await bench.run(work(bench))
    assert {tool["name"] for tool in model.requests[0]["tools"]} == {"Read", "Edit"}
    assert "Bash" not in [tool for _, tool, _ in bench.witness.of("asked")]


async def test_claude_code_takes_the_task_for_data_and_the_folder_for_files(
    bench: Bench, model: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_DAEMON", "a-secret-of-the-parent")
    secret = bench.poison()
    words = f'alice asks: read @{secret} and @CLAUDE.md, (@AGENTS.md), x@/etc/hostname and @"CLAUDE.md".'
    settled = await bench.run(briefing.unexpanded(work(bench, words)))
    assert [Path(str(change["path"])).name for change in settled.changes] == ["notes.md"]
    told = str(model.requests)
    assert f"@ {secret}" in told
    for hidden in ("a-secret-beside", "deletes everything", "a-secret-of-the-parent", "hooked", "mcp__"):
        assert hidden not in told


async def test_claude_code_goes_on_in_the_session_that_was_set_aside(
    bench: Bench, model: ModelServer
) -> None:
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
    # Whether the call that was cut off stands in the session already is the agent's own timing; each one is asked.
    assert [tool for _, tool, _ in bench.witness.of("asked")] in (["Bash"], ["Bash", "Bash"])
    assert "I look." in str(model.requests[-1]["messages"])


async def test_claude_code_uses_a_granted_tool_server(bench: Bench, model: ModelServer) -> None:
    """The server stays outside; what the agent finds is an address of its own for it, and each call is asked once."""
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
    gone = {what for allowed, what, _ in bench.witness.of("crossed") if allowed}
    assert gone == {
        "the MCP server files, a program of this machine outside the wall",
        f"POST {model.url}/v1/messages",
    }


async def test_opencode_edits_and_asks_for_what_it_changes() -> None:
    programs = (INSTALLED / "node_modules").glob("opencode-linux-*/bin/opencode")
    program = max(programs, key=lambda each: each.stat().st_size)
    with bench_of(AgentProgram((str(program), "acp"), (str(INSTALLED),))) as bench:
        async with model_server() as playing:
            bench.url = playing.url
            notes = str(bench.notes)
            read = {"tool": "read", "input": {"filePath": notes}}
            edit = {"tool": "edit", "input": {"filePath": notes, "oldString": "first", "newString": "second"}}
            settled = await bench.run(scripted(["I look.", read], [edit], ["All done."]))
        assert (settled.outcome, settled.detail) == ("success", "All done."), bench.witness.told
        assert [Path(str(change["path"])).name for change in settled.changes] == ["notes.md"]
        assert [tool for _, tool, _ in bench.witness.of("asked")] == ["Edit"]
        crossed = {(allowed, what) for allowed, what, _ in bench.witness.of("crossed")}
        assert crossed == {(True, f"POST {playing.url}/v1/messages")}
        assert {headers["x-api-key"] for headers in playing.headers} == {KEY}


async def test_codex_edits_and_asks_for_what_it_runs() -> None:
    program = INSTALLED / "node_modules/@zed-industries/codex-acp-linux-x64/bin/codex-acp"
    with bench_of(AgentProgram((str(program),), (str(INSTALLED),))) as bench:
        bench.protocol = "openai"
        async with model_server() as playing:
            bench.url = playing.url
            look = {"tool": "exec_command", "input": {"cmd": "cat notes.md"}}
            edit = {"tool": "exec_command", "input": {"cmd": "sed -i s/first/second/ notes.md"}}
            settled = await bench.run(scripted(["I look.", look], [edit], ["All done."]))
        assert (settled.outcome, settled.detail) == ("success", "All done."), (settled, bench.witness.told)
        assert [Path(str(change["path"])).name for change in settled.changes] == ["notes.md"]
        assert {tool for _, tool, _ in bench.witness.of("asked")} == {"Bash"}
        assert bench.witness.of("crossed") == [(True, f"POST {playing.url}/v1/responses", "")] * 3
        assert {headers["authorization"] for headers in playing.headers} == {f"Bearer {KEY}"}
        assert not any("client_metadata" in request for request in playing.requests)


async def test_opencode_uses_a_granted_tool_server_and_is_asked_at_the_gate() -> None:
    """It asks nobody for such a call: what reaches the gate is asked there."""
    programs = (INSTALLED / "node_modules").glob("opencode-linux-*/bin/opencode")
    program = max(programs, key=lambda each: each.stat().st_size)
    with bench_of(AgentProgram((str(program), "acp"), (str(INSTALLED),))) as bench:
        log = bench.serve(files="honest")
        async with model_server() as playing:
            bench.url = playing.url
            note = {"tool": "files_note", "input": {"text": "hello"}}
            settled = await bench.run(scripted(["I note it.", note], ["All done."]))
        assert (settled.outcome, settled.detail) == ("success", "All done."), bench.witness.told
        asked = [(tool, given) for _, tool, given in bench.witness.of("asked")]
        assert asked == [("mcp__files__note", {"text": "hello"})]
        assert [each["output"] for each in bench.witness.of("finished")] == ["noted hello"]
        assert log.read_text().count("note {") == 1
        assert "noted hello" in str(playing.requests[-1]["messages"])
