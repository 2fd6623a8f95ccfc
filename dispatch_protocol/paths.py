"""Path grants: which directories a run may see, and how two such sets meet.

A set of grants says for every path what is allowed there: the mode of the deepest grant that contains it, or nothing.
So `/src:rw` with `/src/vendor:ro` protects the vendor directory, and the meet of two sets is the lower mode at every
path. Paths are names here, compared letter by letter; whether a name is still the directory that was granted is the
sandbox's to check.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from dispatch_protocol.encoding import JSON, Fields
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.limits import PATH_CHARS


class PathMode(StrEnum):
    """What a run may do below a path."""

    RO = "ro"
    RW = "rw"


@dataclass(frozen=True, slots=True, order=True)
class PathGrant:
    """One directory or file by its absolute, normal name: `/` or `/a/b`, without `.`, `..`, `//` or a slash at the end."""

    path: str
    mode: PathMode

    def __post_init__(self) -> None:
        if not is_normal(self.path):
            raise MalformedError(f"{self.path[:200]!r} is not an absolute path in normal form")

    def write(self) -> dict[str, JSON]:
        """Return the grant as JSON."""
        return {"path": self.path, "mode": self.mode.value}

    @classmethod
    def read(cls, fields: Fields) -> "PathGrant":
        """Read a grant strictly; raises MalformedError."""
        grant = cls(fields.text("path", max_chars=PATH_CHARS), fields.choice("mode", PathMode))
        fields.done()
        return grant


def is_normal(path: str) -> bool:
    """Return whether a path is absolute and in the one spelling that grants use."""
    if path == "/":
        return True
    return (
        path.startswith("/")
        and "\0" not in path
        and not any(part in {"", ".", ".."} for part in path[1:].split("/"))
    )


def contains(outer: str, inner: str) -> bool:
    """Return whether `inner` is `outer` or lies below it."""
    return outer in {"/", inner} or inner.startswith(outer + "/")


def mode_at(grants: Iterable[PathGrant], path: str) -> PathMode | None:
    """Return what the grants allow at a path: the mode of the deepest one that contains it, or None."""
    deepest = max(
        (grant for grant in grants if contains(grant.path, path)),
        key=lambda grant: len(grant.path),
        default=None,
    )
    return None if deepest is None else deepest.mode


def canonical(grants: Iterable[PathGrant]) -> tuple[PathGrant, ...]:
    """Return the one shortest, sorted set that allows the same; of two modes for one path the lower stands."""
    modes: dict[str, PathMode] = {}
    for grant in grants:
        lower = PathMode.RO if modes.get(grant.path) is PathMode.RO else grant.mode
        modes[grant.path] = lower
    kept: list[PathGrant] = []
    # Sorted by name a directory comes before everything below it, so what encloses a path is already in `kept`.
    for path in sorted(modes):
        if mode_at(kept, path) is not modes[path]:
            kept.append(PathGrant(path, modes[path]))
    return tuple(kept)


def meet_paths(left: Iterable[PathGrant], right: Iterable[PathGrant]) -> tuple[PathGrant, ...]:
    """Return, in canonical form, what both sets allow: at every path the lower of the two modes."""
    left, right = tuple(left), tuple(right)
    both: list[PathGrant] = []
    for path in {grant.path for grant in (*left, *right)}:
        modes = {mode_at(left, path), mode_at(right, path)}
        if None not in modes:
            both.append(PathGrant(path, PathMode.RO if PathMode.RO in modes else PathMode.RW))
    return canonical(both)
