"""`result`: what a dispatch brought back, and with `--save` a copy of it with its proof."""

import os
import shutil
from pathlib import Path

import click

from dispatch_cli import candidates
from dispatch_cli.door import dispatch_path
from dispatch_cli.errors import CliError
from dispatch_cli.invocation import Invocation
from dispatch_cli.options import Command
from dispatch_cli.render.fields import Document, text, words
from dispatch_cli.render.sending import result_lines


@click.command(cls=Command)
@click.argument("dispatch_id", metavar="ID", shell_complete=candidates.dispatches())
@click.option("--save", metavar="DIR", help="Copy the bundle and the files into this directory.")
@click.pass_obj
def result(invocation: Invocation, dispatch_id: str, save: str | None) -> None:
    """Show the outcome, the text, the changes and the files of a finished dispatch.

    An unfinished one exits with 8.
    """
    found = invocation.door.get(dispatch_path(dispatch_id, "result"))
    saved = [] if save is None else _saved(found, Path(os.path.expanduser(save)))
    if saved:
        found = found | {"saved": [str(path) for path in saved]}
    if invocation.options.json:
        invocation.show_json(found)
        return
    dispatch = invocation.door.dispatch(text(found, "dispatch_id") or dispatch_id)
    invocation.show(found, lambda view: result_lines(found, dispatch, view))
    for path in saved:
        invocation.note(f"Saved {path}.")


def _saved(found: Document, target: Path) -> list[Path]:
    """Copy the bundle, and every file that lies on this machine, and return where they are."""
    sources = [Path(text(found, "bundle"))] if text(found, "bundle") else []
    sources += [Path(path) for path in words(found, "files")]
    copies: list[Path] = []
    try:
        target.mkdir(parents=True, exist_ok=True)
        for source in sources:
            # Only the last part of a name counts: a name from elsewhere cannot choose another directory.
            copy = _free(target / source.name)
            with source.open("rb") as read, copy.open("xb") as write:
                shutil.copyfileobj(read, write)
            copies.append(copy)
    except OSError as error:
        place = error.filename or target
        raise CliError(
            "not_saved", f"{place} cannot be written or read: {error.strerror or error}."
        ) from error
    return copies


def _free(path: Path) -> Path:
    """Return the path, or the next one that is free: nothing that exists is overwritten."""
    number = 1
    free = path
    while free.exists() or free.is_symlink():
        number += 1
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return free
