"""Tool servers of one's own beside a real wall: what a run may ask them, and what is left of one that misbehaves."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from dispatch_daemon.adapters.servers import Server, ServerError, Servers, server
from dispatch_protocol.tool_server import FILE_NAME, ToolServer, write_servers
from sandbox.agents.model import endpoint
from tests.support import tool_server
from tests.support.model_server import ModelServer, model_server
from tests.support.patience import eventually
from tests.support.processes import naming
from tests.support.resident_bench import Bench, bench_for

NOTE = {"tool": "mcp__files__note", "input": {"text": "hello"}}
READ = {"tool": "Read", "input": {"file_path": "notes.md"}}
MISBEHAVE = {
    "die": ("ended before it answered", "out of [31mcheese"),
    "flood": ("talked without end",),
    "endless": ("a line that is longer than any answer",),
    "wrong-id": ("answered what was not asked",),
    "garble": ("which is no message", "not JSON"),
}
both = pytest.mark.parametrize("agent", ["steps", "model"])


@pytest.fixture
def bench(agent: str) -> Iterator[Bench]:
    with bench_for(agent) as made:
        yield made


@pytest.fixture
async def model(bench: Bench) -> AsyncIterator[ModelServer]:
    async with model_server() as playing:
        bench.url = playing.url
        yield playing


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once: how long the pauses are is another test's."""
    monkeypatch.setattr(endpoint, "FIRST_PAUSE_S", 0.0)


def last(bench: Bench) -> dict[str, object]:
    return dict(bench.witness.of("finished")[-1])


# -- in a run ----------------------------------------------------------------------------------------------


@both
async def test_a_granted_server_is_asked_and_ends_with_the_run(bench: Bench, model: ModelServer) -> None:
    log = bench.serve(files="honest")
    settled = await bench.do([NOTE], [READ], ["Done."])
    assert settled.outcome == "success", (settled, bench.witness.told)
    assert "noted hello" in str(bench.witness.of("finished")[0]["output"])
    started, noted, ended = log.read_text().splitlines()
    assert (noted, ended) == ('note {"text": "hello"}', "ended in order")
    assert not os.path.exists(f"/proc/{started.split()[1]}")


@both
async def test_that_it_acts_outside_is_told_before_it_is_started(bench: Bench, model: ModelServer) -> None:
    log = bench.serve(files="honest")
    seen: list[bool] = []
    crossed = bench.witness.crossed

    async def hear(what: str, code: str, *, allowed: bool) -> None:
        seen.append(log.exists())
        await crossed(what, code, allowed=allowed)

    bench.witness.crossed = hear  # type: ignore[method-assign]  # one witness, which looks at the moment of telling
    await bench.do([NOTE], [NOTE], ["Done."])
    assert seen == [False], "told once, and before anything of it ran"
    assert bench.witness.of("crossed") == [
        (True, "the MCP server files, a program of this machine outside the wall", "")
    ]


@both
async def test_a_denied_call_is_never_made(bench: Bench, model: ModelServer) -> None:
    log = bench.serve(files="honest")
    bench.witness.allows = lambda tool: tool != NOTE["tool"]
    settled = await bench.do([NOTE], ["Done."])
    assert (settled.outcome, settled.code) == ("blocked", "denied")
    assert ("asked", ("step-1" if bench.follows_steps else "call-1-1", NOTE["tool"], NOTE["input"])) in [
        (kind, what) for kind, what in bench.witness.told
    ]
    assert "note {" not in (log.read_text() if log.exists() else "")


@both
@pytest.mark.parametrize(
    "tool", ["mcp__mail__note", "mcp__files_note", "mcp__a__b__note", "mcp__filesx__note", "mcp__Files__note"]
)
async def test_another_server_is_not_there(bench: Bench, model: ModelServer, tool: str) -> None:
    """The control is the server of another name that is here, and honest, and not granted."""
    log = bench.serve(files="honest", mail="honest", a="honest")
    bench.servers = ("files",)
    settled = await bench.do([{"tool": tool, "input": {"text": "x"}}], ["Done."])
    if bench.follows_steps:
        assert (settled.outcome, settled.code) == ("blocked", "tool_not_granted")
    else:
        assert "There is no tool" in str(model.requests[-1])
        assert tool not in {each["name"] for each in model.requests[0]["tools"]}
    assert "note {" not in (log.read_text() if log.exists() else "")


@pytest.mark.parametrize("agent", ["steps"])
@pytest.mark.parametrize("mode", sorted(MISBEHAVE))
async def test_a_server_that_misbehaves_fails_its_call_and_is_asked_no_more(bench: Bench, mode: str) -> None:
    log = bench.serve(files=mode, honest="honest")
    try_it = NOTE | {"allow_failure": True}
    fine = {"tool": "mcp__honest__note", "input": {"text": "still here"}}
    settled = await bench.do([try_it, try_it, fine])
    assert settled.outcome == "success"
    first, second, third = bench.witness.of("finished")
    for words in MISBEHAVE[mode]:
        assert words in str(first["error"])
    assert first["error"] == second["error"], "it is not started again in this run"
    assert "noted still here" in third["output"]
    assert log.read_text().count("started") == 2
    assert all(not os.path.exists(f"/proc/{line.split()[1]}") for line in log.read_text().splitlines()[:1])


@pytest.mark.parametrize("agent", ["steps"])
async def test_a_server_that_hangs_is_ended_with_all_that_it_started(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = bench.serve(files="hang")
    monkeypatch.setattr(server, "CALL_S", 2.0)
    settled = await bench.do([NOTE])
    assert (settled.outcome, settled.code) == ("failed", "step_failed")
    assert "did not answer tools/call within 2 s" in str(last(bench)["error"])
    assert naming(f"grandchild-of-{log}") == []


@pytest.mark.parametrize("agent", ["steps"])
async def test_a_cancelled_run_leaves_nothing_of_a_server(bench: Bench) -> None:
    log = bench.serve(files="hang")
    running = asyncio.create_task(bench.do([NOTE]))
    await eventually(lambda: log.exists() and "hangs" in log.read_text())
    assert naming(f"grandchild-of-{log}") != [], "the control: there is something to leave behind"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert naming(str(log)) == []


@pytest.mark.parametrize("agent", ["steps"])
async def test_what_the_run_outlives_ends_a_call_outside_too(bench: Bench) -> None:
    log = bench.serve(files="hang")
    bench.wall_s = 2.0
    settled = await bench.do([NOTE])
    assert (settled.outcome, settled.code) == ("failed", "wall_clock")
    assert naming(str(log)) == []


@pytest.mark.parametrize("agent", ["model"])
async def test_a_model_is_told_what_a_server_says_and_nothing_that_a_terminal_obeys(
    bench: Bench, model: ModelServer
) -> None:
    bench.serve(files="odd")
    settled = await bench.do([NOTE], ["Done."])
    assert settled.outcome == "success", settled
    told = {each["name"]: each for each in model.requests[0]["tools"]}
    assert told["mcp__files__note"]["input_schema"] == tool_server_schema()
    assert "mcp__files__ansi" in told
    assert "\x1b" not in told["mcp__files__ansi"]["description"]
    assert "\u202e" not in told["mcp__files__ansi"]["description"]
    assert not {"mcp__files__huge", "mcp__files__a tool\u202e"} & set(told)
    (noted,) = bench.witness.of("noted")
    assert (
        noted == f"Of the MCP server files these tools cannot be offered: a tool, {tool_server.MARKUP}, huge."
    )


def tool_server_schema() -> dict[str, object]:
    return {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}


@pytest.mark.parametrize("agent", ["model"])
@pytest.mark.parametrize("mode", ["twice", "old", "no-such-program"])
async def test_a_model_works_without_a_server_that_cannot_be_asked(
    bench: Bench, model: ModelServer, mode: str
) -> None:
    bench.serve(files=mode)
    if mode == "no-such-program":
        listed = bench.ground.base / "of-the-daemon" / FILE_NAME
        listed.write_bytes(write_servers([ToolServer("files", ("/no/such/program",))]))
    settled = await bench.do([READ], ["Done."])
    assert settled.outcome == "success", settled
    assert "mcp__" not in str(model.requests[0]["tools"])
    (noted,) = bench.witness.of("noted")
    assert "Its tools are not offered in this run." in noted


@pytest.mark.parametrize("agent", ["model"])
async def test_numbers_with_a_point_reach_a_server_and_are_shown_as_text(
    bench: Bench, model: ModelServer
) -> None:
    log = bench.serve(files="honest")
    call = {"tool": "mcp__files__note", "input": {"text": "a", "at": 1.5}}
    settled = await bench.do([call], ["Done."])
    assert settled.outcome == "success", settled
    assert 'note {"at": 1.5, "text": "a"}' in log.read_text()
    ((_, _, shown),) = bench.witness.of("asked")
    assert shown == {"text": "a", "at": "1.5"}


@both
async def test_a_server_that_was_removed_is_said_to_be_gone(bench: Bench, model: ModelServer) -> None:
    bench.serve(files="honest")
    (bench.ground.base / "of-the-daemon" / FILE_NAME).unlink()
    settled = await bench.do([NOTE], ["Done."])
    gone = "This machine has no MCP server called files."
    if bench.follows_steps:
        assert settled.code == "step_failed"
        assert last(bench)["error"] == gone
    else:
        assert gone in bench.witness.of("noted")[0]


@both
async def test_a_run_that_nobody_answered_goes_on_with_a_server_started_anew(
    bench: Bench, model: ModelServer
) -> None:
    log = bench.serve(files="honest")
    bench.falls_silent(NOTE["tool"])  # type: ignore[arg-type]  # the name of a tool is text
    parked = await bench.do([READ], [NOTE], ["Done."])
    assert (parked.code, parked.resumable) == ("parked", True)
    assert "note {" not in (log.read_text() if log.exists() else "")
    bench.witness.allows, bench.witness.parked = (lambda _tool: True), False
    settled = await bench.do([READ], [NOTE], ["Done."], resume=True)
    assert settled.outcome == "success", (settled, bench.witness.told)
    assert log.read_text().count("note {") == 1


# -- by itself ---------------------------------------------------------------------------------------------


def written(home: Path, mode: str, **more: dict[str, str]) -> Server:
    argv = (sys.executable, tool_server.__file__, mode, str(home / "log"))
    path = home / FILE_NAME
    path.write_bytes(write_servers([ToolServer("files", argv, **more)]))
    path.chmod(0o600)
    environ = {"PATH": os.environ["PATH"], "HOME": str(home), "KEPT": "a-secret", "ANTHROPIC_API_KEY": "ours"}
    return Server("files", Servers(home, environ))


async def test_it_gets_its_own_variables_and_secrets_and_none_of_ours(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from a file\n")
    (tmp_path / "key").chmod(0o600)
    places = {"TOKEN": "env:KEPT", "KEY": f"file:{tmp_path / 'key'}"}
    asked = written(tmp_path, "honest", environment={"PLACE": "/srv"}, secrets=places)
    told = json.loads((await asked.call("where", {})).text)
    env = told["env"]
    assert (env["TOKEN"], env["KEY"], env["PLACE"]) == ("a-secret", "from a file", "/srv")
    assert not {"ANTHROPIC_API_KEY", "KEPT"} & set(env)
    assert told["cwd"] == str(Path.home())
    pid = (tmp_path / "log").read_text().split()[1]
    assert b"a-secret" not in Path(f"/proc/{pid}/cmdline").read_bytes()
    await asked.end()


def test_whether_it_could_be_started_is_seen_without_starting_it(tmp_path: Path) -> None:
    servers = Servers(tmp_path, {"KEPT": "a-secret"})
    servers.check(ToolServer("files", (sys.executable,), secrets={"TOKEN": "env:KEPT"}))
    (tmp_path / "no-program").write_text("x")
    for command in ("/no/such/program", str(tmp_path), str(tmp_path / "no-program")):
        with pytest.raises(ServerError, match="no program is there") as refused:
            servers.check(ToolServer("files", (command,)))
        assert refused.value.remedy == "dispatch agent server remove files"
    with pytest.raises(ServerError, match="TOKEN") as refused:
        servers.check(ToolServer("files", (sys.executable,), secrets={"TOKEN": "env:GONE"}))
    assert refused.value.code == "server_secret_missing"


async def test_a_secret_that_others_can_read_starts_nothing(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("open to all")
    (tmp_path / "key").chmod(0o644)
    asked = written(tmp_path, "honest", secrets={"KEY": f"file:{tmp_path / 'key'}"})
    with pytest.raises(ServerError, match="KEY") as refused:
        await asked.offers()
    assert refused.value.code == "server_secret_missing"
    assert "open to all" not in refused.value.detail
    assert not (tmp_path / "log").exists()


async def test_what_it_asks_of_us_is_refused_and_its_answer_still_counts(tmp_path: Path) -> None:
    asked = written(tmp_path, "asks")
    assert (await asked.call("note", {"text": "x"})).text == "noted x"
    await asked.end()
    refused = [line for line in (tmp_path / "log").read_text().splitlines() if line.startswith("{")]
    assert [json.loads(line)["error"]["code"] for line in refused] == [-32601] * 3


async def test_pictures_and_resources_are_named_and_not_followed(tmp_path: Path) -> None:
    asked = written(tmp_path, "pictures")
    outcome = await asked.call("note", {})
    await asked.end()
    picture, link, seen = outcome.text.splitlines()
    assert picture == "[image, not looked at: image/png]"
    assert link == "[resource_link, not looked at: file:///etc/passwd p]"
    assert seen == "seen"


async def test_a_call_that_fails_in_order_is_no_end(tmp_path: Path) -> None:
    asked = written(tmp_path, "honest")
    failed, unknown, fine = [await asked.call(tool, {"text": "x"}) for tool in ("fail", "nothing", "note")]
    await asked.end()
    assert (failed.ok, failed.text) == (False, "it did not work")
    assert (unknown.ok, unknown.text) == (False, "no tool nothing")
    assert fine.ok


async def test_nothing_of_it_outlives_a_daemon_that_is_killed(tmp_path: Path) -> None:
    written(tmp_path, "hang")
    program = (
        "import asyncio, pathlib, sys\n"
        "from dispatch_daemon.adapters.servers import Server, Servers\n"
        "asyncio.run(Server('files', Servers(pathlib.Path(sys.argv[1]))).call('note', {}))\n"
    )
    daemon = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(tmp_path), stderr=asyncio.subprocess.DEVNULL
    )
    log = tmp_path / "log"
    await eventually(lambda: log.exists() and "hangs" in log.read_text())
    daemon.kill()
    await daemon.wait()
    await eventually(lambda: naming(str(log)) == [])
