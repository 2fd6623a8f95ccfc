"""Claude Code as Bob's agent, with the real programs; its own part is played by the tests' program with its habits."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.chosen import KEY, choose
from tests.support.model_server import ModelServer, model_server_beside, scripted
from tests.support.neighbourhood import Neighbourhood, changed
from tests.support.patience import poll
from tests.support.processes import naming

TOOLS = ("--tools", "Read,Edit,Bash", "--returns", "trace")
READ = {"tool": "Read", "input": {"file_path": "notes.md"}}
EDIT = {
    "tool": "Edit",
    "input": {"file_path": "notes.md", "old_string": "first line", "new_string": "second line"},
}
RUN = {"tool": "Bash", "input": {"command": "git log --oneline | wc -l; cat notes.md"}}


@pytest.fixture
def model() -> Iterator[ModelServer]:
    with model_server_beside() as playing:
        yield playing


@pytest.fixture
def claude(neighbourhood: Neighbourhood, model: ModelServer) -> Path:
    """Let Bob have a `claude` on his PATH, and choose it."""
    return choose(neighbourhood.bob, "claude", model.url)


def accepted(neighbourhood: Neighbourhood, repository: Path, approval: str, task: str) -> str:
    neighbourhood.befriend(*TOOLS, "--paths", f"{repository}:rw", "--approval", approval)
    sent = neighbourhood.alice.do("send", neighbourhood.bob.address, task)
    dispatch_id: str = sent["dispatch_id"]
    neighbourhood.bob.receives(dispatch_id)
    neighbourhood.bob.do("accept", dispatch_id)
    return dispatch_id


def test_it_edits_as_far_as_its_person_allows(
    neighbourhood: Neighbourhood, repository: Path, model: ModelServer, claude: Path
) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    assert bob.do("agent", "test")["ok"]
    model.headers.clear()
    task = scripted(["I look.", READ], [EDIT, RUN], ["The greeting is right now."])
    dispatch_id = accepted(neighbourhood, repository, "manual", task)
    state = bob.approve_all(dispatch_id)
    assert (state["status"], state["outcome"]) == ("completed", "success"), state
    assert state["runs"][0]["agent"] == "claude"
    told = alice.until(dispatch_id, "completed")
    assert told["result"]["summary"] == "The greeting is right now."
    assert changed(repository) == {"notes.md"}
    asked = [
        event["data"]["title"]
        for event in bob.status(dispatch_id)["events"]
        if event["type"] == "approval_asked"
    ]
    assert [title.split()[0] for title in asked] == ["Read", "Edit", "Bash", "Apply"]
    assert {headers["x-api-key"] for headers in model.headers} == {KEY}
    left = [event["data"] for event in bob.status(dispatch_id)["events"] if event["type"] == "gate"]
    assert {event["what"] for event in left} == {f"POST {model.url}/v1/messages"}
    assert KEY not in str(state) + str(told) + str(model.requests) + bob.daemon.log.read_text()


def test_cancelling_leaves_no_process(neighbourhood: Neighbourhood, repository: Path, claude: Path) -> None:
    sleeping = {"tool": "Bash", "input": {"command": "echo x > begun; sleep 600 & sleep 600"}}
    dispatch_id = accepted(neighbourhood, repository, "auto", scripted([sleeping], ["Done."]))
    assert poll(lambda: naming(str(claude)), "the agent runs")
    neighbourhood.alice.do("cancel", dispatch_id)
    neighbourhood.alice.until(dispatch_id, "cancelled")
    assert poll(lambda: not naming(str(claude)), "the agent is gone")
    assert changed(repository) == set()
