"""`service`: a unit that a service manager really starts, status in words, and machines that have none."""

import plistlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from shutil import which

import pytest

from dispatch_cli.service.launchd import agent_plist
from dispatch_cli.service.systemd import unit_text
from tests.support.dispatch_command import dispatch
from tests.support.service_manager import on_path


@pytest.fixture
def managed(tmp_path: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    home = tmp_path / 'a home with $HOME, 50% and a "quote"'
    environ = on_path(tmp_path / "manager") | {
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "DISPATCH_KEY_BACKEND": "file",
        "DISPATCH_LOCAL_PORT": "0",
    }
    yield home, environ
    dispatch(home, "service", "uninstall", **environ)
    dispatch(home, "daemon", "stop", **environ)


def test_it_runs_from_boot_on_and_is_taken_away_again(managed: tuple[Path, dict[str, str]]) -> None:
    home, environ = managed
    before = dispatch(home, "service", "status", **environ)
    assert (before.code, "not installed" in before.out) == (0, True)
    assert "dispatch service install" in before.out

    installed = dispatch(home, "service", "install", "--json", **environ).json
    assert (installed["manager"], installed["installed"], installed["enabled"]) == ("systemd", True, True)
    assert (installed["running"], installed["lingers"]) == (True, True)
    pid = dispatch(home, "service", "install", **environ)  # the same again is the same
    assert "from boot on" in pid.out

    running = dispatch(home, "daemon", "start", "--json", **environ).json
    assert running["running"], "a command finds the daemon that the manager started"

    removed = dispatch(home, "service", "uninstall", **environ)
    assert removed.out == "Removed. Commands start the daemon when they need it.\n"
    assert not dispatch(home, "daemon", "status", "--json", **environ).json["running"]
    assert not Path(installed["unit"]).exists()
    assert dispatch(home, "service", "uninstall", **environ).out == "There was no service.\n"


def test_a_daemon_that_a_command_started_makes_room(managed: tuple[Path, dict[str, str]]) -> None:
    home, environ = managed
    first = dispatch(home, "daemon", "start", "--json", **environ).json["pid"]
    assert dispatch(home, "service", "install", "--json", **environ).json["running"]
    assert dispatch(home, "daemon", "start", "--json", **environ).json["pid"] != first


def test_lingering_that_is_not_allowed_is_said_with_the_command_of_somebody_who_may(
    managed: tuple[Path, dict[str, str]],
) -> None:
    home, environ = managed
    (Path(environ["SERVICE_MANAGER"]) / "no-lingering").touch()
    ended = dispatch(home, "service", "install", **environ)
    assert ended.code == 1
    assert "Could not enable linger: Access denied." in ended.err
    assert "sudo loginctl enable-linger" in ended.err
    assert "only while you are signed in" in dispatch(home, "service", "status", **environ).out


def test_a_machine_without_a_manager_says_what_to_do_instead(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for verb in ("install", "status", "uninstall"):
        ended = dispatch(tmp_path / "home", "service", verb, PATH=str(empty))
        assert (ended.code, ended.out) == (1, "")
        assert "No service manager of this user was found" in ended.err.replace("Not done: no", "No")
        assert "dispatch daemon start" in ended.err
    assert not (tmp_path / "home").exists()


def test_systemd_itself_accepts_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "dispatch.service"
    text = unit_text(["/bin/true", 'a "b" $c 50%', "d\\e"], "/var/log/a 50% b.log")
    assert _verified(unit, text) == (0, "")
    for fault in (text.replace("Type=exec", "Type=execc"), text.replace('"/bin/true"', '"/bin/true')):
        assert _verified(unit, fault)[1] != "", "the verifier finds what is wrong"


def _verified(unit: Path, text: str) -> tuple[int, str]:
    verifier = which("systemd-analyze")
    assert verifier, "systemd-analyze (Debian: systemd) is missing"
    unit.write_text(text)
    checked = subprocess.run(
        [verifier, "--user", "verify", unit],
        env={"XDG_RUNTIME_DIR": str(unit.parent), "HOME": str(unit.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    about = [row for row in checked.stderr.splitlines() if unit.name in row]
    return checked.returncode, "\n".join(about)


def test_launchd_reads_the_agent() -> None:
    agent = plistlib.loads(agent_plist("org.dispatch.daemon", ["/usr/bin/python3", "-m", "x & y"], "/l"))
    assert agent["ProgramArguments"] == ["/usr/bin/python3", "-m", "x & y"]
    assert agent["KeepAlive"] == {"SuccessfulExit": False}
