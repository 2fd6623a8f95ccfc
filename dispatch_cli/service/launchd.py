"""launchd: an agent of the user's session on macOS. Written from launchd.plist(5), and not yet run by anybody."""

import os
import plistlib
from pathlib import Path

from dispatch_cli.errors import CliError
from dispatch_cli.home import Home
from dispatch_cli.service.manager import State, ask, daemon_command, demand, unit_name


def agent_plist(label: str, command: list[str], log_path: str) -> bytes:
    """Return the property list of the agent: kept alive unless it ends well, its log beside its keys."""
    return plistlib.dumps(
        {
            "Label": label,
            "ProgramArguments": command,
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "StandardOutPath": log_path,
            "StandardErrorPath": log_path,
            "Umask": 0o077,
        }
    )


class Launchd:
    """The user's launchd, asked by `launchctl`."""

    def install(self, home: Home) -> None:
        """Write the agent and start it; raises `CliError` (`service_failed`)."""
        home.create()
        label, path = _label(home), _path(home)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(agent_plist(label, daemon_command(home), str(home.log_path)))
        except OSError as error:
            raise CliError(
                "service_failed", f"{path} cannot be written: {error.strerror or error}."
            ) from error
        ask("launchctl", "bootout", f"{_domain()}/{label}")
        demand("launchctl", "bootstrap", _domain(), str(path))

    def uninstall(self, home: Home) -> bool:
        """Stop it and take the agent away; return whether there was one."""
        path = _path(home)
        if not path.exists():
            return False
        ask("launchctl", "bootout", f"{_domain()}/{_label(home)}")
        path.unlink(missing_ok=True)
        return True

    def state(self, home: Home) -> State:
        """Say what is."""
        running = ask("launchctl", "print", f"{_domain()}/{_label(home)}").code == 0
        there = _path(home).exists()
        return State("launchd", str(_path(home)), there, enabled=there, running=running, lingers=None)


def _label(home: Home) -> str:
    return f"org.{unit_name(home)}.daemon"


def _path(home: Home) -> Path:
    return Path(os.path.expanduser("~"), "Library", "LaunchAgents", f"{_label(home)}.plist")


def _domain() -> str:
    return f"gui/{os.getuid()}"
