"""`trust`: what chains prove, out to a file and in from one: for when a broker hides it, or there is none between you."""

import os
from pathlib import Path
from typing import Final

import click

from dispatch_cli import candidates
from dispatch_cli.errors import CliError
from dispatch_cli.invocation import Invocation
from dispatch_cli.options import Group
from dispatch_cli.render.fields import Document, items
from dispatch_cli.render.lines import line
from dispatch_cli.render.trust import learnt_line

INVALID_EXIT: Final = 7
_BAD: Final = frozenset({"refused", "conflict"})


@click.group(cls=Group)
def trust() -> None:
    """Carry chains of devices by hand: a revoked device or a recovery becomes known without any broker."""


@trust.command("export")
@click.argument("file", metavar="FILE", shell_complete=candidates.files())
@click.option("--contacts", is_flag=True, help="Also the chains of everybody I know; it names all of them.")
@click.pass_obj
def export_trust(invocation: Invocation, file: str, contacts: bool) -> None:
    """Write my chain into FILE. That is my devices, which ended, and every recovery; nothing of it is secret."""
    from dispatch_protocol.bundle import Side
    from dispatch_protocol.encoding import Fields
    from dispatch_protocol.trust_file import TrustFile

    answer = invocation.door.post("/v1/trust/export", {"contacts": contacts})
    found = Fields({"chains": answer.get("chains")}, "answer").many("chains", max_items=10_000)
    written = TrustFile(tuple(Side.read(entry) for entry in found))
    place = Path(os.path.expanduser(file))
    try:
        with place.open("xb") as target:
            target.write(written.encode())
    except OSError as error:
        why = f"{place} cannot be written: {error.strerror or error}."
        raise CliError("not_saved", why, hint="dispatch trust export ANOTHER-FILE") from error
    shown: Document = {"file": str(place), "chains": len(written.chains)}
    invocation.show(shown, lambda _: [line(f"Saved {place}.")])


@trust.command("import")
@click.argument("file", metavar="FILE", shell_complete=candidates.files())
@click.pass_obj
def import_trust(invocation: Invocation, file: str) -> int:
    """Learn what FILE proves about people I know.

    Whoever gave it to me need not be trusted. It makes nobody a contact. Exit 6 if it cannot be read, 7 if a chain in it does not hold, or tells another history.
    """
    from dispatch_protocol.errors import MalformedError
    from dispatch_protocol.trust_file import FILE_BYTES, TrustFile

    try:
        with Path(os.path.expanduser(file)).open("rb") as source:
            read = TrustFile.decode(source.read(FILE_BYTES + 1))
    except OSError as error:
        why = f"{file} cannot be read: {error.strerror or error}."
        raise CliError("not_found", why, hint="dispatch trust import FILE") from error
    except MalformedError as error:
        why = f"{file} is no trust file: {error.detail}. Whoever gave it to you makes one:"
        raise CliError("verification_failed", why, hint="dispatch trust export FILE") from error
    learnt = [
        invocation.door.post("/v1/trust/import", {"links": side.write()["links"]}) for side in read.chains
    ]
    found: Document = {"chains": learnt}
    invocation.show(found, lambda _: [learnt_line(each) for each in items(found, "chains")])
    return INVALID_EXIT if any(each.get("status") in _BAD for each in learnt) else 0
