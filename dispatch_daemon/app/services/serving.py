"""Whether a run here could be given the tool servers that its grant names, asked before a task is accepted.

What carries steps says which servers it calls; what a model would call nobody knows, and it works without those that are
gone, as the program of an agent of its own does.
"""

from dispatch_daemon.adapters.servers import Servers
from dispatch_daemon.core.errors import ServiceError
from dispatch_protocol.messages.task import Task
from dispatch_protocol.scopes import Scopes, covers
from dispatch_protocol.tool_server import server_of


def require_servers(servers: Servers, task: Task, scopes: Scopes) -> None:
    """Refuse steps that call a server which is granted and not here.

    Raises:
        ServiceError: `server_missing`: it was removed, or another own device has it.
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
