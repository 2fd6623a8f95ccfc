"""`version`: what is installed."""

import platform

import click

from dispatch_cli.invocation import Invocation
from dispatch_cli.options import Command
from dispatch_cli.render.lines import line

DISTRIBUTION = "dispatch-courier"


def installed() -> str:
    """Return the version of the installed distribution; a bare source tree has none."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "0 (not installed)"


@click.command(cls=Command)
@click.pass_obj
def version(invocation: Invocation) -> None:
    """Show the version of dispatch and of Python."""
    found = {"version": installed(), "python": platform.python_version()}
    invocation.show(found, lambda _: [line(f"dispatch {found['version']} (Python {found['python']})")])
