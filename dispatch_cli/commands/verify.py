"""`verify`: what a bundle proves, checked offline with nothing but the bundle."""

import os
from typing import TYPE_CHECKING

import click

from dispatch_cli import candidates
from dispatch_cli.errors import CliError
from dispatch_cli.invocation import Invocation
from dispatch_cli.options import Command
from dispatch_cli.render.fields import Document
from dispatch_cli.render.machine import verified_lines

if TYPE_CHECKING:
    from dispatch_protocol.evidence import Verification

INVALID_EXIT = 7
_BUNDLE_BYTES = 96 * 1024 * 1024  # a page holds one in base64


@click.command(cls=Command)
@click.argument("bundle", metavar="BUNDLE", shell_complete=candidates.files())
@click.option("--statement", is_flag=True, help="Print what it proves as an in-toto Statement.")
@click.pass_obj
def verify(invocation: Invocation, bundle: str, statement: bool) -> int:
    """Check every signature and every link of a bundle: who asked for what, and what came back.

    BUNDLE may also be a page that result --share made: the bundle in it is judged here, not by the page. Needs no daemon
    and no network. Exit 6 if it cannot be read, 7 if anything does not hold.
    """
    from dispatch_protocol.evidence import verify_bundle

    found, page = _unwrapped(_read(bundle))
    verification = verify_bundle(found)
    if statement and verification.ok:
        invocation.show_json(_stated(found, verification))
        return 0
    report = verification.to_json() | page
    invocation.show(report, lambda view: verified_lines(report, view))
    return 0 if report["ok"] else INVALID_EXIT


def _stated(bundle: bytes, verification: "Verification") -> Document:
    """Return what a bundle proves as an in-toto Statement; there is none before there is a result."""
    from dispatch_protocol.statement import statement

    found = statement(bundle, verification)
    if found is None:
        raise CliError("not_finished", "No result is in this bundle.", hint="dispatch result ID")
    return found


def _unwrapped(data: bytes) -> tuple[bytes, Document]:
    """Return the bundle of a file, and for a shared page whether the page around it is as this version makes it."""
    from dispatch_cli.sharing import page
    from dispatch_protocol.errors import MalformedError

    if not data.startswith(page.START):
        return data, {}
    try:
        bundle = page.shared_bundle(data)
    except MalformedError:
        return b"", {"page": "altered"}  # what is no bundle fails the first check
    return bundle, {"page": "as_made" if page.is_as_made(data, bundle) else "altered"}


def _read(bundle: str) -> bytes:
    path = os.path.expanduser(bundle)
    try:
        with open(path, "rb") as file:
            data = file.read(_BUNDLE_BYTES + 1)
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise CliError("not_found", f"{bundle} cannot be read: {said}.", hint="dispatch result ID") from error
    if len(data) > _BUNDLE_BYTES:
        raise CliError("not_found", f"{bundle} is larger than any bundle.", hint="dispatch result ID")
    return data
