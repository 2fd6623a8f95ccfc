"""`config`: settings, their values and where each comes from."""

import click

from dispatch_cli import candidates
from dispatch_cli.invocation import Invocation
from dispatch_cli.options import Group
from dispatch_cli.render.fields import Document
from dispatch_cli.render.lines import Line, Span, Tone, View, line
from dispatch_cli.render.table import Column, Cut, table
from dispatch_cli.render.text import visible
from dispatch_cli.settings import SETTINGS, Found, change, find


@click.group(cls=Group)
def config() -> None:
    """Read and change settings. A flag wins over the environment, that over config.json."""


@config.command("get")
@click.argument("key", required=False, shell_complete=candidates.words(*SETTINGS))
@click.option("--show-origin", is_flag=True, help="Say where the value comes from.")
@click.pass_obj
def get_setting(invocation: Invocation, key: str | None, show_origin: bool) -> None:
    """Show one setting, or all of them."""
    flags = {"broker": invocation.options.broker}
    if key is None:
        every = [find(name, invocation.home, flags) for name in SETTINGS]
        document: Document = {"settings": [_document(found) for found in every]}
        invocation.show(document, lambda view: _table(every, view))
        return
    found = find(key, invocation.home, flags)
    origin = Span(f"   ({found.origin})" if show_origin else "", Tone.QUIET)
    invocation.show(_document(found), lambda _: [line(_value(found), origin)])


@config.command("set")
@click.argument("key", shell_complete=candidates.words(*SETTINGS))
@click.argument("value")
@click.pass_obj
def set_setting(invocation: Invocation, key: str, value: str) -> None:
    """Store a setting in config.json; an empty VALUE forgets it."""
    stored = change({key: value or None}, invocation.home)[key]
    found = find(key, invocation.home, {})
    rows = [
        line(f"{key} is {_value(found)}." if stored is not None else f"{key} is forgotten: {_value(found)}.")
    ]
    if found.origin == "environment":
        rows.append(line(f"DISPATCH_{key.upper()} is set and wins over it."))
    if invocation.home.is_held():
        rows.append(line("The daemon reads it when it starts again."))
    invocation.show(_document(found), lambda _: rows)


@config.command("path")
@click.pass_obj
def path(invocation: Invocation) -> None:
    """Show where the settings lie."""
    place = str(invocation.home.config_path)
    invocation.show({"path": place}, lambda _: [line(visible(place))])


def _document(found: Found) -> Document:
    return {"key": found.key, "value": found.value, "origin": found.origin}


def _value(found: Found) -> str:
    return "not set" if found.value is None else visible(str(found.value))


def _table(every: list[Found], view: View) -> list[Line]:
    columns = [Column("SETTING"), Column("VALUE", Cut.MIDDLE, 12), Column("FROM"), Column("WHAT", Cut.END, 8)]
    rows = [
        [
            line(found.key),
            line(_value(found)),
            line(Span(found.origin, Tone.QUIET)),
            line(Span(SETTINGS[found.key].help, Tone.QUIET)),
        ]
        for found in every
    ]
    return table(columns, rows, view)
