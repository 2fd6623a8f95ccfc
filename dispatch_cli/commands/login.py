"""`login`, `logout` and `whoami`: who I am, on which device, at which broker."""

import os
from typing import Any

import click

from dispatch_cli import candidates
from dispatch_cli.errors import CliError
from dispatch_cli.invocation import Invocation
from dispatch_cli.options import Command
from dispatch_cli.reading import read_text
from dispatch_cli.recovering import take_back
from dispatch_cli.render.fields import Document, inner, text
from dispatch_cli.render.lines import Line, View, following, line
from dispatch_cli.render.machine import whoami_lines
from dispatch_cli.render.text import visible
from dispatch_cli.settings import find
from dispatch_cli.signing_in import sign_in

_LOGIN_TIMEOUT_S = 60.0


@click.command(cls=Command)
@click.option("--email", metavar="X", help="The address to sign in as; a code is mailed to it.")
@click.option(
    "--browser/--no-browser",
    default=None,
    help="Sign in on the broker's page, and open it or not.  [default: without --email]",
)
@click.option(
    "--code-file",
    metavar="F",
    shell_complete=candidates.files(),
    help="Read the mailed code from a file, or from standard input (-).",
)
@click.option(
    "--dev", is_flag=True, help="At a broker on this machine that runs with --dev: no mail, no proof."
)
@click.option("--recover", is_flag=True, help="First take my identity back, with its recovery key.")
@click.option(
    "--keep", multiple=True, metavar="ID", help="A device that survives the recovery; none does else."
)
@click.option(
    "--recovery-key-file", "paper", metavar="F", help="Read the recovery key from a file, or from -."
)
@click.pass_obj
def login(
    invocation: Invocation,
    email: str | None,
    browser: bool | None,
    code_file: str | None,
    dev: bool,
    recover: bool,
    keep: tuple[str, ...],
    paper: str | None,
) -> None:
    """Sign this device in to a broker.

    The identity is this machine's and stays the same; the broker learns its address and its public keys.
    """
    broker = find("broker", invocation.home, {"broker": invocation.options.broker}).value
    if not broker:
        raise CliError("usage", "No broker is named.", hint="dispatch login --broker URL --email X")
    if recover:
        take_back(invocation, str(broker), keep, paper)
    elif keep or paper:
        raise CliError("usage", "That goes with --recover.", hint="dispatch login --help")
    token = _token(invocation)
    if not (dev or token):
        who = sign_in(invocation, broker=str(broker), email=email, browser=browser, code_file=code_file)
    elif email:
        body: dict[str, Any] = {"broker": broker, "email": email, "dev": dev}
        if token:
            body["token"] = token
        who = invocation.door.post("/v1/login", body, timeout_s=_LOGIN_TIMEOUT_S)
    else:
        raise CliError(
            "usage", "No address is named.", hint=f"dispatch login --broker {broker} --email X --dev"
        )
    invocation.show(who, lambda view: _signed_in(who, view))


def _token(invocation: Invocation) -> str | None:
    """Return the broker's token: from a file, from the flag (with a warning), or from the environment."""
    options = invocation.options
    if options.token_file is not None:
        return read_text(options.token_file, "token", limit=16 * 1024).strip()
    if options.token is not None:
        invocation.warn("the process list shows --token to everybody on this machine; --token-file does not.")
        return options.token
    return os.environ.get("DISPATCH_TOKEN") or None


def _signed_in(who: Document, view: View) -> list[Line]:
    lines = [line(f"Signed in as {visible(text(who, 'user'))} at {visible(text(who, 'broker'))}.")]
    if text(who, "recovery_hint"):
        lines += [line(visible(text(who, "recovery_hint")))]
    lines += whoami_lines(who, view)[1:]
    return [*lines, following("invite somebody with", "dispatch invite EMAIL")]


@click.command(cls=Command)
@click.pass_obj
def logout(invocation: Invocation) -> None:
    """Sign this device out of its broker.

    Nothing comes or goes until you sign in again. Identity, contacts and everything received stay on this machine.
    """
    ended = invocation.door.post("/v1/logout", {}, timeout_s=_LOGIN_TIMEOUT_S)
    invocation.show(ended, lambda _: _signed_out(ended))


def _signed_out(ended: Document) -> list[Line]:
    lines = [line(f"Signed out of {visible(text(ended, 'broker'))}.")]
    if ended.get("told") is not True:
        lines.append(
            line("The broker could not be told: whoever holds a copy of this home could still use it there.")
        )
    return lines


@click.command(cls=Command)
@click.pass_obj
def whoami(invocation: Invocation) -> None:
    """Show who I am, on which device, at which broker, and whether the daemon runs."""
    if invocation.options.no_start:
        who = invocation.door.if_running("/v1/whoami") or _from_home(invocation)
    else:
        who = invocation.door.get("/v1/whoami")
    invocation.show(who, lambda view: whoami_lines(who, view))


def _from_home(invocation: Invocation) -> Document:
    """Return what the home says without its daemon: who its last daemon was, never a key."""
    home = invocation.home
    recorded = home.recorded()
    user, identity = text(recorded, "user"), text(recorded, "identity")
    return {
        "user": user or None,
        "identity": identity or None,
        "device": inner(recorded, "device") or None,
        "broker": text(recorded, "broker") or find("broker", home, {}).value,
        "daemon": {
            "running": False,
            "version": None,
            "can_run": None,
            "socket": home.socket_path(),
            "door": None,
        },
    }
