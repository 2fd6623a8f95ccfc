"""The lists, one dispatch whole, the result and its proof."""

import re
from pathlib import Path

import pytest

from dispatch_cli.render.accepting import asks_lines
from dispatch_cli.render.lines import View, plain
from dispatch_cli.render.people import People
from tests.support import door_documents as documents
from tests.support.dispatch_command import Terminal, dispatch
from tests.support.door_documents import ID
from tests.support.scripted_daemon import Answer, Request, Script


@pytest.fixture
def paged(door: Script) -> Script:
    """A door with five dispatches on three pages."""
    rows = [documents.listed(dispatch_id=f"{number:08x}-1111-8222-9333-444455556666") for number in range(5)]

    def page(request: Request) -> Answer:
        query = dict(pair.split("=") for pair in request.query.split("&"))
        start = int(query.get("cursor", "0"))
        rest = str(start + 2) if start + 2 < len(rows) else None
        return 200, {"dispatches": rows[start : start + 2], "next": rest}

    door.on("GET", "/v1/dispatches", page)
    return door


@pytest.mark.parametrize("box", ["inbox", "sent"])
def test_a_list_comes_page_by_page(paged: Script, home: Path, box: str) -> None:
    first = dispatch(home, box, "--json").json
    assert (len(first["dispatches"]), first["next"]) == (2, "2")
    last = dispatch(home, box, "--json", "--cursor", "4").json
    assert (len(last["dispatches"]), last["next"]) == (1, None)
    everything = dispatch(home, box, "--json", "--all").json
    assert (len(everything["dispatches"]), everything["next"]) == (5, None)
    assert {f"box={box}" in request.query for request in paged.asked("GET", "/v1/dispatches")} == {True}
    assert f"older ones with   dispatch {box} --cursor 2" in dispatch(home, box).out


def test_a_pipe_gets_whole_lines_without_colour(door: Script, home: Path) -> None:
    task = "word " * 60
    door.answer("GET", "/v1/dispatches", {"dispatches": [documents.listed(task=task)], "next": None})
    shown = dispatch(home, "inbox").out
    assert task.strip() in shown
    assert "\x1b" not in shown
    assert "\x1b[33mwaits for you\x1b[0m" in dispatch(home, "inbox", FORCE_COLOR="1").out
    assert "\x1b" not in dispatch(home, "inbox", FORCE_COLOR="1", NO_COLOR="1").out


@pytest.mark.parametrize("command", ["inbox", "waiting", "contacts", "doctor"])
def test_a_narrow_screen_gets_no_line_that_it_would_break(door: Script, home: Path, command: str) -> None:
    door.answer("GET", "/v1/dispatches", {"dispatches": [documents.listed()], "next": None})
    door.answer("GET", "/v1/approvals", {"approvals": []})
    door.answer("GET", "/v1/invitations", {"invitations": []})
    check = {"name": "sandbox", "ok": True, "detail": "tasks can run here, confined as they should be"}
    door.answer("GET", "/v1/doctor", {"ok": True, "checks": [check | {"remedy": None}]})
    with Terminal(home, command, columns=40) as terminal:
        terminal.end()
    rows = [row for row in terminal.plain.splitlines() if " dispatch " not in row]
    assert len(rows) > 1
    assert max(map(len, rows)) <= 40


@pytest.mark.parametrize("command", ["inbox", "sent", "waiting"])
def test_ones_own_task_is_of_me_in_the_lists(door: Script, home: Path, command: str) -> None:
    own = documents.listed(**{"from": documents.BOB, "to": documents.BOB}, box="own")
    door.answer("GET", "/v1/dispatches", {"dispatches": [own], "next": None})
    door.answer("GET", "/v1/approvals", {"approvals": []})
    said = dispatch(home, command).out
    assert documents.BOB not in said
    assert re.search(r"\bme\b", said)
    assert documents.BOB in dispatch(home, command, "--json").out


def test_json_is_exactly_what_the_daemon_said(door: Script, home: Path) -> None:
    whole = documents.finished(
        task="naïve \u202e\x00 \ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16")
    )
    door.answer("GET", f"/v1/dispatches/{ID}", whole)
    assert dispatch(home, "status", ID, "--json").json == whole
    assert dispatch(home, "--json", "status", ID).json == whole


def test_one_dispatch_is_shown_whole(door: Script, home: Path) -> None:
    step = {
        "tool": "Bash",
        "input": {"command": "pytest -q\nrm x"},
        "save_as": "r.txt",
        "allow_failure": True,
    }
    door.answer(
        "GET",
        f"/v1/dispatches/{ID}",
        documents.finished(
            background="why", deliverable="a list", project="api", links=["https://a.example"], meta={"k": "v"},
            steps=[step], artifacts=[{"name": "r.txt", "size_bytes": 2048}],
        ),
    )  # fmt: skip
    shown = dispatch(home, "status", ID).out
    for words in (
        "4f2a91c0 · Alice (token) → bob@example.org (token) · completed",
        "  Background:\n  │ why",
        "  Deliverable:\n  │ a list",
        "  Links:\n  │ https://a.example",
        "  Meta:\n  │ k = v",
        "  │ 1. Bash   (save_as: r.txt, allow_failure: True)\n  │    command: pytest -q\n  │       rm x",
        "Run   completed · in /srv/api · agent steps",
        "took 48 s",
        "Result: success\n  │ Two tests are flaky.",
        "  + /srv/api/flaky.md   new, 29 bytes",
        "! runs later when you type make",
        "  r.txt   2.0 KiB",
        "Signed receipts\n  delivered ",
        "keep it with   dispatch result 4f2a91c0 --save DIR",
    ):
        assert words in shown


def test_who_ran_it_and_what_it_used_is_said(door: Script, home: Path) -> None:
    usage = {"turns": 2, "tool_calls": 3, "input_tokens": 1200, "output_tokens": 34, "cost_microusd": 250_000}
    ran = documents.run(agent="model", model="openai:qwen3", usage=usage)
    door.answer("GET", f"/v1/dispatches/{ID}", documents.whole(runs=[ran]))
    listed = documents.listed() | {"messages": [], "runs": [ran]}
    door.answer("GET", f"/v1/dispatches/{ID}/thread", {"thread_id": ID, "dispatches": [listed]})
    for command in ("status", "thread"):
        shown = " ".join(dispatch(home, command, ID).out.split())
        assert "agent openai:qwen3" in shown
        assert "3 calls, 2 turns, 1,234 tokens, $0.25" in shown


def test_a_refused_one_says_why(door: Script, home: Path) -> None:
    refused = documents.whole(
        status="refused", error={"code": "daily_limit", "detail": "3 dispatches a day are allowed"}
    )
    door.answer("GET", f"/v1/dispatches/{ID}", refused)
    assert "Reason\n  │ 3 dispatches a day are allowed\n" in dispatch(home, "status", ID).out


def test_a_result_is_shown_with_its_diff_and_saved(door: Script, home: Path, tmp_path: Path) -> None:
    bundle, report = tmp_path / "bundles" / "4f2a.json", tmp_path / "runs" / "report.txt"
    for path in (bundle, report):
        path.parent.mkdir()
        path.write_text(path.name)
    found = {
        "dispatch_id": ID, "outcome": "success", "summary": "Two tests are flaky.", "files": [str(report)],
        "bundle": str(bundle), "changeset": documents.CHANGES, "diffs": documents.DIFFS,
        "artifacts": [{"name": "state.txt", "size_bytes": 2048}], "receipts": documents.receipts(),
    }  # fmt: skip
    door.answer("GET", f"/v1/dispatches/{ID}/result", found)
    door.answer("GET", f"/v1/dispatches/{ID}", documents.finished())
    shown = dispatch(home, "result", ID)
    assert shown.code == 0
    assert "Done. It took 48 s.\n  │ Two tests are flaky.\nChanges\n  + /srv/api/flaky.md" in shown.out
    assert "  │ +test_login_retry" in shown.out
    assert "Artifacts\n  state.txt   2.0 KiB\n" in shown.out
    kinds = [row.split()[0] for row in shown.out.partition("Signed receipts\n")[2].splitlines()]
    assert kinds[:4] == ["delivered", "accepted", "started", "result"]
    assert f"dispatch verify {bundle}" in shown.out
    for expected in ("4f2a.json", "4f2a-2.json"):
        saved = dispatch(home, "result", ID, "--save", "out", "--json", cwd=tmp_path).json["saved"]
        assert Path(saved[0]).name == expected
        assert (tmp_path / "out" / expected).read_text() == "4f2a.json"
    assert (tmp_path / "out" / "report.txt").read_text() == "report.txt"
    report.unlink()
    failed = dispatch(home, "result", ID, "--save", str(tmp_path / "again"))
    assert failed.code == 1
    assert "report.txt cannot be written or read: No such file or directory." in failed.err


@pytest.mark.parametrize(
    ("status", "code", "thrown"),
    [
        ("failed", "changeset_denied", True),
        ("cancelled", "cancelled", True),
        ("failed", "apply_conflict", False),
        ("completed", "", False),
    ],
)
def test_changes_that_were_discarded_are_said_to_be(
    door: Script, home: Path, status: str, code: str, thrown: bool
) -> None:
    ended = documents.finished(
        status=status, outcome="blocked" if status == "failed" else "success", error={"code": code}
    )
    found = {"dispatch_id": ID, "changeset": documents.CHANGES, "diffs": documents.DIFFS}
    door.answer("GET", f"/v1/dispatches/{ID}/result", found)
    door.answer("GET", f"/v1/dispatches/{ID}", ended)
    for command in ("result", "status"):
        shown = dispatch(home, command, ID).out
        assert "~ /srv/api/Makefile" in shown
        assert ("These were thrown away, and were never applied." in shown) is thrown


def test_the_result_of_a_failure_says_why_and_what_to_do(door: Script, home: Path) -> None:
    error = {
        "code": "model_unreachable",
        "detail": "Their model did not answer.",
        "hint": "dispatch resend 1",
    }
    door.answer(
        "GET", f"/v1/dispatches/{ID}", documents.finished(status="failed", outcome="failed", error=error)
    )
    for summary, count in (("", 1), ("It broke off. Their model did not answer.", 0)):
        door.answer(
            "GET", f"/v1/dispatches/{ID}/result", {"dispatch_id": ID, "outcome": "failed", "summary": summary}
        )
        shown = dispatch(home, "result", ID).out
        assert shown.startswith("Failed.")
        assert shown.splitlines().count("Their model did not answer.") == count
        assert "go on with   dispatch resend 1" in shown


def test_an_unfinished_result_is_exit_8(door: Script, home: Path) -> None:
    door.refuse("GET", f"/v1/dispatches/{ID}/result", "not_finished", "this dispatch is running")
    ended = dispatch(home, "result", ID)
    assert ended.code == 8
    assert ended.err.startswith("This dispatch is running.")


def test_a_bundle_that_proves_nothing_is_exit_7(home: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.json"
    bundle.write_text('{"v": 1}')
    ended = dispatch(home, "verify", str(bundle), "--json")
    assert ended.code == 7
    assert ended.json["ok"] is False
    assert set(ended.json) >= {"ok", "author", "recipient", "dispatch_id", "outcome", "checks"}
    assert "This bundle proves nothing" in dispatch(home, "verify", str(bundle)).out
    assert not home.exists()


def test_a_bundle_that_cannot_be_read_is_exit_6(home: Path, tmp_path: Path) -> None:
    assert dispatch(home, "verify", str(tmp_path)).code == 6
    assert dispatch(home, "verify", "nowhere", "--json").json["error"]["code"] == "not_found"


@pytest.mark.parametrize("command", ["inbox", "waiting", "status"])
def test_somebody_who_claims_my_address_is_not_called_me(door: Script, home: Path, command: str) -> None:
    """An address is what whoever invited has written; that a task is one's own the daemon says by its box."""
    claimed = {"from": documents.BOB, "to": documents.BOB}
    row = documents.listed(**claimed, box="inbox")
    door.answer("GET", "/v1/dispatches", {"dispatches": [row], "next": None})
    door.answer("GET", "/v1/approvals", {"approvals": []})
    door.answer("GET", f"/v1/dispatches/{ID}", documents.whole(**claimed, box="inbox"))
    said = dispatch(home, command, *([ID] if command == "status" else [])).out
    assert documents.BOB in said
    assert not re.search(r"\bme\b", said)


def test_a_task_of_somebody_who_claims_my_address_is_not_mine_when_i_decide() -> None:
    view = View(width=80, now_ms=0, user_home="/home/bob")
    for box, said in (
        ("inbox", "bob@example.org asks, signed:"),
        ("own", "You ask, signed by your own device:"),
    ):
        shown = documents.whole(**{"from": documents.BOB, "to": documents.BOB}, box=box)
        assert plain(asks_lines(shown, People({}), view)[0]).startswith(said)
