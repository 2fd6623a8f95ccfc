"""`send`, `followup`, `resend`: a task on its way, and with `--wait` its end."""

from collections.abc import Callable, Iterator
from typing import Any

import click

from dispatch_cli import candidates
from dispatch_cli.budgets import budget_choice
from dispatch_cli.clock import fresh_key
from dispatch_cli.door import dispatch_path
from dispatch_cli.errors import CliError
from dispatch_cli.files import OpenFile, hand_over, opened
from dispatch_cli.invocation import Invocation
from dispatch_cli.options import Command
from dispatch_cli.reading import STDIN, read_steps, read_text, text_or_file
from dispatch_cli.render.fields import Document, text
from dispatch_cli.render.lines import Line, View
from dispatch_cli.render.sending import outcome_lines, sent_lines
from dispatch_cli.transfer import Transfer
from dispatch_protocol import limits

_FOREVER = "forever"


class _Send(Command):
    """Understands `--wait` with and without seconds: what follows it is its value only if it is a number."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Give a bare `--wait` its value before click looks for one."""
        given = list(args)
        end = args.index("--") if "--" in args else len(args)
        for index in reversed(range(end)):
            following = args[index + 1] if index + 1 < end else ""
            if args[index] == "--wait" and not (following.isascii() and following.isdigit()):
                given.insert(index + 1, _FOREVER)
        return super().parse_args(ctx, given)


class _Seconds(click.ParamType[Any]):
    """Seconds of a bounded wait, or no bound."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | None:
        """Read the seconds."""
        if value == _FOREVER:
            return float("inf")
        if not (str(value).isascii() and str(value).isdigit() and len(str(value)) < 10):
            self.fail(f"{value!r} is no number of seconds.", param, ctx)
        return float(value)


_COMPOSING = (
    click.option(
        "--steps",
        metavar="FILE",
        shell_complete=candidates.files(),
        help="Tool calls to run instead of an agent: a JSON or YAML list.",
    ),
    click.option(
        "--file",
        "files",
        metavar="F",
        multiple=True,
        shell_complete=candidates.files(),
        help="A file to go with it, sealed; may be repeated.",
    ),
    click.option(
        "--background", metavar="T|@F", help="What a stranger needs to know, as text or from a file."
    ),
    click.option("--deliverable", metavar="T", help="What done looks like."),
    click.option("--link", "links", metavar="URL", multiple=True, help="A page to look at; may be repeated."),
    click.option(
        "--project", metavar="HINT", help="A hint at the project; the recipient decides where it runs."
    ),
    click.option(
        "--device", metavar="D", help="Which device of theirs is to run it, by its id; else they have said."
    ),
    click.option("--meta", metavar="K=V", multiple=True, help="A note for programs; may be repeated."),
    click.option(
        "--expires",
        metavar="S",
        type=click.IntRange(limits.EXPIRY_MIN_S, limits.EXPIRY_MAX_S),
        help="Seconds to decide.",
    ),
    click.option(
        "--timeout", metavar="S", type=click.IntRange(1, limits.EXPIRY_MAX_S), help="Seconds a run may take."
    ),
    click.option(
        "--budget",
        metavar="turns=N,tokens=N,usd=X",
        help="What a run may use of the recipient's model at most; their own limit binds too.",
    ),
    click.option(
        "--wait", "wait_s", metavar="[S]", type=_Seconds(), help="Stay until it ended, at most S seconds."
    ),
    click.option("--idempotency-key", metavar="K", help="Send once, however often this command is repeated."),
)


def _composing(function: Callable[..., int]) -> Callable[..., int]:
    """Give a command every option that says what goes with a task."""
    for option in reversed(_COMPOSING):
        function = option(function)
    return function


@click.command(cls=_Send)
@click.argument("recipient", shell_complete=candidates.recipients())
@click.argument("task")
@_composing
@click.pass_obj
def send(
    invocation: Invocation,
    /,
    recipient: str,
    task: str,
    wait_s: float | None,
    idempotency_key: str | None,
    **fields: Any,
) -> int:
    """Send TASK to RECIPIENT: an address, an alias, or me. TASK may be - for standard input.

    With --wait the exit code is the outcome: 0 success, 1 failed or blocked, 3 declined, refused, expired
    or cancelled, 8 still pending.
    """
    if not recipient.strip():
        raise CliError("usage", "Nobody is named: RECIPIENT is an address, an alias, or me.")
    return _send(invocation, {"recipient": recipient}, task, wait_s, idempotency_key, fields)


@click.command(cls=_Send)
@click.argument("dispatch_id", metavar="ID", shell_complete=candidates.dispatches())
@click.argument("task")
@_composing
@click.pass_obj
def followup(
    invocation: Invocation,
    /,
    dispatch_id: str,
    task: str,
    wait_s: float | None,
    idempotency_key: str | None,
    **fields: Any,
) -> int:
    """Send TASK to the other side of dispatch ID, in its thread. TASK may be - for standard input.

    It is a dispatch of its own: it needs its own yes, over the edge from me to them. With --wait it ends as send does.
    """
    return _send(invocation, {"parent": dispatch_id}, task, wait_s, idempotency_key, fields)


@click.command(cls=Command)
@click.argument("dispatch_id", metavar="ID", shell_complete=candidates.dispatches())
@click.option("--idempotency-key", metavar="K", help="Send once, however often this command is repeated.")
@click.pass_obj
def resend(invocation: Invocation, dispatch_id: str, idempotency_key: str | None) -> int:
    """Send anew what dispatch ID asked for, if it was refused, declined, cancelled or has expired.

    It is a new dispatch with the same words, files and steps, open for as long as the old one was. An end that is only
    known here (as far as this machine knows) may still be corrected by the other side: then they have it twice.
    """
    key = _checked_key(idempotency_key) or fresh_key()
    return _answer(
        invocation, invocation.door.post(dispatch_path(dispatch_id, "resend"), {}, idempotency_key=key)
    )


def _send(
    invocation: Invocation,
    to: Document,
    task: str,
    wait_s: float | None,
    idempotency_key: str | None,
    fields: dict[str, Any],
) -> int:
    key = _checked_key(idempotency_key) or fresh_key()
    with opened(
        fields["files"]
    ) as files:  # before anything is read or asked: one that is missing stops it all
        body = to | _body(task, fields)
        if files:
            body["files"] = hand_over_all(invocation, files)
    sent = invocation.door.post("/v1/dispatches", body, idempotency_key=key)
    if body.get("files") and text(sent, "status") == "queued" and not invocation.options.json:
        invocation.note("Its files are on their way to the broker; it follows when they are there.")
    if wait_s is None:
        return _answer(invocation, sent)
    return _wait(invocation, sent, wait_s)


def _body(task: str, fields: dict[str, Any]) -> Document:
    if task == STDIN and fields["steps"] == STDIN:
        raise CliError("usage", "Only one of TASK and --steps can be read from standard input.")
    background = fields["background"]
    body: Document = {
        "by": "cli",
        "task": read_text(STDIN, "task") if task == STDIN else task,
        "steps": None if fields["steps"] is None else read_steps(fields["steps"]),
        "background": None if background is None else text_or_file(background, "background"),
        "link": list(fields["links"]),
        "meta": _meta(fields["meta"]),
    }
    body |= {name: fields[name] for name in ("deliverable", "project", "device", "expires", "timeout")}
    body["budget"] = budget_choice(fields["budget"])
    if not body["task"].strip():
        raise CliError("empty_task", "The task is empty.")
    return {name: value for name, value in body.items() if value not in (None, [], {})}


def hand_over_all(invocation: Invocation, files: list[OpenFile]) -> list[dict[str, str]]:
    """Give the files to the daemon, which seals them; on a terminal it is shown how far they are."""
    with Transfer(invocation, "sealing", len(files), sum(file.size_bytes for file in files)) as transfer:

        def upload(number: int, file: OpenFile) -> str:
            def pieces() -> Iterator[bytes]:
                return transfer.file(number, file.name, file.read())

            return text(invocation.door.upload("/v1/files", pieces, file.size_bytes), "file_id")

        return hand_over(files, upload)


def _meta(pairs: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise click.BadParameter(f"{pair!r} is not KEY=VALUE.", param_hint="--meta")
        if key in found:
            raise click.BadParameter(f"{key!r} is given twice.", param_hint="--meta")
        found[key] = value
    return found


def _checked_key(key: str | None) -> str | None:
    """Check that a key may travel in a header: printable ASCII, and short."""
    if key is not None and not (0 < len(key) <= 255 and key.isascii() and key.isprintable()):
        raise click.BadParameter(
            "A key has 1 to 255 printable ASCII characters.", param_hint="--idempotency-key"
        )
    return key


def _answer(invocation: Invocation, sent: Document) -> int:
    if invocation.options.json:
        invocation.show_json(sent)
        return 0
    dispatch = invocation.door.dispatch(text(sent, "dispatch_id")) | {"status": text(sent, "status")}
    people = invocation.people()
    invocation.show(sent, lambda view: sent_lines(dispatch, people, view))
    return 0


def _wait(invocation: Invocation, sent: Document, wait_s: float) -> int:
    from dispatch_cli.following import wait_for_end
    from dispatch_cli.outcome import exit_code

    if not invocation.options.json:
        people = invocation.people()
        dispatch = invocation.door.dispatch(text(sent, "dispatch_id"))
        view = invocation.err_view
        invocation.err.show(sent_lines(dispatch, people, view)[:1])
    try:
        last = wait_for_end(invocation, text(sent, "dispatch_id"), wait_s)
    except KeyboardInterrupt:  # what was sent stays sent: its name must not be lost with the wait
        hint = f"dispatch watch {text(sent, 'dispatch_id')}"
        raise CliError("interrupted", "Interrupted; the dispatch goes on.", hint=hint) from None
    answer = sent | {
        name: last.get(name) for name in ("status", "outcome", "decision", "result", "changeset")
    }

    def lines(view: View) -> list[Line]:
        return outcome_lines(last, view)

    invocation.show(answer, lines)
    return exit_code(last)
