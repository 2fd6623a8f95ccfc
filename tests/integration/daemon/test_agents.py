"""The owner's choice of an agent: read anew each time, with a key that lies elsewhere and is never sent in the clear."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from dispatch_daemon.adapters.agents import Agent, AgentError, AgentProgram, Agents
from dispatch_daemon.adapters.executor import Executor, try_agent
from dispatch_daemon.adapters.settings import write_config
from tests.support.model_server import Trouble, model_server

CLAUDE = "anthropic:claude"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path


def agents(home: Path, environ: Mapping[str, str] | None = None, **config: str) -> Agents:
    write_config(home, dict(config))
    return Agents(home, environ or {})


def test_without_a_choice_there_is_no_agent(home: Path) -> None:
    assert agents(home).open() is None
    assert agents(home).chosen() is None


def test_a_choice_counts_at_once(home: Path) -> None:
    known = agents(home, {"KEY": "sk-1"})
    write_config(home, {"agent": CLAUDE, "agent_key": "env:KEY"})
    assert known.chosen() == CLAUDE
    assert known.open() == Agent("anthropic", "claude", None, "sk-1")
    assert "sk-1" not in repr(known.open())


def test_a_key_file_is_its_owners_alone(home: Path) -> None:
    place = home / "key"
    known = agents(home, agent=CLAUDE, agent_key=f"file:{place}")
    place.write_text("sk-2\n")
    place.chmod(0o644)
    with pytest.raises(AgentError) as raised:
        known.open()
    assert (raised.value.code, raised.value.remedy) == ("agent_key_missing", f"chmod 600 {place}")
    place.chmod(0o600)
    opened = known.open()
    assert opened is not None
    assert opened.key == "sk-2"


@pytest.mark.parametrize(
    ("config", "environ", "words"),
    [
        ({}, {}, "none is named"),
        ({"agent_key": "env:KEY"}, {}, "has no KEY"),
        ({"agent_key": "env:KEY"}, {"KEY": "two words"}, "is no key"),
        ({"agent_key": "env:KEY"}, {"KEY": "a\r\nX-Evil: 1"}, "is no key"),
        ({"agent_key": "file:/nowhere/key"}, {}, "holds no key"),
        ({"agent_key": "env:KEY", "agent_url": "http://10.0.0.9"}, {"KEY": "sk"}, "no key is sent there"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_key_that_is_not_to_be_had_or_not_to_be_sent_is_said(
    home: Path, config: dict[str, str], environ: dict[str, str], words: str
) -> None:
    with pytest.raises(AgentError) as raised:
        agents(home, environ, agent=CLAUDE, **config).open()
    assert raised.value.code == "agent_key_missing"
    assert words in raised.value.detail
    assert raised.value.remedy


def test_an_endpoint_of_ones_own_needs_no_key(home: Path) -> None:
    opened = agents(home, agent="openai:llama", agent_url="http://10.0.0.9:8000").open()
    assert opened == Agent("openai", "llama", "http://10.0.0.9:8000")


def test_a_configuration_that_cannot_be_read_is_said(home: Path) -> None:
    (home / "config.json").write_text(json.dumps({"agent": "hal"}))
    (home / "config.json").chmod(0o600)
    with pytest.raises(AgentError) as raised:
        Agents(home, {}).open()
    assert raised.value.code == "config_invalid"
    assert Agents(home, {}).chosen() is None


async def test_keys_and_local_models_are_found(home: Path) -> None:
    async def tags(_: web.Request) -> web.Response:
        return web.json_response({"models": [{"name": "llama3.1:8b"}, {"name": 7}, "odd"]})

    app = web.Application()
    app.router.add_get("/api/tags", tags)
    async with TestServer(app) as server:
        url = str(server.make_url("")).rstrip("/")
        found = await Agents(home, {"OLLAMA_HOST": url, "OPENAI_API_KEY": "sk"}).found()
    assert [(name, how) for name, _, how in found] == [
        ("openai:MODEL", "dispatch agent use openai:MODEL --key-env OPENAI_API_KEY"),
        ("openai:llama3.1:8b", f"dispatch agent use openai:llama3.1:8b --url {url}"),
    ]


async def test_agents_with_programs_of_their_own_are_found_on_the_path(home: Path) -> None:
    for program in (home / "opencode", home / "codex-acp"):
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    assert await Agents(home, {"PATH": str(home), "OLLAMA_HOST": "nonsense://"}).found() == [
        (
            word,
            f"needs an API key, its own login is not used: {home}/{word}",
            f"dispatch agent use acp --command {command} --model {protocol}:MODEL",
        )
        for word, command, protocol in (
            ("opencode", f"'{home}/opencode acp'", "anthropic"),
            ("codex-acp", f"{home}/codex-acp", "openai"),
        )
    ]


def test_an_agent_is_called_by_its_program(home: Path) -> None:
    for name in ("opencode", "codex-acp"):
        (home / name).write_text("#!/bin/sh\n")
        (home / name).chmod(0o755)
    known = agents(home, {"PATH": str(home)}, agent="acp", agent_command=f"{home}/opencode acp")
    assert known.called() == "opencode"
    write_config(home, {"agent_command": "/bin/sh -c true"})
    assert known.called() == "acp"
    write_config(home, {"agent": "openai:m"})
    assert known.called() == "openai:m"


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"agent_model": "anthropic:m"}, "--key-env ANTHROPIC_API_KEY"),
        (
            {"agent_model": "openai:m", "agent_url": "http://10.0.0.9", "agent_key": "env:KEY"},
            "--url https://10.0.0.9 --key-env KEY",
        ),
    ],
    ids=("no key", "an endpoint in the clear"),
)
def test_what_mends_a_choice_is_the_whole_command(home: Path, config: dict[str, str], words: str) -> None:
    command = {"agent": "acp", "agent_command": "/bin/sh -c 'a b'", "agent_directories": "/opt/a:/opt/b"}
    with pytest.raises(AgentError) as raised:
        agents(home, {"KEY": "sk"}, **command, **config).open()
    assert raised.value.remedy == (
        "dispatch agent use acp --command '/bin/sh -c '\"'\"'a b'\"'\"'' --directory /opt/a --directory /opt/b"
        f" --model {config['agent_model']} {words}"
    )


async def test_claude_code_is_found_on_the_path_and_said_to_need_a_key(home: Path) -> None:
    (home / "claude").write_text("#!/bin/sh\n")
    (home / "claude").chmod(0o755)
    found = await Agents(home, {"PATH": str(home), "OLLAMA_HOST": "nonsense://"}).found()
    how = "dispatch agent use claude --model anthropic:MODEL"
    assert found == [("claude", f"needs an API key, its own login is not used: {home / 'claude'}", how)]


def test_claude_code_asks_its_model_in_one_protocol_only(home: Path) -> None:
    config = {"agent": "claude", "agent_command": "/bin/sh", "agent_url": "http://127.0.0.1:1"}
    known = agents(home, agent_model="anthropic:m", **config)
    opened = known.open()
    assert opened is not None
    assert (known.word(), opened.name) == ("claude", "claude (anthropic:m)")
    assert opened.program == AgentProgram(("/bin/sh",), (), "claude")
    for model in ({"agent_model": "openai:m"}, {}):
        (home / "config.json").unlink()
        with pytest.raises(AgentError) as raised:
            agents(home, **config, **model).open()
        assert (raised.value.code, raised.value.remedy) == (
            "agent_incomplete",
            "dispatch agent use claude --model anthropic:MODEL",
        )


def test_an_agent_with_a_program_needs_it_and_a_model(home: Path) -> None:
    known = agents(home, agent="acp", agent_command="/bin/sh -c 'a b'", agent_directories="/opt/a:/opt/b")
    assert known.word() == "acp"
    with pytest.raises(AgentError) as raised:
        known.open()
    assert raised.value.code == "agent_incomplete"
    write_config(home, {"agent_model": "openai:m", "agent_url": "http://127.0.0.1:1"})
    opened = known.open()
    assert opened is not None
    assert opened.program == AgentProgram(("/bin/sh", "-c", "a b"), ("/opt/a", "/opt/b"))
    assert opened.name == "acp (openai:m)"
    write_config(home, {"agent_command": "/no/such/agent"})
    with pytest.raises(AgentError, match="cannot be started"):
        known.open()


@pytest.mark.parametrize(
    "place", ["http://127.0.0.1:9", "http://10.0.0.9:11434", "nonsense://", "127.0.0.1:9"]
)
async def test_no_local_models_is_no_error_and_another_machine_is_not_asked(home: Path, place: str) -> None:
    assert await Agents(home, {"OLLAMA_HOST": place}).found() == []


@pytest.mark.parametrize("protocol", ["openai", "anthropic"])
async def test_trying_says_whether_its_server_holds_a_long_prompt(home: Path, protocol: str) -> None:
    """One that holds less than it is sent drops the beginning in silence: the task, and the rules that came with it."""
    executor = Executor(home)
    async with model_server() as server:
        agent = Agent(protocol, "m", server.url)
        server.holds = 100_000
        tried = await try_agent(executor, agent)
        assert [(name, ok) for name, ok, *_ in tried] == [
            ("answers", True),
            ("calls tools", True),
            ("long prompts", True),
        ]
        server.holds = 8_000
        *_, (name, ok, detail, _) = await try_agent(executor, agent)
        assert (name, ok) == ("long prompts", False)
        assert "did not know how one of about 8,000 tokens begins" in detail
        assert "OLLAMA_CONTEXT_LENGTH" in detail
        assert len(json.dumps(server.requests[-1]["messages"])) > 30_000


async def test_trying_waits_for_no_endpoint_that_is_not_there_now(home: Path) -> None:
    """A person sits before it, who can type it again; a run would try for half a minute."""
    async with model_server() as server:
        server.trouble = [Trouble(503, body=b"loading")] * 2
        ((name, ok, detail, _),) = await try_agent(Executor(home), Agent("openai", "m", server.url))
        assert len(server.requests) == 1
    assert (name, ok) == ("answers", False)
    assert "loading" in detail


async def test_trying_says_what_an_endpoint_says_that_does_not_take_a_long_prompt(home: Path) -> None:
    call = b'{"tool_calls": [{"function": {"name": "Read", "arguments": "{\\"file_path\\": \\"a\\"}"}}]}'
    event = b'data: {"choices": [{"delta": %s, "finish_reason": "stop"}]}\n\n' % call
    async with model_server() as server:
        server.trouble = [
            Trouble(200, {"content-type": "text/event-stream"}, event),
            Trouble(400, body=b"maximum context length is 4096 tokens"),
        ]
        *_, (name, ok, detail, _) = await try_agent(Executor(home), Agent("openai", "m", server.url))
    assert (name, ok) == ("long prompts", False)
    assert "maximum context length is 4096 tokens" in detail


async def test_trying_says_whether_it_answers_and_calls_tools(home: Path) -> None:
    executor = Executor(home)
    async with model_server() as server:
        agent = Agent("openai", "m", server.url)
        event = b'data: {"choices": [{"delta": %s, "finish_reason": "stop"}]}\n\n'
        stream = {"content-type": "text/event-stream"}
        server.trouble = [
            Trouble(200, stream, event % b'{"content": "I cannot."}'),
            Trouble(401, body=b"who are you"),
        ]
        assert (await try_agent(executor, agent))[1] == (
            "calls tools",
            False,
            "it answered in words instead: I cannot.",
            None,
        )
        ((name, ok, detail, _),) = await try_agent(executor, agent)
    assert (name, ok) == ("answers", False)
    assert "who are you (model_key_refused)" in detail
