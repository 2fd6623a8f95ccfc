"""The changeset as unified diffs: what a reviewer reads and what travels in a signed result.

The form is Git's extended one, with absolute paths, so that modes, renames and links are told too. The text is
true to the bytes and may hold characters that deceive the eye; whoever shows it to a person passes it through
`visible` first. Contents are checked against the digests of the changeset while they are read: a diff never
shows anything but what was, or would be, approved.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import chain

from sandbox.changes.change import Change, Changeset, Kind, Op
from sandbox.changes.edits import Edit, Effort, edits
from sandbox.changes.sources import Sources, opened
from sandbox.changes.visible import visible
from sandbox.errors import ChangesetError
from sandbox.job import Layer

_CONTEXT_LINES = 3
_MAX_FILE_BYTES = 2 * 1024 * 1024
_SNIFF_BYTES = 8000  # as Git: a NUL in the first 8000 bytes makes a file binary
_EFFORT_STEPS = 3_000_000  # a second or two for the whole diff
_NOTHING = "/dev/null"


@dataclass(frozen=True, slots=True)
class FileDiff:
    """One path's diff. `truncated` says that lines are missing at the end or that the file was too large."""

    path: str
    text: str
    truncated: bool = False
    binary: bool = False


@dataclass(frozen=True, slots=True)
class _Side:
    """One side of a file: its name for the header and its content; None when it is too large to show."""

    name: str
    content: bytes | None


def unified(changes: Changeset, layers: Sequence[Layer], max_bytes: int) -> tuple[tuple[FileDiff, ...], bool]:
    """Return the diffs of all files and links of a changeset, and whether anything was left out.

    Args:
        changes: The changeset.
        layers: The frozen layers it was collected from.
        max_bytes: How much text there may be in all, as UTF-8. A diff is cut between lines.

    Raises:
        ChangesetError: `changed_meanwhile` when a file no longer is what the changeset says.
    """
    with opened(layers) as sources:
        return unified_from(changes, sources, max_bytes)


def unified_from(changes: Changeset, sources: Sources, max_bytes: int) -> tuple[tuple[FileDiff, ...], bool]:
    """Return the same from sources that are open; see `unified`."""
    found: list[FileDiff] = []
    effort = Effort(_EFFORT_STEPS)
    room = _Room(max_bytes)
    for change in changes.entries:
        if change.kind is Kind.DIRECTORY and change.op is not Op.MODE:
            continue
        if room.full:
            found.append(FileDiff(change.path, "", truncated=True))
        else:
            found.append(_diff(change, sources, effort, room))
    return tuple(found), any(diff.truncated for diff in found)


class _Room:
    """How much text there may still be.

    What does not fit ends the whole text: else small diffs after a cut one would look like all there is.
    """

    def __init__(self, max_bytes: int) -> None:
        self._left = max_bytes
        self.full = False

    def fill(self, path: str, lines: Iterable[str], *, binary: bool = False) -> FileDiff:
        """Return a diff of as many lines as fit."""
        kept: list[str] = []
        for line in lines:
            size_bytes = len(line.encode("utf-8"))
            if size_bytes > self._left:
                self.full = True
                break
            self._left -= size_bytes
            kept.append(line)
        return FileDiff(path, "".join(kept), truncated=self.full, binary=binary)


def _diff(change: Change, sources: Sources, effort: Effort, room: _Room) -> FileDiff:
    """Return the diff of one change."""
    header = "".join(f"{line}\n" for line in _extended_header(change))
    old, new = _sides(change, sources)
    if old.content is None or new.content is None:
        return replace(room.fill(change.path, [header]), truncated=True)
    if old.content == new.content:
        return room.fill(change.path, [header])
    if b"\0" in old.content[:_SNIFF_BYTES] or b"\0" in new.content[:_SNIFF_BYTES]:
        sizes = f"Binary files differ ({len(old.content)} bytes, {len(new.content)} bytes)\n"
        return room.fill(change.path, [header + sizes], binary=True)
    names = f"--- {_shown(old.name)}\n+++ {_shown(new.name)}\n"
    hunks = _hunks(_lines(old.content), _lines(new.content), effort)
    return room.fill(change.path, chain([header + names], hunks))


def _extended_header(change: Change) -> Iterator[str]:
    """Yield Git's extended header lines: what happens beside the content."""
    kinds = {Kind.FILE: 0o100000, Kind.DIRECTORY: 0o040000, Kind.SYMLINK: 0o120000}
    old = kinds[change.kind] | (change.old_mode or 0)
    new = kinds[change.kind] | (change.new_mode or 0)
    if change.op is Op.DELETE:
        yield f"deleted file mode {old:06o}"
    elif change.before is None:
        yield f"new file mode {new:06o}"
    elif old != new:
        yield f"old mode {old:06o}"
        yield f"new mode {new:06o}"
    if change.op is Op.RENAME:
        yield f"rename from {_shown(change.path)}"
        yield f"rename to {_shown(change.target or '')}"


def _shown(path: str) -> str:
    """Return a path for a header line, in which no character may end the line or hide."""
    return visible(path).replace("\n", "⟨U+000A⟩").replace("\t", "⟨U+0009⟩")


def _sides(change: Change, sources: Sources) -> tuple[_Side, _Side]:
    """Return both sides of a change, their contents checked against its digests."""
    nothing = _Side(_NOTHING, b"")
    if change.op in {Op.RENAME, Op.MODE}:
        return nothing, nothing  # the content is the same on both sides: only the header speaks
    try:
        old = _Side(change.path, _old(change, sources)) if change.before is not None else nothing
        new = _Side(change.path, _new(change, sources)) if change.op is not Op.DELETE else nothing
    except OSError as error:
        raise _changed(change.path) from error
    return old, new


def _old(change: Change, sources: Sources) -> bytes | None:
    """Return what a change replaces or deletes; None when it is too large to be shown."""
    expected = change.sha256 if change.op is Op.DELETE else change.old_sha256
    if change.kind is Kind.FILE:
        return _content(sources.open_lower(change.path), change.path, expected)
    text = sources.lower_link(change.path)
    if expected is not None and sha256(text).hexdigest() != expected:
        raise _changed(change.path)
    return text


def _new(change: Change, sources: Sources) -> bytes | None:
    """Return what a change puts in place; None when it is too large to be shown."""
    if change.kind is Kind.SYMLINK:
        return (change.target or "").encode()
    return _content(sources.open_upper(change.path), change.path, change.sha256)


def _content(fd: int, path: str, expected_sha256: str | None) -> bytes | None:
    """Read and close a file that is what the changeset says; None when it is too large to be shown."""
    with open(fd, "rb") as file:
        if os.fstat(fd).st_size > _MAX_FILE_BYTES:
            return None
        content = file.read(_MAX_FILE_BYTES + 1)
    if sha256(content).hexdigest() != expected_sha256:
        raise _changed(path)
    return content


def _changed(path: str) -> ChangesetError:
    return ChangesetError("changed_meanwhile", f"{path} is no longer what the changeset says")


def _lines(content: bytes) -> list[str]:
    """Return the lines of a file, each with its own end: only a line feed ends one.

    Bytes that are not UTF-8 appear as backslash, x and two digits, so that they can be told in JSON.
    """
    text = content.decode("utf-8", "backslashreplace")
    return [line + "\n" for line in text.split("\n")[:-1]] + (
        [last] if (last := text.rsplit("\n", 1)[-1]) else []
    )


def _hunks(old: list[str], new: list[str], effort: Effort) -> Iterator[str]:
    """Yield the lines of all hunks."""
    for group in _groups(edits(old, new, effort)):
        first, last = group[0], group[-1]
        before = min(_CONTEXT_LINES, first.old_start)
        after = min(_CONTEXT_LINES, len(old) - last.old_end)
        old_range = _range(first.old_start - before, last.old_end + after)
        new_range = _range(first.new_start - before, last.new_end + after)
        yield f"@@ -{old_range} +{new_range} @@\n"
        at = first.old_start - before
        for edit in group:
            yield from (_line(" ", line) for line in old[at : edit.old_start])
            yield from (_line("-", line) for line in old[edit.old_start : edit.old_end])
            yield from (_line("+", line) for line in new[edit.new_start : edit.new_end])
            at = edit.old_end
        yield from (_line(" ", line) for line in old[at : last.old_end + after])


def _groups(found: list[Edit]) -> list[list[Edit]]:
    """Gather edits whose context lines would touch."""
    groups: list[list[Edit]] = []
    for edit in found:
        if groups and edit.old_start - groups[-1][-1].old_end <= 2 * _CONTEXT_LINES:
            groups[-1].append(edit)
        else:
            groups.append([edit])
    return groups


def _range(start: int, end: int) -> str:
    """Return a hunk's range as POSIX has it: counted from one, an empty one by the line before it."""
    length = end - start
    if length == 1:
        return str(start + 1)
    return f"{start + 1 if length else start},{length}"


def _line(sign: str, line: str) -> str:
    """Return one line of a hunk; what has no line end says so."""
    return f"{sign}{line}" if line.endswith("\n") else f"{sign}{line}\n\\ No newline at end of file\n"
