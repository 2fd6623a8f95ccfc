"""Every end leaves a result and evidence that verifies, at both sides: not only the good one."""

from typing import Any

from tests.support.neighbourhood import Neighbourhood, Person


def evidence(person: Person, dispatch_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a person's result of a dispatch and what its bundle proves; both commands must end with 0."""
    result = person.do("result", dispatch_id)
    return result, person.do("verify", result["bundle"])


def test_no_and_cancellation_verify_at_both_sides(neighbourhood: Neighbourhood) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    neighbourhood.befriend("--tools", "Read")
    declined, cancelled = neighbourhood.send("One"), neighbourhood.send("Two")
    assert alice.do("accept", declined, code=3)["error"]["code"] == "wrong_party"
    assert bob.do("result", declined, code=8)["error"]["code"] == "not_finished"
    bob.do("decline", declined, "--reason", "busy")
    alice.do("cancel", cancelled)
    for word, dispatch_id in (("declined", declined), ("cancelled", cancelled)):
        for person in (alice, bob):
            person.until(dispatch_id, word)
            result, proof = evidence(person, dispatch_id)
            assert (result["status"], result["outcome"], result["files"]) == (word, None, [])
            assert (proof["ok"], proof["dispatch_id"], proof["outcome"]) == (True, dispatch_id, None)
            assert proof["author"] == {"identity": alice.do("whoami")["identity"], "address": alice.address}
    assert alice.status(declined)["decision"] == bob.status(declined)["decision"]
    assert bob.do("decline", declined, code=6)["error"]["code"] == "not_pending"
    assert alice.do("cancel", cancelled, code=6)["error"]["code"] == "not_pending"


def test_refusal_of_the_relay_verifies_and_a_stranger_is_not_journaled(neighbourhood: Neighbourhood) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    assert alice.do("send", bob.address, "Too early", code=3)["error"]["code"] == "no_edge"
    assert alice.do("sent")["dispatches"] == []
    neighbourhood.befriend("--tools", "Read", "--max-per-day", "1")
    neighbourhood.send("The one of today")
    assert alice.do("send", bob.address, "Tomorrow", "--wait", code=3)["error"]["code"] == "daily_limit"
    refused = alice.do("sent")["dispatches"][0]
    assert (refused["task"], refused["status"]) == ("Tomorrow", "refused")
    result, proof = evidence(alice, refused["dispatch_id"])
    assert (result["code"], result["receipts"], proof["ok"]) == ("daily_limit", [], True)
    assert "dispatches a day are allowed" in alice.try_("status", refused["dispatch_id"]).out


def test_task_that_nobody_here_can_do_needs_input(neighbourhood: Neighbourhood) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    neighbourhood.befriend("--tools", "Read")
    dispatch_id = neighbourhood.send("Think about it")
    bob.do("accept", dispatch_id, "--cwd", str(neighbourhood.directory))
    for person in (alice, bob):
        person.until(dispatch_id, "failed")
        result, proof = evidence(person, dispatch_id)
        assert (result["outcome"], proof["outcome"], proof["ok"]) == ("need_input", "need_input", True)


def test_person_who_signs_in_is_told_of_the_recovery_key(neighbourhood: Neighbourhood) -> None:
    alice, url = neighbourhood.alice, neighbourhood.broker.url
    again = ("login", "--broker", url, "--email", alice.address, "--dev")
    assert "dispatch devices recovery-key" in alice.do(*again)["recovery_hint"]
    assert alice.do("login", "--broker", "nonsense", "--email", alice.address, "--dev", code=2)
