"""`devices add`: on a machine that is mine it makes a code, on a new one it takes that code, and both show one number.

On a terminal it stays until the other machine is there and a person has compared. Without one it returns at each step:
the code, then the number; `--confirm NUMBER`, the number that the *other* machine shows, goes on.
"""

import sys
import time
from typing import Any

import click

from dispatch_cli.errors import CliError
from dispatch_cli.invocation import Invocation
from dispatch_cli.options import Command
from dispatch_cli.outcome import PENDING
from dispatch_cli.render.fields import Document, text
from dispatch_cli.render.lines import Line, Span, Tone, View, following, line
from dispatch_cli.render.qr import qr_lines
from dispatch_cli.render.text import visible

_LOOK_S = 0.3
_JOIN_S = 40.0  # the older machine answers by itself
_CONFIRM_S = 90.0  # the other person's fingers
_ASIDE_S = 3.0  # both say yes at about the same time: then nothing is said of waiting
_ROLES = ("approver", "runner")


@click.command("add", cls=Command)
@click.argument("code", metavar="[CODE]", required=False)
@click.option("--roles", metavar="R,R", help="What the new one may do: approver, runner, or both (default).")
@click.option("--qr", is_flag=True, help="Draw the code as a QR code too.")
@click.option("--confirm", "number", metavar="NUMBER", help="The number that the other machine shows.")
@click.pass_obj
def add(invocation: Invocation, code: str | None, roles: str | None, qr: bool, number: str | None) -> None:
    """Add a machine of mine.

    Without CODE this one makes a code, with CODE this one joins. Both machines then show six digits. Only if they are the same, nobody stands between them.
    """
    if sum(given is not None for given in (code, roles, number)) > 1 or (qr and (code or number)):
        raise CliError(
            "usage", "Give a code, or --roles and --qr, or --confirm.", hint="dispatch devices add --help"
        )
    if number is not None:
        _confirm(invocation, number)
    elif code is not None:
        _join(invocation, code)
    else:
        _open(invocation, roles, qr=qr)


def roles_of(roles: str | None) -> dict[str, Any]:
    """Return the roles that were typed, as a field of a request, or none where nothing was said."""
    if roles is None:
        return {}
    words = [word.strip() for word in roles.split(",") if word.strip() not in ("", "-")]
    if not set(words) <= set(_ROLES):
        raise CliError("usage", f"The roles of a device are {' and '.join(_ROLES)}, or - for none.")
    return {"roles": sorted(set(words))}


def _open(invocation: Invocation, roles: str | None, *, qr: bool) -> None:
    """Make a code; on a terminal wait for the new machine and ask."""
    state = invocation.door.post("/v1/devices/pairing", roles_of(roles))
    code = visible(text(state, "code"))
    if not invocation.is_interactive:
        invocation.show(state, lambda view: _code_lines(code, view, qr=qr))
        return
    shown = _code_lines(code, invocation.err_view, qr=qr)
    invocation.err.show([*shown, line(Span("Waiting for it, ten minutes at most …", Tone.QUIET))])
    while text(state, "status") == "open":
        time.sleep(_LOOK_S)
        state = invocation.door.get("/v1/devices/pairing")
    _compare(invocation, state)


def _code_lines(code: str, view: View, *, qr: bool) -> list[Line]:
    return [
        *(qr_lines(code, view) if qr else []),
        line("On the new machine, type:"),
        line("  ", Span(f"dispatch devices add '{code}'", Tone.STRONG)),
    ]


def _join(invocation: Invocation, code: str) -> None:
    """Join with a code; on a terminal ask at once."""
    state = invocation.door.post("/v1/devices/join", {"code": code}, timeout_s=_JOIN_S)
    if invocation.is_interactive:
        _compare(invocation, state)
        return
    number = visible(text(state, "number"))
    invocation.show(
        state,
        lambda _: [
            line("The other machine has to show ", Span(number, Tone.STRONG), " too."),
            following("if it does, on both", f"dispatch devices add --confirm {number}"),
        ],
    )
    sys.exit(PENDING)


def _compare(invocation: Invocation, state: Document) -> None:
    """Show the number and ask a person whether the other machine shows it too; anything but yes ends the pairing."""
    number = visible(text(state, "number"))
    invocation.err.show(
        [
            line(),
            line("  ", Span(f"{number[:3]} {number[3:]}", Tone.STRONG)),
            line(),
            line("The other machine shows a number too. If it is another one, somebody is between them."),
        ]
    )
    invocation.err.raw("Does it show the same? [y/N] ")
    same = sys.stdin.readline().strip().lower() in {"y", "yes"}
    _confirm(invocation, number if same else "-")


def _confirm(invocation: Invocation, number: str) -> None:
    """Say which number the other machine shows, and wait until the pairing is through."""
    body = {"number": number}
    state = invocation.door.post("/v1/devices/pairing/confirm", body, timeout_s=_CONFIRM_S)
    if invocation.is_interactive:
        state = _agreed(invocation, _agreed(invocation, state, _ASIDE_S), _CONFIRM_S, say=True)
    invocation.show(state, lambda _: _ended_lines(state))


def _agreed(invocation: Invocation, state: Document, within_s: float, *, say: bool = False) -> Document:
    """Wait until the other machine has said yes too; `say` what is awaited. Returns where the pairing stands."""
    if say and text(state, "status") == "agreed":
        invocation.err.show([*_agreed_lines(state), line(Span("Waiting for it …", Tone.QUIET))])
    until = time.monotonic() + within_s
    while text(state, "status") == "agreed" and time.monotonic() < until:
        time.sleep(_LOOK_S)
        state = invocation.door.get("/v1/devices/pairing")
    return state


def _ended_lines(state: Document) -> list[Line]:
    """Say whose both machines are, or what is still to be said where."""
    if text(state, "status") == "agreed":
        return _agreed_lines(state)
    return [
        line(f"Both machines belong to {visible(text(state, 'user'))} now."),
        following("see them with", "dispatch devices"),
    ]


def _agreed_lines(state: Document) -> list[Line]:
    """Say that the new machine is in the devices, and has to agree too."""
    device = visible(text(state, "device")[:16])
    return [
        line(
            f"The new machine is in the devices of {visible(text(state, 'user'))} now; it has to say yes too."
        ),
        following("if it says no, end it with", f"dispatch devices revoke {device}"),
    ]
