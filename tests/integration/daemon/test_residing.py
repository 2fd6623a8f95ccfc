"""An agent with a program of its own, from the order to what it would change: the real wall, gate and model's server."""

import tomllib
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dispatch_daemon.adapters.agents import Agent, AgentProgram
from dispatch_daemon.adapters.executor import Order, try_agent
from dispatch_daemon.adapters.executor.residing import resident_of
from tests.support.model_server import ModelServer, Trouble, model_server, scripted
from tests.support.resident_bench import KEY, PLACEHOLDER, Bench, bench_of

READ = {"tool": "Read", "input": {"file_path": "notes.md"}}
EDIT = {"tool": "Edit", "input": {"file_path": "notes.md", "old_string": "first", "new_string": "second"}}
RUN = {"tool": "Bash", "input": {"command": "cat notes.md"}}


@pytest.fixture
def bench() -> Iterator[Bench]:
    with bench_of() as made:
        yield made


@pytest.fixture
async def model(bench: Bench) -> AsyncIterator[ModelServer]:
    async with model_server() as playing:
        bench.url = playing.url
        yield playing


async def test_what_it_changes_is_a_changeset_and_what_it_asks_is_counted(
    bench: Bench, model: ModelServer
) -> None:
    settled = await bench.run(scripted(["I look.", READ], [EDIT, RUN], ["Done, ", "all of it."]))
    assert (settled.outcome, settled.detail) == ("success", "Done, all of it.")
    assert [(change["op"], Path(str(change["path"])).name) for change in settled.changes] == [
        ("modify", "notes.md")
    ]
    assert bench.notes.read_text() == "first\n"
    assert (settled.spent.turns, settled.spent.tokens.total) == (3, 48)
    assert bench.witness.of("said") == ["I look.", "Done, all of it."]
    assert [tool for _, tool, _ in bench.witness.of("proposed")] == ["Read", "Edit", "Bash"]
    assert [tool for _, tool, _ in bench.witness.of("asked")] == ["Edit", "Bash"]
    (noted,) = bench.witness.of("noted")
    assert "without asking (call-1, Read" in noted
    assert bench.witness.of("finished")[2]["output"] == "second\n"


async def test_each_call_to_its_model_is_told_before_it_leaves(bench: Bench, model: ModelServer) -> None:
    await bench.run(scripted([EDIT], ["Done."]))
    kinds = [kind for kind, _ in bench.witness.told]
    assert kinds.index("crossed") < kinds.index("proposed")
    assert bench.witness.of("crossed") == [(True, f"POST {model.url}/v1/messages", "")] * 2
    assert {headers["x-api-key"] for headers in model.headers} == {KEY}
    assert PLACEHOLDER not in str(model.headers) + str(model.requests)
    assert KEY not in str(bench.witness.told)


async def test_a_call_that_nobody_answers_ends_one_for_good_that_cannot_load_its_session(
    bench: Bench, model: ModelServer
) -> None:
    assert bench.program is not None
    bench.program = replace(bench.program, argv=(*bench.program.argv, "--forgets"))
    bench.witness.allows, bench.witness.parked = (lambda _tool: False), True
    settled = await bench.run(scripted([EDIT], ["Done."]))
    assert (settled.outcome, settled.code, settled.resumable) == ("blocked", "denied", False)


async def test_without_input_the_title_is_shown_and_that_there_was_none(
    bench: Bench, model: ModelServer
) -> None:
    bench.witness.allows = lambda _tool: False
    await bench.run(scripted([{"tool": "Bash", "input": {"command": "make", "untold": True}}]))
    ((_, tool, given),) = bench.witness.of("asked")
    assert (tool, given["command"]) == ("Bash", "make")
    assert "gave no input" in given["note"]


@pytest.mark.parametrize(("bound", "asked"), [({"tokens": 20}, 2), ({"turns": 1}, 1)])
async def test_a_spent_budget_stops_it(
    bench: Bench, model: ModelServer, bound: dict[str, int], asked: int
) -> None:
    bench.tokens, bench.turns = bound.get("tokens"), bound.get("turns")
    settled = await bench.run(scripted([EDIT], [READ], ["Done."]))
    assert (settled.outcome, settled.code) == ("blocked", "budget")
    assert len(model.requests) == asked
    assert model.requests[0]["max_tokens"] == (20 if bench.tokens else 1000)


async def test_spent_money_stops_it_and_is_counted(bench: Bench, model: ModelServer) -> None:
    """An answer is never longer than what is left buys: 10 tokens in and 6 out a turn, at 1 and 2 dollars a million."""
    bench.price, bench.cost_microusd = (1_000_000, 2_000_000), 40
    settled = await bench.run(scripted([EDIT], [READ], ["Done."]))
    assert (settled.outcome, settled.code) == ("blocked", "budget")
    assert "has cost $0.000044 of $0.00004" in settled.detail
    assert [request["max_tokens"] for request in model.requests] == [20, 9]
    assert settled.spent.cost_microusd == 44


async def test_money_is_never_spent_at_a_price_that_nobody_knows(bench: Bench, model: ModelServer) -> None:
    bench.cost_microusd = 40
    settled = await bench.run(scripted([EDIT], ["Done."]))
    assert (settled.outcome, settled.code) == ("blocked", "budget")
    assert "is not known here" in settled.detail
    assert model.requests == []


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "model_key_refused"), (404, "model_unknown"), (529, "model_refused")],
)
async def test_a_model_that_refuses_fails_it(
    bench: Bench, model: ModelServer, status: int, code: str
) -> None:
    model.trouble.append(Trouble(status, {}, f"no, {KEY}".encode()))
    settled = await bench.run(scripted([EDIT], ["Done."]))
    assert (settled.outcome, settled.code) == ("failed", code)
    assert KEY not in settled.detail + str(bench.witness.told)


@pytest.mark.parametrize(
    ("turns", "code"),
    [
        ([EDIT, {"tool": "Leave", "input": {}}], "agent_ended"),
        ([EDIT, {"tool": "Garble", "input": {"line": "no message"}}], "agent_garbled"),
        (
            [EDIT, {"tool": "Garble", "input": {"line": '{"id": 99, "result": {"stopReason": "end_turn"}}'}}],
            "agent_garbled",
        ),
        (
            [EDIT, {"tool": "Garble", "input": {"line": '{"id": 3, "result": {"stopReason": "refusal"}}'}}],
            "model_declined",
        ),
        (
            [EDIT, {"tool": "Garble", "input": {"line": '{"id": 3, "result": {"stopReason": "end_turn"}}'}}],
            "agent_silent",
        ),
        (
            [EDIT, {"tool": "Garble", "input": {"line": '{"id": 3, "error": {"code": 1, "message": "no"}}'}}],
            "agent_error",
        ),
    ],
)
async def test_an_agent_that_fails_is_never_a_success(
    bench: Bench, model: ModelServer, turns: list[Any], code: str
) -> None:
    settled = await bench.run(scripted(turns, []))
    assert (settled.outcome, settled.code) == ("failed", code)
    assert settled.changeset is None


async def test_an_agent_that_ends_without_a_word_has_failed(bench: Bench, model: ModelServer) -> None:
    settled = await bench.run(scripted([EDIT], []))
    assert (settled.outcome, settled.code) == ("failed", "agent_silent")


async def test_what_is_not_granted_is_refused_when_asked_for_and_absent_when_tried(
    bench: Bench, model: ModelServer
) -> None:
    bench.tools = ("Read", "Edit")
    fetch = {"tool": "Fetch", "input": {"url": "https://example.org"}}
    shell = {"tool": "Eval", "input": {"code": "subprocess.run(['/bin/sh', '-c', 'true'])"}}
    settled = await bench.run(scripted([RUN, fetch], [shell, EDIT], ["Done."]))
    assert settled.outcome == "success"
    assert [tool for _, tool, _ in bench.witness.of("asked")] == ["Edit"]
    finished = bench.witness.of("finished")
    assert [result["error"] for result in finished[:2]] == [
        "the tool Bash is not granted",
        "the tool WebFetch is not granted",
    ]
    assert "PermissionError" in finished[2]["output"]


async def test_what_is_not_granted_and_done_without_asking_ends_it(bench: Bench, model: ModelServer) -> None:
    bench.tools = ("Read", "Bash")
    settled = await bench.run(scripted([{"tool": "Silently", "input": EDIT}], ["Done."]))
    assert (settled.outcome, settled.code) == ("blocked", "denied")
    assert "without asking" in settled.detail


@pytest.mark.parametrize(
    "method", ["fs/read_text_file", "fs/write_text_file", "terminal/create", "elicitation/create"]
)
async def test_this_side_serves_neither_files_nor_terminals(
    bench: Bench, model: ModelServer, method: str
) -> None:
    ask = {"tool": "Ask", "input": {"method": method, "params": {"sessionId": "only", "path": "/etc/passwd"}}}
    await bench.run(scripted([ask], ["Done."]))
    assert '"code": -32601' in model.requests[1]["messages"][2]["content"][0]["content"]


async def test_a_task_is_data_whatever_lies_around_it(
    bench: Bench, model: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names of files stay words, the folder's settings and hooks are not run, the parent's secrets are not there."""
    monkeypatch.setenv("SECRET_OF_THE_DAEMON", "a-secret-of-the-parent")
    secret = bench.poison()
    look = {
        "tool": "Eval",
        "input": {"code": f"[dict(os.environ), glob.glob('*'), os.path.exists({str(secret)!r})]"},
    }
    settled = await bench.run(scripted([look], ["Done."], words=f"/clear\nRead @{secret}, @/etc/shadow."))
    assert settled.changes == ()
    assert f"/clear\nRead @{secret}, @/etc/shadow." in model.requests[0]["messages"][0]["content"]
    told = str(model.requests)
    assert "CLAUDE.md" in told
    for hidden in ("a-secret-of-the-parent", "a-secret-beside", KEY, "hooked", "served"):
        assert hidden not in told
    assert "False]" in told


async def test_only_its_model_is_behind_the_gate(bench: Bench, model: ModelServer) -> None:
    """Other ports of this machine, its names, other paths of the gate: from inside there is none of it."""
    port = int(model.url.rpartition(":")[2])
    tries = [
        f"__import__('socket').create_connection(('127.0.0.1', {number}), 2)" for number in (port, 8001, 53)
    ]
    tries += ["__import__('socket').create_connection(('192.0.2.1', 443), 2)"]
    tries += ["__import__('socket').getaddrinfo('example.org', 443)"]
    tries += ["urllib.request.urlopen(os.environ['ANTHROPIC_BASE_URL'] + '/v1/files')"]
    calls = [{"tool": "Eval", "input": {"code": code}} for code in tries]
    await bench.run(scripted(calls, ["Done."]))
    outputs = [result["output"] for result in bench.witness.of("finished")]
    assert [output.split(":")[0] for output in outputs] == [
        *["ConnectionRefusedError"] * 3,
        "OSError",
        "gaierror",
        "HTTPError",
    ]
    refused = [
        (what.split(":")[0], code) for allowed, what, code in bench.witness.of("crossed") if not allowed
    ]
    assert refused == [("GET /v1/files", "gate_forbidden")]


@pytest.mark.parametrize("argv", [("/opt/codex-acp",), ("/usr/bin/node", "/opt/bin/codex-acp.js")])
def test_codex_is_told_its_endpoint_and_to_ask_on_its_command(argv: tuple[str, ...]) -> None:
    agent = Agent("openai", 'a "model"', "http://127.0.0.1:1", KEY, program=AgentProgram(argv))
    program = resident_of(Order(agent, "", None, None, PLACEHOLDER), frozenset({"Read"}))
    assert program is not None
    assert program.argv[: len(argv)] == argv
    settings = tomllib.loads("\n".join(program.argv[len(argv) + 1 :: 2]))
    assert set(program.argv[len(argv) :: 2]) == {"-c"}
    assert settings["model"] == 'a "model"'
    assert settings["approval_policy"] == "untrusted"
    provider = settings["model_providers"][settings["model_provider"]]
    assert (provider["base_url"], provider["wire_api"]) == ("http://127.0.0.1:3128/v1", "responses")
    assert program.environment[provider["env_key"]] == PLACEHOLDER


async def test_trying_an_agent_starts_it_and_asks_its_model(bench: Bench, model: ModelServer) -> None:
    tried = await try_agent(bench.executor, bench.agent)
    assert [(name, ok) for name, ok, *_ in tried[:-2]] == [
        ("answers", True),
        ("calls tools", True),
        ("long prompts", True),
    ]
    assert tried[-2:] == [
        ("its program works", True, "it said ready", None),
        ("asks its model", True, "1 calls of acp (anthropic:a-model) through the gate", None),
    ]
    bench.program = AgentProgram(("/usr/bin/false",))
    tried = await try_agent(bench.executor, bench.agent)
    assert [name for name, ok, *_ in tried if not ok] == ["its program works", "asks its model"]
    assert "agent_ended" in tried[-2][2]


async def test_trying_an_agent_says_what_its_model_cannot(bench: Bench, model: ModelServer) -> None:
    """Its program says one word whatever the endpoint holds: the task would be what is lost."""
    model.holds = 8_000
    tried = await try_agent(bench.executor, bench.agent)
    assert [name for name, ok, *_ in tried if not ok] == ["long prompts"]
    model.trouble = [Trouble(401, body=b"who are you")]
    ((name, ok, detail, _),) = await try_agent(bench.executor, bench.agent)
    assert (name, ok) == ("answers", False)
    assert "model_key_refused" in detail


async def test_an_endpoint_that_only_its_program_can_ask_is_tried_by_that_alone(
    bench: Bench, model: ModelServer
) -> None:
    model.trouble = [Trouble(404, body=b"no Chat Completions here")]
    bench.program = AgentProgram(("/usr/bin/false", "codex-acp"))
    tried = await try_agent(bench.executor, bench.agent)
    assert [(name, ok) for name, ok, *_ in tried] == [
        ("long prompts", True),
        ("its program works", False),
        ("asks its model", False),
    ]
    assert "not tried" in tried[0][2]
