"""`devices`: which machines are mine, what they may do, their end, and the recovery key, shown once to a person."""

import click

from dispatch_cli import candidates
from dispatch_cli.commands.pairing import add, roles_of
from dispatch_cli.errors import CliError
from dispatch_cli.invocation import Invocation
from dispatch_cli.options import Group
from dispatch_cli.render.devices import devices_lines
from dispatch_cli.render.fields import Document, text, truth, words
from dispatch_cli.render.lines import Line, Span, Tone, following, line
from dispatch_cli.render.text import visible
from dispatch_cli.screen import is_terminal


@click.group(cls=Group, invoke_without_command=True)
@click.pass_context
def devices(context: click.Context) -> None:
    """List my devices; add, rename, set or revoke one; show the recovery key, once."""
    if context.invoked_subcommand is None:
        invocation: Invocation = context.obj
        found = invocation.door.get("/v1/devices")
        invocation.show(found, lambda view: devices_lines(found, view))


devices.add_command(add)


@devices.command("rename")
@click.argument("device", metavar="ID", shell_complete=candidates.devices())
@click.argument("name", metavar="NAME")
@click.pass_obj
def rename(invocation: Invocation, device: str, name: str) -> None:
    """Give one of my devices a name. ID is the one it has, or the beginning of its id."""
    answer = invocation.door.post("/v1/devices/rename", {"device": device, "name": name})
    invocation.show(answer, lambda _: [line(f"It is called {visible(text(answer, 'name'))} now.")])


@devices.command("set")
@click.argument("device", metavar="ID", shell_complete=candidates.devices())
@click.option("--roles", metavar="R,R", help="What it may do: approver, runner, both or none (-).")
@click.option("--owner", is_flag=True, help="Let it run what is sent to me and names no other device.")
@click.pass_obj
def set_(invocation: Invocation, device: str, roles: str | None, owner: bool) -> None:
    """Say what one of my devices may do.

    An approver changes my devices; a runner runs what is sent to me; the owner runs what names no other device. Without
    --owner it stays who it is, as long as it runs.
    """
    if roles is None and not owner:
        raise CliError("usage", "Say --roles, --owner or both.", hint="dispatch devices set --help")
    body = {"device": device, "owner": owner, **roles_of(roles)}
    answer = invocation.door.post("/v1/devices/set", body)
    invocation.show(answer, lambda _: [line(_may(answer))])


@devices.command("revoke")
@click.argument("device", metavar="ID", shell_complete=candidates.devices())
@click.pass_obj
def revoke(invocation: Invocation, device: str) -> None:
    """End one of my devices.

    It kills what runs there and erases its keys when it hears. Contacts seal nothing to it any more as soon as they learn of it. It never returns; a machine joins anew with `add`.
    """
    answer = invocation.door.post("/v1/devices/revoke", {"device": device})
    invocation.show(answer, lambda _: _ended_lines(answer))


def _ended_lines(answer: Document) -> list[Line]:
    """Say that a device is over, and what it has said that is in force still."""
    lines = [line(f"{visible(text(answer, 'name'))} is a device of yours no more.")]
    granted = ", ".join(visible(peer) for peer in words(answer, "granted"))
    if granted:
        lines += [
            line(
                f"What these may do here was granted on it, and stays so: {granted}. If it was stolen, look at it:"
            ),
            following("see it with", "dispatch contacts"),
        ]
    if truth(answer, "made_identity"):
        lines += [
            line(
                "It made this identity and kept the recovery key. If nobody has written that down, there is none any more."
            ),
            following("then keep a second machine", "dispatch devices add"),
        ]
    return lines


@devices.command("recovery-key")
@click.pass_obj
def recovery_key(invocation: Invocation) -> None:
    """Show the recovery key, then erase it from this machine. Only on a terminal.

    It is the only other signer of this identity: write it down and keep it away from this machine.
    """
    import sys

    if invocation.options.json or not (invocation.out.is_terminal and is_terminal(sys.stdin)):
        raise CliError(
            "usage",
            "The recovery key is shown on a terminal only, to a person, once.",
            hint="dispatch devices recovery-key",
        )
    invocation.err.show(
        [
            line("The recovery key is shown once and then erased from this machine."),
            line("It is the only other signer of this identity. Have pen and paper ready."),
        ]
    )
    invocation.err.raw("Show it now? [y/N] ")
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        invocation.err.show([line("Not shown; it is still there.")])
        return
    answer = invocation.door.post("/v1/devices/recovery-key", {})
    key = visible(text(answer, "recovery_key"))
    groups = key if " " in key or "-" in key else " ".join(key[at : at + 4] for at in range(0, len(key), 4))
    invocation.out.show(
        [
            line(),
            line("  ", Span(groups, Tone.STRONG)),
            line(),
            line("It is erased here. Write it down now; nothing can show it again."),
        ]
    )


def _may(answer: Document) -> str:
    """Say what a device may do now."""
    name, roles = visible(text(answer, "name")), words(answer, "roles")
    does = " and ".join({"approver": "changes my devices", "runner": "runs tasks"}[role] for role in roles)
    first = ", what names no other device first" if truth(answer, "owner") else ""
    owner = visible(text(answer, "owner_name"))
    stays = f" The owner is {owner}." if owner and not first else ""
    return f"{name} {does or 'only sends and reads'} now{first}.{stays}"
