"""The changeset as a value: its order and what its digest covers."""

from dataclasses import replace
from hashlib import sha256

import pytest

from sandbox.changes.change import Change, Kind, LeftBehind, Op, Reason, Stamp, changeset, explain

BASE = Change(
    Op.MODIFY,
    "/g/a",
    Kind.FILE,
    0o644,
    0o755,
    3,
    "ab" * 32,
    None,
    ("executable",),
    "cd" * 32,
    Stamp(1, 2, 3, 4, 5),
)


def digest(*changes: Change, left: tuple[LeftBehind, ...] = (), drift: tuple[str, ...] = ()) -> str:
    return changeset(changes, left, drift).digest


@pytest.mark.parametrize(
    "other",
    [
        replace(BASE, op=Op.CREATE),
        replace(BASE, path="/g/b"),
        replace(BASE, kind=Kind.SYMLINK),
        replace(BASE, old_mode=0o600),
        replace(BASE, new_mode=0o644),
        replace(BASE, size_bytes=4),
        replace(BASE, sha256="00" * 32),
        replace(BASE, target="x"),
        replace(BASE, flags=()),
        replace(BASE, old_sha256=None),
    ],
)
def test_the_digest_covers_every_field_of_a_change(other: Change) -> None:
    assert digest(BASE) != digest(other)


def test_the_digest_covers_what_stays_behind_and_nothing_of_this_machine() -> None:
    assert digest(BASE) != digest(BASE, left=(LeftBehind("/g/x", Reason.IGNORED),))
    assert digest(BASE) == digest(replace(BASE, before=None), drift=("/g/a",))


def test_the_order_of_collecting_does_not_matter() -> None:
    second = replace(BASE, path="/g/b")
    assert changeset([BASE, second], (), ()) == changeset([second, BASE], (), ())


def test_at_one_path_the_delete_comes_first() -> None:
    made, gone = replace(BASE, op=Op.MKDIR), replace(BASE, op=Op.DELETE)
    assert [one.op for one in changeset([made, gone], (), ()).entries] == [Op.DELETE, Op.MKDIR]


def test_the_digest_is_that_of_the_canonical_document() -> None:
    # Signed results name it and others compute it: to change this line is to change a format.
    document = (
        '{"changeset":1,"entries":[{"flags":["executable"],"kind":"file","new_mode":493,"old_mode":420,'
        f'"old_sha256":"{"cd" * 32}","op":"modify","path":"/g/a","sha256":"{"ab" * 32}","size_bytes":3,'
        '"target":null}],"left_behind":[["/g/\\u00fc","git_ignored"]]}'
    )
    assert digest(BASE, left=(LeftBehind("/g/ü", Reason.IGNORED),)) == sha256(document.encode()).hexdigest()


def test_every_reason_has_its_sentence() -> None:
    sentences = [explain(reason) for reason in Reason]
    assert all(sentences)
    assert len(set(sentences)) == len(sentences)
