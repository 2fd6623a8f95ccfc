"""Changesets as the recipient of a dispatch holds them, with what is hashed and the digest that its result commits to."""

from typing import Final

from dispatch_protocol.encoding import JSON
from sandbox.changes.change import Change, Changeset, Kind, LeftBehind, Op, Reason, canonical_text, changeset
from tests.support.vectors.fixed import fixed

_A, _B = fixed("content a").hex(), fixed("content b").hex()

CHANGESETS: Final[dict[str, Changeset]] = {
    "nothing": changeset([], [], []),
    "one new file": changeset(
        [Change(Op.CREATE, "/src/a", Kind.FILE, new_mode=0o644, size_bytes=3, sha256=_A, flags=("script",))],
        [],
        [],
    ),
    "a file that becomes another": changeset(
        [
            Change(
                Op.MODIFY,
                "/src/a",
                Kind.FILE,
                old_mode=0o644,
                new_mode=0o755,
                size_bytes=5,
                sha256=_B,
                old_sha256=_A,
                flags=("executable", "program"),
            )
        ],
        [],
        [],
    ),
    "every operation, in another order than it is hashed in": changeset(
        [
            Change(Op.SYMLINK, "/src/z", Kind.SYMLINK, target="../a", sha256=_B, size_bytes=4),
            Change(Op.MKDIR, "/src/y", Kind.DIRECTORY, new_mode=0o755),
            Change(Op.CREATE, "/src/x", Kind.FILE, new_mode=0o600, size_bytes=0, sha256=_A),
            Change(Op.DELETE, "/src/x", Kind.DIRECTORY, old_mode=0o700),
            Change(Op.MODE, "/src/w", Kind.FILE, old_mode=0o644, new_mode=0o640),
            Change(
                Op.RENAME,
                "/src/v",
                Kind.FILE,
                old_mode=0o644,
                new_mode=0o644,
                size_bytes=3,
                sha256=_A,
                target="/src/u",
            ),
        ],
        [LeftBehind("/src/so", Reason.NATIVE_LIBRARY), LeftBehind("/src/.git", Reason.GIT)],
        [],
    ),
    "names beyond ASCII, and one that is no text": changeset(
        [
            Change(Op.MKDIR, "/src/ärger", Kind.DIRECTORY, new_mode=0o755),
            Change(Op.MKDIR, '/src/\n"\x7f', Kind.DIRECTORY, new_mode=0o755),
            Change(Op.MKDIR, "/src/🎈", Kind.DIRECTORY, new_mode=0o755),
            Change(Op.MKDIR, "/src/\ufffd", Kind.DIRECTORY, new_mode=0o755),
        ],
        [LeftBehind("/src/\udcff", Reason.UNDECODABLE)],
        [],
    ),
}


def changeset_vectors() -> dict[str, JSON]:
    """Return changesets with their parts in the order of the page, the text that is hashed, and the digest."""
    cases: list[JSON] = []
    for name, changes in CHANGESETS.items():
        text = canonical_text(changes.entries, changes.left_behind)
        # Sorted otherwise, so that whoever reads them has to sort.
        entries = [entry_of(change) for change in reversed(changes.entries)]
        behind = [[path, str(reason)] for path, reason in reversed(changes.left_behind)]
        cases.append(
            {
                "name": name,
                "entries": entries,
                "left_behind": [[_escaped(path), reason] for path, reason in behind],
                "text": text,
                "digest": changes.digest,
            }
        )
    return {
        "about": "Changesets: `entries` and `left_behind` in any order, `text` what is hashed, `digest` its SHA-256. A name that is no text is "
        "written as `bytes:` and hex.",
        "cases": cases,
    }


def entry_of(change: Change) -> dict[str, JSON]:
    """Return a change as an entry of the page."""
    return {
        "op": change.op.value,
        "path": change.path,
        "kind": change.kind.value,
        "old_mode": change.old_mode,
        "new_mode": change.new_mode,
        "size_bytes": change.size_bytes,
        "sha256": change.sha256,
        "old_sha256": change.old_sha256,
        "target": change.target,
        "flags": list(change.flags),
    }


def _escaped(path: str) -> str:
    raw = path.encode("utf-8", "surrogateescape")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return f"bytes:{raw.hex()}"
