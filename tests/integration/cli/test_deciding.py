"""Decline, cancel, approvals, rules: short answers, and what each means from now on."""

from pathlib import Path

from tests.support import door_documents as documents
from tests.support.dispatch_command import dispatch
from tests.support.door_documents import ID, REQUEST_ID
from tests.support.scripted_daemon import Script

ASKED = f"/v1/approvals/{REQUEST_ID}"


def test_declining_says_that_the_author_is_told(door: Script, home: Path) -> None:
    door.answer("POST", f"/v1/dispatches/{ID}/decline", {"dispatch_id": ID, "status": "declined"})
    assert dispatch(home, "decline", ID, "--reason", "not today").out == "Declined. The author is told.\n"
    assert door.requests[-1].body == {"reason": "not today"}
    assert dispatch(home, "decline", ID, "--json").json == {"dispatch_id": ID, "status": "declined"}
    door.refuse("POST", f"/v1/dispatches/{ID}/decline", "not_pending", "this dispatch is already declined")
    ended = dispatch(home, "decline", ID)
    assert (ended.code, ended.err.split("\n")[0]) == (6, "Not declined: this dispatch is already declined.")


def test_cancelling_is_a_request(door: Script, home: Path) -> None:
    answer = {"dispatch_id": ID, "status": "running", "cancel_requested": True}
    door.answer("POST", f"/v1/dispatches/{ID}/cancel", answer)
    ended = dispatch(home, "cancel", ID)
    assert ended.code == 0
    assert ended.out.startswith("Cancel requested. It counts when the recipient's machine says so.")
    assert dispatch(home, "cancel", ID, "--json").json == answer
    door.answer("POST", f"/v1/dispatches/{ID}/cancel", answer | {"status": "cancelled"})
    assert dispatch(home, "cancel", ID).out == "Cancelled.\n"


def test_questions_are_listed_whole(door: Script, home: Path) -> None:
    door.answer("GET", "/v1/approvals", {"approvals": []})
    assert dispatch(home, "approvals").out == "Nothing waits for an answer.\n"
    command = "echo " + "x" * 5000 + "; rm -rf /"
    asked = documents.approval(tool="Bash", input={"command": command}, flags=["a shell command"])
    door.answer("GET", "/v1/approvals", {"approvals": [asked, documents.closing()]})
    shown = dispatch(home, "approvals").out
    assert f"command: {command}\n" in shown
    assert "! a shell command" in shown
    assert f"allow it with   dispatch approve {REQUEST_ID}" in shown
    assert "2 files would change:" in shown
    assert dispatch(home, "approvals", "--json").json["approvals"][0]["input"]["command"] == command


def test_an_approval_carries_its_reach(door: Script, home: Path) -> None:
    door.answer("POST", ASKED, {"request_id": REQUEST_ID, "status": "approved"})
    assert dispatch(home, "approve", REQUEST_ID).out == "Allowed once.\n"
    assert door.requests[-1].body == {"decision": "approve"}
    assert dispatch(home, "approve", ID, REQUEST_ID, "--grant", "always").out.endswith(
        "always on this edge.\n"
    )
    assert door.requests[-1].body == {"decision": "approve", "grant": "always", "dispatch_id": ID}
    assert dispatch(home, "approve", REQUEST_ID, "--grant", "forever").code == 2


def test_a_denial_carries_its_reason(door: Script, home: Path) -> None:
    door.answer("POST", ASKED, {"request_id": REQUEST_ID, "status": "denied"})
    assert dispatch(home, "deny", REQUEST_ID, "--reason", "no").out == "Denied.\n"
    assert door.requests[-1].body == {"decision": "deny", "reason": "no"}
    door.refuse("POST", ASKED, "not_pending", "this question is no longer open: it was approved")
    assert dispatch(home, "deny", REQUEST_ID).code == 6


def test_rules_are_listed_and_removed(door: Script, home: Path) -> None:
    door.answer("GET", "/v1/rules", {"rules": []})
    assert "every call asks" in dispatch(home, "rules", "list").out
    rule = {
        "rule_id": ID,
        "peer": documents.ALICE,
        "tool": "Bash",
        "command": "pytest\n-q",
        "created_at": documents.AT,
    }
    door.answer("GET", "/v1/rules", {"rules": [rule, rule | {"tool": "Read", "command": None}]})
    shown = dispatch(home, "rules", "list").out
    assert "alice@example.org   Bash: pytest -q" in shown
    assert "dispatch rules remove 4f2a91c0" in shown
    door.answer("DELETE", "/v1/rules/4f2a91c0", {"rule_id": ID, "status": "removed"})
    assert dispatch(home, "rules", "remove", "4f2a91c0").out == "Removed. Such calls ask again.\n"
