"""Tool servers: programs of this machine's owner, outside the wall, whose tools a grant may name (MCP over stdio)."""

from dispatch_daemon.adapters.servers.errors import ServerError
from dispatch_daemon.adapters.servers.listed import Servers
from dispatch_daemon.adapters.servers.server import Server
from dispatch_daemon.adapters.servers.speech import Offer, Outcome

__all__ = ["Offer", "Outcome", "Server", "ServerError", "Servers"]
