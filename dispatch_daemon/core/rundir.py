"""Where a run happens: the recipient's side decides, and never outside the paths of the edge.

All paths here are absolute and already canonical (symbolic links resolved by the caller). What a directory may see
is the protocol's rule (`scopes.reach`); what is chosen here is only the directory.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dispatch_daemon.core.errors import ServiceError
from dispatch_protocol.errors import LocalError
from dispatch_protocol.paths import mode_at
from dispatch_protocol.scopes import Scopes, reach

COUNTED: Final = 500  # projects; whether there are more is not counted
_LISTED: Final = 20


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """The directory a run starts in and every (path, mode) it may see; mode is "ro" or "rw"."""

    cwd: str
    paths: tuple[tuple[str, str], ...]


def resolve(
    scopes: Scopes, *, cwd: str | None, caller_cwd: str | None, projects: Sequence[str] = ()
) -> RunDirectory:
    """Choose the run directory from what the edge grants, what the human said, and which projects are there.

    `projects`, at most `COUNTED`, are ranked by the sender's words, which order what is asked and decide nothing: the only
    project inside a grant is chosen whatever it is called, and among several a human chooses. The first of them are
    listed, and it is said how many more there are.

    Raises:
        ServiceError: `cwd_needed` if nothing decides, `outside_paths` if `cwd` is outside every grant.
    """
    chosen = cwd if cwd is not None else _chosen(scopes, caller_cwd, projects)
    try:
        seen = reach(scopes, chosen)
    except LocalError as error:
        allowed = ", ".join(grant.path for grant in scopes.paths) or "no directory"
        raise ServiceError(
            "outside_paths", f"{chosen} lies outside what this edge grants: {allowed}"
        ) from error
    return RunDirectory(chosen, tuple((grant.path, str(grant.mode)) for grant in seen))


def needs_projects(scopes: Scopes, *, cwd: str | None, caller_cwd: str | None) -> bool:
    """Say whether nothing but a look at the projects can tell where it runs, or what to ask."""
    if cwd is not None:
        return False
    if len(scopes.paths) == 1:
        return True  # it may be a project, or only hold some
    return caller_cwd is None or not scopes.paths or mode_at(scopes.paths, caller_cwd) is None


def _chosen(scopes: Scopes, caller_cwd: str | None, projects: Sequence[str]) -> str:
    """Return where the human stands if that is granted, or the only project; never a guess.

    Where nothing is granted, where the human stands is asked first. The only granted path is chosen if it is a project
    itself, or holds none.
    """
    if not scopes.paths:
        words = f"nothing says where it runs, so it needs a directory from you{_unlisted(projects)}"
        stands = () if caller_cwd is None else (caller_cwd,)
        choices = tuple(dict.fromkeys([*stands, *projects[:_LISTED]]))
        raise ServiceError("cwd_needed", words, candidates=choices)
    inside = [path for path in projects if mode_at(scopes.paths, path) is not None]
    only = scopes.paths[0].path if len(scopes.paths) == 1 else None
    if only is not None and (not inside or only in inside):
        return only
    if caller_cwd not in (None, only) and mode_at(scopes.paths, str(caller_cwd)) is not None:
        return str(caller_cwd)
    if len(inside) == 1:
        return inside[0]
    choices = tuple(dict.fromkeys([*inside[:_LISTED], *(grant.path for grant in scopes.paths)]))
    granted = only or f"{len(scopes.paths)} paths"
    words = f"this edge grants {granted}, with {_counted(len(inside), COUNTED)} projects; say which{_unlisted(inside)}"
    raise ServiceError("cwd_needed", words, candidates=choices)


def _counted(number: int, most: int) -> str:
    return f"at least {number}" if number >= most else str(number)


def _unlisted(projects: Sequence[str]) -> str:
    """Say how many projects there are beside the listed ones, and how to name one of those; nothing if there are none."""
    more = len(projects) - _LISTED
    return f" (and {_counted(more, COUNTED - _LISTED)} more: name one with --cwd)" if more > 0 else ""
