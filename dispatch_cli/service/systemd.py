"""systemd: a unit of the user's own manager, and lingering, without which it ends with the last sign-out."""

import os
import pwd
import tempfile
from collections.abc import Sequence
from pathlib import Path

from dispatch_cli.errors import CliError
from dispatch_cli.home import Home
from dispatch_cli.service.manager import State, ask, daemon_command, demand, failed, no_manager, unit_name

_SYSTEMCTL = ("systemctl", "--user")


def unit_text(command: Sequence[str], log_path: str) -> str:
    """Return the unit file (systemd.service(5)); the log is the one that `dispatch daemon logs` shows.

    It restricts nothing: the daemon builds walls for what it runs, and a wall inside a restricted unit may fail.
    """
    return f"""[Unit]
Description=Dispatch: tasks from people you trust
Documentation=man:systemd.service(5)

[Service]
Type=exec
ExecStart={" ".join(_quoted(word) for word in command)}
Restart=on-failure
RestartSec=5
TimeoutStopSec=60
StandardOutput=append:{_specified(log_path)}
StandardError=append:{_specified(log_path)}
UMask=0077

[Install]
WantedBy=default.target
"""


def _specified(text: str) -> str:
    """Return a path for a line that takes the rest as it stands: only specifiers are doubled."""
    return text.replace("%", "%%")


def _quoted(word: str) -> str:
    """Return one word of a command line as systemd reads it ("Quoting" and "Command lines" in its manual)."""
    kept = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{kept}"'


class Systemd:
    """The user's manager, asked by `systemctl --user`."""

    def install(self, home: Home) -> None:
        """Write the unit, start it, and let it outlive the session.

        Raises:
            CliError: `no_service_manager` where no user manager answers, `home_unusable`, `service_failed`.
        """
        self._answers()
        if "\n" in home.root:
            raise CliError("home_unusable", "No unit can name a home with a line break in its path.")
        name = f"{unit_name(home)}.service"
        home.create()
        _write(_path(name), unit_text(daemon_command(home), str(home.log_path)))
        demand(*_SYSTEMCTL, "daemon-reload")
        demand(*_SYSTEMCTL, "enable", name)
        demand(*_SYSTEMCTL, "restart", name)
        if self._lingers() is False:
            command = ("loginctl", "enable-linger", _user())
            said = ask(*command)
            if said.code != 0:
                error = failed(command, said)
                raise CliError(error.code, error.message, hint=f"sudo loginctl enable-linger {_user()}")

    def uninstall(self, home: Home) -> bool:
        """Stop it and take the unit away; lingering stays, for it may serve others."""
        self._answers()
        name = f"{unit_name(home)}.service"
        if not _path(name).exists():
            return False
        demand(*_SYSTEMCTL, "disable", "--now", name)
        _path(name).unlink(missing_ok=True)
        demand(*_SYSTEMCTL, "daemon-reload")
        return True

    def state(self, home: Home) -> State:
        """Say what is."""
        self._answers()
        name = f"{unit_name(home)}.service"
        return State(
            manager="systemd",
            unit=str(_path(name)),
            installed=_path(name).exists(),
            enabled=ask(*_SYSTEMCTL, "is-enabled", "--quiet", name).code == 0,
            running=ask(*_SYSTEMCTL, "is-active", "--quiet", name).code == 0,
            lingers=self._lingers(),
        )

    def _answers(self) -> None:
        """Refuse where no manager of this user can be reached."""
        said = ask(*_SYSTEMCTL, "show", "--property=Version")
        if said.code != 0:
            raise no_manager(
                (said.err or "systemctl --user does not answer").splitlines()[0].removesuffix(".")
            )

    def _lingers(self) -> bool | None:
        try:
            said = ask("loginctl", "show-user", _user(), "--property=Linger", "--value")
        except CliError:
            return None
        return said.out == "yes" if said.code == 0 else False


def _user() -> str:
    return pwd.getpwuid(os.getuid()).pw_name


def _path(name: str) -> Path:
    """Return where a user's own units lie (systemd.unit(5))."""
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return Path(base, "systemd", "user", name)


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        raise CliError("service_failed", f"{path} cannot be written: {error.strerror or error}.") from error
