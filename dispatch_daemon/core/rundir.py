"""Where a run happens: the recipient's side decides, and never outside the paths of the edge.

All paths here are absolute and already canonical (symbolic links resolved by the caller).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from dispatch_daemon.core.errors import ServiceError

_WRITING_TOOLS = frozenset({"Write", "Edit", "Bash"})


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """The directory a run starts in and every (path, mode) it may see; mode is "ro" or "rw"."""

    cwd: str
    paths: tuple[tuple[str, str], ...]


def resolve(
    granted: Sequence[tuple[str, str]], tools: Sequence[str], *, cwd: str | None, caller_cwd: str | None
) -> RunDirectory:
    """Choose the run directory from what the edge grants and what the human said.

    Raises:
        ServiceError: `cwd_needed` if nothing decides, `outside_paths` if `cwd` is outside every grant.
    """
    if not granted:
        if cwd is None:
            raise ServiceError(
                "cwd_needed", "this edge grants no path, so the run needs a directory from you"
            )
        mode = "rw" if _WRITING_TOOLS.intersection(tools) else "ro"
        return RunDirectory(cwd, ((cwd, mode),))
    paths = tuple(granted)
    if cwd is not None:
        if not any(_within(cwd, path) for path, _ in paths):
            allowed = ", ".join(path for path, _ in paths)
            raise ServiceError("outside_paths", f"{cwd} lies outside what this edge grants: {allowed}")
        return RunDirectory(cwd, paths)
    if len(paths) == 1:
        return RunDirectory(paths[0][0], paths)
    if caller_cwd is not None and any(_within(caller_cwd, path) for path, _ in paths):
        return RunDirectory(caller_cwd, paths)
    choices = tuple(path for path, _ in paths)
    raise ServiceError("cwd_needed", f"this edge grants {len(paths)} paths; say which", candidates=choices)


def _within(inner: str, outer: str) -> bool:
    return PurePosixPath(inner).is_relative_to(outer)
