"""A file that went elsewhere with its content is one rename."""

from hypothesis import given
from hypothesis import strategies as st

from sandbox.changes.change import Change, Kind, Op, Stamp
from sandbox.changes.survey.renames import with_renames

STAMP = Stamp(1, 0o100644, 1, 0, 0)


def deleted(path: str, content: str = "x", flags: tuple[str, ...] = ()) -> Change:
    return Change(Op.DELETE, path, Kind.FILE, 0o644, None, len(content), content, flags=flags, before=STAMP)


def created(path: str, content: str = "x", flags: tuple[str, ...] = ()) -> Change:
    return Change(Op.CREATE, path, Kind.FILE, None, 0o755, len(content), content, flags=flags)


def told(changes: list[Change]) -> set[tuple[str, str, str | None]]:
    return {(str(one.op), one.path, one.target) for one in changes}


def test_equal_content_is_a_rename() -> None:
    (change,) = with_renames([deleted("/g/a", flags=("build",)), created("/g/b", flags=("script",))])
    assert change == Change(
        Op.RENAME, "/g/a", Kind.FILE, 0o644, 0o755, 1, "x", "/g/b", ("build", "script"), before=STAMP
    )


def test_other_content_is_none() -> None:
    changes = [deleted("/g/a", "x"), created("/g/b", "y")]
    assert with_renames(changes) == changes


def test_empty_files_are_none() -> None:
    changes = [deleted("/g/a", ""), created("/g/b", "")]
    assert with_renames(changes) == changes


def test_a_kept_name_tells_which_is_which() -> None:
    changes = [deleted("/g/a"), deleted("/g/b"), created("/g/d/b"), created("/g/d/c")]
    assert told(with_renames(changes)) == {("rename", "/g/b", "/g/d/b"), ("rename", "/g/a", "/g/d/c")}


def test_a_copy_besides_the_move_is_created() -> None:
    changes = [deleted("/g/a"), created("/g/b"), created("/g/c")]
    assert told(with_renames(changes)) == {("rename", "/g/a", "/g/b"), ("create", "/g/c", None)}


def test_a_path_that_changes_its_kind_is_left_alone() -> None:
    directory = Change(Op.MKDIR, "/g/a", Kind.DIRECTORY, None, 0o755)
    changes = [deleted("/g/a"), directory, created("/g/a/a")]
    assert told(with_renames(changes)) == {
        ("delete", "/g/a", None),
        ("mkdir", "/g/a", None),
        ("create", "/g/a/a", None),
    }


@given(st.lists(st.sampled_from("xyz"), max_size=6), st.lists(st.sampled_from("xyz"), max_size=6))
def test_nothing_is_lost_and_nothing_told_twice(gone: list[str], made: list[str]) -> None:
    before = [deleted(f"/g/old{number}", content) for number, content in enumerate(gone)]
    after = [created(f"/g/new{number}", content) for number, content in enumerate(made)]
    result = with_renames([*before, *after])
    leaving = [one.path for one in result if one.op in {Op.DELETE, Op.RENAME}]
    coming = [one.path if one.op is Op.CREATE else one.target for one in result if one.op is not Op.DELETE]
    assert sorted(leaving) == [one.path for one in before]
    assert sorted(path or "" for path in coming) == [one.path for one in after]
    renamed = sum(one.op is Op.RENAME for one in result)
    assert renamed == sum(min(gone.count(content), made.count(content)) for content in "xyz")
