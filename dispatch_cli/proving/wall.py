"""Eight live escapes, each run inside the real sandbox and, as the control, by the same shell without it.

Everything that is attacked was made for this: a secret beside the granted folder, a program that listens, two processes
that somebody could read or end. Inside, one ordinary act must go well too: a wall that lets nothing be done proves nothing.
"""

import asyncio
import contextlib
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from dispatch_cli.proving.attempt import Attempt, InVainError, Trial, judged, tried
from dispatch_cli.proving.programs import Programs, environment, shell
from sandbox.errors import SandboxError
from sandbox.job import PathGrant, Policy, ToolCall, ToolResult
from sandbox.wall.runner import open_box

_CANARY = "CANARY"
_NOTES = "what stood here before\n"


class Ground:
    """What one side is played on; `work` and `read` are what a run is granted."""

    def __init__(self, base: Path, programs: Programs) -> None:
        self.work, self.read, self.outside = (base / name for name in ("work", "read", "outside"))
        for directory in (self.work, self.read, self.outside):
            directory.mkdir(parents=True)
        (self.outside / "secret").write_text(_CANARY + "\n")
        (self.work / "planted").symlink_to(self.outside / "secret")
        for directory in (self.work, self.read):
            (directory / "notes.txt").write_text(_NOTES)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.read_of = programs.child("sleep", "600", env=environment(base) | {"PROVE_SECRET": _CANARY})
        self.ended = programs.child("sleep", "600", env=environment(base))

    @property
    def names(self) -> dict[str, str]:
        """Return what the scripts name."""
        return {
            "WORK": str(self.work),
            "READ": str(self.read),
            "OUTSIDE": str(self.outside),
            "PORT": str(self.listener.getsockname()[1]),
            "PID": str(self.read_of.pid),
            "VICTIM": str(self.ended.pid),
        }

    def close(self) -> None:
        """Take no more connections."""
        self.listener.close()


def _unharmed(ground: Ground) -> bool:
    """Say that harm shows in what the script prints, and nowhere else."""
    del ground
    return False


def _died(child: "subprocess.Popen[bytes]") -> bool:
    try:
        child.wait(0.2)
    except subprocess.TimeoutExpired:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Escape:
    """One attack: a script that prints ESCAPED if it worked, and what on the ground shows that harm was done."""

    name: str
    does: str
    stopped_by: str
    script: str
    harm: Callable[[Ground], bool] = field(default=_unharmed)

    def on(self, ground: Ground) -> str:
        """Return the script with the names of one ground."""
        script = self.script
        for name, value in ground.names.items():
            script = script.replace(f"@{name}@", value)
        return f"{{ {script}; }} 2>&1; true"


ESCAPES = (
    Escape(
        "read a file that was not granted",
        "opens a file beside the granted folder by its path",
        "it does not exist inside: only what was granted is mounted",
        "grep -q CANARY @OUTSIDE@/secret && echo ESCAPED",
    ),
    Escape(
        "follow a planted link",
        "reads through a link in the granted folder that leads out of it",
        "what the link names does not exist inside",
        "grep -q CANARY @WORK@/planted && echo ESCAPED",
    ),
    Escape(
        "write beside the folder",
        "makes a new file where nothing was granted",
        "nothing but what was granted can be written, nor is it there",
        "echo planted > @OUTSIDE@/new && echo ESCAPED",
        lambda ground: (ground.outside / "new").exists(),
    ),
    Escape(
        "change what may only be read",
        "appends to a file that was granted for reading",
        "the mount is read-only, and so is Landlock's rule",
        "echo more >> @READ@/notes.txt && echo ESCAPED",
        lambda ground: (ground.read / "notes.txt").read_text() != _NOTES,
    ),
    Escape(
        "change files before anybody said yes",
        "writes to a file that may be written, and leaves without having been approved",
        "writes go to a layer of the run's own, which is applied only after a yes",
        "echo changed > @WORK@/notes.txt",
        lambda ground: (ground.work / "notes.txt").read_text() != _NOTES,
    ),
    Escape(
        "reach a program on this machine",
        "connects to a port on which another program of yours listens",
        "a run has a network of its own, with nobody on it",
        "(exec 3<>/dev/tcp/127.0.0.1/@PORT@) && echo ESCAPED",
    ),
    Escape(
        "read a secret of another program",
        "looks for it in the environment of a process of yours",
        "a run sees its own processes and no others",
        r"tr '\0' '\n' < /proc/@PID@/environ | grep -q CANARY && echo ESCAPED",
    ),
    Escape(
        "end another program",
        "sends a signal to a process of yours",
        "a run can signal its own processes and no others",
        "kill -KILL @VICTIM@ && echo ESCAPED",
        lambda ground: _died(ground.ended),
    ),
)


def attempts(programs: Programs) -> Iterator[Attempt]:
    """Try every escape inside and without a wall."""
    with _ground(programs, "inside") as inside, _ground(programs, "bare") as bare:
        said = asyncio.run(_inside(inside, programs.directory / "run"))
        for number, each in enumerate(ESCAPES):
            yield judged(
                "escape",
                each.name,
                each.does,
                each.stopped_by,
                tried(partial(_walled, each, inside, said, number)),
                tried(partial(_bare, each, bare, programs)),
            )


@contextlib.contextmanager
def _ground(programs: Programs, name: str) -> Iterator[Ground]:
    ground = Ground(programs.directory / name, programs)
    try:
        yield ground
    finally:
        ground.close()


def _walled(each: Escape, ground: Ground, said: list[ToolResult] | str, number: int) -> Trial:
    if isinstance(said, str):
        raise InVainError(said)
    harmed = "ESCAPED" in said[number].output or each.harm(ground)
    shown = said[number].output.strip().rpartition("\n")[2].rpartition(": ")[2]
    return Trial(harmed, "it worked" if harmed else shown or "nothing outside has changed")


def _bare(each: Escape, ground: Ground, programs: Programs) -> Trial:
    output = shell(each.on(ground), ground.work, environment(programs.directory))
    harmed = "ESCAPED" in output or each.harm(ground)
    return Trial(harmed, "it works" if harmed else f"it fails by itself: {output.strip()[:200]}")


async def _inside(ground: Ground, state: Path) -> list[ToolResult] | str:
    """Run every script in one sandbox; returns why not, if the wall does not stand or lets nothing be done."""
    work, read = str(ground.work), str(ground.read)
    policy = Policy((PathGrant(work, "rw"), PathGrant(read, "ro")), work, frozenset({"Bash", "Read"}))
    try:
        async with open_box(policy, state, "prove") as box:
            ordinary = await box.call(ToolCall("ordinary", "Bash", {"command": "cat notes.txt"}))
            if ordinary.output != _NOTES:
                return f"inside the wall an ordinary act failed: {ordinary.error or ordinary.output[:200]}"
            return [
                await box.call(ToolCall(str(number), "Bash", {"command": each.on(ground)}))
                for number, each in enumerate(ESCAPES)
            ]
    except SandboxError as error:
        return f"{error.detail} {error.remedy}".strip()
