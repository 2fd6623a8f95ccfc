"""`accept-invitation` and `edit-edge`: what somebody may dispatch to this machine, under scopes that a human chose."""

from collections.abc import Callable, Mapping
from typing import Any

import click

from dispatch_cli import candidates
from dispatch_cli.budgets import budget_choice
from dispatch_cli.errors import CliError
from dispatch_cli.inviter import inviter
from dispatch_cli.invocation import Invocation
from dispatch_cli.options import Command
from dispatch_cli.reading import STDIN, absolute, exists, read_text
from dispatch_cli.render.fields import Document, text
from dispatch_cli.render.lines import line
from dispatch_cli.render.text import visible, wrapped
from dispatch_cli.render.trust import accepted_lines, edited_lines
from dispatch_protocol import limits

_TOKEN_BYTES = 4096
_MODE_CHARS = 3  # so long is what somebody may have meant for a mode: a longer word is the end of a name
_MENU = (
    "What may their tasks do here?",
    "  --profile read-only    Read, Glob, Grep: they can look and change nothing",
    "  --profile edit         also Write and Edit, no shell",
    "  --profile full         also Bash: full shell access inside the wall,",
    "                         and the MCP servers of this machine, outside of it",
    "  --tools Read,Grep,…    exactly these",
)


def _scope_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options by which a human chooses scopes; all may be left out."""
    approvals, returns = ["manual", "review", "auto"], ["status", "result", "trace"]
    daily = click.IntRange(1, limits.MAX_PER_DAY_LIMIT)
    options = (
        click.option("--tools", metavar="A,B", help="Exactly these tools."),
        click.option("--profile", type=click.Choice(["read-only", "edit", "full"]), help="Named tools."),
        click.option(
            "--paths",
            metavar="P[:ro|:rw],…",
            multiple=True,
            help="Where; a bare path is read-only. May be repeated.",
        ),
        click.option("--mcp-servers", metavar="A,B|*", help="MCP servers of this machine; * is all of now."),
        click.option(
            "--network",
            metavar="HOST,…",
            help="Hosts a run may reach by TLS (HOST:PORT for another port than 443); none if left out.",
        ),
        click.option(
            "--approval", type=click.Choice(approvals), help="Ask each call, only the changes, nothing."
        ),
        click.option("--returns", type=click.Choice(returns), help="What the sender sees of a run."),
        click.option("--max-per-day", metavar="N", type=daily, help="Tasks in 24 hours."),
        click.option(
            "--budget",
            metavar="turns=N,tokens=N,usd=X",
            help="What a run may use of this machine's model; none lifts it.",
        ),
        click.option(
            "--max-runtime",
            metavar="SECONDS",
            type=click.IntRange(1, limits.RUNTIME_MAX_S),
            help="How long a run may take.",
        ),
        click.option(
            "--approval-timeout",
            metavar="SECONDS",
            type=click.IntRange(1, limits.APPROVAL_TIMEOUT_MAX_S),
            help="How long a question waits before it counts as no.",
        ),
        click.option(
            "--expires-at", metavar="T|never", help="When the edge ends, as in 2027-01-31T12:00:00Z."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command("accept-invitation", cls=Command)
@click.argument("invitation", metavar="TOKEN|ID|-", shell_complete=candidates.invitations())
@_scope_options
@click.pass_obj
def accept_invitation(invocation: Invocation, /, invitation: str, **given: Any) -> None:
    """Let the inviter dispatch to me. --tools or --profile is required: the choice is mine to make.

    Every task still waits until I accept it. TOKEN may be - for standard input, which keeps it out of the
    process list.
    """
    if given["tools"] is None and given["profile"] is None:
        asks = inviter(invocation.door, invitation_token(invitation))
        if not invocation.options.json:
            says = wrapped(f"Who asks: {text(asks, 'says')}", invocation.err_view.width)
            invocation.err.show([line(row) for row in (*says, *_MENU)])
        whose = f"{visible(text(asks, 'peer'))}'s" if asks["peer"] else "their"
        raise CliError(
            "scope_choice_required",
            f"You have to choose what {whose} tasks may do here: --profile or --tools.",
            hint=f"dispatch accept-invitation '{invitation}' --profile read-only",
        )
    body = {"token": invitation_token(invitation), **chosen_scopes(given)}
    answer = invocation.door.post("/v1/invitations/accept", body)
    invocation.show(answer, lambda view: accepted_lines(answer, view))


@click.command("edit-edge", cls=Command)
@click.argument("peer", shell_complete=candidates.peers())
@_scope_options
@click.pass_obj
def edit_edge(invocation: Invocation, /, peer: str, **given: Any) -> None:
    """Change what PEER's tasks may do here. What is left out stays as it is; without options, show it.

    --paths, --network and --tools replace the whole list; "" empties it. A run that waits or goes on and may do more
    than is allowed now ends, and keeps nothing.
    """
    chosen = chosen_scopes(given)
    answer = invocation.door.post("/v1/contacts/edit", {"peer": peer, **chosen})
    invocation.show(answer, lambda view: edited_lines(answer, view, changed=bool(chosen)))


def chosen_scopes(given: Mapping[str, Any]) -> Document:
    """Return the scopes that were mentioned, as the door takes them; `given` holds None and () for what was not."""
    chosen = {name: value for name, value in given.items() if value is not None}
    chosen |= {name: names(chosen[name]) for name in ("tools", "mcp_servers", "network") if name in chosen}
    paths = chosen.pop("paths")
    budget = budget_choice(chosen.pop("budget", None))
    chosen |= {"paths": path_choices(paths)} if paths else {}
    return chosen | ({} if budget is None else {"budget": budget})


def invitation_token(given: str) -> str:
    """Return the token, from standard input for `-`, without the line break of a paste."""
    found = read_text(STDIN, "token", limit=_TOKEN_BYTES) if given == STDIN else given
    return found.strip()


def names(value: str) -> list[str]:
    """Return the names of a comma-separated list; `none` and "" are the empty list."""
    found = [name.strip() for name in value.split(",")]
    return [name for name in found if name and name.lower() != "none"]


def path_choices(values: tuple[str, ...]) -> list[Document]:
    r"""Return absolute paths with their modes from `p:ro,q:rw`; a comma in a name is written `\,`.

    The last `:ro` or `:rw` is the mode, a bare path is read-only, and a relative one starts here.
    """
    return [_path_choice(item) for value in values for item in _split(value) if item]


def _split(value: str) -> list[str]:
    found = [""]
    escaped = False
    for character in value:
        if escaped:
            found[-1] += character if character in ",\\" else "\\" + character
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == ",":
            found.append("")
        else:
            found[-1] += character
    if escaped:
        found[-1] += "\\"
    return found


def _path_choice(item: str) -> Document:
    path, colon, mode = item.rpartition(":")
    if not colon or mode not in {"ro", "rw"}:
        if len(mode) <= _MODE_CHARS and mode.isalpha() and exists(path) and not exists(item):
            raise click.BadParameter(
                f"the mode after {path!r} is ro or rw, not {mode!r}.", param_hint="--paths"
            )
        path, mode = item, "ro"
    if not path:
        raise click.BadParameter(f"{item!r} names no path.", param_hint="--paths")
    return {"path": absolute(path), "mode": mode}
