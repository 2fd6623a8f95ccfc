"""`agent server`: the MCP servers of this machine that a grant may name.

They are programs of this person's own, outside the wall. So they are written down here, at a terminal, and by no page.
"""

import os
import shutil

import click

from dispatch_cli import candidates
from dispatch_cli.errors import CliError
from dispatch_cli.invocation import Invocation
from dispatch_cli.options import Group
from dispatch_cli.render.fields import Document, items, text, truth, words
from dispatch_cli.render.lines import Line, Span, Tone, View, following, line
from dispatch_cli.render.table import Column, Cut, table
from dispatch_cli.render.text import visible
from dispatch_cli.tool_servers import add, remove
from dispatch_protocol.tool_server import ToolServer

_TEST_S = 120.0  # some are fetched at their first start


@click.group(cls=Group)
def server() -> None:
    """Say which MCP servers of this machine a grant may name. They run outside the wall, as your own programs."""


@server.command("add")
@click.argument("name")
@click.option(
    "--env", "environment", metavar="NAME=VALUE", multiple=True, help="A variable of it, no secret."
)
@click.option(
    "--secret",
    "secrets",
    metavar="NAME=PLACE",
    multiple=True,
    help="A variable whose value lies elsewhere: env:VARIABLE of the daemon, or file:PATH, readable by you alone.",
)
@click.argument("command", metavar="-- COMMAND [ARG]…", nargs=-1, required=True)
@click.pass_obj
def add_server(
    invocation: Invocation,
    name: str,
    environment: tuple[str, ...],
    secrets: tuple[str, ...],
    command: tuple[str, ...],
) -> None:
    """Write down a server that speaks MCP over its standard streams.

    It is granted to nobody by that: name it with --mcp-servers. It is started when a run first uses it, acts with your
    own rights, and ends with that run. NAME is letters, digits, - and single _ in between.
    """
    found = shutil.which(command[0])
    if found is None:
        raise CliError(
            "usage", f"There is no program called {command[0]} here.", hint="dispatch agent server add --help"
        )
    entry = ToolServer(
        name,
        (os.path.abspath(found), *command[1:]),
        _pairs(environment, "--env"),
        {variable: _place(value) for variable, value in _pairs(secrets, "--secret").items()},
    )
    add(entry, invocation.home)
    document: Document = dict(entry.write()) | {"environment": sorted(entry.environment)}
    invocation.show(
        document,
        lambda _: [
            line(f"{visible(name)} is written down, and granted to nobody by that."),
            following("try it with", f"dispatch agent server test {name}"),
            following("grant it with", f"dispatch edit-edge PEER --mcp-servers {name}"),
        ],
    )


@server.command("remove")
@click.argument("name", shell_complete=candidates.tool_servers())
@click.pass_obj
def remove_server(invocation: Invocation, name: str) -> None:
    """Forget a server. A grant that names it still does, and no run finds it here any more."""
    remove(name, invocation.home)
    invocation.show(
        {"name": name}, lambda _: [line(f"{visible(name)} is forgotten; no new run finds it here.")]
    )


@server.command("list")
@click.pass_obj
def list_servers(invocation: Invocation) -> None:
    """List the servers of this machine, and to whom each is granted."""
    found = invocation.door.get("/v1/agents/servers")
    invocation.show(found, lambda view: _lines(found, view))


@server.command("test")
@click.argument("name", shell_complete=candidates.tool_servers())
@click.pass_obj
def test_server(invocation: Invocation, name: str) -> int:
    """Start a server as a run would, list what it offers, and end it. Exit 1 if it cannot be used."""
    report = invocation.door.post("/v1/agents/servers/test", {"name": name}, timeout_s=_TEST_S)
    invocation.show(report, lambda view: _tried(report, view))
    return 0 if truth(report, "ok") else 1


def _pairs(given: tuple[str, ...], option: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in given:
        variable, equals, value = each.partition("=")
        if not equals or not variable or variable in found:
            raise CliError(
                "usage", f"{option} takes NAME=…, each name once.", hint="dispatch agent server add --help"
            )
        found[variable] = value
    return found


def _place(reference: str) -> str:
    """Return where a secret lies, with the whole path of a file."""
    kind, _, place = reference.partition(":")
    if kind == "file" and place:
        return f"file:{os.path.abspath(os.path.expanduser(place))}"
    if kind == "env" and place:
        return reference
    raise CliError(
        "usage",
        "--secret takes NAME=env:VARIABLE or NAME=file:PATH, never the value itself.",
        hint="dispatch agent server add --help",
    )


def _lines(found: Document, view: View) -> list[Line]:
    listed = items(found, "servers")
    if not listed:
        return [
            line("No MCP server is written down on this machine, so none can be granted."),
            following("add one with", "dispatch agent server add NAME -- COMMAND"),
        ]
    columns = [Column("SERVER"), Column("GRANTED TO", Cut.END, 12), Column("COMMAND", Cut.END, 12)]
    rows = [
        [
            line(visible(text(row, "name"))),
            line(visible(", ".join(words(row, "granted_to"))) or Span("nobody", Tone.QUIET)),
            line(visible(" ".join(words(row, "command")))),
        ]
        for row in listed
    ]
    return table(columns, rows, view)


def _tried(report: Document, view: View) -> list[Line]:
    if not truth(report, "ok"):
        return [line(Span("✗ ", Tone.FAILED), visible(text(report, "detail")))]
    columns = [Column("TOOL"), Column("WHAT ITS SERVER SAYS OF IT", Cut.END, 12)]
    rows = [
        [line(visible(text(tool, "name"))), line(visible(" ".join(text(tool, "description").split())))]
        for tool in items(report, "tools")
    ]
    odd = ", ".join(words(report, "left_out"))
    left = [line(f"These cannot be called by anybody: {visible(odd)}.")] if odd else []
    return [line(Span("✓ ", Tone.DONE), visible(text(report, "detail"))), *table(columns, rows, view), *left]
