"""An agent session as a host program keeps it: the official client, the real `dispatch-mcp` over its own pipes."""

import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mcp.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.types import ElicitResult, ListRootsResult, Root

from tests.support.dispatch_command import environment
from tests.support.neighbourhood import Person

# What the human does with a form: its message goes in, an action and an answer come out.
Human = Callable[[str], Awaitable[tuple[str, str | None]]]


class RefusedError(Exception):
    """A tool's error: its code, and all that was said."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        _, brace, rest = said.partition("{")
        self.error: dict[str, Any] = json.loads(brace + rest)["error"] if brace else {}


class Session:
    """One session of one person."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.forms: list[str] = []

    async def tools(self) -> dict[str, Any]:
        return {tool.name: tool for tool in (await self._client.list_tools()).tools}

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool and return its object; raises RefusedError."""
        result = await self._client.call_tool(f"dispatch_{tool}", arguments)
        if result.is_error:
            raise RefusedError(result.content[0].text)  # type: ignore[union-attr]  # errors are text
        assert isinstance(result.structured_content, dict)
        return result.structured_content


@asynccontextmanager
async def agent_session(
    person: Person,
    *arguments: str,
    human: Human | None = None,
    roots: list[Path] | None = None,
    mode: str = "auto",
    **environ: str,
) -> AsyncIterator[Session]:
    """Open a session at a person's home; `human` answers forms, `roots` are where the session may work."""
    opened: list[Session] = []

    async def elicited(context: Any, params: Any) -> ElicitResult:
        del context
        opened[0].forms.append(params.message)
        assert human is not None
        action, answer = await human(params.message)
        return ElicitResult(action=action, content=None if answer is None else {"answer": answer})

    async def listed(context: Any) -> ListRootsResult:
        del context
        return ListRootsResult(roots=[Root(uri=root.as_uri()) for root in roots or []])

    settings = environment(person.home, DISPATCH_KEY_BACKEND="file", DISPATCH_LOCAL_PORT="0", **environ)
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "dispatch_cli.mcp.server", *arguments],
        env=settings,
        cwd=person.home.parent,
    )
    async with Client(
        server,
        mode=mode,
        elicitation_callback=elicited if human else None,
        list_roots_callback=listed if roots is not None else None,
    ) as client:
        opened.append(Session(client))
        yield opened[0]
