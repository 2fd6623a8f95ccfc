"""Days on which something ends too early: an edge in the middle of an apply, a log beside a database, a disk."""

from pathlib import Path

import pytest

from tests.support.neighbourhood import Neighbourhood, Person, bash, changed, edit
from tests.support.patience import poll
from tests.support.small_disk import on_a_small_disk

STORIES = Path(__file__).parent / "stories"
SCOPES = ("--tools", "Read,Edit,Bash")


def test_edge_revoked_while_the_changes_are_applied_lets_them_be_finished_and_nothing_after(
    place: Path, repository: Path
) -> None:
    everybody = Neighbourhood(place, daemon_module="tests.support.dying_daemon")
    alice, bob, hold = everybody.alice, everybody.bob, place / "hold"
    bob.daemon.environ["DISPATCH_TEST_HOLDS"] = str(hold)
    hold.touch()
    try:
        everybody.open()
        everybody.befriend(*SCOPES, "--paths", f"{repository}:rw", "--approval", "auto")
        running = everybody.send("Change two", [bash("echo new > one.txt; echo new > two.txt")])
        waiting = everybody.send("And then", [bash("echo late > late.txt")])
        bob.do("accept", running)
        poll(Path(f"{hold}.reached").exists, "the apply has renamed one file")
        bob.do("revoke", alice.address)
        assert bob.status(running)["status"] == "running"
        hold.unlink()
        assert bob.until(running, "completed", "cancelled", "failed")["status"] == "completed"
        assert changed(repository) == {"one.txt", "two.txt"}, "all of it or nothing"
        state = alice.until(running, "completed", "cancelled", "failed")
        assert (state["status"], state["outcome"]) == ("completed", "success")
        assert alice.until(waiting, "refused", "completed")["status"] == "refused"
        assert bob.do("accept", waiting, code=6)["error"]["code"] == "not_pending"
        assert changed(repository) == {"one.txt", "two.txt"}
    finally:
        hold.unlink(missing_ok=True)
        everybody.close()


def test_edge_revoked_while_a_call_runs_kills_it_and_changes_nothing(
    neighbourhood: Neighbourhood, repository: Path
) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    neighbourhood.befriend(*SCOPES, "--paths", f"{repository}:rw", "--approval", "auto")
    running = neighbourhood.send(
        "Change slowly", [edit("notes.md", "first", "second"), bash("exec sleep 3600")]
    )
    bob.do("accept", running)
    poll(lambda: "sleep 3600" in str(bob.status(running)["events"]), "the second call has begun")
    bob.do("revoke", alice.address)
    for person in (bob, alice):
        state = person.until(running, "cancelled", "failed", "completed")
        assert state["status"] == "cancelled"
    assert "edge_revoked" in str(state["receipts"]) + str(state["error"]) + str(state["runs"])
    assert changed(repository) == set()


def test_broker_that_lost_its_log_is_told_again_what_it_forgot(neighbourhood: Neighbourhood) -> None:
    """The log beside the database holds the last hours; without it the relay is an older one than it was."""
    alice, bob, broker = neighbourhood.alice, neighbourhood.bob, neighbourhood.broker
    neighbourhood.befriend("--tools", "Read")
    broker.stop()  # in order: everything so far stands in the database itself
    broker.start()
    bob.daemon.stop()
    sent = [alice.do("send", bob.address, f"Task {number}")["dispatch_id"] for number in range(3)]
    for each in sent:
        alice.until(each, "sent")
    broker.kill()
    (broker.data / "broker.db-wal").unlink()
    (broker.data / "broker.db-shm").unlink(missing_ok=True)
    broker.start()
    bob.daemon.start()
    for each in sent:
        bob.receives(each)
        assert "delivered" in [receipt["type"] for receipt in alice.until(each, "delivered")["receipts"]]
    assert len(bob.do("inbox")["dispatches"]) == len(sent)


@pytest.mark.parametrize("lost", ["all of it", "its end"])
def test_journal_that_lost_its_log_is_not_taken_for_a_new_one(place: Path, lost: str) -> None:
    bob = Person("bob", place)
    bob.daemon.start()
    kept = [bob.do("send", "me", f"Job {number}")["dispatch_id"] for number in range(3)]
    bob.daemon.kill()
    log = bob.home / "journal.db-wal"
    raw = log.read_bytes()
    if lost == "all of it":
        log.unlink()
        with pytest.raises(AssertionError):
            bob.daemon.start()
        assert bob.daemon.stop() == 5
        said = bob.daemon.log.read_text()
        assert "error: " in said
        assert "Traceback" not in said
        log.write_bytes(raw)
        bob.daemon.start()
        assert {each["dispatch_id"] for each in bob.do("inbox")["dispatches"]} == set(kept)
    else:
        log.write_bytes(raw[: len(raw) - 2000])  # within the last commit: it never happened
        bob.daemon.start()
        left = {each["dispatch_id"] for each in bob.do("inbox")["dispatches"]}
        assert left <= set(kept)
        assert set(kept[:2]) <= left, "only the end is gone"
        assert bob.do("doctor")["ok"]
    bob.daemon.stop()


def test_broker_whose_disk_is_full_takes_nothing_it_cannot_keep(place: Path) -> None:
    ended = on_a_small_disk(STORIES / "full_broker.py", place / "disk", "24m")
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_disk_that_fills_under_an_apply_leaves_every_file_as_it_was(place: Path) -> None:
    ended = on_a_small_disk(STORIES / "full_apply.py", place / "disk", "16m")
    assert ended.returncode == 0, ended.stdout + ended.stderr
