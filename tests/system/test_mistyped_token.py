"""A letter of a token was mistyped: both sides are told, nobody has got in, and another invitation helps."""

from tests.support.neighbourhood import Neighbourhood
from tests.support.patience import poll


def test_a_wrong_letter_in_a_token_is_told_on_both_sides(neighbourhood: Neighbourhood) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    token = alice.do("invite", bob.address, "--link-only")["token"]
    mistyped = token[:-10] + ("A" if token[-10] != "A" else "B") + token[-9:]
    said = bob.try_("accept-invitation", mistyped, "--tools", "Read")
    assert said.code == 0
    assert said.out.startswith(
        "alice@example.org may dispatch to you once their device has checked this (token)."
    )

    def told() -> bool:
        [sent] = alice.do("invitations")["sent"]
        return sent["status"] == "pending" and sent["unproved_at"] is not None

    poll(told, "Alice is told that somebody said yes without the secret")
    shown = alice.try_("invitations").out
    assert "Somebody said yes for bob@example.org without the token's secret" in shown
    assert shown.count("dispatch invite bob@example.org") == 1
    [edge] = bob.do("contacts")["edges"]
    assert (edge["status"], alice.do("contacts")["edges"]) == ("pending", [])

    again = bob.do("accept-invitation", token, "--tools", "Read", code=3)["error"]
    assert (again["code"], again["hint"]) == ("edge_pending", "dispatch revoke alice@example.org")
    assert "a letter of the token was wrong" in again["message"]
    bob.do("revoke", alice.address)
    neighbourhood.befriend("--tools", "Read")
    assert {each["unproved_at"] for each in alice.do("invitations")["sent"]} == {None}, "it is over"
