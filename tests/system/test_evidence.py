"""Every end leaves a result and evidence that verifies, at both sides: not only the good one."""

from pathlib import Path
from typing import Any

from playwright.sync_api import expect

from tests.support.chromium import Tab, chromium
from tests.support.neighbourhood import Neighbourhood, Person, bash


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


def test_a_result_is_shared_as_a_page_that_checks_itself(
    neighbourhood: Neighbourhood, repository: Path, tmp_path: Path
) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    scopes = ("--tools", "Read,Write,Bash", "--paths", f"{repository}:rw", "--approval", "auto")
    neighbourhood.befriend(*scopes)
    made = bash("printf '<b>bold</b>' > $DISPATCH_ARTIFACTS/report.html")
    dispatch_id = neighbourhood.send("Make a <i>report</i>", [made])
    bob.do("accept", dispatch_id, "--cwd", str(repository))
    alice.until(dispatch_id, "completed")
    (page,) = alice.do("result", dispatch_id, "--share", str(tmp_path / "page.html"))["saved"]
    assert bob.do("verify", page)["page"] == "as_made"
    own = tmp_path / "own.html"
    own.write_text("<b>bold</b>")
    with chromium() as browser:
        tab = Tab(browser.new_context(offline=True), Path(page).as_uri())
        said = tab.page.locator("#contents")
        expect(tab.page.locator("#verdict")).to_have_text("Every signature and every link holds.")
        expect(said).to_contain_text("Make a <i>report</i>")
        expect(said).to_contain_text(alice.do("whoami")["identity"])
        expect(said).to_contain_text(bob.do("whoami")["identity"])
        tab.page.set_input_files("#own", own)
        expect(tab.page.locator("#own-answer")).to_have_text("It is report.html, byte for byte.")
        other = tmp_path / "other.html"
        other.write_text("<b>bald</b>")
        tab.page.set_input_files("#own", other)
        expect(tab.page.locator("#own-answer")).to_contain_text("It is none of these files")
        assert tab.troubles() == []


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
    bob.do("accept", dispatch_id, "--headless", "--cwd", str(neighbourhood.directory))
    for person in (alice, bob):
        person.until(dispatch_id, "failed")
        result, proof = evidence(person, dispatch_id)
        assert (result["outcome"], proof["outcome"], proof["ok"]) == ("need_input", "need_input", True)


def test_person_who_signs_in_is_told_of_the_recovery_key(neighbourhood: Neighbourhood) -> None:
    alice, url = neighbourhood.alice, neighbourhood.broker.url
    again = ("login", "--broker", url, "--email", alice.address, "--dev")
    assert "dispatch devices recovery-key" in alice.do(*again)["recovery_hint"]
    assert alice.do("login", "--broker", "nonsense", "--email", alice.address, "--dev", code=2)
