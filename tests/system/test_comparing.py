"""Two people compare by seven words, each when they like; somebody between them is seen, and raises nothing."""

import sqlite3
from pathlib import Path
from typing import Any

from tests.support.neighbourhood import Neighbourhood, Person
from tests.support.patience import poll

WORDS = 7


def edge(person: Person) -> dict[str, Any]:
    (found,) = person.do("contacts")["edges"]
    return dict(found)


def reaches(person: Person, state: str) -> None:
    poll(lambda: edge(person)["comparison"] == state, f"{person.name} sees the comparison {state}")


def words(one: Person, other: Person) -> list[str]:
    """Let both begin, and return the words that the first one sees."""
    one.do("contacts", "verify", other.address)
    reaches(other, "wanted")
    other.do("contacts", "verify", one.address)
    for person in (one, other):
        reaches(person, "words")
    shown: list[str] = one.do("contacts", "verify", other.address)["words"]
    return shown


def test_two_people_compare_without_ever_being_online_together(neighbourhood: Neighbourhood) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    neighbourhood.befriend("--tools", "Read")
    bob.daemon.stop()
    begun = alice.do("contacts", "verify", "BOB@Example.org")
    assert (begun["status"], begun["words"], begun["trust"]) == ("asked", None, "token")
    poll(lambda: outbox(alice) == 0, "the wish has left Alice's machine")
    alice.daemon.stop()
    bob.daemon.start()
    reaches(bob, "wanted")
    assert "wants to compare" in bob.try_("contacts").out
    bob.do("contacts", "verify", alice.address)
    poll(lambda: outbox(bob) == 0, "Bob's half has left his machine")
    bob.daemon.stop()
    alice.daemon.start()
    bob.daemon.start()
    for person in (alice, bob):
        reaches(person, "words")
    read = [
        person.do("contacts", "verify", other.address)["words"]
        for person, other in ((alice, bob), (bob, alice))
    ]
    assert read[0] == read[1]
    assert len(set(read[0])) > 1
    assert bob.do("contacts", "verify", alice.address, "--words", " ".join(read[0]))["trust"] == "compared"
    assert (edge(bob)["trust"], edge(alice)["trust"]) == ("compared", "token")  # each human says it alone
    assert alice.do("contacts", "verify", bob.address, "--words", " ".join(read[1]))["status"] == "same"
    assert edge(alice)["trust"] == "compared"


def outbox(person: Person) -> int:
    """Return what a person's journal owes, as a count."""
    with sqlite3.connect(f"file:{person.home / 'journal.db'}?mode=ro", uri=True) as journal:
        return int(journal.execute("SELECT count(*) FROM outbox").fetchone()[0])


def test_somebody_in_the_middle_makes_other_words_on_each_side(place: Path) -> None:
    for name in ("near", "far"):
        (place / name).mkdir()
    near, far = Neighbourhood(place / "near"), Neighbourhood(place / "far")
    try:
        for side in (near, far):
            side.open()
            side.befriend("--tools", "Read")
        # The middle is `bob` to the true Alice, and `alice` to the true Bob.
        seen = [words(near.alice, near.bob), words(far.alice, far.bob)]
        assert seen[0] != seen[1]
        misheard = near.alice.do(
            "contacts", "verify", "bob", "--words", " ".join(["acron", *seen[0][1:]]), code=2
        )
        assert (misheard["error"]["code"], "acron" in misheard["error"]["message"]) == ("invalid", True)
        assert edge(near.alice)["comparison"] == "words", "what nobody was shown is not judged"
        said = near.alice.do("contacts", "verify", "bob", "--words", " ".join(seen[1]), code=7)
        assert said["error"]["code"] == "words_differ"
        assert (edge(near.alice)["trust"], edge(near.alice)["comparison"]) == ("token", "different")
        assert "somebody may sit between you" in near.alice.try_("contacts").out
        assert near.alice.do("contacts", "verify", "bob", "--again")["status"] == "asked"
        reaches(near.bob, "wanted")
    finally:
        for side in (near, far):
            side.close()


def test_nothing_is_compared_before_there_are_words_and_a_name_stands_for_an_address(
    neighbourhood: Neighbourhood,
) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    assert alice.do("contacts", "verify", "nobody", code=6)["error"]["code"] == "peer_unknown"
    neighbourhood.befriend("--tools", "Read")
    seven = " ".join(["acorn"] * WORDS)
    assert alice.do("contacts", "verify", "bob", "--words", seven, code=8)["error"]["code"] == "no_comparison"
    alice.do("contacts", "verify", "bob", "--words", "one two", code=2)
    named = alice.do("contacts", "alias", "BOB@example.ORG", "Robert")
    assert (named["peer"], named["alias"]) == (bob.address, "Robert")
    assert edge(alice)["alias"] == "Robert"
    sent = alice.do("send", "robert", "By another name")["dispatch_id"]
    bob.receives(sent)
    assert alice.do("contacts", "alias", "rob", "me", code=2)["error"]["code"] == "invalid"
    assert alice.do("contacts", "alias", "rob", "--remove")["alias"] is None
    assert alice.do("send", "robert", "x", code=6)["error"]["code"] == "peer_unknown"
