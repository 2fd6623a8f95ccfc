"""Decline, cancel, approvals, rules: short answers, and what each means from now on."""

from pathlib import Path

import pytest

from tests.support import door_documents as documents
from tests.support.dispatch_command import dispatch
from tests.support.door_documents import ID, REQUEST_ID
from tests.support.scripted_daemon import Script, problem

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
    assert f"allow it with   dispatch approve {REQUEST_ID[:8]}" in shown
    assert "2 files would change:" in shown
    assert dispatch(home, "approvals", "--json").json["approvals"][0]["input"]["command"] == command


def test_an_approval_carries_its_reach(door: Script, home: Path) -> None:
    door.answer("POST", ASKED, {"request_id": REQUEST_ID, "status": "approved"})
    assert dispatch(home, "approve", REQUEST_ID).out == "Allowed once.\n"
    assert door.requests[-1].body == {"decision": "approve", "by": "cli"}
    door.answer("POST", ASKED, {"request_id": REQUEST_ID, "kind": "changeset", "status": "approved"})
    assert dispatch(home, "approve", REQUEST_ID).out.startswith("Approved: the changes are applied")
    door.answer("POST", ASKED, {"request_id": REQUEST_ID, "kind": "tool", "status": "approved"})
    always = dispatch(home, "approve", ID, REQUEST_ID, "--grant", "always").out
    assert "from now on always: `dispatch rules list` says exactly what" in always
    assert door.requests[-1].body == {
        "decision": "approve",
        "grant": "always",
        "dispatch_id": ID,
        "by": "cli",
    }
    assert dispatch(home, "approve", REQUEST_ID, "--grant", "forever").code == 2


def test_a_denial_carries_its_reason(door: Script, home: Path) -> None:
    door.answer("POST", ASKED, {"request_id": REQUEST_ID, "status": "denied"})
    assert dispatch(home, "deny", REQUEST_ID, "--reason", "no").out == "Denied.\n"
    assert door.requests[-1].body == {"decision": "deny", "reason": "no", "by": "cli"}
    assert "the run is stopped" in dispatch(home, "deny", REQUEST_ID, "--stop").out
    assert door.requests[-1].body == {"decision": "deny", "stop": True, "by": "cli"}


def test_whoever_is_second_is_shown_what_was_applied(door: Script, home: Path) -> None:
    applied = {"status": "approved", "decided_by": "page", "decided_at": documents.AT}
    late = problem("not_pending", "this question is no longer open: it was approved through the page")
    door.on("POST", ASKED, lambda _: (409, late | {"applied": applied}))
    ended = dispatch(home, "deny", REQUEST_ID, "--json")
    assert (ended.code, ended.json["error"]["applied"]) == (6, applied)
    assert "it was approved through the page" in dispatch(home, "deny", REQUEST_ID).err


@pytest.mark.parametrize(
    ("command", "said", "body"),
    [
        (("resume",), "It asks again where nobody answered", {}),
        (("discard",), "Nothing was applied", {"by": "cli"}),
        (("review",), "You approve its changes at the end", {"by": "cli"}),
        (("complete", "--text", "done"), "The author gets your words", {"text": "done", "file": []}),
    ],
)
def test_word_on_a_run_that_goes_on_is_passed_on_and_said(
    door: Script, home: Path, command: tuple[str, ...], said: str, body: documents.Json
) -> None:
    name, *more = command
    door.answer("POST", f"/v1/dispatches/{ID}/{name}", {"dispatch_id": ID, "status": "running"})
    door.answer("GET", f"/v1/dispatches/{ID}", documents.whole(runs=[documents.run()]))
    ended = dispatch(home, name, ID, *more)
    assert (ended.code, ended.err) == (0, "")
    assert said in ended.out
    assert door.asked("POST", f"/v1/dispatches/{ID}/{name}")[-1].body == body


def test_files_of_a_task_done_by_hand_are_named_in_full(door: Script, home: Path, tmp_path: Path) -> None:
    door.answer("POST", f"/v1/dispatches/{ID}/complete", {"dispatch_id": ID, "status": "completed"})
    (tmp_path / "a.txt").write_text("a")
    dispatch(home, "complete", ID, "--text", "done", "--file", "a.txt", cwd=tmp_path)
    assert door.requests[-1].body["file"] == [str(tmp_path / "a.txt")]
    assert dispatch(home, "complete", ID).code == 2


def test_by_hand_nothing_runs_and_that_is_said(door: Script, home: Path) -> None:
    accepted = {"dispatch_id": ID, "status": "running", "confined": False}
    door.answer("POST", f"/v1/dispatches/{ID}/accept", accepted)
    said = dispatch(home, "accept", ID, "--by-hand").out
    assert "nothing confines what you do" in said
    assert "dispatch complete 4f2a91c0 --text" in said
    assert door.requests[-1].body == {"by_hand": True}
    assert dispatch(home, "accept", ID, "--by-hand", "--cwd", "/").code == 2


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
