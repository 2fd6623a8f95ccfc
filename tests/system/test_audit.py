"""Each side's last words are entered in a log that the other side can hold against them; a history rewritten later is found."""

import json
import sqlite3
from typing import Any

from tests.support.neighbourhood import Neighbourhood, Person
from tests.support.patience import poll


def logs(person: Person) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = person.do("audit", "show")["logs"]
    return found


def ended(neighbourhood: Neighbourhood, words: str) -> str:
    """Send a task that Bob declines, and wait until Alice knows."""
    dispatch_id = neighbourhood.send(words)
    neighbourhood.bob.do("decline", dispatch_id)
    neighbourhood.alice.until(dispatch_id, "declined")
    return dispatch_id


def test_a_log_is_told_to_the_other_side_and_a_rewritten_one_is_found(neighbourhood: Neighbourhood) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    neighbourhood.befriend("--tools", "Read")
    assert alice.do("audit", "verify")["logs"] == []
    done = neighbourhood.send("Think about it")
    bob.do("accept", done, "--headless", "--cwd", str(neighbourhood.directory))
    bob.until(done, "failed")
    ended(neighbourhood, "One")
    poll(
        lambda: [each["entries"] for each in logs(alice)] == [2], "both ends are in the log that Alice holds"
    )
    (theirs,), (own,) = logs(alice), logs(bob)
    assert (theirs["root"], theirs["device"]) == (own["root"], bob.do("whoami")["device"]["id"])
    assert (theirs["ours"], own["ours"], theirs["peer"]) == (False, True, bob.address)
    for person in (alice, bob):
        poll(
            lambda person=person: (
                [each["finding"] for each in person.do("audit", "verify")["logs"]] == ["consistent"]
            ),
            "nothing is rewritten, and nothing left out",
        )
    assert "2 entries, nothing rewritten and nothing left out" in alice.try_("audit", "verify").out
    assert alice.do("audit", "verify", bob.address, "--device", own["device"][:8])["logs"]
    for called in ("bob", theirs["identity"][:8]):
        assert [each["peer"] for each in alice.do("audit", "show", called)["logs"]] == [bob.address]
    for stranger in ("bobby", own["identity"][:8], theirs["identity"][:7]):
        assert alice.do("audit", "show", stranger, code=6)["error"]["code"] == "not_found"
    assert alice.do("audit", "verify", "--device", "none", code=6)["error"]["code"] == "not_found"

    bob.daemon.kill()
    with sqlite3.connect(bob.home / "journal.db") as journal:  # Bob has his past rewritten
        journal.execute("DELETE FROM answers WHERE kind = 'checkpoint'")
    journal.close()
    bob.daemon.start()
    ended(neighbourhood, "Two")

    def found() -> bool:
        told = alice.try_("audit", "verify", "--json")
        return told.code == 7 and [each["finding"] for each in json.loads(told.out)["logs"]] == ["rewritten"]

    poll(found, "Alice holds two histories, both signed by Bob's device")
    assert (
        "rewritten: checkpoints that this device has signed contradict each other"
        in alice.try_("audit", "verify").out
    )
