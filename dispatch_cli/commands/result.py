"""`result`: what a dispatch brought back, and with `--save` a copy of it with its proof."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import click

from dispatch_cli import candidates
from dispatch_cli.door import dispatch_path
from dispatch_cli.errors import CliError
from dispatch_cli.invocation import Invocation
from dispatch_cli.moving import Moving
from dispatch_cli.options import Command
from dispatch_cli.render import times
from dispatch_cli.render.fields import Document, items, number, text, truth, words
from dispatch_cli.render.lines import line
from dispatch_cli.render.sending import result_lines
from dispatch_cli.render.words import typed_id
from dispatch_cli.transfer import Transfer

_LOOK_S = 0.5
_PIECE_BYTES = 256 * 1024


@click.command(cls=Command)
@click.argument("dispatch_id", metavar="ID", shell_complete=candidates.dispatches())
@click.option(
    "--save",
    metavar="DIR",
    shell_complete=candidates.directories(),
    help="Copy the bundle and the files into this directory.",
)
@click.option(
    "--share",
    metavar="FILE",
    shell_complete=candidates.files(),
    help="Write one HTML file that shows and checks it by itself.",
)
@click.pass_obj
def result(invocation: Invocation, dispatch_id: str, save: str | None, share: str | None) -> None:
    """Show the outcome, the text, the changes and the files of a finished dispatch.

    An unfinished one exits with 8. What --share writes holds the whole task, both addresses and every answer: whoever
    gets it reads all of it.
    """
    found = invocation.door.get(dispatch_path(dispatch_id, "result"))
    if save is not None:
        found = _arrived(invocation, found)
    saved = [] if save is None else _saved(invocation, found, Path(os.path.expanduser(save)))
    if share is not None:
        saved.append(_shared(found, Path(os.path.expanduser(share))))
    if saved:
        found = found | {"saved": [str(path) for path in saved]}
    if invocation.options.json:
        invocation.show_json(found)
        return
    dispatch = invocation.door.dispatch(text(found, "dispatch_id") or dispatch_id)
    invocation.show(found, lambda view: result_lines(found, dispatch, view))
    for path in saved:
        invocation.note(f"Saved {path}.")


def _arrived(invocation: Invocation, found: Document) -> Document:
    """Return the result with its files: where somebody looks, wait for what is on its way.

    Raises `CliError`: `files_arriving` where nobody does.
    """
    dispatch_id = text(found, "dispatch_id")
    with Moving(invocation.err) as moving:
        while truth(found, "files_arriving"):
            if not invocation.is_interactive:
                raise CliError(
                    "files_arriving",
                    "Its files have not come yet, so nothing was saved.",
                    hint=f"dispatch result {typed_id(dispatch_id)} --save DIR",
                )
            size = sum(number(each, "size_bytes") or 0 for each in items(found, "artifacts"))
            moving.set(line(f"  waiting for its files, {times.size(size)} · Ctrl-C leaves"))
            time.sleep(_LOOK_S)
            found = invocation.door.get(dispatch_path(dispatch_id, "result"))
    return found


def _saved(invocation: Invocation, found: Document, target: Path) -> list[Path]:
    """Copy the bundle, and every file that lies on this machine, and return where they are."""
    sources = [Path(text(found, "bundle"))] if text(found, "bundle") else []
    sources += [Path(path) for path in words(found, "files")]
    copies: list[Path] = []
    try:
        target.mkdir(parents=True, exist_ok=True)
        total_bytes = sum(source.stat().st_size for source in sources)
        with Transfer(invocation, "saving", len(sources), total_bytes) as transfer:
            for ordinal, source in enumerate(sources, start=1):
                # Only the last part of a name counts: a name from elsewhere cannot choose another directory.
                copy = _free(target / source.name)
                with source.open("rb") as read, copy.open("xb") as write:
                    for piece in transfer.file(ordinal, source.name, _pieces(read)):
                        write.write(piece)
                copies.append(copy)
    except OSError as error:
        place = error.filename or target
        raise CliError(
            "not_saved", f"{place} cannot be written or read: {error.strerror or error}."
        ) from error
    return copies


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(_PIECE_BYTES):
        yield piece


def _shared(found: Document, target: Path) -> Path:
    """Write the page that shows and checks the dispatch by itself; nothing that exists is overwritten."""
    from dispatch_cli.sharing.page import shared_page

    place = _free(target)
    try:
        page = shared_page(Path(text(found, "bundle")).read_bytes())
        with place.open("x", encoding="utf-8", newline="") as write:
            write.write(page)
    except OSError as error:
        raise CliError(
            "not_saved", f"{place} cannot be written or read: {error.strerror or error}."
        ) from error
    return place


def _free(path: Path) -> Path:
    """Return the path, or the next one that is free: nothing that exists is overwritten."""
    number = 1
    free = path
    while free.exists() or free.is_symlink():
        number += 1
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return free
