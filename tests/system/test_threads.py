"""What two people say about a task, in both directions, with the real programs: once, durable, and starting nothing."""

from pathlib import Path
from typing import Any

from tests.support.neighbourhood import Neighbourhood, Person, read
from tests.support.patience import poll

HIDING = "looks fine \u202e\x1b[2J"


def messages(person: Person, dispatch_id: str) -> list[dict[str, Any]]:
    """Return what was said about a dispatch, as one side has it."""
    said: list[dict[str, Any]] = person.status(dispatch_id)["messages"]
    return said


def texts(person: Person, dispatch_id: str) -> list[tuple[bool, str, str]]:
    return [(each["mine"], each["text"], each["state"]) for each in messages(person, dispatch_id)]


def test_words_go_both_ways_and_a_follow_up_is_a_dispatch_of_its_own(
    neighbourhood: Neighbourhood, repository: Path
) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    neighbourhood.befriend("--tools", "Read", "--paths", str(repository))
    name = neighbourhood.send("Look at the notes", [read("notes.md")])
    alice.until(name, "delivered")

    alice.do("reply", name, "Only the first line, please.")
    poll(lambda: texts(alice, name) == [(True, "Only the first line, please.", "held")], "held at Bob's")
    assert texts(bob, name) == [(False, "Only the first line, please.", "received")]
    listed = bob.do("inbox")["dispatches"][0]
    assert (listed["unread"], listed["status"]) == (1, "delivered"), "words accept nothing"
    assert bob.do("summary")["waiting"][0]["unread"] == 1

    assert bob.do("thread", name)["dispatches"][0]["messages"][0]["unread"] is True
    assert bob.do("inbox")["dispatches"][0]["unread"] == 0, "it was shown"
    bob.do("reply", name, "-", stdin=HIDING.encode())
    bob.do("reply", name, "Done.")
    poll(lambda: len(messages(alice, name)) == 3, "both answers arrive")
    assert texts(alice, name)[1:] == [(False, HIDING, "received"), (False, "Done.", "received")]
    shown = alice.try_("thread", name)
    assert "looks fine ⟨U+202E⟩⟨U+001B⟩[2J" in shown.out
    assert HIDING not in shown.out

    bob.do("accept", name)
    bob.approve_all(name)
    alice.until(name, "completed")
    bob.do("reply", name, "And that was all.")
    poll(lambda: len(messages(alice, name)) == 4, "a thread outlives the end of its dispatch")
    assert [each["dispatch_id"] for each in alice.do("summary")["unread"]] == [name]

    more = alice.do(
        "followup",
        name,
        "Now the second line",
        "--steps",
        "-",
        stdin=b'[{"tool": "Read", "input": {"file_path": "notes.md"}}]',
    )
    assert more["thread_id"] == alice.status(name)["thread_id"]
    bob.receives(more["dispatch_id"])
    follow = bob.status(more["dispatch_id"])
    assert (follow["status"], follow["parent"], follow["runs"]) == ("delivered", name, [])
    thread = bob.do("thread", name)
    assert [each["dispatch_id"] for each in thread["dispatches"]] == [name, more["dispatch_id"]]
    refused = bob.do("followup", name, "And you?", code=3)["error"]
    assert refused["code"] == "no_edge", "a thread gives nobody an edge"


def test_words_wait_for_a_relay_and_a_reader_and_come_once(neighbourhood: Neighbourhood) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    neighbourhood.befriend("--tools", "Read")
    bob.daemon.stop()
    name = alice.do("send", bob.address, "Look")["dispatch_id"]
    early = alice.do("reply", name, "Hello?", code=8)["error"]
    assert early["code"] == "not_delivered", "nobody there could say what it is about"
    bob.daemon.start()
    alice.until(name, "delivered")
    bob.daemon.stop()
    neighbourhood.broker.stop()
    written = alice.do("reply", name, "While nobody is there", "--idempotency-key", "k1")
    assert written["state"] == "owed"
    alice.daemon.kill()
    alice.daemon.start()
    again = alice.do("reply", name, "While nobody is there", "--idempotency-key", "k1")
    assert again["message_id"] == written["message_id"]
    other = alice.do("reply", name, "Something else", "--idempotency-key", "k1", code=2)["error"]
    assert other["code"] == "idempotency_conflict"
    neighbourhood.broker.start()
    bob.daemon.start()
    poll(lambda: texts(alice, name) == [(True, "While nobody is there", "held")], "it arrives")
    assert texts(bob, name) == [(False, "While nobody is there", "received")]

    bob.do("decline", name, "--reason", "not now")
    alice.until(name, "declined")
    anew = alice.do("resend", name)["dispatch_id"]
    bob.receives(anew)
    asked = bob.status(anew)
    assert (asked["task"], asked["status"], asked["messages"]) == ("Look", "delivered", [])
    assert alice.do("resend", anew, code=6)["error"]["code"] == "not_pending"

    bob.do("revoke", alice.address)
    refused = bob.do("reply", name, "No more", code=3)["error"]
    assert refused["code"] == "edge_revoked"
    poll(
        lambda: alice.try_("reply", name, "But why", "--json").code == 3,
        "the other side hears that it is over",
    )
