"""`doctor`: what this machine needs, what it has, and the remedy for each difference.

It works without a daemon, because a daemon that does not start is the first reason to call it.
"""

import os
import stat
import sys

import click

from dispatch_cli.errors import CliError
from dispatch_cli.home import Home
from dispatch_cli.invocation import Invocation
from dispatch_cli.options import Command
from dispatch_cli.render.fields import Document, items
from dispatch_cli.render.machine import doctor_lines

_LEAST_PYTHON = (3, 11)


@click.command(cls=Command)
@click.pass_obj
def doctor(invocation: Invocation) -> int:
    """Check this machine and name a remedy for what is wrong; exit 1 if any check fails."""
    checks = [_python(), _home(invocation.home), _config(invocation.home)]
    try:
        found = invocation.door.if_running("/v1/doctor")
    except CliError as error:
        checks.append(
            _check("daemon", detail=error.message, remedy="dispatch daemon stop && dispatch daemon start")
        )
    else:
        checks.append(
            _check(
                "daemon",
                detail="running" if found else "not running; a command that needs it starts it",
                ok=True,
            )
        )
        known = {check["name"] for check in checks}
        checks += [dict(check) for check in items(found or {}, "checks") if check.get("name") not in known]
        if found is None:
            checks.append(_sandbox(invocation.home))
    report: Document = {"ok": all(check["ok"] is True for check in checks), "checks": checks}
    invocation.show(report, lambda view: doctor_lines(report, view))
    return 0 if report["ok"] else 1


def _check(name: str, *, detail: str, ok: bool = False, remedy: str | None = None) -> Document:
    return {"name": name, "ok": ok, "detail": detail, "remedy": None if ok else remedy}


def _python() -> Document:
    version = ".".join(str(part) for part in sys.version_info[:3])
    good = sys.version_info[:2] >= _LEAST_PYTHON
    return _check("python", detail=f"Python {version}", ok=good, remedy="install Python 3.11 or newer")


def _home(home: Home) -> Document:
    try:
        found = home.path.stat()
    except FileNotFoundError:
        parent = next((path for path in home.path.parents if path.exists()), home.path)
        if os.access(parent, os.W_OK):
            return _check("home", detail=f"{home.path} (made when the daemon first starts)", ok=True)
        return _check(
            "home", detail=f"{parent} cannot be written", remedy="choose another home with DISPATCH_HOME"
        )
    except OSError as error:
        return _check(
            "home", detail=f"{home.path}: {error.strerror}", remedy="choose another home with DISPATCH_HOME"
        )
    mode = stat.S_IMODE(found.st_mode)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        return _check(
            "home",
            detail=f"{home.path} is not a directory of yours",
            remedy="choose another home with DISPATCH_HOME",
        )
    if mode & 0o077:
        return _check(
            "home", detail=f"{home.path} is open to others ({mode:04o})", remedy=f"chmod 700 {home.path}"
        )
    if not os.access(home.path, os.W_OK):
        return _check(
            "home",
            detail=f"{home.path} cannot be written",
            remedy="choose another home with DISPATCH_HOME",
        )
    return _check("home", detail=str(home.path), ok=True)


def _config(home: Home) -> Document:
    try:
        home.config()
    except CliError as error:
        return _check("config", detail=error.message, remedy=f"mend or remove {home.config_path}")
    return _check("config", detail=str(home.config_path), ok=True)


def _sandbox(home: Home) -> Document:
    """Try the wall itself, as the daemon would: without it nothing can run here."""
    import asyncio

    from sandbox.wall.runner import probe

    usable = home.path.is_dir() and os.access(home.path, os.W_OK)
    found = asyncio.run(probe(home.path if usable else None))
    detail = "tasks can run, confined" if found.can_run else found.reason
    return _check("sandbox", detail=detail, ok=found.can_run, remedy=found.remedy)
