"""The routes of agents: which one decides the calls of runs here, whether it works, and the tool servers beside it."""

from typing import Final

from dispatch_daemon.adapters.loopback.route import Route

AGENTS: Final[tuple[Route, ...]] = (
    Route("GET", "/v1/agents", "agents", "Who may decide the calls of a run here.", "Agents", page=True),
    Route(
        "POST",
        "/v1/agents/test",
        "test_agent",
        "Ask the chosen model for one harmless call.",
        "Doctor",
        body="Nothing",
    ),
    Route(
        "GET",
        "/v1/agents/keys/{name}",
        "agent_key",
        "Whether the daemon's environment has a variable of this name; never what it holds.",
        "AgentKey",
    ),
    Route(
        "GET",
        "/v1/agents/servers",
        "tool_servers",
        "The MCP servers of this machine.",
        "ToolServers",
        page=True,
    ),
    Route(
        "POST",
        "/v1/agents/servers/test",
        "test_tool_server",
        "Start one, ask what it offers, and end it.",
        "ToolServerTried",
        body="ServerChoice",
    ),
)
