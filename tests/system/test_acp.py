"""An ACP agent with a program of its own, whole inside the wall, with the real programs and a model behind the gate."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import acp_agent
from tests.support.model_server import ModelServer, model_server_beside, scripted
from tests.support.neighbourhood import Neighbourhood, changed
from tests.support.patience import poll
from tests.support.processes import naming

TOOLS = ("--tools", "Read,Edit,Bash")
READ = {"tool": "Read", "input": {"file_path": "notes.md"}}
EDIT = {
    "tool": "Edit",
    "input": {"file_path": "notes.md", "old_string": "first line", "new_string": "second line"},
}
RUN = {"tool": "Bash", "input": {"command": "git log --oneline | wc -l; cat notes.md"}}
KEY = "key-of-bob-alone"


@pytest.fixture
def model() -> Iterator[ModelServer]:
    with model_server_beside() as playing:
        yield playing


@pytest.fixture
def bobs_agent(neighbourhood: Neighbourhood, model: ModelServer, tmp_path: Path) -> Path:
    """Let Bob choose the agent, with its interpreter and its file as the program."""
    folder = neighbourhood.bob.home.parent / "agent"
    folder.mkdir()
    file = folder / "acp_agent.py"
    file.write_text(Path(acp_agent.__file__).read_text())
    key = neighbourhood.bob.home / "model.key"
    key.write_text(KEY)
    key.chmod(0o600)
    neighbourhood.bob.do(
        *("agent", "use", "acp", "--command", f"{sys._base_executable} -I -B {file}"),
        *("--directory", str(folder), "--directory", sys.base_prefix, "--model", "anthropic:a-model"),
        *("--url", model.url, "--key-file", str(key)),
    )
    assert (
        neighbourhood.bob.do("agent", "use", "acp", "--model", "anthropic:m", code=2)["error"]["code"]
        == "usage"
    )
    return file


def send(neighbourhood: Neighbourhood, task: str, *more: str) -> str:
    sent = neighbourhood.alice.do("send", neighbourhood.bob.address, task, *more)
    dispatch_id: str = sent["dispatch_id"]
    neighbourhood.bob.receives(dispatch_id)
    return dispatch_id


def test_an_agent_edits_as_far_as_its_person_allows(
    neighbourhood: Neighbourhood, repository: Path, model: ModelServer, bobs_agent: Path
) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    assert bob.do("agent", "test")["ok"]
    model.headers.clear()
    model.requests.clear()
    neighbourhood.befriend(*TOOLS, "--paths", f"{repository}:rw", "--returns", "trace")
    dispatch_id = send(
        neighbourhood, scripted(["I look.", READ], [EDIT, RUN], ["The greeting is right now."])
    )
    bob.do("accept", dispatch_id)
    state = bob.approve_all(dispatch_id)
    assert (state["status"], state["outcome"]) == ("completed", "success"), state
    assert state["runs"][0]["agent"] == "acp"
    told = alice.until(dispatch_id, "completed")
    assert told["result"]["summary"] == "The greeting is right now."
    assert changed(repository) == {"notes.md"}
    (read, edit, run) = [event["data"] for event in told["events"] if event["type"] == "tool_call"]
    assert (read["tool"], edit["tool"], run["tool"]) == ("Read", "Edit", "Bash")
    assert edit["input"] == EDIT["input"]
    assert "second line" in str([event for event in told["events"] if event["type"] == "tool_result"])
    asked = [
        event["data"]["title"]
        for event in bob.status(dispatch_id)["events"]
        if event["type"] == "approval_asked"
    ]
    assert [title.split()[0] for title in asked[:2]] == ["Edit", "Bash"]
    usage = told["runs"][0]["usage"]
    assert (usage["turns"], usage["input_tokens"], usage["output_tokens"]) == (3, 30, 18)
    assert {headers["x-api-key"] for headers in model.headers} == {KEY}
    assert not any("anthropic-beta" in headers for headers in model.headers)
    assert not any("metadata" in request for request in model.requests)
    left = [event["data"] for event in bob.status(dispatch_id)["events"] if event["type"] == "gate"]
    assert left
    assert all(event["allowed"] and event["effects"] == "external" for event in left)
    everything = str(state) + str(told) + str(model.requests) + bob.daemon.log.read_text()
    assert KEY not in everything


def decide(neighbourhood: Neighbourhood, repository: Path, approval: str, task: str, *tools: str) -> str:
    neighbourhood.befriend(
        *(tools or TOOLS), "--paths", f"{repository}:rw", "--approval", approval, "--returns", "trace"
    )
    dispatch_id = send(neighbourhood, task)
    neighbourhood.bob.do("accept", dispatch_id)
    return dispatch_id


def test_an_agent_cut_off_after_it_reached_outside_says_that_it_may_have_acted_there(
    neighbourhood: Neighbourhood, repository: Path, bobs_agent: Path
) -> None:
    bob = neighbourhood.bob
    dispatch_id = decide(neighbourhood, repository, "manual", scripted([EDIT], ["Done."]))
    bob.question(dispatch_id)
    bob.daemon.kill()
    bob.daemon.start()
    for person in (bob, neighbourhood.alice):
        told = person.until(dispatch_id, "failed")
        assert told["runs"][0]["code"] == "interrupted"
        assert "nothing was applied; it had reached outside the wall" in told["result"]["summary"]
    assert changed(repository) == set()


def test_in_review_only_the_changes_are_asked(
    neighbourhood: Neighbourhood, repository: Path, bobs_agent: Path
) -> None:
    task = scripted([READ, EDIT, RUN], ["Done."])
    dispatch_id = decide(neighbourhood, repository, "review", task)
    question = neighbourhood.bob.question(dispatch_id)
    assert (question["kind"], question["payload"]["result"]) == ("changeset", "Done.")
    assert changed(repository) == set()
    neighbourhood.bob.do("approve", question["request_id"])
    neighbourhood.alice.until(dispatch_id, "completed")
    assert changed(repository) == {"notes.md"}


def test_a_denied_call_ends_the_run_and_changes_nothing(
    neighbourhood: Neighbourhood, repository: Path, bobs_agent: Path
) -> None:
    untold = {"tool": "Bash", "input": {"command": "rm -rf .", "untold": True}}
    dispatch_id = decide(neighbourhood, repository, "manual", scripted([untold], ["Done."]))
    question = neighbourhood.bob.question(dispatch_id)
    assert question["input"] == {
        "command": "rm -rf .",
        "note": "the agent gave no input for this call; its title is all there is",
    }
    neighbourhood.bob.do("deny", question["request_id"])
    told = neighbourhood.alice.until(dispatch_id, "failed")
    assert (told["outcome"], told["runs"][0]["code"]) == ("blocked", "denied")
    assert changed(repository) == set()
    assert poll(lambda: not naming(str(bobs_agent)), "the agent is gone")


def test_cancelling_leaves_no_process(
    neighbourhood: Neighbourhood, repository: Path, bobs_agent: Path
) -> None:
    sleeping = {"tool": "Bash", "input": {"command": "echo x > begun; sleep 600 & sleep 600"}}
    dispatch_id = decide(neighbourhood, repository, "auto", scripted([sleeping], ["Done."]))
    assert poll(lambda: naming(str(bobs_agent)), "the agent runs")
    neighbourhood.alice.do("cancel", dispatch_id)
    neighbourhood.alice.until(dispatch_id, "cancelled")
    assert poll(lambda: not naming(str(bobs_agent)), "the agent is gone")
    assert changed(repository) == set()
