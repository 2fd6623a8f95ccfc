"""What may stand in the place of an argument: ids and people, asked of the daemon that runs.

Tab starts no daemon and waits for none. What other people wrote is shown on one visible line, and a value that a
shell would take for more than a word is not offered.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

from dispatch_cli.errors import CliError
from dispatch_cli.invocation import Invocation
from dispatch_cli.render.fields import Document, items, text, truth
from dispatch_cli.render.text import cut_end, one_line
from dispatch_cli.tool_servers import listed

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Offer = Callable[[click.Context, click.Parameter, str], list["CompletionItem"]]
Found = Iterator[tuple[str, str]]

_PATIENCE_S = 1.0
_HELP_CELLS = 60
_INVITATION, _DEVICE = 8, 16  # as much of an id as the lists show
_UNDECIDED = frozenset({"delivered"})
_FINISHED = frozenset({"completed", "failed", "refused", "declined", "expired", "cancelled"})
_TYPABLE = frozenset("@._+-")  # beside letters and digits


def dispatches() -> Offer:
    """Offer the newest dispatches, those sent to me first."""
    return _offer(lambda invocation: _dispatches(invocation, ("inbox", "sent"), lambda _: True))


def undecided() -> Offer:
    """Offer what was sent to me and waits for my yes or no."""
    return _offer(lambda invocation: _dispatches(invocation, ("inbox",), _UNDECIDED.__contains__))


def unfinished() -> Offer:
    """Offer what may still be cancelled."""
    return _offer(
        lambda invocation: _dispatches(invocation, ("inbox", "sent"), lambda status: status not in _FINISHED)
    )


def recipients() -> Offer:
    """Offer whom one may send to: oneself, and the far side of each outgoing edge."""
    return _offer(lambda invocation: iter([("me", "my own devices"), *_peers(invocation, {"outgoing"})]))


def peers() -> Offer:
    """Offer everybody with whom there is an edge."""
    return _offer(lambda invocation: _peers(invocation, {"incoming", "outgoing"}))


def files() -> Offer:
    """Let the shell offer its own files."""
    return _of_the_shell("file")


def directories() -> Offer:
    """Let the shell offer its own directories."""
    return _of_the_shell("dir")


def _of_the_shell(kind: str) -> Offer:
    def offer(context: click.Context, parameter: click.Parameter, incomplete: str) -> "list[CompletionItem]":
        from click.shell_completion import CompletionItem

        del context, parameter
        return [CompletionItem(incomplete, type=kind)]

    return offer


def tool_servers() -> Offer:
    """Offer the MCP servers of this machine, which the home itself lists."""
    return _offer(lambda invocation: ((each.name, each.argv[0]) for each in listed(invocation.home)))


def questions() -> Offer:
    """Offer the questions that wait for an answer."""

    def found(invocation: Invocation) -> Found:
        for row in items(_ask(invocation, "/v1/approvals"), "approvals"):
            yield text(row, "request_id"), text(row, "title")

    return _offer(found)


def rules() -> Offer:
    """Offer what is allowed for always."""

    def found(invocation: Invocation) -> Found:
        for row in items(_ask(invocation, "/v1/rules"), "rules"):
            yield text(row, "rule_id"), text(row, "tool")

    return _offer(found)


def parked() -> Offer:
    """Offer what was set aside because nobody answered."""
    return _offer(lambda invocation: _dispatches(invocation, ("inbox",), {"waiting_input"}.__contains__))


def discardable() -> Offer:
    """Offer what is parked or waits with its changes."""
    kept = {"waiting_input", "waiting_approval"}
    return _offer(lambda invocation: _dispatches(invocation, ("inbox",), kept.__contains__))


def running() -> Offer:
    """Offer what was accepted here and is not over: run, or done by hand."""
    going = {"accepted", "running", "waiting_approval"}
    return _offer(lambda invocation: _dispatches(invocation, ("inbox",), going.__contains__))


def devices(*, others: bool = False) -> Offer:
    """Offer my own devices by their ids, or all but this one."""

    def found(invocation: Invocation) -> Found:
        for row in items(_ask(invocation, "/v1/devices"), "devices"):
            if not (others and truth(row, "this")):
                yield text(row, "id")[:_DEVICE], text(row, "name")

    return _offer(found)


def invitations(*, own: bool = False) -> Offer:
    """Offer the invitations that I was sent and may still answer; with `own` also those that I may take back."""

    def found(invocation: Invocation) -> Found:
        listed = _ask(invocation, "/v1/invitations")
        for row in [*items(listed, "received"), *(items(listed, "sent") if own else [])]:
            if text(row, "status") == "pending":
                yield text(row, "invitation_id")[:_INVITATION], text(row, "peer")

    return _offer(found)


def words(*known: str) -> Offer:
    """Offer words that never change."""
    return _offer(lambda _: iter([(word, "") for word in known]))


def _dispatches(invocation: Invocation, boxes: tuple[str, ...], fits: Callable[[str], bool]) -> Found:
    for box in boxes:
        for row in items(_ask(invocation, f"/v1/dispatches?box={box}"), "dispatches"):
            status = text(row, "status")
            if fits(status):
                yield text(row, "short_id"), f"{status} · {text(row, 'task')}"


def _peers(invocation: Invocation, directions: set[str]) -> Found:
    for edge in items(_ask(invocation, "/v1/contacts"), "edges"):
        if text(edge, "direction") in directions and text(edge, "status") in {"active", "pending"}:
            yield text(edge, "alias") or text(edge, "peer"), text(edge, "trust")


def _offer(found: Callable[[Invocation], Found]) -> Offer:
    def offer(ctx: click.Context, param: click.Parameter, incomplete: str) -> list["CompletionItem"]:
        del param
        from click.shell_completion import CompletionItem

        offered: dict[str, CompletionItem] = {}
        with contextlib.suppress(CliError):
            for value, said in found(ctx.ensure_object(Invocation)):
                if _is_word(value) and value.lower().startswith(incomplete.lower()):
                    help_ = cut_end(one_line(said), _HELP_CELLS) or None
                    offered.setdefault(value, CompletionItem(value, help=help_))
        return list(offered.values())

    return offer


def _ask(invocation: Invocation, path: str) -> Document:
    from dispatch_cli.client import AbsentError, Client

    try:
        return Client(invocation.home.socket_path()).call("GET", path, timeout_s=_PATIENCE_S)
    except AbsentError:
        return {}


def _is_word(value: str) -> bool:
    return value != "" and all(char.isalnum() or char in _TYPABLE for char in value)
