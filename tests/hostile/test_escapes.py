"""Every known way out is tried: unconfined, where it must work, and inside, where it must not."""

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator

import pytest

from sandbox.wall import landlock
from tests.support import grounds
from tests.support.escape_cases import Case, fill, load, on_the_host
from tests.support.grounds import BOTH, ORDINARY, SELF, Ground, Who

CASES = load()
USERS = pytest.mark.parametrize("who", BOTH, ids=lambda who: who.name)
EACH = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@contextlib.contextmanager
def scene(who: Who, case: Case) -> Iterator[tuple[Ground, dict[str, str]]]:
    """Set one case's stage: a fresh ground, and a host with something worth reaching."""
    ground = grounds.make(who)
    with contextlib.ExitStack() as stack:
        stack.callback(ground.remove)
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        abstract = f"dispatch-{os.getpid()}-{case.name}-{who.name}"
        for kind, address in (
            (socket.SOCK_STREAM, f"\0{abstract}"),
            (socket.SOCK_STREAM, str(ground.work / "stream.sock")),
            (socket.SOCK_DGRAM, str(ground.work / "datagram.sock")),
        ):
            reachable = stack.enter_context(socket.socket(socket.AF_UNIX, kind))
            reachable.bind(address)
            if kind == socket.SOCK_STREAM:
                reachable.listen(4)
            if not address.startswith("\0"):
                os.chmod(address, 0o777)
        bystander = subprocess.Popen(["sleep", "600"], env={"API_TOKEN": "CANARY"}, **who.credentials)
        stack.callback(bystander.wait)
        stack.callback(bystander.kill)
        names = {
            "WORK": str(ground.work),
            "READ": str(ground.read),
            "OUTSIDE": str(ground.outside),
            "HOME": str(ground.home),
            "PORT": str(listener.getsockname()[1]),
            "ABSTRACT": abstract,
            "PID": str(bystander.pid),
            "STATE": str(ground.base / "state-1"),
        }
        if case.before:
            on_the_host(case.before, names)
        ground.own()
        stack.callback(lambda: on_the_host(case.after, names) if case.after else None)
        yield ground, names


def harmed(case: Case, names: dict[str, str]) -> bool:
    return bool(case.harm) and on_the_host(case.harm, names).returncode == 0


@EACH
def test_unconfined_it_works(case: Case) -> None:
    """The control: an attack that fails without a wall says nothing about the wall."""
    if case.control.startswith("none:"):
        assert len(case.control) > len("none: ")
        return
    who = SELF if case.control == "root" else ORDINARY
    if case.control == "root" and os.geteuid() != 0:
        return
    with scene(who, case) as (_, names):
        said = on_the_host(case.command(names), names, who.credentials).stdout
        said += on_the_host(case.then, names, who.credentials).stdout if case.then else ""
        assert "ESCAPED" in said or harmed(case, names)


@USERS
@EACH
def test_inside_it_does_not(case: Case, who: Who) -> None:
    if case.needs.startswith("landlock") and landlock.abi() < int(case.needs.split()[1]):
        return
    with scene(who, case) as (ground, names):
        commands = [case.command(names), fill(case.then, names)]
        told = ground.drive(*(("Bash", {"command": command}) for command in commands if command))
        assert told["error"] is None, told["detail"]
        assert "ESCAPED" not in "".join(result[1] for result in told["results"])
        assert not harmed(case, names)
