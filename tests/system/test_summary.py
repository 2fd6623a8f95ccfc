"""A morning at two terminals: what waits, what came back, what went wrong."""

from tests.support.neighbourhood import Neighbourhood


def test_each_side_sees_what_concerns_it(neighbourhood: Neighbourhood) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    for person in (alice, bob):
        shown = person.try_("summary")
        assert (shown.code, shown.out) == (0, "Nothing waits for you, and nothing has ended in 16 hours.\n")
    neighbourhood.befriend("--tools", "Read")
    waiting = neighbourhood.send("Look at this\nwhen you can")
    declined = neighbourhood.send("And at that")
    done = neighbourhood.send("Say yes")
    bob.do("decline", declined)
    bob.do("accept", done, "--by-hand")
    bob.do("complete", done, "--text", "yes")
    alice.until(declined, "declined")
    alice.until(done, "completed")
    his, hers = bob.do("summary"), alice.do("summary", "--since", "1")
    ids = {name: [row["dispatch_id"] for row in rows] for name, rows in his.items() if name != "since"}
    assert ids == {"waiting": [waiting], "went_wrong": [], "came_back": [], "ends_soon": [], "unread": []}
    ids = {name: [row["dispatch_id"] for row in rows] for name, rows in hers.items() if name != "since"}
    assert ids == {
        "waiting": [],
        "went_wrong": [declined],
        "came_back": [done],
        "ends_soon": [waiting],
        "unread": [],
    }
    said = alice.try_("summary").out
    assert said.index("WENT WRONG") < said.index("CAME BACK") < said.index("ENDS SOON")
    assert "Look at this when you can" in said
    assert "dispatch inbox -i" in bob.try_("summary").out
    assert bob.try_("summary", "--since", "0").code == 2
