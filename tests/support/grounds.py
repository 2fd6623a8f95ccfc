"""A piece of disk for one sandboxed run, owned by whoever runs it, and the two users who try.

The sandbox must hold for root and for an ordinary user, and these take different roads through the kernel. Where
the tests run as root they do both: in this process as root, and in a process of its own as a user who owns
nothing else. Where they run as an ordinary user, that is both.
"""

import asyncio
import atexit
import compileall
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sandbox
from tests.support import box_driver
from tests.support.escape_cases import BAIT

ROOT = Path(sandbox.__file__).parent.parent
ORDINARY_UID = 54321
# Not below /tmp: a grant there takes /tmp away from the run, which only the tests about that want.
BASE = Path("/var/tmp")
ALL_TOOLS = ("Bash", "Edit", "Glob", "Grep", "Read", "Write")


@dataclass(frozen=True, slots=True)
class Who:
    """One of the two users."""

    name: str
    uid: int

    @property
    def is_other(self) -> bool:
        return self.uid != os.geteuid()

    @property
    def credentials(self) -> dict[str, Any]:
        """What `subprocess` needs to start something as this user."""
        return {"user": self.uid, "group": self.uid, "extra_groups": []} if self.is_other else {}


SELF = Who("self", os.geteuid())
ORDINARY = Who("ordinary", ORDINARY_UID if os.geteuid() == 0 else os.geteuid())
BOTH = (SELF, ORDINARY)


@dataclass(slots=True)
class Ground:
    """Directories of one run: granted `work` and `read`, ungranted `outside` and `home`, the run's `state`."""

    who: Who
    base: Path
    driven: int = field(default=0)
    identity: tuple[int, int] = field(init=False)

    def __post_init__(self) -> None:
        self.base.chmod(0o755)
        for directory in (self.work, self.read, self.outside, self.home):
            directory.mkdir()
        found = self.work.stat()
        self.identity = (found.st_dev, found.st_ino)
        (self.outside / "secret").write_text("CANARY\n")
        (self.read / "notes.txt").write_text("to be read\n")
        (self.work / "src.txt").write_text("hello\n")
        subprocess.run(
            ["git", "init", "-q", "--template=", self.work], check=True, env={"PATH": os.environ["PATH"]}
        )
        (self.work / ".git" / "hooks").mkdir()
        self.own()

    @property
    def work(self) -> Path:
        return self.base / "work"

    @property
    def read(self) -> Path:
        return self.base / "read"

    @property
    def outside(self) -> Path:
        return self.base / "outside"

    @property
    def home(self) -> Path:
        return self.base / "home"

    @property
    def state(self) -> Path:
        return self.base / f"state-{self.driven}"

    def own(self) -> None:
        """Give everything to the user who runs."""
        if self.who.is_other:
            for path in (self.base, *self.base.rglob("*")):
                os.chown(path, self.who.uid, self.who.uid, follow_symlinks=False)

    def job(self, *calls: tuple[str, dict[str, Any]], **changes: Any) -> dict[str, Any]:
        self.driven += 1
        return {
            "state": str(self.state),
            "paths": [[str(self.work), "rw"], [str(self.read), "ro"]],
            "cwd": str(self.work),
            "tools": ALL_TOOLS,
            "limits": {},
            "calls": calls,
        } | changes

    def drive(self, *calls: tuple[str, dict[str, Any]], **changes: Any) -> dict[str, Any]:
        """Run calls in one box and return what the driver tells."""
        job = self.job(*calls, **changes)
        if self.who.is_other:
            return drive_as(self, job)
        told: dict[str, Any] = json.loads(json.dumps(asyncio.run(box_driver.drive(job))))
        return told

    def bash(self, command: str, **changes: Any) -> str:
        """Run one command inside and return what it printed; it must succeed."""
        told = self.drive(("Bash", {"command": command}), **changes)
        assert told["error"] is None, told
        ok, output, error, _ = told["results"][0]
        assert ok, (output, error)
        return str(output)

    def remove(self) -> None:
        subprocess.run(["/bin/chmod", "-R", "u+rwX", self.base], check=False, stderr=subprocess.DEVNULL)
        subprocess.run(["/bin/rm", "-rf", self.base], check=True)


def make(who: Who) -> Ground:
    return Ground(who, Path(tempfile.mkdtemp(prefix="dispatch-ground-", dir=BASE)))


def drive_as(ground: Ground, job: dict[str, Any]) -> dict[str, Any]:
    """Run the driver as the ground's user and return what it tells."""
    return finish(start(ground, job))


def finish(driver: "subprocess.Popen[str]") -> dict[str, Any]:
    """Wait for a driver's end and return what it tells."""
    output, errors = driver.communicate()
    assert driver.returncode == 0, errors
    told: dict[str, Any] = json.loads(output)
    return told


def start(ground: Ground, job: dict[str, Any], *, mounts: str = "") -> "subprocess.Popen[str]":
    """Start the driver as the ground's user, from a copy of the code that this user can read.

    Args:
        ground: Whose user and home it gets.
        job: What it is told to do.
        mounts: A shell script that runs first, where this user may mount: then nobody else sees what it mounts.
    """
    command = [ordinary_python(), "-B", str(readable_code() / "box_driver.py")]
    if mounts:
        own = ["unshare", "--user", "--map-root-user", "--mount", "bash", "-c"]
        command = [*own, f'{mounts} && exec "$@"', "bash", *command]
    driver = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd="/",
        env={"PATH": os.environ["PATH"], "HOME": str(ground.home), "LANG": "C.UTF-8"} | BAIT,
        text=True,
        **ground.who.credentials,
    )
    assert driver.stdin is not None
    driver.stdin.write(json.dumps(job))
    driver.stdin.close()
    driver.stdin = None  # `communicate` would close it once more
    return driver


@functools.cache
def readable_code() -> Path:
    """Copy the sandbox and the driver to where an ordinary user can read them, once for this process."""
    code = Path(tempfile.mkdtemp(prefix="dispatch-code-", dir=BASE))
    atexit.register(shutil.rmtree, code)
    shutil.copytree(ROOT / "sandbox", code / "sandbox", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(box_driver.__file__, code)
    code.chmod(0o755)
    compileall.compile_dir(code, quiet=2)
    return code


@functools.cache
def ordinary_python() -> str:
    """Find an interpreter, 3.11 or later, that an ordinary user can run; ours may lie in root's own home."""
    check = "import sys; raise SystemExit(sys.version_info < (3, 11))"
    ours = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    for python in (ours, "/usr/bin/python3", "/usr/local/bin/python3"):
        try:
            done = subprocess.run(
                [python, "-c", check], user=ORDINARY.uid, cwd="/", check=False, stderr=subprocess.DEVNULL
            )
        except OSError:
            continue
        if done.returncode == 0:
            return python
    raise AssertionError("No Python 3.11 that an ordinary user can run: install one as /usr/bin/python3.")
