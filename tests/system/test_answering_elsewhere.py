"""A run asks on one machine, and its person answers at another one: told, applied there, and known on both."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.machines import at_home, bought, device_of, refused
from tests.support.neighbourhood import Neighbourhood, Person, bash, changed, edit
from tests.support.patience import poll


@pytest.fixture
def laptop(place: Path) -> Iterator[Person]:
    """A second machine of Bob's, which runs nothing here."""
    with bought("laptop", place, "bob@example.org") as person:
        yield person


def became(person: Person, dispatch_id: str, request_id: str, word: str) -> dict[str, Any]:
    """Wait until a machine shows what became of an answer that was given at it."""

    def found() -> dict[str, Any] | None:
        said = [each for each in person.status(dispatch_id)["verdicts"] if each["request_id"] == request_id]
        return said[0] if said and said[0]["state"] == word else None

    return poll(found, f"{person.name} shows the answer to {request_id[:8]} as {word}")


def asked_anew(person: Person, dispatch_id: str, answered: set[str]) -> dict[str, Any]:
    """Wait for a question that was not answered yet."""

    def found() -> dict[str, Any] | None:
        open_ = person.do("approvals")["approvals"]
        fresh = [
            each
            for each in open_
            if each["dispatch_id"] == dispatch_id and each["request_id"] not in answered
        ]
        return fresh[0] if fresh else None

    return poll(found, f"{person.name} is asked about {dispatch_id[:8]}")


def test_questions_are_answered_at_another_machine_and_who_is_second_is_told_so(
    neighbourhood: Neighbourhood, laptop: Person, repository: Path
) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    at_home(neighbourhood, laptop, repository)
    task = neighbourhood.send("Change it", [edit("notes.md", "first line", "from afar"), bash("true")])
    bob.do("accept", task, "--cwd", str(repository))

    # The whole call is shown there, with where it runs; a yes is for this once, and is applied where it runs.
    first = asked_anew(laptop, task, set())
    assert (first["on"], first["tool"], first["grants"]) == ("desk", "Edit", ["once"])
    assert first["input"] == bob.question(task)["input"]
    assert "on desk" in laptop.try_("approvals").out
    assert refused(laptop, "approve", first["request_id"], "--grant", "always")["code"] == "invalid"
    assert refused(laptop, "deny", first["request_id"], "--stop")["code"] == "invalid"
    said = laptop.do("approve", first["request_id"])
    assert (said["status"], said["on"]) == ("told", "desk")
    became(laptop, task, first["request_id"], "applied")

    # The next one is answered on both while neither hears of the other: the first that counts wins, and both know.
    second = asked_anew(laptop, task, {first["request_id"]})
    neighbourhood.broker.stop()
    assert laptop.do("deny", second["request_id"], "--reason", "not that one")["status"] == "told"
    assert bob.do("approve", second["request_id"])["status"] == "approved"
    neighbourhood.broker.start()
    became(laptop, task, second["request_id"], "too_late")
    assert "too late on desk" in laptop.try_("status", task).out
    late = refused(laptop, "approve", second["request_id"])
    assert (late["code"], "approved on desk" in late["message"]) == ("not_pending", True)

    # The changes themselves are shown and approved there too.
    closing = asked_anew(laptop, task, {first["request_id"], second["request_id"]})
    assert closing["kind"] == "changeset"
    assert [change["op"] for change in closing["input"]] == ["modify"]
    laptop.do("approve", closing["request_id"])
    became(laptop, task, closing["request_id"], "applied")
    assert alice.until(task, "completed")["outcome"] == "success"
    assert changed(repository) == {"notes.md"}
    events = [each["data"] for each in bob.status(task)["events"] if each["type"] == "approval_decided"]
    assert [each["decided_by"] for each in events] == ["device", "cli", "device"]
    names_the_laptop_to_its_person_alone(neighbourhood, laptop, task, first["request_id"])


def names_the_laptop_to_its_person_alone(
    neighbourhood: Neighbourhood, laptop: Person, task: str, request_id: str
) -> None:
    """Look where it ran: there the other machine is named, also to who comes second. Alice learns of no machine."""
    alice, bob = neighbourhood.alice, neighbourhood.bob
    events = [each["data"] for each in bob.status(task)["events"] if each["type"] == "approval_decided"]
    on_laptop = {"device": device_of(laptop), "name": "laptop"}
    assert [each["decided_on"] for each in events] == [on_laptop, None, on_laptop]
    shown = bob.try_("status", task).out
    assert (shown.count("allowed once\n"), shown.count("allowed once, said on laptop\n")) == (1, 1)
    assert "changes approved, said on laptop\n" in shown
    late = refused(bob, "deny", request_id)
    assert "approved (once) as you said on laptop" in late["message"]
    assert late["applied"]["decided_on"] == on_laptop
    told = json.dumps(alice.status(task))
    assert "laptop" not in told
    assert "decided_on" not in told
