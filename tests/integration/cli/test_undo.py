"""Undo on a terminal and in a script: seen whole first, then exactly that, or nothing."""

from pathlib import Path

import pytest

from tests.support import door_documents as documents
from tests.support.dispatch_command import Terminal, dispatch
from tests.support.door_documents import CHANGES, DIFFS, ID
from tests.support.scripted_daemon import Script

WHERE = f"/v1/dispatches/{ID}/undo"
DIGEST = "ab" * 32
SHOWN: documents.Json = {
    "dispatch_id": ID,
    "run_id": "run1",
    "digest": DIGEST,
    "changeset": CHANGES,
    "diffs": DIFFS,
    "diff_truncated": False,
    "drift": [],
    "undo_until": documents.AT,
}
UNDONE: documents.Json = {"dispatch_id": ID, "status": "completed", "undone_at": documents.AT}


@pytest.fixture
def undoable(door: Script) -> Script:
    door.answer("GET", WHERE, SHOWN)
    door.answer("POST", WHERE, UNDONE)
    return door


def yeses(door: Script) -> list[documents.Json]:
    return [request.body for request in door.requests if request.method == "POST"]


def test_one_key_undoes_what_was_shown(undoable: Script, home: Path) -> None:
    with Terminal(home, "undo", ID) as terminal:
        terminal.expect("2 paths would be as before the run:")
        terminal.expect("+test_login_retry")
        terminal.expect("Undo it [u] · leave it as it is [N]")
        terminal.press("u")
        terminal.expect("✓ undone: 2 paths as before the run")
        assert terminal.end() == 0
    assert yeses(undoable) == [{"digest": DIGEST, "by": "cli"}]


@pytest.mark.parametrize("key", ["\r", "n", "\x04"])
def test_every_other_end_leaves_everything(undoable: Script, home: Path, key: str) -> None:
    with Terminal(home, "undo", ID) as terminal:
        terminal.expect("leave it as it is [N]")
        terminal.press(key)
        terminal.expect("left as it is")
        assert terminal.end() == 0
    assert yeses(undoable) == []


def test_a_script_shows_first_and_then_names_what_it_was_shown(undoable: Script, home: Path) -> None:
    shown = dispatch(home, "undo", ID)
    assert shown.code == 8
    assert f"dispatch undo {ID[:8]} --as-shown {DIGEST[:16]}" in shown.out
    assert dispatch(home, "undo", ID, "--json").json == SHOWN
    assert yeses(undoable) == []
    for other in ("cd" * 32, DIGEST[:15], ""):
        assert dispatch(home, "undo", ID, "--as-shown", other, "--json").json["error"]["code"] == (
            "changeset_changed"
        )
    assert yeses(undoable) == []
    assert dispatch(home, "undo", ID, "--as-shown", DIGEST[:16], "--json").json == UNDONE
    assert yeses(undoable) == [{"digest": DIGEST, "by": "cli"}]


def test_what_is_in_the_way_is_listed_and_nobody_is_asked(undoable: Script, home: Path) -> None:
    undoable.answer("GET", WHERE, SHOWN | {"drift": ["/srv/api/a", "/srv/api/b"], "diffs": []})
    ended = dispatch(home, "undo", ID)
    assert ended.code == 3
    assert "these 2 paths have changed since the run" in ended.err
    assert "/srv/api/b" in ended.err
    assert yeses(undoable) == []
