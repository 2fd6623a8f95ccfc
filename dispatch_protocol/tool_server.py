"""A tool server of this machine: what it is called in a grant and in a call, and how its owner wrote it down.

The command line writes the list and the daemon reads it, so what a name may be and what an entry holds stands here once.
A name has no `__` and no `_` at its end: of `mcp__SERVER__TOOL` the first two `__` then say where the server's name ends, and
no two servers can be meant by one call.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from dispatch_protocol.encoding import JSON, Fields, loads
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.limits import GRANT_SERVERS

FILE_NAME: Final = "servers.json"  # in the home, for its owner alone
FILE_BYTES: Final = 64 * 1024
PREFIX: Final = "mcp__"
SERVER_CHARS: Final = 32
WORDS: Final = 64
WORD_CHARS: Final = 4096
VARIABLES: Final = 64

_SERVER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*(?:_[A-Za-z0-9-]+)*")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_REFERENCE: Final = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]{0,127}|file:/[ -~]{1,1000}")
_RESERVED: Final = frozenset({"none"})  # the word for the empty list


@dataclass(frozen=True, slots=True)
class ToolServer:
    """One server: the command that starts it, and what its environment holds besides what every program needs.

    `argv` begins with an absolute path. `secrets` names where values lie, `env:NAME` or `file:/PATH`, and holds none.
    """

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)

    def write(self) -> dict[str, JSON]:
        """Return the entry as JSON."""
        return {
            "name": self.name,
            "command": list(self.argv),
            "environment": dict(self.environment),
            "secrets": dict(self.secrets),
        }

    @classmethod
    def read(cls, fields: Fields) -> "ToolServer":
        """Read an entry strictly; raises MalformedError."""
        server = cls(
            name=fields.text("name", max_chars=SERVER_CHARS),
            argv=fields.texts("command", max_items=WORDS, max_chars=WORD_CHARS),
            environment=_variables(fields, "environment"),
            secrets=_variables(fields, "secrets"),
        )
        fields.done()
        if not is_server_name(server.name):
            raise MalformedError(
                f"{server.name!r} is no name for a server: letters, digits, - and single _ in between"
            )
        if not server.argv or not server.argv[0].startswith("/"):
            raise MalformedError(f"the server {server.name} is started by no absolute command")
        if any(not word.isprintable() for word in server.argv):
            raise MalformedError(f"the command of the server {server.name} holds what cannot be shown")
        if not all(_REFERENCE.fullmatch(place) for place in server.secrets.values()):
            raise MalformedError(f"a secret of the server {server.name} is named by neither env: nor file:/")
        if set(server.environment) & set(server.secrets):
            raise MalformedError(f"a variable of the server {server.name} is named twice")
        return server


def is_server_name(text: str) -> bool:
    """Return whether a server of this machine may be called so."""
    return len(text) <= SERVER_CHARS and _SERVER.fullmatch(text) is not None and text not in _RESERVED


def server_of(tool: str) -> str | None:
    """Return the server that a call of `mcp__SERVER__TOOL` names; None for a tool of no server."""
    if not tool.startswith(PREFIX):
        return None
    server, _, _ = tool.removeprefix(PREFIX).partition("__")
    return server


def read_servers(data: bytes) -> tuple[ToolServer, ...]:
    """Read the list of this machine's servers, by name; raises MalformedError."""
    document = loads(data, max_bytes=FILE_BYTES)
    if not isinstance(document, dict):
        raise MalformedError("the list of servers is no object")
    fields = Fields(document, "servers")
    servers = tuple(ToolServer.read(entry) for entry in fields.many("servers", max_items=GRANT_SERVERS))
    fields.done()
    names = [server.name for server in servers]
    if names != sorted(set(names)):
        raise MalformedError("the servers are not in order, or one of them is there twice")
    return servers


def write_servers(servers: Sequence[ToolServer]) -> bytes:
    """Return the list as it is stored, for a person who looks."""
    entries = [server.write() for server in sorted(servers, key=lambda server: server.name)]
    return f"{json.dumps({'servers': entries}, indent=2, ensure_ascii=False)}\n".encode()


def _variables(fields: Fields, name: str) -> dict[str, str]:
    found = fields.pairs(name, max_items=VARIABLES, max_key_chars=128, max_value_chars=WORD_CHARS)
    for variable, value in found.items():
        if _VARIABLE.fullmatch(variable) is None or not value.isprintable():
            raise MalformedError(f"{fields.where}.{name} holds {variable!r}, which is no variable")
    return found
