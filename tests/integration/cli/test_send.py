"""`send`: what goes to the daemon, what is said, and with `--wait` the outcome as the exit code."""

from pathlib import Path
from typing import Any

import pytest

from tests.support import door_documents as documents
from tests.support.dispatch_command import Terminal, dispatch
from tests.support.door_documents import ALICE, BOB, ID
from tests.support.patience import poll
from tests.support.scripted_daemon import Answer, Request, Script


@pytest.fixture
def sender(door: Script) -> Script:
    """A door that takes every dispatch for Bob."""
    answer = {"dispatch_id": ID, "status": "sent", "thread_id": ID, "expires_at": documents.LATER}
    door.answer("POST", "/v1/dispatches", answer, status=201)
    sent = documents.whole(status="sent", **{"from": ALICE, "to": BOB}, box="sent")
    door.answer("GET", f"/v1/dispatches/{ID}", sent)
    return door


def sent_body(door: Script) -> Any:
    return door.asked("POST", "/v1/dispatches")[-1].body


def test_every_option_arrives_under_its_own_name(sender: Script, home: Path, tmp_path: Path) -> None:
    (tmp_path / "story.md").write_text("It began so.\n")
    (tmp_path / "steps.yaml").write_text(
        "- tool: Grep\n  input: {pattern: TODO, path: .}\n- tool: Bash\n  input:\n    command: |\n      pytest -q\n"
        "  save_as: report.txt\n  allow_failure: true\n"
    )
    ended = dispatch(
        home, "send", "bob", "Do it", "--background", "@story.md", "--steps", "steps.yaml", "--deliverable", "a list",
        "--link", "https://a.example", "--link", "https://b.example", "--project", "api", "--meta", "k=v=w",
        "--expires", "600", "--timeout", "60", "--idempotency-key", "once", "--json", cwd=tmp_path,
    )  # fmt: skip
    assert ended.code == 0
    assert ended.json["dispatch_id"] == ID
    assert sent_body(sender) == {
        "recipient": "bob",
        "by": "cli",
        "task": "Do it",
        "background": "It began so.\n",
        "deliverable": "a list",
        "link": ["https://a.example", "https://b.example"],
        "project": "api",
        "meta": {"k": "v=w"},
        "expires": 600,
        "timeout": 60,
        "steps": [
            {"tool": "Grep", "input": {"pattern": "TODO", "path": "."}},
            {
                "tool": "Bash",
                "input": {"command": "pytest -q\n"},
                "save_as": "report.txt",
                "allow_failure": True,
            },
        ],
    }
    assert sender.asked("POST", "/v1/dispatches")[0].headers["idempotency-key"] == "once"


@pytest.mark.parametrize("nobody", ["", "  "])
def test_nobody_is_no_recipient(sender: Script, home: Path, nobody: str) -> None:
    ended = dispatch(home, "send", nobody, "hi")
    assert (ended.code, sender.asked("POST", "/v1/dispatches")) == (2, [])
    assert "Nobody is named" in ended.err


def test_a_task_comes_from_standard_input_as_it_is(sender: Script, home: Path) -> None:
    dispatch(home, "send", "bob", "-", stdin="Zeile\n\tzwei €\n".encode())
    assert sent_body(sender)["task"] == "Zeile\n\tzwei €\n"


def test_two_dashes_at_once_are_refused(sender: Script, home: Path) -> None:
    assert dispatch(home, "send", "bob", "-", "--steps", "-").code == 2


def test_a_background_may_begin_with_an_at_sign(sender: Script, home: Path) -> None:
    dispatch(home, "send", "bob", "x", "--background", "@@home")
    assert sent_body(sender)["background"] == "@home"


def test_it_is_said_where_it_waits_and_how_to_follow_it(sender: Script, home: Path) -> None:
    ended = dispatch(home, "send", "bob", "hi")
    assert ended.out == (
        f"Sent to {BOB} (token) · 4f2a91c0 · waits for bob until 2 Jan 2099\n"
        "  follow it with   dispatch watch 4f2a91c0\n"
    )


def test_a_queued_one_is_said_to_be_queued(sender: Script, home: Path) -> None:
    answer = {"dispatch_id": ID, "status": "queued", "thread_id": ID, "expires_at": documents.LATER}
    sender.answer("POST", "/v1/dispatches", answer, status=201)
    ended = dispatch(home, "send", "bob", "hi")
    assert ended.code == 0
    assert (
        "Queued for bob@example.org (token) · 4f2a91c0 · queued: it goes out as soon as the broker"
        in ended.out
    )


def test_one_for_me_waits_here(sender: Script, home: Path) -> None:
    sender.answer("GET", f"/v1/dispatches/{ID}", documents.whole(**{"from": "me", "to": "me"}, box="own"))
    ended = dispatch(home, "send", "me", "hi")
    assert "Waits for you on this machine · 4f2a91c0" in ended.out
    assert "dispatch accept 4f2a91c0" in ended.out


def test_a_refusal_names_the_next_command(door: Script, home: Path) -> None:
    said = "bob@example.org has not allowed you to send him tasks."
    door.refuse("POST", "/v1/dispatches", "no_edge", said, hint="dispatch invite bob@example.org")
    ended = dispatch(home, "send", "bob", "hi")
    assert (ended.code, ended.out) == (3, "")
    assert ended.err == f"Not sent: {said}\n  next   dispatch invite bob@example.org\n"


def test_without_a_login_it_is_exit_4(door: Script, home: Path) -> None:
    door.refuse("POST", "/v1/dispatches", "login_needed", "you are not signed in")
    assert dispatch(home, "send", "bob", "hi", "--json").code == 4


def test_keys_differ_so_that_two_sends_are_two(sender: Script, home: Path) -> None:
    dispatch(home, "send", "bob", "hi")
    dispatch(home, "send", "bob", "hi")
    keys = [request.headers["idempotency-key"] for request in sender.asked("POST", "/v1/dispatches")]
    assert len(set(keys)) == 2


ENDS = [
    ({"status": "completed", "outcome": "success"}, 0, "Done."),
    ({"status": "completed", "outcome": "need_input"}, 8, "Needs input"),
    ({"status": "waiting_input", "outcome": "need_input"}, 8, "Needs input"),
    ({"status": "failed", "outcome": "failed"}, 1, "Failed."),
    ({"status": "failed", "outcome": "blocked"}, 1, "Blocked"),
    ({"status": "conflict"}, 1, "Conflict"),
    ({"status": "refused"}, 3, "Refused."),
    ({"status": "declined"}, 3, "Declined."),
    ({"status": "expired"}, 3, "Expired"),
    ({"status": "cancelled"}, 3, "Cancelled."),
]


@pytest.mark.parametrize(("end", "code", "said"), ENDS)
def test_a_wait_ends_with_the_outcome(
    sender: Script, home: Path, end: documents.Json, code: int, said: str
) -> None:
    looks = 0

    def look(_: Request) -> Answer:
        nonlocal looks
        looks += 1
        if looks == 2:
            sender.tell("change", {})
        return 200, documents.whole(box="sent", **(end if looks > 2 else {"status": "delivered"}))

    sender.on("GET", f"/v1/dispatches/{ID}", look)
    ended = dispatch(home, "send", "bob", "hi", "--wait", "30")
    assert ended.code == code
    assert said in ended.out
    looks = 0
    document = dispatch(home, "send", "bob", "hi", "--json", "--wait").json
    assert document["status"] == end["status"]
    assert document["outcome"] == end.get("outcome")
    assert document["thread_id"] == ID


def test_a_wait_that_ran_out_is_exit_8(sender: Script, home: Path) -> None:
    ended = dispatch(home, "send", "bob", "hi", "--wait", "0")
    assert ended.code == 8
    assert "Still pending: sent." in ended.out
    assert dispatch(home, "send", "--wait", "1", "bob", "hi", "--json").json["status"] == "sent"


def test_a_bare_wait_does_not_swallow_what_follows(sender: Script, home: Path) -> None:
    sender.answer("GET", f"/v1/dispatches/{ID}", documents.finished(box="sent"))
    assert dispatch(home, "send", "--wait", "bob", "hi").code == 0
    assert sent_body(sender) == {"by": "cli", "recipient": "bob", "task": "hi"}
    assert dispatch(home, "send", "bob", "hi", "--wait=5").code == 0
    assert dispatch(home, "send", "bob", "hi", "--wait=soon").code == 2


def test_a_wait_shows_one_line_that_goes_away(sender: Script, home: Path) -> None:
    with Terminal(home, "send", "bob", "hi", "--wait") as terminal:
        terminal.expect("sent · 0.")
        sender.answer("GET", f"/v1/dispatches/{ID}", documents.finished(box="sent"))
        sender.tell("change", {})
        terminal.expect("Done.")
        assert terminal.end() == 0
    assert "2 paths changed:" in terminal.plain


def test_an_interrupted_wait_says_what_was_sent(sender: Script, home: Path) -> None:
    with Terminal(home, "send", "bob", "hi", "--wait", "--json") as terminal:
        poll(lambda: len(sender.requests) > 1, "it was sent, and its end is waited for")
        terminal.press("\x03")
        assert terminal.end() == 130
    assert f'"hint": "dispatch watch {ID}"' in terminal.plain


class TestFiles:
    """Files are handed over one by one, before the dispatch; what is wrong with one stops it all."""

    def test_each_is_named_by_its_last_part_and_stands_for_what_was_handed_over(
        self, sender: Script, home: Path, tmp_path: Path
    ) -> None:
        ids = iter(["a" * 64, "b" * 64])
        got: list[Request] = []

        def keep(request: Request) -> Answer:
            got.append(request)
            return 201, {"file_id": next(ids), "size_bytes": 1, "sha256": "c" * 64}

        sender.on("POST", "/v1/files", keep)
        (tmp_path / "deep").mkdir()
        (tmp_path / "deep" / "one.txt").write_text("1")
        (tmp_path / "two.txt").write_text("2")
        (tmp_path / "link").symlink_to(tmp_path / "two.txt")
        ended = dispatch(home, "send", "bob", "x", "--file", "deep/one.txt", "--file", "link", cwd=tmp_path)
        assert ended.code == 0, ended.err
        assert sent_body(sender)["files"] == [
            {"file_id": "a" * 64, "name": "one.txt"},
            {"file_id": "b" * 64, "name": "link"},
        ]
        assert [request.headers["content-type"] for request in got] == ["application/octet-stream"] * 2
        assert "one.txt" not in ended.err  # progress is for terminals

    def test_the_door_says_why_a_file_is_not_taken_and_nothing_is_sent(
        self, sender: Script, home: Path, tmp_path: Path
    ) -> None:
        sender.refuse("POST", "/v1/files", "file_too_large", "the file has more than the limit")
        (tmp_path / "large").write_bytes(bytes(3_000_000))
        ended = dispatch(home, "send", "bob", "x", "--file", "large", "--json", cwd=tmp_path)
        assert (ended.code, ended.json["error"]["code"]) == (2, "file_too_large")
        assert sender.asked("POST", "/v1/dispatches") == []
