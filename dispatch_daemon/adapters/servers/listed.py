"""The tool servers that the owner of this machine wrote down, read anew whenever somebody asks.

Only the command line writes the list (docs/adr/0092): it names programs that run outside the wall, and a page must leave
none behind. What a secret's place holds is read at the start of a server and kept nowhere.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from dispatch_daemon.adapters.home import HomeError, read_private
from dispatch_daemon.adapters.secret_places import SecretMissingError, secret_at
from dispatch_daemon.adapters.servers.errors import ServerError
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.scopes import ANY
from dispatch_protocol.tool_server import FILE_BYTES, FILE_NAME, ToolServer, read_servers

# What a program of its owner finds when they start it themselves; no key and no token that stands in ours.
_PASSED: Final = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR"),
    *("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"),
)
_LIST: Final = "dispatch agent server list"


class Servers:
    """What is written down in one home; `environ` is the daemon's own."""

    def __init__(self, home: Path, environ: Mapping[str, str] | None = None) -> None:
        self._path = home / FILE_NAME
        self._environ = os.environ if environ is None else environ

    def listed(self) -> tuple[ToolServer, ...]:
        """Return the servers by name; no list is an empty one.

        Raises:
            ServerError: `config_invalid`.
        """
        try:
            data = read_private(self._path, max_bytes=FILE_BYTES)
            return () if data is None else read_servers(data)
        except HomeError as error:
            raise ServerError("config_invalid", error.detail, error.hint or f"ls -l {self._path}") from error
        except MalformedError as error:
            detail = f"{self._path} cannot be used: {error.detail}."
            raise ServerError("config_invalid", detail, f"mend or remove {self._path}") from error

    def names(self) -> tuple[str, ...]:
        """Return what they are called; a list that cannot be read names none."""
        try:
            return tuple(server.name for server in self.listed())
        except ServerError:
            return ()

    def granted(self, named: Sequence[str]) -> tuple[str, ...]:
        """Return the servers that a grant names; `*` of a grant that was not written here is all that are there now."""
        return self.names() if ANY in named else tuple(named)

    def find(self, name: str) -> ToolServer:
        """Return one server.

        Raises:
            ServerError: `server_missing`, or `config_invalid`.
        """
        for server in self.listed():
            if server.name == name:
                return server
        raise ServerError("server_missing", f"This machine has no MCP server called {name}.", _LIST)

    def check(self, server: ToolServer) -> None:
        """Look whether a server could be started, without starting it.

        Raises:
            ServerError: `server_missing`: no program lies where it is started from; or `server_secret_missing`.
        """
        (command, *_) = server.argv
        if not (os.path.isfile(command) and os.access(command, os.X_OK)):
            detail = f"the MCP server {server.name} is started by {command}, and no program is there"
            raise ServerError("server_missing", detail, f"dispatch agent server remove {server.name}")
        self.environment(server)

    def environment(self, server: ToolServer) -> dict[str, str]:
        """Return the whole environment of a server, its secrets among it.

        Raises:
            ServerError: `server_secret_missing`.
        """
        found = {name: self._environ[name] for name in _PASSED if name in self._environ}
        found |= server.environment
        for variable, place in server.secrets.items():
            try:
                found[variable] = secret_at(place, self._environ)
            except SecretMissingError as error:
                detail = f"The MCP server {server.name} needs {variable}: {error.detail}"
                raise ServerError("server_secret_missing", detail, error.remedy) from error
        return found
