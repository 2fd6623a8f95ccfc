"""The list of this machine's tool servers, as the command line reads and changes it; the daemon reads it anew for each run."""

from dispatch_cli.errors import CliError
from dispatch_cli.home import Home
from dispatch_protocol.encoding import Fields
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.limits import GRANT_SERVERS
from dispatch_protocol.tool_server import FILE_BYTES, FILE_NAME, ToolServer, read_servers, write_servers


def listed(home: Home) -> tuple[ToolServer, ...]:
    """Return the servers by name; no list is an empty one.

    Raises `CliError` (`config_invalid`).
    """
    path = home.path / FILE_NAME
    try:
        with open(path, "rb") as file:
            return read_servers(file.read(FILE_BYTES + 1))
    except FileNotFoundError:
        return ()
    except (OSError, MalformedError) as error:
        raise CliError(
            "config_invalid", f"{path} cannot be used: {error}.", hint=f"mend or remove {path}"
        ) from error


def add(server: ToolServer, home: Home) -> None:
    """Write a server down.

    Raises `CliError`: `usage` for what is no entry, `server_exists` for a name that is taken.
    """
    present = listed(home)
    try:
        ToolServer.read(Fields(server.write(), "server"))
    except MalformedError as error:
        raise CliError("usage", f"{error.detail}.", hint="dispatch agent server add --help") from error
    if server.name in {each.name for each in present}:
        raise CliError(
            "server_exists",
            f"There is a server called {server.name}, and grants may name it.",
            hint=f"dispatch agent server remove {server.name}",
        )
    if len(present) == GRANT_SERVERS:
        raise CliError(
            "usage", f"There are {GRANT_SERVERS} servers already.", hint="dispatch agent server list"
        )
    home.keep(FILE_NAME, write_servers([*present, server]))


def remove(name: str, home: Home) -> None:
    """Forget a server.

    Raises `CliError` (`server_missing`).
    """
    present = listed(home)
    kept = [each for each in present if each.name != name]
    if len(kept) == len(present):
        raise CliError(
            "server_missing", f"There is no server called {name}.", hint="dispatch agent server list"
        )
    home.keep(FILE_NAME, write_servers(kept))
