"""An inviter may offer a way back: in force on both sides with the one handshake, and no wider than was chosen."""

from pathlib import Path
from typing import Any

from tests.support.machines import bought, pair
from tests.support.neighbourhood import Neighbourhood, Person
from tests.support.patience import poll


def edges(person: Person) -> dict[str, dict[str, Any]]:
    return {each["direction"]: each for each in person.do("contacts")["edges"]}


def connected(*people: Person) -> None:
    for person in people:
        poll(
            lambda person=person: (
                [each["status"] for each in person.do("contacts")["edges"]] == ["active"] * 2
            ),
            f"{person.name} sees both ways in force",
        )


def test_what_is_offered_is_in_force_as_soon_as_the_other_side_has_accepted(
    neighbourhood: Neighbourhood,
) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    work = neighbourhood.directory / "work"
    work.mkdir()
    assert alice.do("invite", bob.address, "--paths", str(work), code=2)["error"]["code"] == "usage"
    invited = alice.do("invite", bob.address, "--link-only", "--offer", "read-only", "--paths", str(work))
    assert invited["offer"]["tools"] == ["Glob", "Grep", "Read"]
    assert edges(alice) == {}
    bob.do("accept-invitation", invited["token"], "--profile", "edit")
    connected(alice, bob)
    assert edges(alice)["incoming"]["scopes"] == edges(bob)["outgoing"]["scopes"] == invited["offer"]
    assert edges(bob)["incoming"]["scopes"]["tools"] == ["Edit", "Glob", "Grep", "Read", "Write"]
    sent = bob.do("send", alice.address, "The way back")["dispatch_id"]
    alice.receives(sent)
    alice.do("decline", sent)
    bob.until(sent, "declined")
    alice.do("revoke", bob.address)
    poll(lambda: edges(bob)["outgoing"]["status"] == "revoked", "Bob hears that the way back has ended")
    assert (edges(alice)["outgoing"]["status"], edges(bob)["incoming"]["status"]) == ("active", "active")


def test_an_invitation_of_somebody_who_has_become_a_contact_ends_on_both_sides(
    neighbourhood: Neighbourhood,
) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    left, taken = (alice.do("invite", bob.address, "--link-only") for _ in range(2))
    poll(lambda: len(bob.do("invitations")["received"]) == 2, "Bob knows of both")
    bob.do("accept-invitation", taken["token"], "--profile", "read-only")

    def statuses(person: Person, way: str) -> dict[str, str]:
        return {each["invitation_id"]: each["status"] for each in person.do("invitations")[way]}

    over = {taken["invitation_id"]: "confirmed", left["invitation_id"]: "revoked"}
    poll(lambda: statuses(alice, "sent") == over, "it is over for Alice")
    poll(lambda: statuses(bob, "received") == over, "it is over for Bob")
    refused = bob.do("accept-invitation", left["token"], "--profile", "full", code=6)["error"]
    assert (refused["code"], refused["hint"]) == ("not_pending", "dispatch contacts")
    assert "another one of alice@example.org was accepted" in refused["message"]
    again = alice.do("invite", bob.address, "--link-only", code=3)["error"]
    assert again["code"] == "edge_exists"


def test_a_used_token_says_whom_to_tell_if_it_was_not_oneself(neighbourhood: Neighbourhood) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    token = alice.do("invite", bob.address, "--link-only")["token"]
    accept = ("accept-invitation", token, "--profile", "read-only")
    bob.do(*accept)
    said = "if you have not answered it, somebody else used your token: tell whoever gave it to you"
    empty = bob.do("accept-invitation", "", "--profile", "read-only", code=2)["error"]
    assert (empty["message"], empty["hint"]) == ("token: It is empty.", "dispatch accept-invitation --help")
    used = bob.do(*accept, code=6)["error"]
    assert (used["code"], said in used["message"]) == ("not_pending", True)
    with bought("other", neighbourhood.directory, "carol@example.org") as carol:
        carol.do("login", "--broker", neighbourhood.broker.url, "--email", carol.address, "--dev")
        gone = carol.do(*accept, code=6)["error"]
        assert (gone["code"], said in gone["message"]) == ("not_found", True)


def test_what_is_offered_is_answered_by_the_machine_that_offers_it(
    neighbourhood: Neighbourhood, place: Path
) -> None:
    """Another one of the same person could confirm the acceptance, but has nothing to give in turn."""
    alice, bob = neighbourhood.alice, neighbourhood.bob
    with bought("tablet", place, alice.address) as tablet:
        pair(alice, tablet)
        invited = alice.do("invite", bob.address, "--link-only", "--offer", "read-only")
        poll(lambda: tablet.do("invitations")["sent"], "the other machine knows the invitation")
        alice.daemon.stop()
        edge = bob.do("accept-invitation", invited["token"], "--profile", "edit")["edge_id"]
        poll(
            lambda: "offered a way back answers" in tablet.daemon.log.read_text(),
            "the other machine was asked, and leaves it",
        )
        alice.daemon.start()
        connected(alice, bob)
        assert {each["edge_id"] for each in edges(alice).values()} > {edge}


def test_who_may_dispatch_here_already_is_offered_nothing_more(neighbourhood: Neighbourhood) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    token = bob.do("invite", alice.address, "--link-only")["token"]
    alice.do("accept-invitation", token, "--tools", "Read")
    poll(lambda: [each["status"] for each in bob.do("contacts")["edges"]] == ["active"], "Bob may dispatch")
    invited = alice.do("invite", bob.address, "--link-only", "--offer", "full")
    bob.do("accept-invitation", invited["token"], "--tools", "Read")
    connected(alice, bob)
    assert edges(alice)["incoming"]["scopes"]["tools"] == ["Read"]
