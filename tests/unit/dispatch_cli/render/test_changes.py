"""Changes in a line each, diffs whole."""

from dispatch_cli.render.changes import changeset_lines, diff_lines
from dispatch_cli.render.lines import Tone, View, plain

WIDE = View(None, 0, "/home/bob")
DIFF = "--- a\n+++ b\n@@ -1,2 +1,2 @@\n-old\n+new \u202e\n same\n\\ No newline at end of file\n"


def test_each_change_says_what_happens_and_what_is_odd() -> None:
    changes = [
        {"op": "create", "path": "/home/bob/a", "size_bytes": 1, "flags": []},
        {
            "op": "mode",
            "path": "/b",
            "old_mode": 0o100644,
            "new_mode": 0o100755,
            "flags": ["becomes a program"],
        },
        {"op": "rename", "path": "/c", "target": "/d", "flags": []},
        {"op": "symlink", "path": "/l\x1b", "target": "/etc", "flags": []},
        {"op": "delete", "path": "/e", "size_bytes": 5, "flags": []},
        {"op": "mkdir", "path": "/f", "flags": []},
        {"op": "frob", "path": "/g"},
    ]
    assert [plain(row) for row in changeset_lines(changes, WIDE)] == [
        "  + ~/a   new, 1 byte",
        "  ~ /b   permissions 0644 → 0755",
        "      ! becomes a program",
        "  → /c → /d   renamed",
        "  → /l⟨U+001B⟩ → /etc   link",
        "  - /e   deleted",
        "  + /f   new folder",
        "  ? /g   frob",
    ]


def test_a_long_path_keeps_both_ends() -> None:
    change = {"op": "create", "path": "/srv/" + "deep/" * 30 + "x.py"}
    [row] = changeset_lines([change], View(60, 0, "/"))
    assert len(plain(row)) <= 60
    assert "x.py" in plain(row)


def test_a_diff_is_whole_and_toned() -> None:
    rows = diff_lines([{"path": "/home/bob/a", "text": DIFF, "truncated": True}], WIDE)
    text = [plain(row) for row in rows]
    assert text[0] == "  ~/a"
    assert "  │ +new ⟨U+202E⟩" in text
    assert text[-1] == "  │ the rest of this diff was cut: look at the file itself"
    tones = {plain(row).removeprefix("  │ "): row[-1].tone for row in rows}
    assert (tones["-old"], tones["+new ⟨U+202E⟩"], tones["--- a"]) == (Tone.REMOVED, Tone.ADDED, Tone.QUIET)


def test_a_binary_file_is_said_to_be_one() -> None:
    rows = diff_lines([{"path": "/a", "text": "", "binary": True}], WIDE)
    assert [plain(row) for row in rows] == ["  /a", "  │ binary file, not shown"]
