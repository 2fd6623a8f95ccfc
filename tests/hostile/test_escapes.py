"""Every known way out is tried: unconfined, where it must work, and inside, where it must not."""

import contextlib
import os
import shlex
import socket
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.wall import landlock
from sandbox.wall.policy import PROXY_PORT
from tests.support import grounds
from tests.support.escape_cases import Case, fill, load, on_the_host
from tests.support.grounds import BOTH, ORDINARY, SELF, Ground, Who
from tests.support.patience import poll

CASES = load()
SHARING = [case for case in CASES if case.shares]
USERS = pytest.mark.parametrize("who", BOTH, ids=lambda who: who.name)
EACH = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)

CATALOGUED_ATTACKS, CATALOGUED_ACTS = 60, 9

# What is asked of the gate to granted hosts, by whoever was granted another one.
ASKS = """
import socket
places = ["evil.example:443", "127.0.0.1:{port}", "0x7f.1:{port}", "[::ffff:127.0.0.1]:{port}"]
for place in (*places, "host.example@evil.example:443", "evil.example\\0.host.example:443"):
    s = socket.create_connection(("127.0.0.1", {gate}))
    s.sendall(("CONNECT " + place + " HTTP/1.1\\r\\n\\r\\n").encode())
    print(s.recv(99).split()[1].decode())
"""
Scene = tuple[Ground, dict[str, str]]


@contextlib.contextmanager
def scene(who: Who, name: str, case: Case | None = None) -> Iterator[Scene]:
    """Set a stage: a fresh ground, a host with something worth reaching, and what a case needs before it."""
    ground = grounds.make(who)
    with contextlib.ExitStack() as stack:
        stack.callback(ground.remove)
        abstract = f"dispatch-{os.getpid()}-{name}-{who.name}"
        port = listen(stack, ground, abstract)
        bystander = subprocess.Popen(["sleep", "600"], env={"API_TOKEN": "CANARY"}, **who.credentials)
        stack.callback(bystander.wait)
        stack.callback(bystander.kill)
        names = {
            "WORK": str(ground.work),
            "READ": str(ground.read),
            "OUTSIDE": str(ground.outside),
            "HOME": str(ground.home),
            "PORT": str(port),
            "ABSTRACT": abstract,
            "PID": str(bystander.pid),
            "STATE": str(ground.base / "state-1"),
        }
        if case is not None and case.before:
            on_the_host(case.before, names)
        ground.own()
        stack.callback(lambda: on_the_host(case.after, names) if case and case.after else None)
        yield ground, names


def listen(stack: contextlib.ExitStack, ground: Ground, abstract: str) -> int:
    """Open what a host offers: a TCP port on both loopbacks, which is returned, and Unix sockets of three kinds."""
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    port: int = listener.getsockname()[1]
    with contextlib.suppress(OSError):  # a machine without IPv6
        stack.enter_context(socket.create_server(("::1", port), family=socket.AF_INET6))
    for kind, address in (
        (socket.SOCK_STREAM, f"\0{abstract}"),
        (socket.SOCK_STREAM, str(ground.work / "stream.sock")),
        (socket.SOCK_DGRAM, str(ground.work / "datagram.sock")),
        (socket.SOCK_STREAM, str(ground.read / "stream.sock")),
    ):
        reachable = stack.enter_context(socket.socket(socket.AF_UNIX, kind))
        reachable.bind(address)
        if kind == socket.SOCK_STREAM:
            reachable.listen(4)
        if not address.startswith("\0"):
            os.chmod(address, 0o777)
    return port


class Common:
    """What the cases share that only ask: for each user one scene, and one box in which all of them are tried."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self._scenes: dict[tuple[Who, str], Scene] = {}
        self._said: dict[Who, dict[str, str]] = {}

    def scene(self, who: Who, purpose: str) -> Scene:
        """Return the scene of a user; what is tried unconfined has one of its own."""
        if (who, purpose) not in self._scenes:
            self._scenes[who, purpose] = self._stack.enter_context(scene(who, purpose))
        return self._scenes[who, purpose]

    def said_inside(self, who: Who, case: Case) -> str:
        """Return what a case printed inside; one that brings the box down, and all after it, get one alone."""
        if who not in self._said:
            ground, names = self.scene(who, "inside")
            told = ground.drive(*(("Bash", {"command": each.command(names)}) for each in SHARING))
            outputs = (result[1] for result in told["results"])
            self._said[who] = {each.name: output for each, output in zip(SHARING, outputs, strict=False)}
        if case.name not in self._said[who]:
            ground, names = self.scene(who, "inside")
            told = ground.drive(("Bash", {"command": case.command(names)}))
            assert told["error"] is None, told["detail"]
            self._said[who][case.name] = told["results"][0][1]
        return self._said[who][case.name]


@pytest.fixture(scope="session")
def common() -> Iterator[Common]:
    """Keep what cases share until the last of them is done."""
    with contextlib.ExitStack() as stack:
        yield Common(stack)


def test_nothing_of_the_catalogue_is_missing() -> None:
    """The wall was designed against attacks and ordinary acts that were measured; each has a number."""
    numbers = [case.id for case in CASES if case.id]
    assert len(numbers) == len(set(numbers))
    assert sum(number.startswith("E") for number in numbers) == CATALOGUED_ATTACKS
    assert sum(number.startswith("A") for number in numbers) == CATALOGUED_ACTS
    assert all(case.expect == "allow" for case in CASES if case.id.startswith("A"))
    assert {case.expect for case in CASES} == {"deny", "contain", "allow", "refuse"}
    assert all(case.ends for case in CASES if case.expect in ("contain", "refuse"))


def harmed(case: Case, names: dict[str, str]) -> bool:
    return bool(case.harm) and on_the_host(case.harm, names).returncode == 0


@EACH
def test_unconfined_it_works(case: Case, common: Common) -> None:
    """The control: an attack that fails without a wall says nothing about the wall."""
    if case.control.startswith("none:"):
        assert len(case.control) > len("none: ")
        return
    who = SELF if case.control == "root" else ORDINARY
    if case.launcher:
        with scene(who, case.name, case) as (_, names):
            outlives_a_shell(case, who, names)
        return
    if case.shares:
        _, names = common.scene(who, "unconfined")
        said = on_the_host(case.plainly(), names, who.credentials, case.command(names)).stdout
        harm = False
    else:
        with scene(who, case.name, case) as (_, names):
            said = on_the_host(case.plainly(), names, who.credentials, case.command(names)).stdout
            for more in filter(None, (case.then, case.beside)):
                said += on_the_host(more, names, who.credentials).stdout
            harm = harmed(case, names)
    assert proves(case, said) or harm, said


def proves(case: Case, said: str) -> bool:
    """Judge what a control printed."""
    if case.expect == "allow":
        return "OK" in said.split()
    excused = (case.lacking and "ABSENT" in said) or (
        case.control == "root" and SELF.uid != 0 and "ROOT ONLY" in said
    )
    return "ESCAPED" in said or bool(excused)


def outlives_a_shell(case: Case, who: Who, names: dict[str, str]) -> None:
    """A program that was started without a wall lives on when whoever started it is killed."""
    launcher = subprocess.Popen(
        ["bash", "-c", 'bash -c "$ATTACK"; true'],
        env=os.environ | {"ATTACK": case.command(names)},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        **who.credentials,
    )
    poll(lambda: "READY" in on_the_host(case.beside, names).stdout, "the attack to begin")
    launcher.kill()
    launcher.wait()
    assert harmed(case, names)


@USERS
@EACH
def test_inside_it_does_not(case: Case, who: Who, common: Common) -> None:
    if case.needs.startswith("landlock") and landlock.abi() < int(case.needs.split()[1]):
        return
    if case.shares:
        said = common.said_inside(who, case)
        assert "ESCAPED" not in said, said
        assert case.expect != "allow" or "OK" in said.split(), said
        return
    with scene(who, case.name, case) as (ground, names):
        if case.launcher:
            dies_with_its_launcher(case, ground, names)
            return
        commands = [case.command(names), fill(case.then, names)]
        told = ground.drive(
            *(("Bash", {"command": command, "timeout": 60_000}) for command in commands if command),
            paths=[[str(ground.work), "rw", ground.identity], [str(ground.read), "ro"]],
            limits=case.limits,
            beside=fill(case.beside, names),
        )
        judge(case, told)
        assert not harmed(case, names)


@USERS
def test_hosts_that_are_granted_open_no_other_way(who: Who, common: Common) -> None:
    """The cases about sockets once more, in a run that may reach a host: its gate is all that is there besides."""
    ground, names = common.scene(who, "inside")
    cases = [case for case in SHARING if case.topic == "network"]
    assert len(cases) > 10
    told = ground.drive(
        *(("Bash", {"command": each.command(names)}) for each in cases),
        ("Bash", {"command": f"exec 3<>/dev/tcp/127.0.0.1/{PROXY_PORT} && echo THERE; env"}),
        ("Bash", {"command": f"python3 -c {shlex.quote(ASKS.format(gate=PROXY_PORT, port=names['PORT']))}"}),
        network=["host.example"],
    )
    assert told["error"] is None, told["detail"]
    *tried, last, asked = told["results"]
    assert asked[1].split() == ["403"] * 5 + ["400"]
    assert [case.name for case, result in zip(cases, tried, strict=True) if "ESCAPED" in result[1]] == []
    assert "THERE" in last[1].split(), "the control: this run has its gate"
    assert f"HTTPS_PROXY=http://127.0.0.1:{PROXY_PORT}" in last[1].split()


def judge(case: Case, told: dict[str, Any]) -> None:
    """Judge what the driver tells of a case by what is expected of it."""
    said = "".join(result[1] for result in told["results"]) + told.get("beside", "")
    assert "ESCAPED" not in said, said
    if case.expect == "refuse":
        assert told["error"] in case.ends, told
    elif case.expect == "contain":
        ends = {told["error"] or (result[2] or "").split(":")[0] for result in told["results"]} or {
            told["error"]
        }
        assert ends & set(case.ends), told
    else:
        assert told["error"] is None, told["detail"]
    assert case.expect != "allow" or "OK" in said.split(), told


def dies_with_its_launcher(case: Case, ground: Ground, names: dict[str, str]) -> None:
    """Kill the program that holds the box, with no chance to clean up, and see everything inside go."""
    launcher = grounds.start(ground, ground.job(("Bash", {"command": case.command(names)})))
    poll(lambda: "READY" in on_the_host(case.beside, names).stdout, "the attack to begin")
    assert harmed(case, names)
    launcher.kill()
    launcher.communicate()
    poll(lambda: not harmed(case, names), "everything inside to die with the launcher")
