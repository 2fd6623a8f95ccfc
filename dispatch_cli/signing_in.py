"""The conversation of a sign-in: where to type which code, and waiting until somebody has.

A code is read from the terminal or from a file, and never from the command line, which everybody on the machine can see.
"""

import shlex
import sys
from typing import TYPE_CHECKING

from dispatch_cli.browser import has_display, opened
from dispatch_cli.errors import CliError
from dispatch_cli.reading import read_text
from dispatch_cli.render.fields import Document, text
from dispatch_cli.render.lines import Line, Span, Tone, line
from dispatch_cli.render.text import visible

if TYPE_CHECKING:
    from dispatch_cli.invocation import Invocation

_CODE_BYTES = 1_024
_TIMEOUT_S = 60.0


def sign_in(
    invocation: "Invocation", *, broker: str, email: str | None, browser: bool | None, code_file: str | None
) -> Document:
    """Sign in by a mailed code, or on the broker's page; returns who this is then.

    The page is the way if no address is named, or if `browser` says whether to open one; then `code_file` has no use.
    """
    asked = {"broker": broker, "email": email, "page": browser is not None}
    begun = invocation.door.post("/v1/login/begin", asked, timeout_s=_TIMEOUT_S)
    if text(begun, "way") == "page":
        if code_file is not None:
            raise CliError("usage", "No code was mailed: this sign-in goes by a page.", hint="dispatch login")
        return _by_page(invocation, begun, browser=browser is not False)
    return _by_mail(invocation, begun, broker, code_file)


def _by_mail(invocation: "Invocation", begun: Document, broker: str, code_file: str | None) -> Document:
    address, shown = visible(text(begun, "email")), visible(text(begun, "user_code"))
    come_back = f"dispatch login --broker {shlex.quote(broker)} --email {shlex.quote(address)} --code-file"
    if begun.get("mailed") is True:
        invocation.note(f"If {address} may sign in here, a code is on its way. Its mail names {shown}.")
    else:
        invocation.note(f"The code that was mailed still counts; no other one is. Its mail names {shown}.")
    if code_file is not None:
        try:
            return _finish(invocation, begun, read_text(code_file, "code", limit=_CODE_BYTES).strip())
        except CliError as error:
            if error.code == "code_wrong":
                error.hint = f"{come_back} {shlex.quote(code_file)}"
            raise
    if not invocation.is_interactive:
        raise CliError(
            "code_needed",
            f"A code was mailed to {address}, and nobody is here to type it.",
            hint=f"{come_back} -",
        )
    while True:
        try:
            return _finish(invocation, begun, _typed(invocation))
        except CliError as error:
            if error.code != "code_wrong":
                raise
            invocation.warn(error.message)


def _typed(invocation: "Invocation") -> str:
    """Ask for the code on the terminal until something is typed; the end of the input ends the sign-in."""
    while True:
        invocation.err.raw("Code: ")
        said = sys.stdin.readline()
        if not said:
            raise CliError("interrupted", "No code was typed.")
        if said.strip():
            return said.strip()


def _by_page(invocation: "Invocation", begun: Document, *, browser: bool) -> Document:
    place, code = text(begun, "verification_uri"), visible(text(begun, "user_code"))
    rows: list[Line] = [
        line("Open this page, on any machine:"),
        line("    ", Span(visible(place), Tone.COMMAND)),
        line("and type there this code, which stands on your screen alone:"),
        line("    ", Span(code, Tone.STRONG)),
    ]
    invocation.err.show(rows)
    if browser and invocation.is_interactive and has_display() and place.startswith(("http://", "https://")):
        opened(place)
    invocation.note("Waiting until you have allowed it there. Ctrl-C ends this.")
    while True:
        try:
            return _finish(invocation, begun, None)
        except CliError as error:
            if error.code != "authorization_pending":
                raise


def _finish(invocation: "Invocation", begun: Document, code: str | None) -> Document:
    asked = {"login": text(begun, "login"), "code": code}
    return invocation.door.post("/v1/login/finish", asked, timeout_s=_TIMEOUT_S)
