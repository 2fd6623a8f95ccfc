"""Where an accepted dispatch runs: as the human said, or the one place that nobody could mean otherwise; else they are asked."""

import os
import shlex
from collections.abc import Sequence

from dispatch_daemon.adapters.projects import ProjectIndex, marker_in
from dispatch_daemon.core import rundir
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.records import DispatchRecord
from dispatch_daemon.core.views import task_of
from dispatch_protocol.messages.task import Task
from dispatch_protocol.scopes import Scopes


async def look_around(
    scopes: Scopes, projects: ProjectIndex, *, cwd: str | None, caller_cwd: str | None
) -> None:
    """Look now for the projects in what is granted, or anywhere if nothing is, where they will tell: both may be a minute old."""
    if rundir.needs_projects(scopes, cwd=cwd, caller_cwd=_stands(caller_cwd)):
        await projects.look([grant.path for grant in scopes.paths])


def place_of(
    record: DispatchRecord, scopes: Scopes, projects: ProjectIndex, *, cwd: str | None, caller_cwd: str | None
) -> rundir.RunDirectory:
    """Choose where it runs; projects are looked for only where nothing else tells.

    Raises:
        ServiceError: `path_invalid`, `cwd_missing`, `outside_paths`, or `cwd_needed` with the command that says where.
    """
    chosen = None if cwd is None else _directory(cwd)
    stands = _stands(caller_cwd)
    known: list[str] = []
    if rundir.needs_projects(scopes, cwd=chosen, caller_cwd=stands):
        granted = [grant.path for grant in scopes.paths]
        itself = len(granted) == 1 and marker_in(granted[0]) is not None
        task = task_of(record)
        known = granted if itself else _found(projects, task, granted)
    try:
        return rundir.resolve(scopes, cwd=chosen, caller_cwd=stands, projects=known)
    except ServiceError as error:
        if error.code != "cwd_needed":
            raise
        where = shlex.quote(error.candidates[0]) if error.candidates else "DIR"
        hint = f"dispatch accept {record.dispatch_id[:8]} --cwd {where}"
        raise ServiceError(error.code, error.detail, hint=hint, candidates=error.candidates) from error


def _found(projects: ProjectIndex, task: Task, granted: Sequence[str]) -> list[str]:
    """Return the projects in what is granted, by what the sender calls it, or else by the task's own words."""
    return projects.find(task.project, task=task.task, inside=granted, most=rundir.COUNTED)


def _stands(caller_cwd: str | None) -> str | None:
    """Return where the human stands, if that says anything: where every terminal begins, nobody has chosen to be."""
    real = None if caller_cwd is None else os.path.realpath(caller_cwd)
    return None if real == os.path.realpath(os.path.expanduser("~")) else real


def _directory(cwd: str) -> str:
    wanted = os.path.expanduser(cwd)
    if not os.path.isabs(wanted):  # relative to what? whoever asks knows, and the daemon does not
        raise ServiceError("path_invalid", f"{cwd} is not written in full")
    real = os.path.realpath(wanted)
    if not os.path.isdir(real):
        raise ServiceError("cwd_missing", f"{cwd} is not a directory on this machine")
    return real
