"""The `dispatch` program: which commands exist, and how each of them ends.

A command's module is imported only when the command is used, so that `dispatch --help` costs no more than
click itself. Whatever happens inside ends here: one sentence, the next command to type and an exit code,
and with `--json` one document, for usage errors too. No failure shows a traceback.
"""

import contextlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import NoReturn

import click

from dispatch_cli.errors import CliError
from dispatch_cli.invocation import Invocation
from dispatch_cli.options import Documented, asks_for_json, global_options
from dispatch_cli.render.failure import error_lines
from dispatch_cli.screen import Screen, screens


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a command lives, its one-line help, and how its failures begin."""

    module: str
    help: str
    failed: str = ""


SECTIONS: dict[str, dict[str, Entry]] = {
    "Ask somebody": {
        "send": Entry("send", "Send a task to a contact, or to me.", "Not sent"),
        "sent": Entry("lists", "List what I have sent."),
        "status": Entry("status", "Show one dispatch: task, run, approvals, changes, receipts."),
        "watch": Entry("watch", "Follow one dispatch, or all, as it happens."),
        "result": Entry("result", "Show what a dispatch brought back."),
        "verify": Entry("verify", "Check the signatures of a bundle, offline.", "Not verified"),
        "thread": Entry("thread", "Show a thread: its dispatches, and what was said about them."),
        "reply": Entry("thread", "Write to the other side of a dispatch.", "Not written"),
        "followup": Entry("send", "Send a task that follows another one, in its thread.", "Not sent"),
        "resend": Entry(
            "send", "Send anew what was refused, declined, cancelled or has expired.", "Not sent"
        ),
        "cancel": Entry("decide", "Ask for a dispatch to be cancelled.", "Not cancelled"),
    },
    "Decide here": {
        "inbox": Entry("lists", "List what was sent to me."),
        "summary": Entry("summary", "Say what waits, what came back, what went wrong, what ends soon."),
        "waiting": Entry("waiting", "Say in one line what waits for me, for a prompt."),
        "accept": Entry("accept", "Accept a dispatch and run it here, asking each call.", "Not accepted"),
        "handover": Entry("handover", "Let another device of mine run a dispatch.", "Not handed over"),
        "complete": Entry("going_on", "Say what came of a dispatch done by hand.", "Not completed"),
        "decline": Entry("decide", "Decline a dispatch.", "Not declined"),
        "approvals": Entry("approvals", "List the questions that wait for an answer."),
        "approve": Entry("approvals", "Allow one question.", "Not approved"),
        "deny": Entry("approvals", "Deny one question.", "Not denied"),
        "review": Entry("going_on", "Be asked no more in one run; review its changes.", "Not switched"),
        "resume": Entry("going_on", "Take up a run that was parked.", "Not taken up"),
        "discard": Entry("going_on", "Throw away a parked run, or undecided changes.", "Not discarded"),
        "undo": Entry("undo", "Take back what a run has changed in my files.", "Not undone"),
        "rules": Entry("rules", "List or remove what is always allowed."),
        "ui": Entry("ui", "Open the page in a browser, by a link that works once.", "Not opened"),
    },
    "Trust somebody": {
        "contacts": Entry("contacts", "List who may dispatch to whom, and under which scopes."),
        "invite": Entry("invite", "Invite somebody, so that I may dispatch to them.", "Not invited"),
        "invitations": Entry("invite", "List the invitations that I sent and received."),
        "accept-invitation": Entry(
            "trust", "Let the inviter dispatch to me, under scopes I choose.", "Not accepted"
        ),
        "decline-invitation": Entry("invite", "Decline an invitation, or take my own back.", "Not declined"),
        "edit-edge": Entry("trust", "Change what a contact's tasks may do here.", "Not changed"),
        "audit": Entry("audit", "Check that nobody rewrites what they said over an edge."),
        "trust": Entry("trust_files", "Carry what chains prove by hand, without any broker.", "Not done"),
        "revoke": Entry("contacts", "End an edge: the peer may no longer dispatch to me.", "Not revoked"),
    },
    "This machine": {
        "login": Entry("login", "Sign in to a broker.", "Not signed in"),
        "logout": Entry("login", "Sign this device out of its broker.", "Not signed out"),
        "whoami": Entry("login", "Show who I am, on which device, at which broker."),
        "devices": Entry("devices", "List my devices; add, name, set or revoke one.", "Not done"),
        "agent": Entry("agent", "List, choose or try who decides the calls of a run here.", "Not chosen"),
        "pause": Entry("pause", "Let nothing new start here; --off takes it back.", "Not changed"),
        "panic": Entry("pause", "Stop everything of mine at once, on all my devices.", "Not changed"),
        "doctor": Entry("doctor", "Check this machine and name a remedy for what is wrong."),
        "prove": Entry("prove", "Attack this installation, and say what stopped it.", "Not proven"),
        "daemon": Entry("daemon", "Run, start, stop or inspect the daemon."),
        "service": Entry("service", "Keep the daemon running, from boot on.", "Not done"),
        "config": Entry("config", "Read and change settings."),
        "completion": Entry("completion", "Print the script that completes this in a shell."),
        "version": Entry("version", "Show the version."),
    },
}
COMMANDS = {name: entry for section in SECTIONS.values() for name, entry in section.items()}


class Program(Documented, click.Group):
    """The group of all commands, each imported when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return every name, in the order of the help."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        del ctx
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module = import_module(f"dispatch_cli.commands.{entry.module}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or name the nearest ones."""
        ctx.obj.command = args[0]
        if args[0] not in COMMANDS:
            raise click.UsageError(_unknown(args[0]), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections without importing any command."""
        del ctx
        for title, entries in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, entry.help) for name, entry in entries.items()], col_spacing=3)


def _unknown(name: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, COMMANDS, n=2)
    meant = f" Did you mean {' or '.join(near)}?" if near else ""
    return f'There is no command "{name}".{meant}'


program = Program(
    name="dispatch",
    help="Send tasks to people you know; run theirs on your machine, as far as you allow.",
    params=[
        *global_options(hidden=False),
        click.Option(["--version"], is_flag=True, hidden=True, help="Show the version."),
    ],
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


@click.pass_context
def _without_command(ctx: click.Context, version: bool) -> None:
    """Answer `dispatch` and `dispatch --version`."""
    if version:
        ctx.invoke(import_module("dispatch_cli.commands.version").version)
        ctx.exit(0)
    if ctx.invoked_subcommand is None:
        if ctx.obj.options.json:
            raise click.UsageError("No command was given.", ctx)
        click.echo(ctx.get_help())


program.callback = _without_command


def main() -> NoReturn:
    """Run the program and exit with its code."""
    order = os.environ.get("_DISPATCH_COMPLETE")
    if order is not None:
        from dispatch_cli.completing import answer  # a shell asks what may follow: costs nothing otherwise

        sys.exit(answer(program, order))
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    out, err = screens()
    invocation = Invocation(out, err)
    try:
        try:
            code = _invoke(invocation, list(arguments))
            out.stream.flush()
        except BaseException as error:  # noqa: BLE001 - every way to fail has a sentence and a code, or is raised again
            code = _report(invocation, error, wants_json=asks_for_json(arguments))
    except BrokenPipeError:
        # Whoever read our output has seen enough (`dispatch inbox | head`): that is no failure of ours.
        code = 0
    _close(out, err)
    return code


def _invoke(invocation: Invocation, arguments: list[str]) -> int:
    try:
        with program.make_context("dispatch", arguments, obj=invocation) as ctx:
            value = program.invoke(ctx)
    except click.exceptions.Exit as ended:
        return int(ended.exit_code)
    return int(value) if isinstance(value, int) else 0


def _report(invocation: Invocation, error: BaseException, *, wants_json: bool) -> int:
    """Say how the command failed and return its exit code."""
    if isinstance(error, BrokenPipeError):
        raise error
    if isinstance(error, KeyboardInterrupt | click.Abort):
        failure = CliError("interrupted", "Interrupted.")
    elif isinstance(error, CliError):
        failure = error
    elif isinstance(error, click.ClickException):
        failure = _usage(error, wants_json=wants_json)
    elif isinstance(error, Exception):
        failure = _unforeseen(error)
    else:
        raise error
    invocation.options.json |= wants_json
    if invocation.options.json:
        # An answer that already stands on standard output stays the only one.
        if not invocation.answered:
            invocation.show_json(failure.document())
    elif failure.code == "interrupted":
        invocation.err.show([()])
    else:
        invocation.err.show(error_lines(failure, _lead(invocation, failure), invocation.err_view))
    return failure.exit_code


def _lead(invocation: Invocation, failure: CliError) -> str:
    entry = COMMANDS.get(invocation.command)
    return entry.failed if entry and failure.code != "usage" else ""


def _usage(error: click.ClickException, *, wants_json: bool) -> CliError:
    ctx = getattr(error, "ctx", None)
    path = ctx.command_path if isinstance(ctx, click.Context) else "dispatch"
    said = _no_option(error) if isinstance(error, click.exceptions.NoSuchOption) else error.format_message()
    if wants_json and isinstance(error, click.exceptions.NoArgsIsHelpError):
        said = "Missing command."  # its message is the whole help, which is for people
    return CliError("usage", said, hint=f"{path} --help")


def _no_option(error: click.exceptions.NoSuchOption) -> str:
    """Name the nearest options; what all of them begin with makes no two of them alike."""
    from difflib import get_close_matches

    names = {option.lstrip("-"): option for option in error.possibilities or ()}
    near = [names[name] for name in get_close_matches(error.option_name.lstrip("-"), names, n=2)]
    return error.message + (f" Did you mean {' or '.join(near)}?" if near else "")


def _unforeseen(error: Exception) -> CliError:
    """Name what nobody foresaw without a traceback; DISPATCH_DEBUG=1 shows it."""
    if os.environ.get("DISPATCH_DEBUG"):
        raise error
    if isinstance(error, OSError):
        return CliError("output_failed", f"The output could not be written: {error.strerror or error}.")
    said = f"{type(error).__name__}: {error}"[:300]
    return CliError(
        "internal", f"The command failed in a way that nobody foresaw ({said}).", hint="dispatch doctor"
    )


def _close(*streams: Screen) -> None:
    """Flush; a stream that can take no more is replaced, or Python would complain at exit."""
    for screen in streams:
        try:
            screen.stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), screen.stream.fileno())
