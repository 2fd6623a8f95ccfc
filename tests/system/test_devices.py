"""One person with two machines: paired by a code and a number, fed, run on, revoked; all of it typed."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.dispatch_command import Terminal
from tests.support.lifetime import Door
from tests.support.machines import bought, device_of, devices_of, pair, refused
from tests.support.neighbourhood import Neighbourhood, Person, bash, changed, edit
from tests.support.patience import poll


@pytest.fixture
def laptop(place: Path) -> Iterator[Person]:
    """A machine of Bob's that has never been used."""
    with bought("laptop", place, "bob@example.org") as person:
        yield person


def test_a_second_machine_joins_receives_runs_sends_and_is_revoked(
    neighbourhood: Neighbourhood, laptop: Person, repository: Path
) -> None:
    alice, bob, url = neighbourhood.alice, neighbourhood.bob, neighbourhood.broker.url
    neighbourhood.befriend("--tools", "Read,Edit,Bash", "--paths", f"{repository}:rw")
    token = bob.do("invite", alice.address, "--link-only")["token"]
    alice.do("accept-invitation", token, "--tools", "Read", "--paths", f"{repository}:ro")
    poll(lambda: len(_active(bob)) == 2, "Bob has an edge each way")

    needed = refused(laptop, "login", "--broker", url, "--email", bob.address, "--dev")
    assert (needed["code"], needed["exit"]) == ("pair_needed", 3)
    assert "devices add" in needed["hint"]

    pair(bob, laptop)
    _holds_no_recovery_key(laptop)
    _told_apart(bob, laptop)
    laptop.do("devices", "rename", laptop.do("whoami")["device"]["id"][:8], "laptop")
    who, theirs = bob.do("whoami"), laptop.do("whoami")
    assert (theirs["user"], theirs["identity"]) == (bob.address, who["identity"])
    assert theirs["device"]["id"] != who["device"]["id"]
    new = theirs["device"]["id"]
    for machine in (bob, laptop):
        listed = poll(lambda machine=machine: _two(machine), f"{machine.name} lists two devices")
        assert [device["owner"] for device in listed] == [True, False]
        assert [device["this"] for device in listed] == [machine is bob, machine is laptop]
        poll(lambda machine=machine: _two(machine)[1]["name"] == "laptop", f"{machine.name} knows its name")
    poll(lambda: len(_active(laptop)) == 2, "the new machine knows the edges")

    _sends_and_receives(neighbourhood, laptop, new)
    _runs_as_the_owner(neighbourhood, laptop, new, repository)
    waiting = _waits_there(neighbourhood, laptop)
    # Revoked by the other one while a run waits there: the run dies, its keys are gone, and it starts no more.
    assert bob.do("devices", "revoke", "laptop")["status"] == "revoked"
    assert laptop.daemon.process is not None
    assert laptop.daemon.process.wait(30) == 0
    assert not (laptop.home / "keys.json").exists()
    assert "never" not in (repository / "notes.md").read_text()
    ended = laptop.try_("whoami", "--json")
    assert ended.code == 5
    assert "revoked" in ended.out
    assert len(bob.do("devices")["devices"]) == 1
    assert refused(bob, "devices", "revoke", who["device"]["id"][:8])["code"] == "last_signer"

    # Contacts notice by themselves: what they send next is run by the one that is left.
    last = alice.do("send", bob.address, "Once more")["dispatch_id"]
    bob.receives(last)
    bob.do("decline", last)
    alice.until(last, "declined")
    assert alice.status(waiting)["status"] != "completed"


def _holds_no_recovery_key(laptop: Person) -> None:
    """Ask for the recovery key on a machine that has never held it."""
    with Terminal(laptop.home, "devices", "recovery-key", DISPATCH_KEY_BACKEND="file") as terminal:
        terminal.expect("[y/N]")
        terminal.press("y\n")
        assert terminal.end() == 6
    said = " ".join(terminal.plain.split())
    assert "made this identity: it keeps the recovery key" in said
    assert "new identity" not in said


def _sends_and_receives(neighbourhood: Neighbourhood, laptop: Person, new: str) -> None:
    """Send from the new machine, and be sent to."""
    alice, bob = neighbourhood.alice, neighbourhood.bob
    # It sends, although its person has never invited anybody there; the contact learns of it by itself.
    sent = laptop.do("send", alice.address, "From the laptop")["dispatch_id"]
    alice.receives(sent)
    alice.do("decline", sent)
    laptop.until(sent, "declined")

    # It receives what is sent to its person, and what is for the older machine is refused there.
    first = alice.do("send", bob.address, "For whoever owns it")["dispatch_id"]
    laptop.receives(first)
    bob.receives(first)
    assert refused(laptop, "accept", first)["code"] == "not_owner"
    bob.do("decline", first)

    # An author may name the machine that is to run it, as its owner is one for whoever names none.
    named = alice.do("send", bob.address, "For the laptop", "--device", new[:8])["dispatch_id"]
    laptop.receives(named)
    bob.receives(named)
    assert refused(bob, "accept", named)["code"] == "not_owner"
    laptop.do("decline", named)
    alice.until(named, "declined")
    assert refused(alice, "send", bob.address, "For nobody", "--device", "0000")["code"] == "not_found"
    elsewhere = refused(laptop, "send", "me", "There", "--device", bob.do("whoami")["device"]["id"])
    assert (elsewhere["code"], "on the machine" in elsewhere["message"]) == ("invalid", True)


def _runs_as_the_owner(neighbourhood: Neighbourhood, laptop: Person, new: str, repository: Path) -> None:
    """Make the new machine the owner, and let it run what its person is sent."""
    alice, bob = neighbourhood.alice, neighbourhood.bob
    old = bob.do("whoami")["device"]["id"]
    for roles in ("approver,runner", "runner", "approver,runner"):
        answer = bob.do("devices", "set", new[:8], "--roles", roles)
        assert (answer["owner"], answer["owner_id"]) == (False, old), "nobody asked for another owner"
    poll(lambda: [each["roles"] for each in _two(laptop)] == [["approver", "runner"]] * 2, "the laptop knows")
    laptop.do("devices", "set", new[:8], "--owner")
    poll(lambda: [device["owner"] for device in _two(bob)] == [False, True], "both know the owner")
    again = laptop.do("send", alice.address, "So that Alice hears of it")["dispatch_id"]
    alice.receives(again)
    path = neighbourhood.directory / "steps.json"
    path.write_text(json.dumps([edit("notes.md", "first line", "from the laptop"), bash("true")]))
    task = alice.do("send", bob.address, "Change it", "--steps", str(path))["dispatch_id"]
    laptop.receives(task)
    laptop.do("accept", task)
    assert laptop.approve_all(task)["outcome"] == "success"
    assert alice.until(task, "completed")["outcome"] == "success"
    assert changed(repository) == {"notes.md"}


def _waits_there(neighbourhood: Neighbourhood, laptop: Person) -> str:
    """Let a run wait on the new machine for an answer; returns its dispatch."""
    path = neighbourhood.directory / "steps.json"
    path.write_text(json.dumps([edit("notes.md", "from the laptop", "never"), bash("true")]))
    sent: str = neighbourhood.alice.do(
        "send", neighbourhood.bob.address, "Never applied", "--steps", str(path)
    )["dispatch_id"]
    laptop.receives(sent)
    laptop.do("accept", sent)
    laptop.question(sent)
    return sent


def _told_apart(bob: Person, laptop: Person) -> None:
    """Both have the host name of this machine, and neither is taken for the other on either of them."""

    def apart(machine: Person) -> list[str] | None:
        rows = machine.do("devices")["devices"]
        ids = [f"({row['id'][:8]})" for row in rows]
        known = len(rows) == 2 and all(row["name"].endswith(id_) for row, id_ in zip(rows, ids, strict=True))
        return [row["name"] for row in rows] if known else None

    for machine in (bob, laptop):
        shown = poll(lambda machine=machine: apart(machine), f"{machine.name} tells two of one name apart")
        same = {name.partition(" (")[0] for name in shown}
        assert len(same) == 1
        error = refused(machine, "devices", "rename", *same, "mine")
        assert (error["code"], error["exit"]) == ("ambiguous", 6)
        assert [each.partition(" (")[0] for each in error["candidates"]] == [*same, *same]
        assert error["hint"] == "dispatch devices rename ID NAME"


def test_a_wrong_number_ends_a_pairing_and_a_code_works_once(
    neighbourhood: Neighbourhood, laptop: Person
) -> None:
    bob, alice = neighbourhood.bob, neighbourhood.alice
    code = bob.do("devices", "add")["code"]
    number = laptop.do("devices", "add", code, code=8)["number"]
    wrong = f"{(int(number) + 1) % 10**6:06}"
    assert refused(bob, "devices", "add", "--confirm", wrong)["code"] == "numbers_differ"
    assert refused(bob, "devices", "add", "--confirm", number)["code"] == "not_pending"
    over = refused(laptop, "devices", "add", "--confirm", number)
    assert (over["code"], over["exit"]) == ("pairing_over", 6)
    assert len(bob.do("devices")["devices"]) == 1
    assert refused(laptop, "devices", "add", code)["code"] == "pairing_over"
    assert refused(laptop, "devices", "add", code[:-1] + ("A" if code[-1] != "A" else "B"))["exit"] in (2, 6)
    assert refused(alice, "devices", "add", bob.do("devices", "add")["code"])["code"] == "home_in_use"


def test_a_no_on_the_new_machine_ends_a_pairing_on_both(neighbourhood: Neighbourhood, laptop: Person) -> None:
    bob = neighbourhood.bob
    number = laptop.do("devices", "add", bob.do("devices", "add")["code"], code=8)["number"]
    wrong = f"{(int(number) + 1) % 10**6:06}"
    assert refused(laptop, "devices", "add", "--confirm", wrong)["code"] == "numbers_differ"
    ended = refused(bob, "devices", "add", "--confirm", number)
    assert (ended["code"], ended["exit"]) == ("numbers_differ", 3)
    assert "at the new machine" in ended["message"]
    assert refused(bob, "devices", "add", "--confirm", number)["code"] == "not_pending"
    assert refused(laptop, "devices", "add", "--confirm", number)["code"] == "not_pending"
    assert len(bob.do("devices")["devices"]) == 1


def test_a_no_after_the_older_machine_has_signed_is_said_there_with_the_way_back(
    neighbourhood: Neighbourhood, laptop: Person
) -> None:
    bob = neighbourhood.bob
    code = bob.do("devices", "add")["code"]
    number = laptop.do("devices", "add", code, code=8)["number"]
    with Terminal(bob.home, "devices", "add", "--confirm", number, DISPATCH_KEY_BACKEND="file") as terminal:
        terminal.expect("it has to say yes too")
        assert refused(laptop, "devices", "add", "--confirm", "-")["code"] == "numbers_differ"
        assert terminal.end() == 3
    new = device_of(laptop)
    assert f"dispatch devices revoke {new[:16]}" in terminal.plain
    assert "Both machines" not in terminal.plain
    assert device_of(laptop) in devices_of(bob)
    assert bob.do("devices", "revoke", new[:16])["status"] == "revoked"
    assert devices_of(bob) == {device_of(bob)}


def test_a_yes_on_the_new_machine_first_lets_the_older_one_say_that_both_belong_together(
    neighbourhood: Neighbourhood, laptop: Person
) -> None:
    bob = neighbourhood.bob
    code = bob.do("devices", "add")["code"]
    number = laptop.do("devices", "add", code, code=8)["number"]
    door = Door(laptop.home / "daemon.sock")
    with Terminal(
        laptop.home, "devices", "add", "--confirm", number, DISPATCH_KEY_BACKEND="file"
    ) as terminal:
        poll(
            lambda: asyncio.run(door.do("GET", "/v1/devices/pairing"))["status"] == "agreed",
            "the new machine has said yes",
        )
        assert "Both machines belong to" in bob.try_("devices", "add", "--confirm", number).out
        assert terminal.end() == 0
    assert "Both machines belong to" in terminal.plain
    assert devices_of(laptop) == {device_of(bob), device_of(laptop)}


def _two(person: Person) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = person.do("devices")["devices"]
    return listed if len(listed) == 2 else []


def _active(person: Person) -> list[dict[str, Any]]:
    return [edge for edge in person.do("contacts")["edges"] if edge["status"] == "active"]


def test_a_revocation_reaches_a_contact_in_a_file_while_there_is_no_broker(
    neighbourhood: Neighbourhood, laptop: Person, tmp_path: Path
) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    neighbourhood.befriend("--tools", "Read")
    pair(bob, laptop)
    file, old = tmp_path / "bob.json", tmp_path / "old.json"
    bob.do("trust", "export", str(old))
    (learnt,) = alice.do("trust", "import", str(old))["chains"]
    assert (learnt["status"], learnt["peer"]) in [("grown", bob.address), ("unchanged", bob.address)]
    poll(lambda: laptop.do("contacts")["edges"], "the new machine knows the edge")
    laptop.do("edit-edge", alice.address, "--tools", "Read,Glob")
    poll(lambda: "Glob" in bob.do("contacts")["edges"][0]["scopes"]["tools"], "the other machine has heard")
    neighbourhood.broker.stop()
    ended = bob.do("devices", "revoke", laptop.do("whoami")["device"]["id"][:8])
    assert ended["granted"] == [alice.address], "what it has granted stays, and is named"
    assert bob.do("trust", "export", str(file)) == {"file": str(file), "chains": 1}
    assert "1 device now, 1 ended" in alice.try_("trust", "import", str(file)).out
    (again,) = alice.do("trust", "import", str(old))["chains"]
    assert again["status"] == "unchanged", "an older file takes nothing back"

    assert refused(bob, "trust", "export", str(file))["code"] == "not_saved"
    assert refused(alice, "trust", "import", str(tmp_path / "none"))["exit"] == 6
    old.write_bytes(b"{}")
    assert refused(alice, "trust", "import", str(old))["exit"] == 7
    file.write_bytes(file.read_bytes().replace(b'"sig":"', b'"sig":"A', 1))
    assert refused(alice, "trust", "import", str(file))["exit"] == 7
