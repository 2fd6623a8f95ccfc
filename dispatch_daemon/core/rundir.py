"""Where a run happens: the recipient's side decides, and never outside the paths of the edge.

All paths here are absolute and already canonical (symbolic links resolved by the caller). What a directory may see
is the protocol's rule (`scopes.reach`); what is chosen here is only the directory.
"""

from dataclasses import dataclass

from dispatch_daemon.core.errors import ServiceError
from dispatch_protocol.errors import LocalError
from dispatch_protocol.paths import mode_at
from dispatch_protocol.scopes import Scopes, reach


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """The directory a run starts in and every (path, mode) it may see; mode is "ro" or "rw"."""

    cwd: str
    paths: tuple[tuple[str, str], ...]


def resolve(scopes: Scopes, *, cwd: str | None, caller_cwd: str | None) -> RunDirectory:
    """Choose the run directory from what the edge grants and what the human said.

    Raises:
        ServiceError: `cwd_needed` if nothing decides, `outside_paths` if `cwd` is outside every grant.
    """
    chosen = cwd if cwd is not None else _chosen(scopes, caller_cwd)
    try:
        seen = reach(scopes, chosen)
    except LocalError as error:
        allowed = ", ".join(grant.path for grant in scopes.paths) or "no directory"
        raise ServiceError(
            "outside_paths", f"{chosen} lies outside what this edge grants: {allowed}"
        ) from error
    return RunDirectory(chosen, tuple((grant.path, str(grant.mode)) for grant in seen))


def _chosen(scopes: Scopes, caller_cwd: str | None) -> str:
    """Return the only granted path, or where the human stands if that is granted; never a guess."""
    if not scopes.paths:
        raise ServiceError("cwd_needed", "this edge grants no path, so the run needs a directory from you")
    if len(scopes.paths) == 1:
        return scopes.paths[0].path
    if caller_cwd is not None and mode_at(scopes.paths, caller_cwd) is not None:
        return caller_cwd
    choices = tuple(grant.path for grant in scopes.paths)
    raise ServiceError("cwd_needed", f"this edge grants {len(choices)} paths; say which", candidates=choices)
