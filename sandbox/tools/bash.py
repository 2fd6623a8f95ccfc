"""Bash: run one command line, in a domain of its own.

Every command starts in the run directory with a fresh shell; what it leaves running in the background lives
until the run ends, but its output is nobody's. Output is read with a cap and the command is killed when it
goes over: a tool that only stopped reading would leave the writer blocked and the run waiting.
"""

import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping
from typing import Any

from sandbox.tools.inputs import DEFAULT_TIMEOUT_MS
from sandbox.tools.workplace import Outcome, ToolError, Workplace

SHELLS = ("/bin/bash", "/bin/sh")
_PIECE_BYTES = 1 << 16


def run(given: Mapping[str, Any], workplace: Workplace) -> Outcome:
    """Run `command` and return its output and errors together, as text, with its exit code.

    Raises:
        ToolError: There is no shell, or it cannot be started.
    """
    shell = next((each for each in SHELLS if os.access(each, os.X_OK)), None)
    if shell is None:
        raise ToolError("there is no shell here")
    timeout_s = given.get("timeout", DEFAULT_TIMEOUT_MS) / 1000
    reading, writing = os.pipe()
    try:
        process = subprocess.Popen(
            [shell, "-c", given["command"]],
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=subprocess.STDOUT,
            cwd=workplace.cwd,
            env=dict(workplace.environment),
            start_new_session=True,
            preexec_fn=workplace.confine,  # noqa: PLW1509 - the helper has one thread
        )
    except (OSError, subprocess.SubprocessError) as problem:
        os.close(reading)
        raise ToolError(f"the shell cannot be started: {problem}") from None
    finally:
        os.close(writing)
    try:
        data, ending = _follow(process, reading, time.monotonic() + timeout_s, workplace.output_bytes)
    finally:
        os.close(reading)
    text = data[: workplace.output_bytes].decode("utf-8", "replace")
    output, cut = workplace.clip(text)
    if ending is not None:
        return Outcome(ok=False, output=output, truncated=cut or ending == "output_limit", error=ending)
    code = _shell_code(process.returncode)
    error = None if code == 0 else f"exit code {code}"
    return Outcome(ok=code == 0, output=output, truncated=cut, exit_code=code, error=error)


def _follow(
    process: "subprocess.Popen[bytes]", reading: int, deadline: float, cap: int
) -> tuple[bytes, str | None]:
    """Read until the command ends; return what it wrote and why it was killed, if it was."""
    os.set_blocking(reading, False)
    data = bytearray()
    ended = os.pidfd_open(process.pid)
    poller = select.poll()
    poller.register(ended, select.POLLIN)
    poller.register(reading, select.POLLIN)
    try:
        while True:
            left_ms = int(max(0.0, deadline - time.monotonic()) * 1000)
            ready = {descriptor for descriptor, _ in poller.poll(left_ms)}
            if reading in ready and not _take(reading, data, cap):
                poller.unregister(reading)
            if len(data) > cap:
                return _killed(process, data, "output_limit")
            if ended in ready:
                _take(reading, data, cap)
                process.wait()
                return bytes(data), None
            if time.monotonic() >= deadline:
                return _killed(process, data, "timeout")
    finally:
        os.close(ended)


def _take(reading: int, data: bytearray, cap: int) -> bool:
    """Append what is there now, a little over the cap at most; return False at the end of the output."""
    while len(data) <= cap:
        try:
            piece = os.read(reading, _PIECE_BYTES)
        except BlockingIOError:
            return True
        if not piece:
            return False
        data += piece
    return True


def _killed(process: "subprocess.Popen[bytes]", data: bytearray, why: str) -> tuple[bytes, str]:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return bytes(data), why


def _shell_code(code: int) -> int:
    """Say it as a shell does: death by a signal is 128 and the signal's number."""
    return code if code >= 0 else 128 - code
