"""The changeset as a value: what a run would change, path by path, under one digest.

An approval names the digest, so everything that decides what will stand on the disk is under it: operation,
path, kind, permission bits, content digests, link targets, and the list of what stays behind. `before` is
left out on purpose. It is this machine's memory of what stood there (inode, times), a precondition of the
apply and not part of what was asked.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple


class Op(StrEnum):
    """What happens to one path."""

    CREATE = "create"
    MODIFY = "modify"
    DELETE = "delete"
    RENAME = "rename"
    MODE = "mode"
    SYMLINK = "symlink"
    MKDIR = "mkdir"


class Kind(StrEnum):
    """What stands at a path; nothing else is ever applied."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"


class Reason(StrEnum):
    """Why a change stays behind; `explain` has the sentence for people."""

    GIT = "inside_git"
    REPOSITORY = "bare_repository"
    PROTECTED = "protected_name"
    GIT_FILTER = "git_filter"
    BYTECODE = "bytecode"
    PATH_FILE = "python_path_file"
    NATIVE_LIBRARY = "native_library"
    IGNORED = "git_ignored"
    SPECIAL_FILE = "special_file"
    SET_ID = "set_id_bit"
    OUTSIDE_LINK = "link_leads_out"
    UNREADABLE = "unreadable"
    UNDECODABLE = "undecodable_name"
    TOO_DEEP = "too_deep"
    OCCUPIED = "holds_what_stays"
    GRANT = "granted_directory"


_SENTENCES = {
    Reason.GIT: "nothing inside a .git is ever copied; commits leave as a bundle",
    Reason.REPOSITORY: "the directory would be a Git repository, whose configuration can run programs",
    Reason.PROTECTED: "files of this name configure or start programs on this machine",
    Reason.GIT_FILTER: "attributes that name a Git filter can run programs",
    Reason.BYTECODE: "compiled Python can differ from the source that was reviewed",
    Reason.PATH_FILE: "Python runs lines of this file at every start",
    Reason.NATIVE_LIBRARY: "native code cannot be reviewed",
    Reason.IGNORED: "Git ignores it and does not track it",
    Reason.SPECIAL_FILE: "it is neither a file, a directory nor a symbolic link",
    Reason.SET_ID: "set-user-id, set-group-id and sticky bits are never applied",
    Reason.OUTSIDE_LINK: "the link leads out of the granted directory",
    Reason.UNREADABLE: "its mode denies it to its owner",
    Reason.UNDECODABLE: "its name is not UTF-8 text",
    Reason.TOO_DEEP: "it lies deeper than a path may reach",
    Reason.OCCUPIED: "it would replace a directory in which something stays",
    Reason.GRANT: "the mode of the granted directory itself is its owner's to change",
}


def explain(reason: Reason) -> str:
    """Say in one clause why a change stays behind."""
    return _SENTENCES[reason]


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the kernel said of a path when it was read: enough to notice every later change.

    `mode` is the whole `st_mode`, kind included; times are nanoseconds since 1970.
    """

    ino: int
    mode: int
    size_bytes: int
    mtime_ns: int
    ctime_ns: int


@dataclass(frozen=True, slots=True)
class Change:
    """One path of a changeset.

    `path` is absolute. `kind` is what stands there afterwards, for a delete what stood there. Modes are
    permission bits. `size_bytes` and `sha256` (hex) are of the new content, for a delete of the old one;
    `old_sha256` is of what a modify replaces, for a symbolic link of its text. `target` is a symbolic link's target or the new
    path of a rename. `before` is what stood at `path` when the changeset was collected.
    """

    op: Op
    path: str
    kind: Kind
    old_mode: int | None = None
    new_mode: int | None = None
    size_bytes: int | None = None
    sha256: str | None = None
    target: str | None = None
    flags: tuple[str, ...] = ()
    old_sha256: str | None = None
    before: Stamp | None = None


class LeftBehind(NamedTuple):
    """A path whose change is not applied.

    A directory stands for everything below it, unless the reason is `SET_ID` or `GRANT`, which speak of its
    mode alone.
    """

    path: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Changeset:
    """Everything a run would change, sorted by path, and what of it stays behind.

    `drift` names the changed paths that somebody else changed during the run: while it is not empty, nothing
    may be applied. It is outside the digest because it tells the state of the disk, not the proposal.
    """

    entries: tuple[Change, ...]
    left_behind: tuple[LeftBehind, ...]
    drift: tuple[str, ...]
    digest: str


def changeset(
    entries: Iterable[Change], left_behind: Iterable[LeftBehind], drift: Iterable[str]
) -> Changeset:
    """Return the changeset of these parts, each sorted, with its digest."""
    # At one path the delete comes first: what stood there makes room for what will.
    ordered = tuple(sorted(entries, key=lambda change: (change.path, change.op is not Op.DELETE)))
    behind = tuple(sorted(set(left_behind)))
    return Changeset(ordered, behind, tuple(sorted(set(drift))), _digest(ordered, behind))


def _digest(entries: Iterable[Change], left_behind: Iterable[LeftBehind]) -> str:
    """Return the hex SHA-256 of the canonical form."""
    return sha256(canonical_text(entries, left_behind).encode("ascii")).hexdigest()


def canonical_text(entries: Iterable[Change], left_behind: Iterable[LeftBehind]) -> str:
    """Return what the digest of a changeset covers: one JSON document, keys sorted, ASCII only.

    Source: docs/protocol/FIELDS.md, "The changeset's digest".
    """
    document = {
        "changeset": 1,
        "entries": [_canonical(change) for change in entries],
        "left_behind": [[path, reason] for path, reason in left_behind],
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _canonical(change: Change) -> dict[str, object]:
    """Return the fields of a change that its digest covers."""
    return {
        "op": change.op,
        "path": change.path,
        "kind": change.kind,
        "old_mode": change.old_mode,
        "new_mode": change.new_mode,
        "size_bytes": change.size_bytes,
        "sha256": change.sha256,
        "old_sha256": change.old_sha256,
        "target": change.target,
        "flags": list(change.flags),
    }
