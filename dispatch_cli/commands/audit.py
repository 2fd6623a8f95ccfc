"""`audit`: the logs of edges and of one's own devices: how far each has come, and whether anybody has rewritten one."""

from collections.abc import Collection
from typing import Final

import click

from dispatch_cli import candidates
from dispatch_cli.errors import CliError
from dispatch_cli.invocation import Invocation
from dispatch_cli.options import Group
from dispatch_cli.render.audit import findings_lines, logs_lines
from dispatch_cli.render.fields import Document, items, text, truth

INVALID_EXIT: Final = 7
_FINGERPRINT_CHARS: Final = 8
_BAD: Final = frozenset({"rewritten", "left_out", "flooded", "unlogged"})
_device = click.option(
    "--device", metavar="D", help="Only this device, by its name or the beginning of its id."
)
_peer = click.argument("peer", required=False, shell_complete=candidates.peers())


@click.group(cls=Group, invoke_without_command=True)
@click.pass_context
def audit(context: click.Context) -> None:
    """Look at the logs of what each device said last about every dispatch, and of what was decided on your own."""
    if context.invoked_subcommand is None:
        _show(context.obj, None, None)


@audit.command("show")
@_peer
@_device
@click.pass_obj
def show_audit(invocation: Invocation, peer: str | None, device: str | None) -> None:
    """List the logs: whose, how many entries, and each root.

    Without a peer also what was decided here. Your other devices hold the digests of what is decided on this one: write a root down, or compare it with what they show.
    """
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

    Each log is held against what has come from that device; the one of what was decided on another device of yours against what
    that one has told before. Exit 7 if anything in it was rewritten or left out, or if there is none for what was said more
    than a day ago.
    """
    found = _logs(invocation, peer, device)
    invocation.show(found, lambda _: findings_lines(found))
    every = [*items(found, "logs"), *items(found, "own")]
    return INVALID_EXIT if any(text(each, "finding") in _BAD for each in every) else 0


def _logs(invocation: Invocation, peer: str | None, device: str | None) -> Document:
    """Return the logs that were asked for; nothing that was named and is not there passes for good."""
    known = invocation.door.get("/v1/audit")
    logs, own, acts = (items(known, name) for name in ("logs", "own", "acts"))
    if peer is not None:
        logs, own, acts = _with(logs, peer) or _none_yet(invocation, peer), [], []
    if device is not None:
        named = {text(each, "device") for each in items(known, "own") if _called(each, device)}
        logs, own = ([each for each in some if _is_of(each, device, named)] for some in (logs, own))
        acts = acts if any(truth(each, "this") for each in own) else []
    if not logs and not own and (peer is not None or device is not None):
        raise CliError("not_found", "No log is known of that.", hint="dispatch audit show")
    return {"logs": logs, "own": own, "acts": acts}


def _none_yet(invocation: Invocation, peer: str) -> list[Document]:
    """Say of a contact with whom no log was begun that it is not missing; there is none of anybody else either."""
    known = _with(items(invocation.door.get("/v1/contacts"), "edges"), peer)
    if known:
        why = f"Nothing was answered over an edge with {text(known[0], 'peer')} yet, so there is no log."
        raise CliError("not_found", why, hint="dispatch contacts")
    return []


def _with(logs: list[Document], peer: str) -> list[Document]:
    """Return the logs of edges with somebody, by a name of theirs or its beginning, or by that of their fingerprint."""
    wanted = peer.casefold()
    names = [(each, [text(each, "peer").casefold(), text(each, "alias").casefold()]) for each in logs]
    if exact := [each for each, called in names if wanted in called]:
        return exact
    return [
        each
        for each, called in names
        if any(name.startswith(wanted) for name in called)
        or (len(wanted) >= _FINGERPRINT_CHARS and text(each, "identity").startswith(wanted))
    ]


def _called(own: Document, device: str) -> bool:
    return text(own, "name").casefold() == device.casefold()


def _is_of(log: Document, device: str, named: Collection[str]) -> bool:
    return text(log, "device") in named or text(log, "device").startswith(device.lower())
