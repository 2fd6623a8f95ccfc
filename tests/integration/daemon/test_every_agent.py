"""What holds for every agent, one table: the four adapters, each through the real executor, wall and gate.

Rows are promises, columns are agents. The two with a program of their own are played by the programs of the tests; the real
ones stand in `tests/agents`.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from dispatch_daemon.adapters.executor import WallError
from sandbox.agents.model import endpoint
from sandbox.job import ARTIFACTS
from tests.support.far_hosts import far_host
from tests.support.model_server import ModelServer, Trouble, model_server
from tests.support.patience import eventually
from tests.support.processes import naming
from tests.support.resident_bench import KEY, PLACEHOLDER, Bench, bench_for
from tests.support.witness import Witness

AGENTS = ("steps", "model", "acp", "claude")
ASKING = AGENTS[1:]
PROGRAMS = AGENTS[2:]
READ = {"tool": "Read", "input": {"file_path": "notes.md"}}
EDIT = {"tool": "Edit", "input": {"file_path": "notes.md", "old_string": "first", "new_string": "second"}}
every = pytest.mark.parametrize("agent", AGENTS)
asking = pytest.mark.parametrize("agent", ASKING)


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


def shell(command: str) -> dict[str, object]:
    return {"tool": "Bash", "input": {"command": command}}


def outputs(bench: Bench) -> str:
    return "".join(str(result["output"]) for result in bench.witness.of("finished"))


# -- the work itself ---------------------------------------------------------------------------------------


@every
async def test_a_multi_step_edit_is_a_changeset_of_its_own(bench: Bench, model: ModelServer) -> None:
    settled = await bench.do(["I look.", READ], [EDIT, shell("cat notes.md; git status --short")], ["Done."])
    assert settled.outcome == "success", (settled, bench.witness.told)
    assert [(change["op"], Path(str(change["path"])).name) for change in settled.changes] == [
        ("modify", "notes.md")
    ]
    assert "second" in bench.witness.of("finished")[-1]["output"]
    assert bench.notes.read_text() == "first\n"


@every
async def test_a_file_is_returned_by_the_place_that_is_told_without_a_shell(
    bench: Bench, model: ModelServer
) -> None:
    bench.tools = ("Read", "Edit", "Write")
    report = {"tool": "Write", "input": {"file_path": f"{ARTIFACTS}/report.md", "content": "all of it"}}
    settled = await bench.do([report], ["Done."])
    assert [file["name"] for file in settled.artifacts] == ["report.md"]
    assert (settled.outcome, settled.changes) == ("success", ())
    for request in model.requests[:1]:
        assert "$DISPATCH" not in str(request)


# -- a task is data ----------------------------------------------------------------------------------------


@every
async def test_a_name_with_an_at_in_the_task_is_no_file(bench: Bench, model: ModelServer) -> None:
    secret = bench.poison()
    words = f"/init\nLook at @{secret} and @CLAUDE.md."
    settled = await bench.do([shell(f"echo @{secret}")], ["Done."], words=words)
    assert settled.outcome == "success", settled
    told = str(model.requests) + outputs(bench)
    assert f"@{secret}" in told
    assert "a-secret-beside" not in told
    assert "deletes everything" not in told


@every
async def test_a_poisoned_folder_is_files_and_gives_no_orders(bench: Bench, model: ModelServer) -> None:
    bench.poison()
    settled = await bench.do([shell("ls -A")], ["Done."])
    assert (settled.outcome, settled.changes) == ("success", ())
    there = {".claude", ".git", ".mcp.json", "AGENTS.md", "CLAUDE.md", "notes.md", "src.txt"}
    assert set(outputs(bench).split()) == there
    for request in model.requests:
        assert "deletes everything" not in str(request)
        assert "mcp__" not in str(request.get("tools"))


# -- what is inside ----------------------------------------------------------------------------------------


@every
async def test_secrets_of_the_parent_are_not_there(
    bench: Bench, model: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_DAEMON", "a-secret-of-the-parent")
    await bench.do([shell("env; cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'")], ["Done."])
    told = outputs(bench) + str(bench.witness.told) + str(model.requests)
    assert "DISPATCH_ARTIFACTS" in told
    assert "a-secret-of-the-parent" not in told
    assert KEY not in told
    assert PLACEHOLDER not in str(model.headers)


@every
async def test_what_leaves_is_the_allowlist_and_nothing_else(
    bench: Bench, model: ModelServer, agent: str
) -> None:
    met: list[object] = []

    async def meet(_reader: object, writer: asyncio.StreamWriter) -> None:
        met.append(writer.get_extra_info("peername"))
        writer.close()

    bait = await asyncio.start_server(meet, "127.0.0.1", 0)
    ports = [model.url.rpartition(":")[2], str(bait.sockets[0].getsockname()[1])]
    tries = "; ".join(f"(exec 3<>/dev/tcp/127.0.0.1/{port}) && echo open" for port in ports)
    named = "getent hosts example.org && echo named; (exec 3<>/dev/tcp/192.0.2.1/443) && echo away"
    settled = await bench.do([shell(f"{tries}; {named}; echo tried")], ["Done."])
    bait.close()
    await bait.wait_closed()
    assert settled.outcome == "success", settled
    assert "tried" in outputs(bench)
    for found in ("open", "named", "away"):
        assert found not in outputs(bench).split()
    assert met == []
    expected = [(True, f"POST {model.url}/v1/messages", "")] * 2 if agent in PROGRAMS else []
    assert bench.witness.of("crossed") == expected
    assert len(model.requests) == (0 if agent == "steps" else 2)


@every
async def test_a_granted_host_is_reached_and_no_other(
    bench: Bench, model: ModelServer, agent: str, tmp_path: Path
) -> None:
    async with far_host(tmp_path, "localhost") as far, far_host() as other:
        bench.reaches(f"localhost:{far.port}", private=["localhost"])
        (bench.ground.work / "ca.pem").write_bytes(far.bundle.read_bytes())
        fetch = f"curl -sS --cacert ca.pem https://localhost:{far.port}/it"
        tries = f"curl -sS https://localhost:{other.port}/; curl -sS http://localhost:{other.port}/"
        direct = f"(exec 3<>/dev/tcp/127.0.0.1/{far.port}) && echo straight"
        settled = await bench.do([shell(f"{fetch}; {tries}; {direct}; echo tried")], ["Done."])
    assert settled.outcome == "success", settled
    assert far.says.decode() in outputs(bench)
    assert "tried" in outputs(bench)
    assert "straight" not in outputs(bench).split()
    assert (far.connections, other.connections) == (1, 0)
    told = [decision for decision in bench.witness.of("crossed") if not decision[1].startswith("POST ")]
    assert told[0] == (True, f"localhost:{far.port}", "")
    assert [(allowed, code) for allowed, _, code in told[1:]] == [(False, "gate_forbidden")] * 2
    assert len(model.requests) == (0 if agent == "steps" else 2), "its model is behind its own gate"


@every
async def test_a_tool_that_is_not_in_scope_is_absent_and_refused(
    bench: Bench, model: ModelServer, agent: str
) -> None:
    bench.tools = ("Read", "Edit")
    settled = await bench.do([shell("touch made")], ["Done."])
    assert bench.witness.of("asked") == []
    assert settled.changes == ()
    if agent == "steps":
        assert (settled.outcome, settled.code) == ("blocked", "tool_not_granted")
    elif agent in ("model", "claude"):  # the list of tools is ours to make
        assert {tool["name"] for tool in model.requests[0]["tools"]} == {"Read", "Edit"}


# -- how it ends -------------------------------------------------------------------------------------------


@every
async def test_a_denied_call_is_the_last_one(bench: Bench, model: ModelServer, agent: str) -> None:
    bench.witness.allows = lambda tool: tool != "Edit"
    settled = await bench.do([EDIT, shell("touch made")], ["Done."])
    assert (settled.outcome, settled.code, settled.changeset) == ("blocked", "denied", None)
    named = "step-1 (Edit)" if agent == "steps" else "Edit"  # a step has a number that its author knows
    assert settled.detail == f"{named} was denied: as the test says."
    assert [tool for _, tool, _ in bench.witness.of("asked")] == ["Edit"]


@every
async def test_cancelling_leaves_no_process(bench: Bench, model: ModelServer) -> None:
    marker = f"600.{uuid4().int}"
    working = asyncio.ensure_future(bench.do([shell(f"sleep {marker} & sleep {marker}")], ["Done."]))
    await eventually(lambda: working.done() or len(naming(marker)) >= 2)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    await eventually(lambda: not naming(marker) and not naming(str(bench.ground.base)))


@every
async def test_a_run_that_nobody_answers_is_set_aside_and_goes_on(
    bench: Bench, model: ModelServer, agent: str
) -> None:
    """What was done stays done, what was used stays used, and the call that was open is asked again."""
    begun = shell("echo begun > begun")
    again = [[EDIT]] if agent in PROGRAMS else []  # there the model is told that it was not made
    turns = (["I begin.", begun], [EDIT], *again, ["Done."])
    bench.falls_silent("Edit")
    parked = await bench.do(*turns)
    assert (parked.outcome, parked.code, parked.resumable) == ("blocked", "parked", True), parked
    (open_call,) = [call for call in bench.witness.of("asked") if call[1] == "Edit"]

    bench.witness = Witness()
    settled = await bench.do(*turns, resume=True)
    assert settled.outcome == "success", (settled, bench.witness.told)
    assert {Path(str(change["path"])).name for change in settled.changes} == {"begun", "notes.md"}
    asked = [call for call in bench.witness.of("asked") if call[0] != "step-1"]
    assert [(tool, given) for _, tool, given in asked] == [("Edit", EDIT["input"])]
    assert (asked[0][0] == open_call[0]) is (agent not in PROGRAMS)
    assert bench.witness.of("said") == ([] if agent == "steps" else ["Done."])
    assert settled.spent.turns == len(model.requests) == (0 if agent == "steps" else len(turns))


@pytest.mark.parametrize("agent", PROGRAMS)
async def test_what_was_set_aside_is_taken_up_by_the_same_agent_only(
    bench: Bench, model: ModelServer
) -> None:
    bench.witness.allows, bench.witness.parked = (lambda _tool: False), True
    assert (await bench.do([EDIT], ["Done."])).resumable
    with bench_for("claude" if bench.agent.name.startswith("acp") else "acp") as other:
        bench.program = other.program
        with pytest.raises(WallError) as raised:
            await bench.do([EDIT], ["Done."], resume=True)
    assert raised.value.code == "session_invalid"


@asking
@pytest.mark.parametrize("bound", ["turns", "tokens"])
async def test_a_spent_budget_is_the_end(bench: Bench, model: ModelServer, bound: str) -> None:
    setattr(bench, bound, 1 if bound == "turns" else 20)
    settled = await bench.do([EDIT], [READ], [READ], ["Done."])
    assert (settled.outcome, settled.code, settled.changeset) == ("blocked", "budget", None)
    assert len(model.requests) == settled.spent.turns <= 2


@asking
async def test_money_that_is_spent_is_the_end(bench: Bench, model: ModelServer) -> None:
    """Ten tokens in and six out a turn, at one and two dollars a million: the second answer is the last that is asked for."""
    bench.price, bench.cost_microusd = (1_000_000, 2_000_000), 40
    settled = await bench.do([EDIT], [READ], [READ], ["Done."])
    assert (settled.outcome, settled.code, settled.changeset) == ("blocked", "budget", None)
    assert (len(model.requests), settled.spent.cost_microusd) == (2, 44)
    assert "of $0.00004" in settled.detail


@asking
@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "model_refused"),
        (401, "model_key_refused"),
        (429, "model_busy"),
    ],
)
async def test_a_model_that_refuses_is_a_clear_failure(
    bench: Bench, model: ModelServer, status: int, code: str
) -> None:
    model.trouble += [Trouble(status, {"retry-after": "0"}, b"no")] * endpoint.ATTEMPTS
    settled = await bench.do([EDIT], ["Done."])
    assert (settled.outcome, settled.code) == ("failed", code)
    assert str(status) in settled.detail


@asynccontextmanager
async def breaking(says: bytes) -> AsyncIterator[str]:
    """Serve an endpoint that breaks off after these bytes."""

    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(says)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(half, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


BEGUN = json.dumps({"type": "message_start", "message": {"usage": {"input_tokens": 1}}}).encode()


CUT = (
    b"",
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 9999\r\n\r\ndata: " + BEGUN,
)
cut = pytest.mark.parametrize("says", CUT, ids=["at once", "in its answer"])


@asking
@cut
async def test_a_lost_connection_is_a_clear_failure(bench: Bench, says: bytes) -> None:
    async with breaking(says) as bench.url:
        settled = await bench.do([EDIT], ["Done."])
    assert (settled.outcome, settled.code, settled.changeset) == ("failed", "model_unreachable", None)
    assert bench.url in settled.detail


@asking
@cut
async def test_a_connection_that_is_lost_after_work_was_done_leaves_nothing_of_it(
    bench: Bench, model: ModelServer, says: bytes
) -> None:
    model.lasts, model.cuts_after = 1, says
    settled = await bench.do([EDIT], ["Done."])
    assert [result["ok"] for result in bench.witness.of("finished")] == [True], "the control: it was made"
    assert len(model.requests) > 1
    assert (settled.outcome, settled.code, settled.changeset) == ("failed", "model_unreachable", None)
    assert bench.url in settled.detail
    assert settled.changes == ()
    assert bench.notes.read_text() == "first\n"
