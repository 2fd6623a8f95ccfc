"""A person pauses a machine: what runs goes on, nothing new starts, and what was accepted starts when it is over."""

from pathlib import Path

from tests.support.neighbourhood import Neighbourhood, bash
from tests.support.patience import poll


def test_paused_machine_lets_runs_go_on_and_starts_none_until_it_is_told(
    neighbourhood: Neighbourhood, repository: Path
) -> None:
    bob = neighbourhood.bob
    neighbourhood.befriend("--tools", "Read,Bash", "--paths", f"{repository}:rw")
    running = neighbourhood.send("Runs already", [bash("true")])
    later = neighbourhood.send("Comes later", [bash("true")])
    bob.do("accept", running, cwd=repository)
    bob.question(running)

    paused = bob.do("pause")
    assert (bool(paused["paused_at"]), paused["running"]) == (True, 1)
    assert bob.do("pause")["paused_at"] == paused["paused_at"]
    assert bob.do("whoami")["daemon"]["paused_at"] == bob.do("daemon", "status")["paused_at"] is not None
    (check,) = [each for each in bob.do("doctor", code=1)["checks"] if each["name"] == "pause"]
    assert (check["ok"], check["remedy"]) == (False, "dispatch pause --off")

    # It holds over a restart of the daemon too; what ran then is another matter.
    assert bob.approve_all(running)["outcome"] == "success"
    bob.daemon.stop()
    bob.daemon.start()
    refused = bob.try_("accept", later, "--json", cwd=repository)
    assert (refused.code, refused.json["error"]["code"]) == (3, "paused")
    assert refused.json["error"]["hint"] == "dispatch pause --off"
    late = neighbourhood.send("Arrives all the same")
    bob.do("decline", late)

    assert bob.do("pause", "--off") == {"paused_at": None, "running": 0}
    bob.do("accept", later, cwd=repository)
    assert bob.approve_all(later)["outcome"] == "success"


def test_what_was_accepted_and_has_not_begun_waits_until_the_pause_is_over(
    neighbourhood: Neighbourhood, repository: Path
) -> None:
    bob = neighbourhood.bob
    neighbourhood.befriend("--tools", "Bash", "--paths", f"{repository}:rw")
    tasks = [neighbourhood.send(f"Number {number}", [bash("true")]) for number in range(5)]
    for task in tasks:
        bob.do("accept", task, cwd=repository)
    # Four run at once and each is asked, so the fifth has not begun.
    poll(lambda: len(_asked(neighbourhood)) == 4, "four of them ask")
    (waiting,) = set(tasks) - _asked(neighbourhood)
    bob.do("pause")
    for task in set(tasks) - {waiting}:
        assert bob.approve_all(task)["outcome"] == "success"
    assert bob.status(waiting)["runs"][-1]["status"] == "queued"
    bob.do("pause", "--off")
    assert bob.approve_all(waiting)["outcome"] == "success"


def _asked(neighbourhood: Neighbourhood) -> set[str]:
    return {each["dispatch_id"] for each in neighbourhood.bob.do("approvals")["approvals"]}
