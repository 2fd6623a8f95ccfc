"""What would leave is looked at where it lies: text as text, with nothing in it that acts on a terminal; the rest by its place."""

from pathlib import Path

from dispatch_cli.looking import looked_lines
from dispatch_cli.render.lines import View, plain
from dispatch_cli.render.question import choices
from tests.support import door_documents as documents

WIDE = View(None, 1_767_323_045_678, "/home/bob")


def looked(tmp_path: Path, files: dict[str, bytes], **payload: object) -> str:
    """Return what is shown of files that a closing question is about."""
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    entries = [{"name": name, "path": str(tmp_path / name), "size_bytes": len(files[name])} for name in files]
    asked = documents.closing(input=[], payload={"artifacts": entries, **payload})
    return "\n".join(plain(row) for row in looked_lines(asked, WIDE))


def test_text_is_shown_as_text_and_acts_on_nothing(tmp_path: Path) -> None:
    shown = looked(tmp_path, {"report.txt": b"one\n\x1b[2Jtwo\xff\n"})
    assert "report.txt" in shown
    assert "one" in shown
    assert "two" in shown
    assert "\x1b" not in shown


def test_what_is_no_text_or_long_or_gone_is_said_to_be(tmp_path: Path) -> None:
    shown = looked(tmp_path, {"a.png": b"\x89PNG\0", "long.txt": b"x" * 300_000, "empty": b""})
    assert f"open {tmp_path}/a.png" in shown
    assert f"open {tmp_path}/long.txt" in shown
    assert "It is empty." in shown
    gone = documents.closing(
        input=[], payload={"artifacts": [{"name": "gone", "path": str(tmp_path / "gone")}]}
    )
    assert "cannot be read" in "".join(plain(row) for row in looked_lines(gone, WIDE))


def test_what_has_files_and_no_changes_offers_a_look() -> None:
    bare = documents.closing(input=[], payload={})
    filed = documents.closing(input=[], payload={"artifacts": [{"name": "a", "path": "/runs/a"}]})
    elsewhere = documents.closing(input=[], payload={"artifacts": [{"name": "a"}]}, on="desk")
    assert [choice.key for choice in choices(elsewhere)] == ["y", "n"], "they lie on another machine"
    assert [choice.key for choice in choices(bare)] == ["y", "n"]
    assert [choice.key for choice in choices(filed)] == ["y", "l", "n"]
