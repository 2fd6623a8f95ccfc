"""How Claude Code is started inside: the settings that are part of the wall, as words of its command line.

Left to itself it takes the task's folder for its owner's: it runs the hooks that lie there, starts the tool servers,
obeys CLAUDE.md, reads every file that a text names with an @, and takes some calls for harmless without asking. Each of
these is switched off here, by the one place that writes the command.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Final

# What it would do besides working on the task: expand names of files, ask for news, report, try again for minutes.
ENVIRONMENT: Final[Mapping[str, str]] = {
    "CLAUDE_CODE_DISABLE_FILE_MENTIONS": "1",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "CLAUDE_CODE_MAX_RETRIES": "2",
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_TELEMETRY": "1",
    "DISABLE_ERROR_REPORTING": "1",
}

# With tool servers: their tools are there from the first word on, and a human may be asked before one answers.
SERVED: Final[Mapping[str, str]] = {
    "ENABLE_TOOL_SEARCH": "false",
    "MCP_CONNECTION_NONBLOCKING": "0",
    "MCP_TIMEOUT": "600000",
    "MCP_TOOL_TIMEOUT": "86400000",
}


def arguments(
    program: Sequence[str],
    tools: frozenset[str],
    model: str,
    session_id: str | None = None,
    servers: Mapping[str, Mapping[str, object]] | None = None,
) -> tuple[str, ...]:
    """Write the command line: the granted tools and no others, each asked for, and nothing of the folder's settings.

    With `session_id` it takes up a session of its own that lies in its home. `servers` are where it finds the granted
    tool servers, by their names; of each every tool is asked for.
    """
    granted = sorted(tools)
    served = dict(servers or {})
    settings = {"permissions": {"ask": [*granted, *(f"mcp__{name}" for name in served)]}}
    return (
        *program,
        *("--input-format", "stream-json", "--output-format", "stream-json", "--verbose"),
        *("--permission-prompt-tool", "stdio", "--permission-mode", "default"),
        "--setting-sources=",
        "--strict-mcp-config",
        *(("--mcp-config", json.dumps({"mcpServers": served})) if served else ()),
        "--disable-slash-commands",
        *("--tools", ",".join(granted)),
        *("--settings", json.dumps(settings)),
        *("--model", model),
        *(() if session_id is None else (f"--resume={session_id}",)),
    )
