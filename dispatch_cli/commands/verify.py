"""`verify`: what a bundle proves, checked offline with nothing but the bundle."""

import os

import click

from dispatch_cli.errors import CliError
from dispatch_cli.invocation import Invocation
from dispatch_cli.options import Command
from dispatch_cli.render.machine import verified_lines

INVALID_EXIT = 7
_BUNDLE_BYTES = 64 * 1024 * 1024


@click.command(cls=Command)
@click.argument("bundle", metavar="BUNDLE")
@click.pass_obj
def verify(invocation: Invocation, bundle: str) -> int:
    """Check every signature and every link of a bundle: who asked for what, and what came back.

    Needs no daemon and no network. Exit 6 if it cannot be read, 7 if anything does not hold.
    """
    from dispatch_protocol.evidence import verify_bundle

    report = verify_bundle(_read(bundle)).to_json()
    invocation.show(report, lambda view: verified_lines(report, view))
    return 0 if report["ok"] else INVALID_EXIT


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
