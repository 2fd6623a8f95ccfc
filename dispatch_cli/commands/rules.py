"""`rules`: what was allowed for always, and taking it back."""

import click

from dispatch_cli import candidates
from dispatch_cli.client import segment
from dispatch_cli.invocation import Invocation
from dispatch_cli.options import Group
from dispatch_cli.render import times
from dispatch_cli.render.fields import Document, items, moment_ms, text
from dispatch_cli.render.lines import Line, View, following, line
from dispatch_cli.render.table import Column, Cut, table
from dispatch_cli.render.text import one_line, visible


@click.group(cls=Group)
def rules() -> None:
    """List or remove what is always allowed."""


@rules.command("list")
@click.pass_obj
def list_rules(invocation: Invocation) -> None:
    """List the standing rules. Each is a tool, or for Bash exactly one command, of one contact or of my own tasks."""
    found = invocation.door.get("/v1/rules")
    invocation.show(found, lambda view: _lines(found, view))


@rules.command("remove")
@click.argument("rule_id", metavar="ID", shell_complete=candidates.rules())
@click.pass_obj
def remove_rule(invocation: Invocation, rule_id: str) -> None:
    """Remove one rule: its calls ask again."""
    answer = invocation.door.delete(f"/v1/rules/{segment(rule_id)}")
    invocation.show(answer, lambda _: [line("Removed. Such calls ask again.")])


def _lines(found: Document, view: View) -> list[Line]:
    rows = items(found, "rules")
    if not rows:
        return [line("Nothing is allowed for always: every call asks.")]
    columns = [Column("ID"), Column("FROM", Cut.MIDDLE, 12), Column("ALLOWED", Cut.END, 12), Column("SINCE")]
    lines = table(columns, [_row(rule, view) for rule in rows], view)
    return [
        *lines,
        following("remove one with", f"dispatch rules remove {visible(text(rows[0], 'rule_id')[:8])}"),
    ]


def _row(rule: Document, view: View) -> list[Line]:
    since = moment_ms(rule, "created_at")
    tool, command, path = visible(text(rule, "tool")), text(rule, "command"), text(rule, "path")
    bound = f"{tool} in {visible(path)}" if path else tool
    return [
        line(visible(text(rule, "rule_id")[:8])),
        line(visible(text(rule, "peer"))),
        line(f"{tool}: {one_line(command)}" if command else bound),
        line("" if since is None else times.ago(since, view.now_ms)),
    ]
