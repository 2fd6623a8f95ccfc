"""A question shows the whole call, and its keys always include the refusal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch_cli.render.lines import Line, View, plain, width_of
from dispatch_cli.render.people import NOBODY
from dispatch_cli.render.question import (
    choices,
    prompt_line,
    question_lines,
    reviewed,
    verbatim,
    waiting_lines,
    whole_diff_lines,
)
from dispatch_cli.render.text import visible
from tests.support import door_documents as documents

WIDE = View(None, 1_767_323_045_678, "/home/bob")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
VALUE = TEXT | st.integers() | st.booleans() | st.none() | st.lists(TEXT, max_size=2)


def shown(lines: list[Line]) -> str:
    return "\n".join(plain(row) for row in lines)


@given(st.dictionaries(st.text("abcdefgh_", min_size=1), TEXT, max_size=4), st.integers(30, 120))
def test_no_character_of_a_call_is_lost(given: dict[str, str], width: int) -> None:
    rows = [plain(row) for row in verbatim("Other", given, View(width, 0, "/"))]
    kept = "".join(row.partition("│ ")[2] or row for row in rows)
    for name, value in given.items():
        assert visible(name) in kept
        whole = "".join(visible(value.removesuffix("\n"), lines=True).expandtabs(4).split())
        assert whole in "".join(kept.split())


@given(st.dictionaries(st.sampled_from(["command", "content", "file_path", "timeout"]), VALUE))
def test_any_input_can_be_asked_about(given: dict[str, object]) -> None:
    for tool in ("Bash", "Write", "Edit", "Read", "Frob", ""):
        assert question_lines(documents.approval(tool=tool, input=given), WIDE)


def test_what_is_touched_comes_first_and_both_sides_of_an_edit_are_shown() -> None:
    call = {"new_string": "b\n", "old_string": "a", "file_path": "/home/bob/x", "replace_all": True}
    asked = documents.approval(tool="Edit", input=call, description="changes a file")
    assert shown(question_lines(asked, WIDE)) == (
        "▸ Edit  ~/x\n  │ file_path: /home/bob/x\n  old_string:\n  │ a\n  new_string:\n  │ b\n"
        "  │ replace_all: true\n  changes a file"
    )
    assert shown(question_lines(asked, WIDE, named=True)).startswith("  │ file_path")


def test_a_closing_question_shows_changes_what_stays_behind_and_the_answer() -> None:
    left = [{"path": "/srv/api/.env", "reason": "protected name"}]
    payload = {
        "changes": documents.CHANGES,
        "diffs": documents.DIFFS,
        "left_behind": left,
        "result": "Two are flaky.",
        "artifacts": [{"name": "log\x1b.txt", "size_bytes": 2_048, "sha256": "a" * 64}],
    }
    text = shown(
        question_lines(documents.closing(input=documents.CHANGES, payload=payload, flags=["odd"]), WIDE)
    )
    for words in (
        "2 files would change:",
        "  + /srv/api/flaky.md   new, 29 bytes",
        "  ! odd",
        "Files that would leave this machine:\n  log",
        "  1 path would be left behind:\n    /srv/api/.env   protected name",
        "The answer that would leave this machine:\n  │ Two are flaky.",
        "  │ +test_login_retry",
    ):
        assert words in text
    assert "No diff came" in shown(whole_diff_lines(documents.closing(payload={}), WIDE))


@pytest.mark.parametrize(
    "asked", [documents.approval(), documents.approval(tool="Bash"), documents.closing()]
)
@pytest.mark.parametrize("width", [None, 120, 80, 60, 45])
def test_the_refusal_is_always_among_the_keys(asked: documents.Json, width: int | None) -> None:
    offered = choices(asked)
    assert [option.key for option in offered if option.is_safe] == [offered[-1].key]
    row = prompt_line(offered, "109 s", width)
    assert plain(row).endswith("109 s")
    assert ("Deny [D]" in plain(row)) or ("D deny" in plain(row)) or ("discard" in plain(row))
    if width is not None:
        assert width_of(row) < width


def test_only_the_grants_of_the_daemon_are_offered() -> None:
    assert [option.key for option in choices(documents.approval(grants=["once"]))] == ["o", "d"]
    assert [option.key for option in choices(documents.approval(grants=[]))] == ["o", "d"]


def test_waiting_questions_name_their_commands() -> None:
    text = shown(waiting_lines([documents.approval(expires_at="2026-01-02T03:05:54.678Z")], NOBODY, WIDE))
    assert text.startswith(
        "4f2a91c0 · from alice@example.org · Write /srv/api/flaky.md · 109 s left; "
        "unanswered, it is asked once more, and then the run is parked\n"
    )
    assert text.endswith(f"  deny it with    dispatch deny {documents.REQUEST_ID[:8]}")


def test_a_run_that_asks_no_more_is_said_to_ask_for_its_servers() -> None:
    assert reviewed(documents.whole(runs=[documents.run()])) == "This run asks no more."
    served = documents.run(scopes=documents.scopes(mcp_servers=["files", "\u202email"]))
    told = reviewed(documents.whole(runs=[documents.run(), served]))
    assert told == "This run asks no more inside the wall, and still for each call of files, ⟨U+202E⟩mail."
