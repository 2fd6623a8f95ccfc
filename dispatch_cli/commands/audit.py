"""`audit`: the logs of edges: how far each device's has come, and whether anybody has rewritten what they said."""

from typing import Final

import click

from dispatch_cli import candidates
from dispatch_cli.errors import CliError
from dispatch_cli.invocation import Invocation
from dispatch_cli.options import Group
from dispatch_cli.render.audit import findings_lines, logs_lines
from dispatch_cli.render.fields import Document, items, text

INVALID_EXIT: Final = 7
_BAD: Final = frozenset({"rewritten", "left_out", "flooded", "unlogged"})
_device = click.option("--device", metavar="D", help="Only this device, by the beginning of its id.")
_peer = click.argument("peer", required=False, shell_complete=candidates.peers())


@click.group(cls=Group, invoke_without_command=True)
@click.pass_context
def audit(context: click.Context) -> None:
    """Look at the logs in which each device enters its last word about every dispatch."""
    if context.invoked_subcommand is None:
        _show(context.obj, None, None)


@audit.command("show")
@_peer
@_device
@click.pass_obj
def show_audit(invocation: Invocation, peer: str | None, device: str | None) -> None:
    """List the logs: whose, how many entries, and each root."""
    _show(invocation, peer, device)


def _show(invocation: Invocation, peer: str | None, device: str | None) -> None:
    found = _logs(invocation, peer, device)
    invocation.show(found, lambda view: logs_lines(found, view))


@audit.command("verify")
@_peer
@_device
@click.pass_obj
def verify_audit(invocation: Invocation, peer: str | None, device: str | None) -> int:
    """Find what was rewritten or left out.

    Each log is held against what has come from that device. Exit 7 if anything in it was rewritten or left out, or if there is
    none for what was said more than a day ago.
    """
    found = _logs(invocation, peer, device)
    invocation.show(found, lambda _: findings_lines(found))
    return INVALID_EXIT if any(text(each, "finding") in _BAD for each in items(found, "logs")) else 0


def _logs(invocation: Invocation, peer: str | None, device: str | None) -> Document:
    """Return the logs that were asked for; nothing that was named and is not there passes for good."""
    logs = items(invocation.door.get("/v1/audit"), "logs")
    if peer is not None:
        named = peer.casefold()
        logs = [
            each for each in logs if named in (text(each, "peer").casefold(), text(each, "alias").casefold())
        ]
    if device is not None:
        logs = [each for each in logs if text(each, "device").startswith(device.lower())]
    if not logs and (peer is not None or device is not None):
        raise CliError("not_found", "No log is known of that.", hint="dispatch audit show")
    return {"logs": logs}
