"""`undo`: take back what a run has changed here, after seeing it, or by the digest under which it was seen.

The daemon undoes exactly what was shown, or nothing. Enter leaves everything as it is.
"""

import select

import click

from dispatch_cli import candidates
from dispatch_cli.door import dispatch_path
from dispatch_cli.errors import CliError
from dispatch_cli.invocation import Invocation
from dispatch_cli.keys import ENTER, LEAVE, Keys
from dispatch_cli.moving import Moving
from dispatch_cli.options import Command
from dispatch_cli.outcome import PENDING
from dispatch_cli.render.fields import Document, text, words
from dispatch_cli.render.lines import Span, Tone, line
from dispatch_cli.render.undoing import PROMPT, SHOWN_CHARS, ask_lines, in_the_way, undone_lines

_PATIENCE_S = 600.0  # as long as the largest changeset may take
_KEYS = {"u": True, "n": False, ENTER: False, LEAVE: False}


@click.command(cls=Command)
@click.argument("dispatch_id", metavar="ID", shell_complete=candidates.dispatches())
@click.option(
    "--as-shown", "digest", metavar="DIGEST", help="Undo without asking what was shown under this digest."
)
@click.pass_obj
def undo(invocation: Invocation, dispatch_id: str, digest: str | None) -> int:
    """Take back what a run has changed in my files: all of it as it was shown, or nothing.

    It shows what would be as it was before, and asks. Where somebody changed a path since, nothing is undone and the
    paths are listed. What the changes replaced is kept for two weeks. The sender is not told.

    Without a terminal it shows, changes nothing and exits with 8; --as-shown with the digest that it printed does it.
    """
    path = dispatch_path(dispatch_id, "undo")
    shown = invocation.door.get(path)
    drift = words(shown, "drift")
    if drift:
        raise CliError("changed_meanwhile", in_the_way(drift), candidates=drift)
    full = text(shown, "digest")
    if digest is None:
        invocation.show(shown, lambda view: ask_lines(shown, view, asks=invocation.is_interactive))
        if not invocation.is_interactive:
            return PENDING
        if not _agreed(invocation):
            invocation.err.show([line(Span("  · left as it is", Tone.QUIET))])
            return 0
    elif len(digest) < SHOWN_CHARS or not full.startswith(digest.lower()):
        raise CliError(
            "changeset_changed",
            "What would be undone is not what was shown under this digest.",
            hint=f"dispatch undo {dispatch_id}",
        )
    body: Document = {"digest": full, "by": "cli"}
    answer = invocation.door.post(path, body, timeout_s=_PATIENCE_S)
    invocation.show(answer, lambda _: undone_lines(shown))
    return 0


def _agreed(invocation: Invocation) -> bool:
    """Wait for the key that decides."""
    with Moving(invocation.err) as moving, Keys() as keys:
        keys.forget()
        if invocation.err.can_move:
            moving.set(PROMPT)
        else:
            invocation.err.show([PROMPT])
        while True:
            select.select([keys], [], [])
            answer = _KEYS.get(keys.read())
            if answer is not None:
                return answer
