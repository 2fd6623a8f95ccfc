"""Days on which time is not what it should be: clocks that jump, machines that sleep, people who are away."""

import time
from pathlib import Path

from dispatch_protocol.timestamps import format_time
from tests.support.moved_clocks import DAY_MS, HOUR_MS, Shifted
from tests.support.neighbourhood import Neighbourhood, bash, changed, edit
from tests.support.patience import poll

SCOPES = ("--tools", "Read,Edit,Bash")


def check(person_doctor: dict[str, object], name: str) -> dict[str, object]:
    checks = person_doctor["checks"]
    assert isinstance(checks, list)
    (found,) = [each for each in checks if each["name"] == name]
    assert isinstance(found, dict)
    return found


def test_clock_that_jumps_ahead_ends_what_it_must_and_set_back_revives_nothing(
    shifted: Shifted, repository: Path
) -> None:
    alice, bob = shifted.everybody.alice, shifted.everybody.bob
    shifted.everybody.befriend(*SCOPES, "--paths", f"{repository}:rw")
    waiting = shifted.everybody.send("Wait for me", [bash("true")])
    shifted.shift("bob", DAY_MS)
    bob.until(waiting, "expired")
    assert "expired" in [receipt["type"] for receipt in alice.until(waiting, "expired")["receipts"]]
    for by_ms in (0, -2 * DAY_MS):
        shifted.shift("bob", by_ms)
        assert bob.do("accept", waiting, code=6)["error"]["code"] == "not_pending"
        assert bob.status(waiting)["status"] == "expired"
    # Until the true time has caught up, what comes now is late by the latest time that Bob's journal knows.
    late = alice.do(
        "send",
        bob.address,
        "And now?",
        "--steps",
        "-",
        stdin=b'[{"tool":"Read","input":{"file_path":"notes.md"}}]',
    )
    state = alice.until(late["dispatch_id"], "refused", "expired")
    assert "expired" in str(state["error"]) + state["status"]
    assert changed(repository) == set()


def test_wrong_clock_is_measured_against_the_broker_and_said(shifted: Shifted) -> None:
    bob = shifted.everybody.bob
    bob.daemon.stop()
    shifted.shift("bob", 3_600_000)
    bob.daemon.start()
    poll(lambda: check(bob.do("doctor", code=1), "clock"), "the clocks were compared")
    found = check(bob.do("doctor", code=1), "clock")
    assert (found["ok"], found["remedy"]) == (False, "set this machine's clock")
    assert "differ by 36" in str(found["detail"])


def test_machine_that_slept_for_days_sets_aside_what_nobody_answered(
    shifted: Shifted, repository: Path
) -> None:
    alice, bob = shifted.everybody.alice, shifted.everybody.bob
    shifted.everybody.befriend(*SCOPES, "--paths", f"{repository}:rw")
    asked = shifted.everybody.send("Change it", [edit("notes.md", "first", "second")])
    bob.do("accept", asked)
    question = bob.question(asked)
    shifted.shift("bob", DAY_MS)
    again = poll(
        lambda: next(
            (
                each
                for each in bob.do("approvals")["approvals"]
                if each["request_id"] != question["request_id"]
            ),
            None,
        ),
        "the same call is asked once more",
    )
    assert again["input"] == question["input"]
    shifted.shift("bob", 2 * DAY_MS)
    state = alice.until(asked, "waiting_input", "failed")
    assert (state["status"], state["outcome"]) == ("waiting_input", "blocked")
    for late in (question, again):
        assert bob.do("approve", late["request_id"], code=6)["error"]["code"] == "not_pending"
    assert changed(repository) == set()


def test_recipient_who_was_away_past_the_expiry_refuses_and_the_sender_hears(
    shifted: Shifted, repository: Path
) -> None:
    alice, bob = shifted.everybody.alice, shifted.everybody.bob
    shifted.everybody.befriend(*SCOPES, "--paths", f"{repository}:rw")
    bob.daemon.stop()
    sent = alice.do("send", bob.address, "In time?", "--expires", "60")["dispatch_id"]
    alice.until(sent, "sent")
    shifted.shift("alice", 600_000)
    assert alice.until(sent, "expired")["receipts"] == []  # presumed: nobody has signed anything
    shifted.shift("bob", 600_000)
    bob.daemon.start()
    state = poll(
        lambda: state if (state := alice.status(sent))["receipts"] else None,
        "the signed word of Bob's daemon",
    )
    assert (state["status"], [each["type"] for each in state["receipts"]]) == ("expired", ["expired"])
    assert bob.do("inbox")["dispatches"][0]["status"] == "expired"


def test_edge_that_a_broker_keeps_open_past_its_end_ends_by_the_recipients_clock(
    shifted: Shifted, repository: Path
) -> None:
    """The broker's clock, and the author's, are two hours behind: for them the edge is still active."""
    alice, bob = shifted.everybody.alice, shifted.everybody.bob
    ends = format_time(time.time_ns() // 1_000_000 + HOUR_MS)
    edge = shifted.everybody.befriend(*SCOPES, "--paths", f"{repository}:rw", "--expires-at", ends)
    waiting = alice.do("send", bob.address, "In time", "--expires", "86400")["dispatch_id"]
    alice.until(waiting, "delivered")
    shifted.shift("bob", 2 * HOUR_MS)
    late = alice.do("send", bob.address, "Too late", "--expires", "86400")["dispatch_id"]
    state = alice.until(late, "refused")
    assert (state["error"]["code"], state["presumed"]) == ("edge_expired", False)
    assert [each["type"] for each in state["receipts"]] == ["refused"]
    refused = bob.do("accept", waiting, "--cwd", str(repository), code=3)["error"]
    assert refused["code"] == "edge_expired"

    def status() -> str:
        (shown,) = [each for each in bob.do("contacts")["edges"] if each["edge_id"] == edge]
        return str(shown["status"])

    assert status() == "expired"
    assert refused["hint"] == f"dispatch edit-edge {alice.address} --expires-at never"
    bob.do(*refused["hint"].split()[1:])
    assert status() == "active"


def test_edge_revoked_while_its_task_runs_kills_it_and_both_hear_why(
    neighbourhood: Neighbourhood, repository: Path
) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    neighbourhood.befriend(*SCOPES, "--paths", f"{repository}:rw")
    running = neighbourhood.send("Change it", [edit("notes.md", "first", "second"), bash("sleep 600")])
    bob.do("accept", running)
    for _ in range(2):
        bob.do("approve", bob.question(running)["request_id"])
    poll(lambda: bob.status(running)["status"] == "running", "the last call runs")
    bob.do("revoke", alice.address)
    state = alice.until(running, "cancelled")
    assert state["runs"][0]["status"] == "cancelled"
    assert state["receipts"][-1]["type"] == "cancelled"
    watched = bob.try_("watch", running).out
    assert "stopped: the edge that it came over was revoked" in watched
    assert "cancel requested" not in watched
    assert changed(repository) == set()
    assert alice.do("send", bob.address, "Once more", code=3)["error"]["code"] in ("edge_revoked", "no_edge")
