"""Whether a run here could be given the tool servers that its grant names, asked before a task is accepted.

What carries steps says which servers it calls; what a model would call nobody knows, and it works without those that are
gone. A program of an agent's own has no way to a server yet, and half a grant is not what its owner has said.
"""

from typing import Final

from dispatch_daemon.adapters.agents import Agents
from dispatch_daemon.adapters.servers import Servers
from dispatch_daemon.core.errors import ServiceError
from dispatch_protocol.messages.task import Task
from dispatch_protocol.scopes import Scopes, covers
from dispatch_protocol.tool_server import server_of

_PROGRAMS: Final = ("acp", "claude")


def require_servers(servers: Servers, agents: Agents, task: Task, scopes: Scopes) -> None:
    """Refuse steps that call a server which is granted and not here, and an agent that could reach none of those granted.

    Raises:
        ServiceError: `server_missing`: it was removed, or another own device has it; `servers_unreachable`.
    """
    here = servers.names()
    for step in task.steps:
        server = server_of(step.tool)
        if server is not None and covers(scopes, step.tool) and server not in here:
            raise ServiceError(
                "server_missing",
                f"a step calls {step.tool}, and this machine has no MCP server called {server}",
                hint=f"dispatch agent server add {server} -- COMMAND",
            )
    reachable = [name for name in servers.granted(scopes.mcp_servers) if name in here]
    if reachable and not task.steps and agents.word() in _PROGRAMS:
        raise ServiceError(
            "servers_unreachable",
            f"this edge grants the MCP servers {', '.join(reachable)}, and the agent {agents.word()} cannot be given any here",
            hint="dispatch edit-edge PEER --mcp-servers none",
            candidates=["dispatch agent use anthropic:MODEL", "dispatch edit-edge PEER --mcp-servers none"],
        )
