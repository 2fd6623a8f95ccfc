"""Every agent under every mode: a real edit in a real repository, by the real programs, with a model that is a script."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.chosen import choose
from tests.support.model_server import ModelServer, Trouble, model_server_beside, scripted
from tests.support.neighbourhood import Neighbourhood, changed, make_repository

READ = {"tool": "Read", "input": {"file_path": "notes.md"}}
RUN = {"tool": "Bash", "input": {"command": "git log --oneline | wc -l; cat notes.md"}}


def edit(old: str, new: str) -> dict[str, object]:
    return {"tool": "Edit", "input": {"file_path": "notes.md", "old_string": old, "new_string": new}}


@pytest.fixture
def model() -> Iterator[ModelServer]:
    with model_server_beside() as playing:
        yield playing


@pytest.mark.parametrize("agent", ["model", "acp", "claude"])
def test_it_works_under_each_mode(
    neighbourhood: Neighbourhood, model: ModelServer, place: Path, agent: str
) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    projects = place / "projects"
    projects.mkdir()
    choose(bob, agent, model.url)
    neighbourhood.befriend("--tools", "Read,Edit,Bash", "--paths", f"{projects}:rw", "--returns", "trace")
    for approval, asked in (("manual", None), ("review", ["changeset"]), ("auto", [])):
        bob.do("edit-edge", alice.address, "--approval", approval)
        repository = make_repository(projects / approval, {"notes.md": "first line\n"})
        task = scripted(["I look.", READ], [edit("first", "second"), RUN], ["It is right now."])
        dispatch_id = alice.do("send", bob.address, task)["dispatch_id"]
        bob.receives(dispatch_id)
        bob.do("accept", dispatch_id, "--cwd", str(repository))
        state = bob.approve_all(dispatch_id)
        assert (state["outcome"], state["runs"][0]["agent"]) == ("success", agent), state
        assert alice.until(dispatch_id, "completed")["result"]["summary"] == "It is right now."
        assert changed(repository) == {"notes.md"}
        kinds = [event["data"]["kind"] for event in state["events"] if event["type"] == "approval_asked"]
        assert kinds[-1] == "changeset" if asked is None else kinds == asked
        assert len(kinds) > 2 or asked is not None


def test_time_that_is_up_is_the_end_however_long_the_model_thinks(
    neighbourhood: Neighbourhood, model: ModelServer, repository: Path
) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    choose(bob, "model", model.url)
    neighbourhood.befriend("--tools", "Read,Edit", "--paths", f"{repository}:rw", "--approval", "auto")
    model.trouble.append(Trouble(hangs=True))
    dispatch_id = alice.do("send", bob.address, scripted(["Done."]), "--timeout", "2")["dispatch_id"]
    bob.receives(dispatch_id)
    bob.do("accept", dispatch_id)
    told = alice.until(dispatch_id, "failed")
    assert not model.over.is_set()
    assert (told["outcome"], told["error"]["code"]) == ("failed", "wall_clock"), told
    assert bob.status(dispatch_id)["runs"][0]["outcome"] == "failed"
