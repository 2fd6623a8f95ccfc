"""The tool servers of this machine at the door: which there are, who was granted them, and whether one works.

Adding and removing is typed at a terminal and never asked here: it names a program that runs outside the wall.
"""

from dispatch_daemon.adapters.executor import Executor
from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.adapters.servers import Offer, Server, ServerError
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.grants import binding
from dispatch_daemon.core.trust_records import Direction
from dispatch_daemon.core.trust_views import edge_status
from dispatch_daemon.ports import JsonObject
from dispatch_protocol.encoding import JSON
from dispatch_protocol.scopes import covers
from dispatch_protocol.standing import EdgeStatus
from dispatch_protocol.tool_server import PREFIX, ToolServer


class ToolServers:
    """What is written down in this home, and who may use it."""

    def __init__(self, journal: Journal, clock: Clock, executor: Executor) -> None:
        self._journal = journal
        self._clock = clock
        self._servers = executor.servers

    async def tool_servers(self) -> JsonObject:
        """List the servers with their commands, the names of their variables, and to whom each is granted."""
        try:
            listed = self._servers.listed()
        except ServerError as error:
            raise _refused(error) from error
        return {"servers": [self._view(server) for server in listed]}

    def _view(self, server: ToolServer) -> JsonObject:
        now_ms = self._clock.now_ms()
        granted: list[JSON] = [
            edge.address
            for edge in self._journal.edges(Direction.INCOMING)
            if edge_status(edge, now_ms) in (EdgeStatus.ACTIVE, EdgeStatus.PENDING)
            and covers(binding(edge).scopes, f"{PREFIX}{server.name}__")
        ]
        return {
            "name": server.name,
            "command": list(server.argv),
            "environment": sorted(server.environment),
            "secrets": dict(server.secrets),
            "granted_to": granted,
        }

    async def test_tool_server(self, *, name: str) -> JsonObject:
        """Start one server as a run would, ask what it offers, and end it."""
        server = Server(name, self._servers)
        try:
            offers = await server.offers()
        except ServerError as error:
            if error.code == "server_missing":
                raise _refused(error) from error
            return {"ok": False, "name": name, "detail": error.detail, "tools": [], "left_out": []}
        finally:
            await server.end()
        tools: list[JSON] = [_tool(offer) for offer in offers]
        detail = f"it offers {len(tools)} tool{'' if len(tools) == 1 else 's'}"
        return {
            "ok": True,
            "name": name,
            "detail": detail,
            "tools": tools,
            "left_out": list(server.left_out),
        }


def _tool(offer: Offer) -> dict[str, JSON]:
    return {"name": offer.name, "description": offer.description}


def _refused(error: ServerError) -> ServiceError:
    return ServiceError(error.code, error.detail, hint=error.remedy or None)
