"""Kill -9 in the middle of a dispatch: it still ends, once, and the sender learns how."""

from pathlib import Path

import pytest

from tests.support.neighbourhood import Neighbourhood, bash, changed, edit

SCOPES = ("--tools", "Read,Edit,Bash")
STEPS = [edit("notes.md", "first line", "second line"), bash("true")]


@pytest.fixture
def asked(neighbourhood: Neighbourhood, repository: Path) -> str:
    """A dispatch in its middle: accepted, running, one call approved, the next one asked."""
    bob = neighbourhood.bob
    neighbourhood.befriend(*SCOPES, "--paths", f"{repository}:rw")
    dispatch_id = neighbourhood.send("Change the notes", STEPS)
    bob.do("accept", dispatch_id)
    bob.do("approve", bob.question(dispatch_id)["request_id"])
    assert bob.question(dispatch_id)["tool"] == "Bash"
    neighbourhood.alice.until(dispatch_id, "waiting_approval")
    return dispatch_id


def accepted_once(state: dict[str, object]) -> bool:
    """Say whether exactly one run stands in the record, and one signed yes."""
    receipts = state["receipts"]
    assert isinstance(receipts, list)
    runs = state["runs"]
    assert isinstance(runs, list)
    return len(runs) == 1 and [each["type"] for each in receipts].count("accepted") == 1


def test_broker_killed_in_the_middle(neighbourhood: Neighbourhood, repository: Path, asked: str) -> None:
    neighbourhood.broker.kill()
    neighbourhood.bob.approve_all(asked)
    assert changed(repository) == {"notes.md"}
    assert neighbourhood.alice.status(asked)["status"] == "waiting_approval"
    neighbourhood.broker.start()
    state = neighbourhood.alice.until(asked, "completed")
    assert state["outcome"] == "success"
    assert accepted_once(state)


def test_senders_daemon_killed_in_the_middle(
    neighbourhood: Neighbourhood, repository: Path, asked: str
) -> None:
    neighbourhood.alice.daemon.kill()
    neighbourhood.bob.approve_all(asked)
    assert changed(repository) == {"notes.md"}
    neighbourhood.alice.daemon.start()
    state = neighbourhood.alice.until(asked, "completed")
    assert accepted_once(state)
    assert neighbourhood.alice.do("verify", neighbourhood.alice.do("result", asked)["bundle"])["ok"]


def test_recipients_daemon_killed_in_the_middle(
    neighbourhood: Neighbourhood, repository: Path, asked: str
) -> None:
    neighbourhood.bob.daemon.kill()
    neighbourhood.bob.daemon.start()
    state = neighbourhood.alice.until(asked, "failed")
    assert (state["outcome"], state["error"]["code"]) == ("failed", "interrupted")
    assert accepted_once(state)
    assert changed(repository) == set()
    assert neighbourhood.bob.do("approvals")["approvals"] == []
    assert neighbourhood.bob.do("accept", asked, code=6)["error"]["code"] == "not_pending"


def test_recipients_daemon_stopped_in_order_says_so_at_once(
    neighbourhood: Neighbourhood, repository: Path, asked: str
) -> None:
    assert neighbourhood.bob.daemon.stop() == 0
    state = neighbourhood.alice.until(asked, "failed")
    assert state["error"]["code"] == "interrupted"
    assert changed(repository) == set()


def test_all_three_killed_before_acceptance_lose_nothing(
    neighbourhood: Neighbourhood, repository: Path
) -> None:
    neighbourhood.befriend(*SCOPES, "--paths", f"{repository}:rw", "--approval", "auto")
    dispatch_id = neighbourhood.send("Change the notes", STEPS)
    for program in neighbourhood.programs:
        program.kill()
    for program in neighbourhood.programs:
        program.start()
    neighbourhood.bob.do("accept", dispatch_id)
    assert accepted_once(neighbourhood.alice.until(dispatch_id, "completed"))
    assert changed(repository) == {"notes.md"}


def test_sent_while_the_broker_is_down_arrives_when_it_is_back(
    neighbourhood: Neighbourhood, repository: Path
) -> None:
    neighbourhood.befriend(*SCOPES, "--paths", f"{repository}:rw")
    neighbourhood.broker.kill()
    sent = neighbourhood.alice.do("send", neighbourhood.bob.address, "Later", "--idempotency-key", "k")
    assert sent["status"] == "queued"
    again = neighbourhood.alice.do("send", neighbourhood.bob.address, "Later", "--idempotency-key", "k")
    assert again["dispatch_id"] == sent["dispatch_id"]
    neighbourhood.alice.daemon.kill()
    neighbourhood.broker.start()
    neighbourhood.alice.daemon.start()
    neighbourhood.bob.receives(sent["dispatch_id"])
    assert len(neighbourhood.bob.do("inbox")["dispatches"]) == 1


def test_unreachable_broker_is_no_obstacle_to_looking(neighbourhood: Neighbourhood) -> None:
    neighbourhood.broker.kill()
    for command in (("inbox",), ("sent",), ("contacts",), ("approvals",), ("whoami",)):
        neighbourhood.alice.do(*command)
    assert neighbourhood.alice.do("invite", "x@example.org", "--link-only", code=5)["error"]["code"] == (
        "broker_unreachable"
    )
