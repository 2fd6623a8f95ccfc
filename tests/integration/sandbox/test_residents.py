"""A whole agent inside: started beside the helper, held by the same wall, heard within bounds, ended without remains."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from sandbox.errors import HelperError, PathRefusedError, SandboxError
from sandbox.job import Limits, PathGrant, Policy, Program, ToolCall
from sandbox.wall import machine
from sandbox.wall.executables import executables
from sandbox.wall.resident import LINE_BYTES
from sandbox.wall.runner import Box, open_box
from tests.support.grounds import Ground
from tests.support.patience import eventually
from tests.support.processes import alive, members

PATIENCE_S = 30
PORT = 3128
# It evaluates each line it is told, so that a test can ask what the inside is like.
OPEN_EYED = """
import ctypes, os, signal, socket, subprocess, sys, time, urllib.request
for line in sys.stdin:
    try:
        print(repr(eval(line)), flush=True)
    except BaseException as error:
        print(type(error).__name__, flush=True)
"""


def program(script: str = OPEN_EYED, **more: object) -> Program:
    return Program((machine.layout().python, "-I", "-S", "-B", "-c", script), **more)  # type: ignore[arg-type]  # a test's shorthand


def policy(ground: Ground, *tools: str, agent: Program | None = None, limits: Limits | None = None) -> Policy:
    ground.driven += 1
    return Policy(
        (PathGrant(str(ground.work), "rw"),),
        str(ground.work),
        frozenset(tools or ("Read", "Write", "Bash")),
        limits=limits or Limits(),
        program=agent or program(),
    )


async def ask(box: Box, question: str) -> str:
    box.resident.tell(question.encode() + b"\n")
    line = await box.resident.hear(PATIENCE_S)
    assert line is not None, box.resident.complaint
    return line.decode().strip()


async def test_it_works_in_the_same_copy_as_the_tools(own_ground: Ground) -> None:
    async with open_box(policy(own_ground), own_ground.state, "test") as box:
        assert await ask(box, "open('said.txt', 'w').write('hello')") == "5"
        read = await box.call(ToolCall("1", "Read", {"file_path": "said.txt"}))
        assert await ask(box, "subprocess.run(['true']).returncode") == "0"
    assert "hello" in read.output
    (layer,) = box.frozen.layers
    assert (layer.upper / "said.txt").read_text() == "hello"
    assert not (own_ground.work / "said.txt").exists()


async def test_its_environment_is_what_was_written_and_nothing_of_the_launchers(
    own_ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_DAEMON", "do-not-tell")
    agent = program(environment={"PLACEHOLDER": "only-this"})
    async with open_box(policy(own_ground, agent=agent), own_ground.state, "test") as box:
        assert await ask(box, "os.environ['PLACEHOLDER']") == "'only-this'"
        assert "do-not-tell" not in await ask(box, "dict(os.environ)")
        seen = await ask(box, "subprocess.run('cat /proc/*/environ', shell=True, capture_output=True).stdout")
        assert "do-not-tell" not in seen
        assert await ask(box, "os.environ['HOME'] != os.path.expanduser('~root')") == "True"
        assert await ask(box, "os.listdir(os.environ['HOME'])") == "[]"


async def test_it_has_three_streams_and_no_other_descriptor(own_ground: Ground) -> None:
    async with open_box(policy(own_ground, agent=program(ports=(PORT,))), own_ground.state, "test") as box:
        held = "[n for n in os.listdir('/proc/self/fd') if os.path.exists('/proc/self/fd/' + n)]"
        assert await ask(box, held) == "['0', '1', '2']"


async def test_it_reaches_its_gate_and_nothing_else(own_ground: Ground) -> None:
    """Other ports of the loopback, the launcher's own listeners, names and addresses elsewhere: none is there."""
    outside = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    host_port = outside.sockets[0].getsockname()[1]
    async with open_box(policy(own_ground, agent=program(ports=(PORT,))), own_ground.state, "test") as box:
        served = await asyncio.start_server(_answer, sock=box.listener(PORT))
        assert await ask(box, f"urllib.request.urlopen('http://127.0.0.1:{PORT}/').read()") == "b'served'"
        for port in (host_port, 11434, 8001, 53, PORT + 1):
            assert await ask(box, f"socket.create_connection(('127.0.0.1', {port}), 2)") in REFUSED
        for place in ("('192.0.2.1', 443)", "('169.254.169.254', 80)", "('model.example.org', 443)"):
            assert await ask(box, f"socket.create_connection({place}, 2)") in REFUSED
        assert await ask(box, "socket.getaddrinfo('model.example.org', 443)") == "gaierror"
        assert await ask(box, "socket.socket(socket.AF_UNIX)") in REFUSED
        served.close()
    outside.close()


REFUSED = {"ConnectionRefusedError", "OSError", "gaierror", "PermissionError"}


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readline()
    writer.write(b"HTTP/1.0 200 OK\r\ncontent-length: 6\r\n\r\nserved")
    await writer.drain()
    writer.close()


async def test_without_bash_it_runs_itself_and_no_other_program(own_ground: Ground) -> None:
    async with open_box(policy(own_ground, "Read", "Edit"), own_ground.state, "test") as box:
        assert await ask(box, "subprocess.run(['/bin/ls'])") == "PermissionError"
        assert await ask(box, "open('tool', 'w').write('#!/bin/sh') and os.chmod('tool', 0o755)") == "None"
        assert await ask(box, "subprocess.run(['./tool'])") == "PermissionError"
        assert await ask(box, "subprocess.run([sys.executable, '-c', '0']).returncode") == "0"


async def test_without_a_tool_that_writes_the_grant_is_closed_to_it(own_ground: Ground) -> None:
    async with open_box(policy(own_ground, "Read"), own_ground.state, "test") as box:
        assert await ask(box, "open('said.txt', 'w')") == "OSError"


async def test_it_can_neither_signal_nor_read_the_helper(own_ground: Ground) -> None:
    async with open_box(policy(own_ground), own_ground.state, "test") as box:
        assert await ask(box, "open(f'/proc/{os.getppid()}/mem', 'rb')") == "PermissionError"
        said = await ask(box, "os.kill(os.getppid(), signal.SIGKILL)")
        if any(layer.startswith("landlock-") and int(layer[9:]) >= 6 for layer in box.confinement.layers):
            assert said == "PermissionError"
            assert (await box.call(ToolCall("1", "Bash", {"command": "echo here"}))).output == "here\n"


async def test_its_program_is_shown_read_only_at_its_own_path(own_ground: Ground) -> None:
    parts = own_ground.work.parent / "parts"
    parts.mkdir()
    (parts / "word").write_text("of the program")
    agent = program(directories=(str(parts),))
    async with open_box(policy(own_ground, agent=agent), own_ground.state, "test") as box:
        assert await ask(box, f"open('{parts}/word').read()") == "'of the program'"
        assert await ask(box, f"open('{parts}/word', 'w')") == "OSError"


@pytest.mark.parametrize("directory", ["/", str(Path.home()), str(Path.home() / ".ssh"), "/etc"])
async def test_a_program_never_opens_what_no_grant_may(own_ground: Ground, directory: str) -> None:
    with pytest.raises(PathRefusedError):
        async with open_box(
            policy(own_ground, agent=program(directories=(directory,))), own_ground.state, "test"
        ):
            raise AssertionError("it opened")


async def test_ending_the_run_leaves_no_process_of_it(own_ground: Ground) -> None:
    script = (
        "import subprocess; [subprocess.Popen(['sleep', '600'], start_new_session=True) for _ in range(3)]\n"
    )
    agent = program(script + OPEN_EYED)
    others = set(members(os.getpid()))  # what other tests keep running
    async with open_box(policy(own_ground, agent=agent), own_ground.state, "test") as box:
        assert await ask(box, "1") == "1"
        inside = set(members(os.getpid())) - others
        assert len(inside) >= 5
    await eventually(lambda: not any(alive(number) for number in inside))


async def test_its_end_is_heard_with_what_it_complained(own_ground: Ground) -> None:
    script = "import sys; sys.stderr.write('no \\x1b[31mway\\n' * 1000 + 'the end'); sys.exit(3)"
    async with open_box(policy(own_ground, agent=program(script)), own_ground.state, "test") as box:
        assert await box.resident.hear(PATIENCE_S) is None
        await asyncio.sleep(0)
        assert box.resident.complaint.endswith("the end")
        assert "\x1b" not in box.resident.complaint


async def test_a_program_that_is_not_there_says_so(own_ground: Ground) -> None:
    agent = Program(("/usr/bin/no-such-agent",))
    async with open_box(policy(own_ground, agent=agent), own_ground.state, "test") as box:
        assert await box.resident.hear(PATIENCE_S) is None
        assert "no-such-agent cannot be started" in box.resident.complaint


async def test_a_line_without_end_is_not_kept(own_ground: Ground) -> None:
    script = "import sys\nwhile True: sys.stdout.write('x' * 65536)"
    async with open_box(policy(own_ground, agent=program(script)), own_ground.state, "test") as box:
        with pytest.raises(HelperError) as refused:
            await box.resident.hear(PATIENCE_S)
    assert refused.value.code == "agent_garbled"


async def test_an_agent_that_does_not_listen_is_not_waited_for(own_ground: Ground) -> None:
    agent = program("import time; time.sleep(600)")
    async with open_box(policy(own_ground, agent=agent), own_ground.state, "test") as box:
        box.resident.tell(b"x" * LINE_BYTES)
        box.resident.tell(b"x" * (LINE_BYTES - 1))
        with pytest.raises(HelperError) as refused:
            box.resident.tell(b"x" * LINE_BYTES)
    assert refused.value.code == "agent_deaf"


async def test_its_memory_counts_as_the_runs(own_ground: Ground) -> None:
    limits = Limits(memory_bytes=256 * 1024 * 1024)
    agent = program("kept = [bytearray(64 << 20) for _ in range(8)]\n" + OPEN_EYED)
    async with open_box(policy(own_ground, agent=agent, limits=limits), own_ground.state, "test") as box:
        assert await box.resident.hear(PATIENCE_S) is None


async def test_a_box_without_an_agent_says_so(own_ground: Ground) -> None:
    bare = Policy((PathGrant(str(own_ground.work), "ro"),), str(own_ground.work), frozenset({"Read"}))
    own_ground.driven += 1
    async with open_box(bare, own_ground.state, "test") as box:
        with pytest.raises(SandboxError) as refused:
            box.resident.tell(b"")
        with pytest.raises(SandboxError) as closed:
            box.listener(PORT)
    assert (refused.value.code, closed.value.code) == ("no_program", "no_gate")


def test_a_script_needs_its_interpreter_and_that_its_loader(tmp_path: Path) -> None:
    script = tmp_path / "agent"
    script.write_text("#!/usr/bin/env sh\n")
    found = executables(str(script), (str(tmp_path),), "/usr/bin:/bin")
    assert found[:2] == (str(tmp_path), str(script))
    assert os.path.realpath("/bin/sh") in found
    loaders = executables(sys.executable, (), "/usr/bin")
    assert loaders[0] == os.path.realpath(sys.executable)
    assert any("ld" in os.path.basename(each) for each in loaders[1:])
    assert executables("/no/such/agent", (), "/usr/bin") == ()
