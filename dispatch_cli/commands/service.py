"""`service`: the daemon started at boot and kept running, by the service manager of this user."""

import sys
from dataclasses import asdict

import click

from dispatch_cli.commands.daemon import end_daemon
from dispatch_cli.invocation import Invocation
from dispatch_cli.options import Group
from dispatch_cli.render.lines import Line, View, following, line
from dispatch_cli.render.machine import service_lines
from dispatch_cli.service.launchd import Launchd
from dispatch_cli.service.manager import Manager, State
from dispatch_cli.service.systemd import Systemd


@click.group(cls=Group)
def service() -> None:
    """Keep the daemon running on a machine where nobody is signed in."""


@service.command()
@click.pass_obj
def install(invocation: Invocation) -> None:
    """Start the daemon now and at every boot, and again if it fails.

    A daemon that a command has started is ended first; what it owes is done by the service.
    """
    manager = _manager()
    before = manager.state(invocation.home)
    if not before.running:
        end_daemon(invocation)
    manager.install(invocation.home)
    _show(invocation, manager.state(invocation.home))


@service.command()
@click.pass_obj
def uninstall(invocation: Invocation) -> None:
    """Stop the service and remove it. Nothing that is waiting is lost."""
    manager = _manager()
    there = manager.uninstall(invocation.home)
    said = "Removed. Commands start the daemon when they need it." if there else "There was no service."
    state = manager.state(invocation.home)
    invocation.show(asdict(state), lambda _: [line(said)])


@service.command()
@click.pass_obj
def status(invocation: Invocation) -> None:
    """Show whether the service is there, and whether it runs."""
    _show(invocation, _manager().state(invocation.home))


def _manager() -> Manager:
    return Launchd() if sys.platform == "darwin" else Systemd()


def _show(invocation: Invocation, state: State) -> None:
    def lines(view: View) -> list[Line]:
        rows = service_lines(asdict(state), view)
        return rows if state.installed else [*rows, following("install it with", "dispatch service install")]

    invocation.show(asdict(state), lines)
