"""Whether one path's change may be applied at all, decided by its name, its kind and its mode.

The names rule first: below a protected name nothing is even looked at. What only stays behind by default
(bytecode, native code, files that Git ignores) can be taken by naming it; what is protected can not.
"""

import os
import stat
from dataclasses import dataclass

from sandbox.changes.beneath import kind_of
from sandbox.changes.change import Kind, Reason
from sandbox.changes.protected import refusal, staying
from sandbox.changes.survey.layer import Directory

_MAX_DEPTH = 100  # two descriptors are open per level while walking
_MAX_PATH_BYTES = 4000  # PATH_MAX is 4096: what lies deeper cannot be named by ordinary programs


@dataclass(frozen=True, slots=True)
class Judgement:
    """Decides for one grant; `top` is its absolute path, `include` what the human takes nevertheless."""

    top: str
    include: frozenset[str]

    def absolute(self, path: str) -> str:
        """Return the absolute path of a relative one."""
        return f"{self.top}/{path}" if path else self.top

    def refused(self, directory: Directory, name: str, found: os.stat_result) -> Reason | None:
        """Say why a change at this entry is not applied, or None when it may be."""
        kind = kind_of(found.st_mode)
        return (
            refusal(name)
            or self._unreachable(directory, name)
            or (Reason.SPECIAL_FILE if kind is None else None)
            or _denied_by_mode(found.st_mode)
            or self._stays(directory, name, is_directory=kind is Kind.DIRECTORY)
        )

    def _unreachable(self, directory: Directory, name: str) -> Reason | None:
        path = self.absolute(directory.below(name))
        if not decodable(path):
            return Reason.UNDECODABLE
        too_deep = directory.depth >= _MAX_DEPTH or len(os.fsencode(path)) > _MAX_PATH_BYTES
        return Reason.TOO_DEEP if too_deep else None

    def _stays(self, directory: Directory, name: str, *, is_directory: bool) -> Reason | None:
        path = self.absolute(directory.below(name))
        if self._included(path, is_directory=is_directory):
            return None
        reason = staying(name)
        if reason is not None and (not is_directory or reason is Reason.BYTECODE):
            return reason
        return Reason.IGNORED if directory.scope.ignores(name, is_directory=is_directory) else None

    def _included(self, path: str, *, is_directory: bool) -> bool:
        """Say whether the human takes this path, a directory above it, or (to get there) something below it."""
        if any(path == taken or path.startswith(f"{taken}/") for taken in self.include):
            return True
        return is_directory and any(taken.startswith(f"{path}/") for taken in self.include)


def _denied_by_mode(mode: int) -> Reason | None:
    """Say what a mode alone forbids. An ordinary owner cannot read such a path, so root does not either."""
    if stat.S_ISREG(mode):
        if mode & (stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX):
            return Reason.SET_ID
        return None if mode & stat.S_IRUSR else Reason.UNREADABLE
    if stat.S_ISDIR(mode) and mode & 0o500 != 0o500:
        return Reason.UNREADABLE
    return None


def decodable(text: str) -> bool:
    """Say whether a name or link text that came from the system is UTF-8."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def printable(path: str) -> str:
    """Return a path that can be told in JSON: each byte that is not UTF-8 as a backslash, x and two digits."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
