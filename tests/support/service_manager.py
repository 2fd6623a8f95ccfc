"""A small service manager that a test puts on PATH as `systemctl` and `loginctl`: it reads units and starts them.

    python service_manager.py systemctl --user enable dispatch.service

What it knows lies in the directory `SERVICE_MANAGER`. It takes a unit's ExecStart as systemd.service(5) says, with its
quotes, `%%` and `$$`, starts it in a session of its own, and ends it with SIGTERM.
"""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.dispatch_command import ROOT
from tests.support.processes import alive

_WORD = re.compile(r'"((?:\\.|[^"\\])*)"')


def on_path(directory: Path) -> dict[str, str]:
    """Write both programs into `directory` and return the environment that uses them."""
    directory.mkdir()
    for name in ("systemctl", "loginctl"):
        program = directory / name
        program.write_text(
            f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m tests.support.service_manager {name} "$@"\n'
        )
        program.chmod(0o755)
    return {"PATH": f"{directory}{os.pathsep}{os.environ['PATH']}", "SERVICE_MANAGER": str(directory)}


class Manager:
    """One user's manager; `refuses` names the acts that fail."""

    def __init__(self, directory: Path, units: Path) -> None:
        self._directory = directory
        self._units = units

    def systemctl(self, verb: str, *arguments: str) -> int:
        """Carry out one call."""
        name = next((word for word in arguments if word.endswith(".service")), "")
        match verb:
            case "show" | "daemon-reload":
                return 0
            case "enable":
                self._mark(name).touch()
            case "restart":
                self._stop(name)
                self._start(name)
            case "disable":
                self._mark(name).unlink(missing_ok=True)
                self._stop(name)
            case "is-enabled":
                return 0 if self._mark(name).exists() else 1
            case "is-active":
                return 0 if self._pid(name) else 3
            case _:
                raise NotImplementedError(verb)
        return 0

    def loginctl(self, verb: str, user: str, *_: str) -> int:
        """Say whether a user lingers, or let it."""
        mark = self._directory / f"{user}.lingers"
        if verb == "show-user":
            print("yes" if mark.exists() else "no")
        elif (self._directory / "no-lingering").exists():
            print("Could not enable linger: Access denied", file=sys.stderr)
            return 1
        else:
            mark.touch()
        return 0

    def _mark(self, name: str) -> Path:
        return self._directory / f"{name}.enabled"

    def _pid(self, name: str) -> int | None:
        try:
            pid = int((self._directory / f"{name}.pid").read_text())
        except FileNotFoundError:
            return None
        return pid if alive(pid) else None

    def _start(self, name: str) -> None:
        unit = dict(
            line.split("=", 1) for line in (self._units / name).read_text().splitlines() if "=" in line
        )
        command = [
            word.replace("%%", "%").replace("$$", "$").replace('\\"', '"').replace("\\\\", "\\")
            for word in _WORD.findall(unit["ExecStart"])
        ]
        log = unit["StandardError"].removeprefix("append:").replace("%%", "%")
        with open(log, "ab") as errors:
            started = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, start_new_session=True
            )
        (self._directory / f"{name}.pid").write_text(str(started.pid))

    def _stop(self, name: str) -> None:
        pid = self._pid(name)
        if pid is None:
            return
        watched = os.pidfd_open(pid)
        signal.pidfd_send_signal(watched, signal.SIGTERM)
        import select

        select.select([watched], [], [])


def main() -> int:
    """Run one call of either program."""
    program, *arguments = [word for word in sys.argv[1:] if word != "--user"]
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    manager = Manager(Path(os.environ["SERVICE_MANAGER"]), Path(base, "systemd", "user"))
    return manager.systemctl(*arguments) if program == "systemctl" else manager.loginctl(*arguments)


if __name__ == "__main__":
    sys.exit(main())
