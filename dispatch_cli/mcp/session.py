"""What the tools share: the way to the daemon, how a question reaches the human, and where files may come from."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

import click
from mcp.server.mcpserver.exceptions import ToolError

from dispatch_cli.errors import CliError
from dispatch_cli.invocation import Invocation
from dispatch_cli.settings import find

# What a tool answers: one JSON object.
Answer = dict[str, Any]

_T = TypeVar("_T")


def told(act: Callable[[], _T]) -> _T:
    """Carry out an act; a failure becomes the tool's error, with its code, what happened, and the next step."""
    try:
        return act()
    except CliError as error:
        raise ToolError(json.dumps(error.document(), ensure_ascii=False)) from error
    except click.UsageError as error:  # a value that is no amount, no moment, no host
        refused = CliError("usage", error.format_message())
        raise ToolError(json.dumps(refused.document(), ensure_ascii=False)) from error


def approval_ui(invocation: Invocation) -> str:
    """Return how questions reach the human: `picker`, `form` or `local`."""
    return str(find("approval_ui", invocation.home, {}).value)


def below(paths: Sequence[str], roots: Sequence[Path]) -> list[str]:
    """Return the files' real paths; raises CliError (`outside_paths`) for one that is not below the session's roots.

    A session may have read words of a stranger: what it attaches must at least lie where its user lets it work.
    """
    real_roots = [root.resolve() for root in roots]
    found = []
    for path in paths:
        anchored = Path(path) if Path(path).is_absolute() else (roots[0] if roots else Path.cwd()) / path
        real = anchored.resolve()
        if not any(real.is_relative_to(root) for root in real_roots):
            shown = ", ".join(str(root) for root in real_roots) or "none"
            raise CliError(
                "outside_paths",
                f"{path} is not below the directories of this session ({shown}).",
                hint=f"dispatch send RECIPIENT 'TASK' --file '{path}'",
            )
        found.append(str(real))
    return found


def root_of(uri: str) -> Path | None:
    """Return the directory that a root's URI names; None for anything but a local file URI."""
    parts = urlsplit(uri)
    if parts.scheme != "file" or parts.netloc not in {"", "localhost"} or not parts.path.startswith("/"):
        return None
    return Path(unquote(parts.path))
