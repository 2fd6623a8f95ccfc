"""The agents at the door: what is said of one that nobody tried, and what can be typed after each way of failing."""

import socket
from pathlib import Path
from typing import Any

import pytest

from dispatch_daemon.adapters.agents import Agents
from dispatch_daemon.adapters.executor import Executor
from dispatch_daemon.adapters.settings import write_config
from dispatch_daemon.app.services.choosing import Choosing
from tests.support.lifetime import Lifetime
from tests.support.model_server import Trouble, model_server

STREAM = {"content-type": "text/event-stream"}
WORDS = b'data: {"choices": [{"delta": {"content": "I cannot."}, "finish_reason": "stop"}]}\n\n'


@pytest.fixture
def home(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path


def silent_url() -> str:
    """Return an address of this machine at which nobody answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


def choosing(home: Path, environ: dict[str, str] | None = None, **config: str) -> Choosing:
    write_config(home, dict(config))
    return Choosing(Agents(home, {"OLLAMA_HOST": "nonsense://"} | (environ or {})), Executor(home))


async def chosen(of: Choosing) -> dict[str, Any]:
    listed = (await of.agents())["agents"]
    assert isinstance(listed, list)
    (row,) = [
        each for each in listed if isinstance(each, dict) and each["chosen"] and each["name"] != "steps"
    ]
    return dict(row)


async def remedy(of: Choosing) -> tuple[str, str]:
    """Return which check failed, and what it tells to type."""
    checks = (await of.test_agent())["checks"]
    assert isinstance(checks, list)
    (failed,) = [each for each in checks if isinstance(each, dict) and not each["ok"]]
    return str(failed["name"]), str(failed["remedy"])


async def test_an_endpoint_of_this_machine_is_asked_whether_it_is_there(home: Path) -> None:
    """Any answer shows a server, and no more than that: nobody is called ready who was not tried."""
    async with model_server() as server:
        there = await chosen(choosing(home, agent="openai:m", agent_url=server.url))
        assert server.requests == [], "no task was sent to find that out"
    assert (there["ready"], there["answers"], there["remedy"]) == (True, True, "dispatch agent test")
    assert "not tried" in there["detail"]
    gone = await chosen(choosing(home, agent="openai:m", agent_url=silent_url()))
    assert (gone["ready"], gone["answers"]) == (False, False)
    assert "nobody answers there" in gone["detail"]
    assert "start what serves" in gone["remedy"]


@pytest.mark.parametrize("url", ["http://10.0.0.9:8000", "https://models.example.org"])
async def test_another_machine_is_not_asked_and_that_is_said(home: Path, url: str) -> None:
    row = await chosen(choosing(home, agent="openai:m", agent_url=url))
    assert (row["ready"], row["answers"], row["remedy"]) == (True, None, "dispatch agent test")
    assert "nobody has asked it yet" in row["detail"]


async def test_each_way_of_failing_leads_on_and_never_back_to_itself(home: Path) -> None:
    async with model_server() as server:
        config = {"agent": "openai:m", "agent_url": server.url}
        own = f"--url {server.url}"
        other_model = f"dispatch agent use openai:MODEL {own}"
        for trouble, check, expected in (
            (Trouble(404, body=b"no such model"), "answers", other_model),
            (Trouble(400, body=b"no"), "answers", other_model),
            (Trouble(200, {}, b"<html>"), "answers", "dispatch agent use openai:m --url URL"),
            (Trouble(429, body=b"later"), "answers", "wait a little, then: dispatch agent test"),
            (Trouble(401, body=b"who?"), "answers", f"dispatch agent use openai:m {own} --key-file FILE"),
            (Trouble(200, STREAM, WORDS), "calls tools", other_model),
        ):
            server.trouble = [trouble]
            assert await remedy(choosing(home, **config)) == (check, expected)
        server.holds = 8_000
        (check, longer) = await remedy(choosing(home, **config))
        assert check == "long prompts"
        assert longer.startswith("start its server so that it holds")


async def test_a_refused_key_is_mended_where_it_lies(home: Path) -> None:
    place = home / "key"
    place.write_text("sk")
    place.chmod(0o600)
    async with model_server() as server:
        config = {"agent": "openai:m", "agent_url": server.url}
        for reference, expected in (
            ("env:KEY", "export KEY=KEY; dispatch daemon stop; dispatch daemon start"),
            (f"file:{place}", f"put the right key into {place}, one line, then: dispatch agent test"),
        ):
            server.trouble = [Trouble(401, body=b"who are you")]
            found = await remedy(choosing(home, {"KEY": "sk"}, agent_key=reference, **config))
            assert found == ("answers", expected)


async def test_an_endpoint_that_is_not_there_has_to_be_started(home: Path) -> None:
    url = silent_url()
    expected = ("answers", f"start what serves {url}, then: dispatch agent test")
    assert await remedy(choosing(home, agent="openai:m", agent_url=url)) == expected


async def test_a_variable_of_the_daemon_is_told_by_its_name_alone(home: Path) -> None:
    of = choosing(home, {"KEY": "sk-1", "EMPTY": ""})
    assert await of.agent_key(name="KEY") == {"name": "KEY", "held": True}
    assert [(await of.agent_key(name=name))["held"] for name in ("EMPTY", "OTHER")] == [False, False]


async def test_doctor_says_of_the_chosen_agent_what_its_list_does(home: Path) -> None:
    none = await choosing(home).check()
    assert (none["ok"], none["remedy"]) == (True, None)
    keyless = await choosing(home, agent="openai:m").check()
    assert (keyless["ok"], "needs a key" in str(keyless["detail"])) == (False, True)
    url = silent_url()
    gone = await choosing(home, agent="openai:m", agent_url=url).check()
    assert (gone["ok"], gone["detail"]) == (False, f"openai:m, at {url}: nobody answers there")
    assert gone["remedy"] == f"start what serves {url}, then: dispatch agent test"
    async with model_server() as server:
        there = await choosing(home, agent="openai:m", agent_url=server.url).check()
        assert server.requests == [], "no model is asked"
    assert (there["name"], there["ok"], there["remedy"]) == ("agent", True, None)


async def test_doctor_at_the_door_has_a_row_of_the_agent(home: Path) -> None:
    url = silent_url()
    write_config(home, {"agent": "openai:m", "agent_url": url})
    life = Lifetime(home)
    await life.start()
    try:
        report = await life.door.do("GET", "/v1/doctor")
    finally:
        await life.stop()
    (row,) = [each for each in report["checks"] if each["name"] == "agent"]
    assert (row["ok"], report["ok"], url in row["detail"]) == (False, False, True)
