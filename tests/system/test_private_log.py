"""What is decided on one machine of Bob's is entered there, and his other one holds it against whoever rewrites it later."""

import json
import sqlite3
from contextlib import closing
from typing import Any

from tests.support.machines import bought, device_of, pair
from tests.support.neighbourhood import Neighbourhood, Person
from tests.support.patience import poll


def own_logs(person: Person) -> dict[str, Any]:
    """Return what a machine knows of the private logs of machines that have a name, by it."""
    found: list[dict[str, Any]] = json.loads(person.try_("audit", "verify", "--json").out)["own"]
    return {each["name"]: each for each in found if each["name"]}


def test_a_rewritten_journal_is_found_by_the_other_machine(neighbourhood: Neighbourhood) -> None:
    bob, place = neighbourhood.bob, neighbourhood.directory
    with bought("laptop", place, "bob@example.org") as laptop:
        laptop.do("pause")
        laptop.do("pause", "--off")
        pair(bob, laptop)
        bob.do("devices", "rename", device_of(laptop)[:8], "laptop")
        neighbourhood.befriend("--tools", "Read")
        laptop.do("pause")

        acts = bob.do("audit", "show")["acts"]
        assert {"granted", "pinned", "device_added"} <= {act["kind"] for act in acts}
        assert [act["kind"] for act in laptop.do("audit", "show")["acts"]][:2] == ["paused", "resumed"]
        assert "device added" in bob.try_("audit", "show").out
        poll(
            lambda: (
                own_logs(bob).get("laptop", {}).get("entries")
                == own_logs(laptop).get("laptop", {}).get("entries")
                is not None
            ),
            "the desk holds what was decided on the laptop, also before it was its sibling",
        )
        theirs, mine = own_logs(bob)["laptop"], own_logs(laptop)["laptop"]
        assert (theirs["root"], theirs["first"], theirs["this"]) == (mine["root"], 1, False)
        assert {each["finding"] for each in bob.do("audit", "verify")["own"]} == {"consistent"}
        assert bob.try_("audit", "verify").code == 0
        assert [each["name"] for each in bob.do("audit", "show", "--device", "laptop")["own"]] == ["laptop"]

        laptop.daemon.kill()
        with closing(sqlite3.connect(laptop.home / "journal.db")) as journal:  # a thief was never here
            journal.execute(
                "DELETE FROM acts WHERE seq = ? AND device = ?", (mine["entries"], mine["device"])
            )
            journal.commit()
        laptop.daemon.start()
        laptop.do("pause", "--off")
        poll(lambda: own_logs(bob)["laptop"]["finding"] == "rewritten", "the desk holds another history")
        told = bob.try_("audit", "verify")
        assert (told.code, "Decided on laptop: rewritten" in told.out) == (7, True), told.out
        assert own_logs(bob)["laptop"]["root"] == mine["root"], "of two histories the first is kept"
        check = next(each for each in bob.do("doctor", code=1)["checks"] if each["name"] == "devices")
        assert (check["ok"], "laptop" in check["detail"]) == (False, True), check
