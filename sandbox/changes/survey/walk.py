"""Walking one frozen layer and saying, path by path, what the run changed and what of it stays behind.

The upper layer is hostile data and the lower one is alive: everything is reached by descriptor and name, links
are never followed, and what disappears under our hands is drift. A directory whose change stays behind is
listed once and not entered. A directory is only removed when everything in it may be removed.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from sandbox.changes.beneath import kind_of, open_file, stamp_of
from sandbox.changes.change import Change, Kind, LeftBehind, Op, Reason
from sandbox.changes.content import Content, attributes_name_filter, read_content
from sandbox.changes.drift import drifted
from sandbox.changes.git.scope import scope_of
from sandbox.changes.protected import fold, name_flags
from sandbox.changes.sources import Source
from sandbox.changes.survey.judgement import Judgement, decodable, printable
from sandbox.changes.survey.layer import Directory, entries, is_whiteout, was_copied_up
from sandbox.changes.survey.tally import Tally
from sandbox.job import Layer

_PERMISSIONS = 0o777


@dataclass(slots=True)
class Findings:
    """What a walk has found so far; all paths are absolute."""

    changes: list[Change] = field(default_factory=list)
    left: list[LeftBehind] = field(default_factory=list)
    drift: list[str] = field(default_factory=list)


def survey(layer: Layer, source: Source, include: frozenset[str], tally: Tally) -> Findings:
    """Walk a layer and return what was found in it.

    Args:
        layer: The frozen layer.
        source: Its two directories, open.
        include: Absolute paths that the human takes although they would stay behind.
        tally: Counts paths and bytes over all layers, and says when to stop reading contents.

    Raises:
        OSError: when the upper layer cannot be read.
    """
    walk = _Walk(Judgement(source.top, include), layer.marker_ctime_ns, tally)
    top = Directory("", 0, scope_of(Path(source.top)), source.upper_fd, source.lower_fd, opaque=False)
    if top.is_repository():
        walk.leave("", Reason.REPOSITORY)
        return walk.found
    # The top of the upper layer was made with the grant's own mode.
    if (os.fstat(source.upper_fd).st_mode ^ os.fstat(source.lower_fd).st_mode) & _PERMISSIONS:
        walk.leave("", Reason.GRANT)
    walk.directory(top)
    return walk.found


class _Walk:
    """The walk of one layer: `directory` for what the run wrote, `_removed` for what it took away."""

    def __init__(self, judge: Judgement, marker_ctime_ns: int, tally: Tally) -> None:
        self.found = Findings()
        self._judge = judge
        self._marker_ctime_ns = marker_ctime_ns
        self._tally = tally

    def leave(self, path: str, reason: Reason) -> None:
        """List a relative path among those that stay behind."""
        self.found.left.append(LeftBehind(printable(self._judge.absolute(path)), reason))

    def directory(self, here: Directory) -> None:
        """Take in everything below a directory that the upper layer has."""
        upper = {} if here.upper_fd is None else entries(here.upper_fd)
        for name, found in upper.items():
            lower = here.lower(name)
            if is_whiteout(found):
                if lower is not None:
                    self._removed(here, name, lower)
            elif reason := self._judge.refused(here, name, found):
                self.leave(here.below(name), reason)
            else:
                self._written(here, name, found, lower)
        if here.opaque and here.lower_fd is not None:
            for name, found in entries(here.lower_fd).items():
                if name not in upper:
                    self._removed(here, name, found)

    def _written(
        self, here: Directory, name: str, found: os.stat_result, lower: os.stat_result | None
    ) -> None:
        """Take in one entry that the run made or changed, and everything below it."""
        kind = kind_of(found.st_mode)
        if kind is Kind.DIRECTORY:
            merged = lower is not None and stat.S_ISDIR(lower.st_mode)
            with self._entered(here, name, upper=True, lower=merged) as below:
                if below is None:
                    return
                if below.is_repository():
                    self.leave(below.path, Reason.REPOSITORY)
                elif self._make_room(here, name, kind, lower):
                    self._mode(below, found, lower)
                    self.directory(below)
        elif self._make_room(here, name, kind, lower):
            old = lower if lower is not None and kind_of(lower.st_mode) is kind else None
            write = self._link if kind is Kind.SYMLINK else self._file
            write(here, name, found, old)

    @contextmanager
    def _entered(self, here: Directory, name: str, *, upper: bool, lower: bool) -> Iterator[Directory | None]:
        """Yield a subdirectory; None, and listed, when its lower side cannot be opened as it was seen."""
        try:
            below = here.enter(name, upper=upper, lower=lower)
        except OSError as error:
            self._unseen(here.below(name), error)
            yield None
            return
        try:
            yield below
        finally:
            below.close()

    def _unseen(self, path: str, error: OSError) -> None:
        """List a path of the lower layer that cannot be read: not ours to read, or just gone."""
        if isinstance(error, PermissionError):
            self.leave(path, Reason.UNREADABLE)
        else:
            self._drift(path)

    def _drift(self, path: str) -> None:
        self.found.drift.append(self._judge.absolute(path))

    def _make_room(self, here: Directory, name: str, kind: Kind | None, lower: os.stat_result | None) -> bool:
        """Take away what stands in the way of a path of another kind; False when some of it must stay."""
        if lower is None or kind_of(lower.st_mode) is kind:
            return True
        changes, left = len(self.found.changes), len(self.found.left)
        if self._removed(here, name, lower):
            return True
        # Then the whole path stays as it is: half a directory under a new file is neither old nor new.
        del self.found.changes[changes:]
        del self.found.left[left:]
        self.leave(here.below(name), Reason.OCCUPIED)
        return False

    def _mode(self, below: Directory, found: os.stat_result, lower: os.stat_result | None) -> None:
        """Take in a new directory, or a new mode of an old one. A directory changed only inside is nothing."""
        old = lower if lower is not None and stat.S_ISDIR(lower.st_mode) else None
        new_mode = found.st_mode & _PERMISSIONS
        if old is None:
            if lower is None and was_copied_up(_present(below.upper_fd)):
                # There was a lower directory to copy. Of a file the mark says less: it moves along with it.
                self._drift(below.path)
            self._add(Op.MKDIR, below.path, Kind.DIRECTORY, found, None)
        elif new_mode != old.st_mode & _PERMISSIONS:
            self._add(Op.MODE, below.path, Kind.DIRECTORY, found, old)
        # New directories inherit set-group-id from the one they stand in; nothing else has such a bit.
        inherited = 0 if old is None else old.st_mode
        if found.st_mode & ~inherited & (stat.S_ISUID | stat.S_ISVTX | (0 if old is None else stat.S_ISGID)):
            self.leave(below.path, Reason.SET_ID)

    def _link(self, here: Directory, name: str, found: os.stat_result, old: os.stat_result | None) -> None:
        """Take in a symbolic link. Where it leads is judged when all changes are known."""
        text = os.readlink(name, dir_fd=here.upper_fd)
        if not decodable(text):
            self.leave(here.below(name), Reason.UNDECODABLE)
            return
        old_text = None if old is None else self._lower_text(here, name)
        if text != old_text:
            old_sha256 = None if old_text is None else sha256(os.fsencode(old_text)).hexdigest()
            path = here.below(name)
            self._add(Op.SYMLINK, path, Kind.SYMLINK, found, old, target=text, old_sha256=old_sha256)

    def _file(self, here: Directory, name: str, found: os.stat_result, old: os.stat_result | None) -> None:
        """Take in a file: created, modified, only its mode changed, or not changed after all."""
        path = here.below(name)
        fd = open_file(_present(here.upper_fd), name)
        try:
            if fold(name) == ".gitattributes" and attributes_name_filter(fd):
                self.leave(path, Reason.GIT_FILTER)
                return
            if old is None or old.st_size != found.st_size:
                self._count(here.path, max(found.st_size, 0 if old is None else old.st_size))
            new = self._content(fd, found)
        finally:
            os.close(fd)
        if old is None:
            self._add(Op.CREATE, path, Kind.FILE, found, None, content=new)
            return
        before = self._lower_content(here, name, old)
        if before is None:
            return
        same = before == new
        if same and found.st_mode & _PERMISSIONS == old.st_mode & _PERMISSIONS:
            return
        if old.st_size == found.st_size:
            self._count(here.path, found.st_size)
        op = Op.MODE if same else Op.MODIFY
        self._add(op, path, Kind.FILE, found, old, content=new, old_sha256=None if same else before.sha256)

    def _removed(self, here: Directory, name: str, lower: os.stat_result) -> bool:
        """Take in that an entry of the lower layer is gone; False when it, or something in it, stays."""
        path = here.below(name)
        kind = kind_of(lower.st_mode)
        reason = self._judge.refused(here, name, lower)
        if reason is not None or kind is None:
            self.leave(path, reason or Reason.SPECIAL_FILE)
            return False
        self._count(here.path, lower.st_size if kind is Kind.FILE else 0)
        content = target = None
        if kind is Kind.DIRECTORY:
            with self._entered(here, name, upper=False, lower=True) as below:
                if below is None or not self._emptied(below):
                    return False
        elif kind is Kind.FILE:
            content = self._lower_content(here, name, lower)
            if content is None:
                return False
        else:
            target = printable(self._lower_text(here, name))
        self._add(Op.DELETE, path, kind, lower, lower, content=content, target=target)
        return True

    def _emptied(self, below: Directory) -> bool:
        """Take in that everything in a directory of the lower layer is gone; False when something stays."""
        if below.is_repository():
            self.leave(below.path, Reason.REPOSITORY)
            return False
        gone = [
            self._removed(below, name, found) for name, found in entries(_present(below.lower_fd)).items()
        ]
        return all(gone)

    def _lower_content(self, here: Directory, name: str, found: os.stat_result) -> Content | None:
        """Read a file of the lower layer; None, and listed, when it cannot be read as it was seen."""
        try:
            fd = open_file(_present(here.lower_fd), name)
        except OSError as error:
            self._unseen(here.below(name), error)
            return None
        try:
            return self._content(fd, found)
        finally:
            os.close(fd)

    def _lower_text(self, here: Directory, name: str) -> str:
        """Read a symbolic link of the lower layer; empty, and listed as drift, when it is none any more."""
        try:
            return os.readlink(name, dir_fd=here.lower_fd)
        except OSError:
            self._drift(here.below(name))
            return ""

    def _content(self, fd: int, found: os.stat_result) -> Content:
        """Read a file, unless there is too much already."""
        return Content(found.st_size, "", is_program=False) if self._tally.full else read_content(fd)

    def _count(self, directory: str, size_bytes: int) -> None:
        self._tally.add(self._judge.absolute(directory), size_bytes)

    def _add(
        self,
        op: Op,
        path: str,
        kind: Kind,
        found: os.stat_result,
        old: os.stat_result | None,
        *,
        content: Content | None = None,
        old_sha256: str | None = None,
        target: str | None = None,
    ) -> None:
        """Add one change, with its flags, and its drift if somebody else was there."""
        absolute = self._judge.absolute(path)
        if old is not None and drifted(old, self._marker_ctime_ns):
            self._drift(path)
        modes = kind is not Kind.SYMLINK
        self.found.changes.append(
            Change(
                op=op,
                path=absolute,
                kind=kind,
                old_mode=old.st_mode & _PERMISSIONS if old is not None and modes else None,
                new_mode=found.st_mode & _PERMISSIONS if op is not Op.DELETE and modes else None,
                size_bytes=None if content is None else content.size_bytes,
                sha256=None if content is None else content.sha256,
                target=target,
                flags=_flags(op, path, kind, found, old, content),
                old_sha256=old_sha256,
                before=None if old is None else stamp_of(old),
            )
        )


def _flags(
    op: Op, path: str, kind: Kind, found: os.stat_result, old: os.stat_result | None, content: Content | None
) -> tuple[str, ...]:
    """Return what a human should notice about a change before anything else."""
    flags = set(name_flags(path))
    if op is not Op.DELETE and kind is not Kind.SYMLINK:
        gained = found.st_mode & ~(0 if old is None else old.st_mode)
        if kind is Kind.FILE and gained & 0o111:
            flags.add("executable")
        if gained & stat.S_IWOTH:
            flags.add("world_writable")
        if content is not None and content.is_program:
            flags.add("program")
    if kind is Kind.FILE and old is not None and old.st_nlink > 1:
        flags.add("hard_link")  # the other names of the old file keep its old content
    if op is not Op.DELETE and old is not None and os.geteuid() not in {0, old.st_uid}:
        flags.add("new_owner")  # what replaces somebody else's file is one's own
    return tuple(sorted(flags))


def _present(fd: int | None) -> int:
    """Return a descriptor that the caller knows to be there."""
    if fd is None:
        raise AssertionError("this side of the directory is not open")
    return fd
