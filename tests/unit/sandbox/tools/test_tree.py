import os
from pathlib import Path

from sandbox.tools import tree


def relative(root: Path, *, obey_ignores: bool = False, below: str = "") -> list[str]:
    found = tree.files(str(root / below), obey_ignores=obey_ignores)
    return [os.path.relpath(path, root) for path in found]


def fill(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_files_come_in_order_and_links_are_not_followed(tmp_path: Path) -> None:
    fill(tmp_path, "b", "a", "sub/c", ".hidden", ".git/config")
    (tmp_path / "link").symlink_to("sub")
    (tmp_path / "file-link").symlink_to("a")
    assert relative(tmp_path) == [".hidden", "a", "b", "sub/c"]


def test_what_is_ignored_is_left_out_and_the_nearest_file_decides(tmp_path: Path) -> None:
    fill(tmp_path, ".git/HEAD", "a.log", "keep.log", "out/x", "sub/a.log", "sub/b.log")
    (tmp_path / ".gitignore").write_text("*.log\n!keep.log\nout/\n")
    (tmp_path / "sub" / ".gitignore").write_text("!a.log\n")
    assert relative(tmp_path, obey_ignores=True) == [".gitignore", "keep.log", "sub/.gitignore", "sub/a.log"]


def test_a_search_below_knows_the_ignores_above_up_to_the_repository(tmp_path: Path) -> None:
    fill(tmp_path, ".git/HEAD", "sub/deep/a.log", "sub/deep/b")
    (tmp_path / ".gitignore").write_text("*.log\n")
    assert relative(tmp_path, obey_ignores=True, below="sub/deep") == ["sub/deep/b"]


def test_what_cannot_be_read_is_not_found(tmp_path: Path) -> None:
    assert list(tree.files(str(tmp_path / "missing"), obey_ignores=True)) == []
