"""The home of this machine's daemon, as the command line may read it without a daemon.

Only what a client needs: where the socket is, whether a daemon holds the lock, where the log and the
configuration lie. Keys and the journal are the daemon's alone.
"""

import fcntl
import json
import os
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dispatch_cli.errors import CliError
from dispatch_protocol import loopback

if TYPE_CHECKING:
    from pathlib import Path

_CONFIG_NAME = "config.json"
_CONFIG_BYTES = 64 * 1024


class Home:
    """One home directory; it need not exist yet."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = os.fspath(root)

    @cached_property
    def path(self) -> "Path":
        """Return the directory as a path."""
        from pathlib import Path  # most commands need the socket only, and this import costs 5 ms

        return Path(self.root)

    @classmethod
    def found(cls, option: str | None) -> "Home":
        """Return the home that the option names, else `DISPATCH_HOME`, else `~/.dispatch`."""
        given = option or os.environ.get("DISPATCH_HOME") or os.path.join("~", ".dispatch")
        return cls(os.path.abspath(os.path.expanduser(given)))

    @property
    def config_path(self) -> "Path":
        """Return where the settings lie."""
        return self.path / _CONFIG_NAME

    @property
    def log_path(self) -> "Path":
        """Return where a daemon that runs in the background logs."""
        return self.path / "daemon.log"

    def config(self) -> dict[str, Any]:
        """Return the recorded settings; no file is an empty one.

        Raises `CliError`: `config_invalid` for anything but a JSON object of at most 64 KiB, `home_unusable` for a home
        that is closed to us.
        """
        try:
            with open(os.path.join(self.root, _CONFIG_NAME), "rb") as file:
                value = json.loads(file.read(_CONFIG_BYTES))
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except PermissionError as error:
            raise self._closed() from error
        except OSError as error:
            raise _config_error(self.config_path, error.strerror or str(error)) from error
        except (ValueError, RecursionError) as error:
            raise _config_error(self.config_path, "it is not valid JSON") from error
        if not isinstance(value, dict):
            raise _config_error(self.config_path, "it should hold a JSON object")
        return value

    def recorded(self) -> dict[str, Any]:
        """Return who the last daemon of this home was; nothing before the first one, or if it cannot be read."""
        try:
            value = json.loads((self.path / loopback.WHOAMI_NAME).read_bytes()[:_CONFIG_BYTES])
        except (OSError, ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}

    def socket_path(self) -> str:
        """Return the daemon's socket: the recorded one, else where the rule puts it."""
        recorded = self.config().get("socket")
        if isinstance(recorded, str) and recorded:
            return recorded
        return loopback.socket_path(self.root)

    def create(self) -> None:
        """Make the home for its owner alone, as the daemon would.

        Raises `CliError` (`home_unusable`).
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise CliError(
                "home_unusable",
                f"{self.path} cannot be used as the home: {error.strerror or error}.",
                hint="dispatch --home DIR doctor",
            ) from error

    def keep(self, name: str, data: bytes) -> None:
        """Replace a file of the home in one step, readable by its owner alone.

        Raises `CliError` (`home_unusable`).
        """
        import tempfile

        self.create()
        try:
            descriptor, beside = tempfile.mkstemp(prefix=f".{name}.", dir=self.path)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, self.path / name)
        except OSError as error:
            raise CliError(
                "home_unusable", f"{self.path / name} cannot be written: {error.strerror or error}."
            ) from error

    def _closed(self) -> CliError:
        """Return the error of a home that somebody else has closed: often root, once, by `sudo`."""
        try:
            owner = os.stat(self.root).st_uid
        except OSError:
            owner = os.geteuid()
        why = "may not be read" if owner == os.geteuid() else f"belongs to another user (uid {owner})"
        return CliError("home_unusable", f"{self.root} {why}.", hint="dispatch --home DIR doctor")

    def is_held(self) -> bool:
        """Say whether a daemon holds this home: the kernel frees its lock however it died."""
        try:
            descriptor = os.open(os.path.join(self.root, "daemon.lock"), os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(descriptor)
        return False

    def pid(self) -> int | None:
        """Return the process that holds this home, as it recorded itself."""
        if not self.is_held():
            return None
        try:
            return int((self.path / "daemon.pid").read_bytes()[:32])
        except (OSError, ValueError):
            return None


def _config_error(path: "Path", reason: str) -> CliError:
    return CliError("config_invalid", f"{path} cannot be read: {reason}.", hint="dispatch config path")
