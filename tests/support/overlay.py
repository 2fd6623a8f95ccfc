"""Real copy-on-write layers for tests: a granted tree, a shell script that runs over it, and what came of it.

The overlay is the kernel's own, mounted without privilege as the wall mounts it. The script sees the merged
tree as its working directory; when it has ended nothing is mounted any more and the upper layer is frozen.
"""

import os
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox.changes.applying.disk import Disk
from sandbox.changes.applying.removal import remove_tree
from sandbox.job import Layer, PathGrant

_MOUNT = """
mount -t overlay overlay -o \
lowerdir="$1",upperdir=upper,workdir=work,userxattr,redirect_dir=nofollow,index=off,metacopy=off merged || exit 97
cd merged || exit 98
(
%s
)
status=$?
cd .. && cp -a merged/. seen/ || exit 99
exit $status
"""

Snapshot = dict[str, tuple[str, int, bytes]]


@dataclass(frozen=True)
class Grant:
    """One writable grant of a run, with the directories of its overlay beside it."""

    lower: Path
    state: Path
    marker_ctime_ns: int

    @property
    def layer(self) -> Layer:
        return Layer(
            PathGrant(str(self.lower), "rw"), str(self.lower), self.state / "upper", self.marker_ctime_ns
        )

    @property
    def merged(self) -> Snapshot:
        """What the run saw at its end."""
        return snapshot(self.state / "seen")

    def on(self, lower: Path) -> "Grant":
        """Return the same run over an equal tree elsewhere."""
        return Grant(lower, self.state, marker(lower))


def run(base: Path, script: str, name: str = "grant") -> Grant:
    """Let a shell script change the tree `base/name` through an overlay; nothing is written to the tree."""
    lower, state = base / name, base / f"{name}-state"
    lower.mkdir(exist_ok=True)
    for directory in ("upper", "work", "merged", "seen"):
        (state / directory).mkdir(parents=True)
    (state / "upper").chmod(stat.S_IMODE(lower.stat().st_mode))
    grant = Grant(lower, state, marker(lower))
    # A shell that goes on after a failing command: a script says itself what must not fail (`set -e`).
    command = [
        "unshare",
        "--user",
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        _MOUNT % script,
        "sh",
        str(lower),
    ]
    done = subprocess.run(command, cwd=state, check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"exit {done.returncode}: {done.stderr}"
    return grant


def quick_directory() -> str:
    """Return where many overlays are made and synced quickly: in shared memory, if it has user attributes."""
    with tempfile.TemporaryFile(dir="/dev/shm") as file:
        try:
            os.setxattr(file.fileno(), "user.overlay.test", b"y")
        except OSError:
            return tempfile.gettempdir()
    return "/dev/shm"


def clear(path: Path) -> None:
    """Remove a tree in which overlays and runs left directories that nobody may enter."""
    fd = os.open(path.parent, os.O_RDONLY)
    try:
        remove_tree(fd, path.name, Disk())
    finally:
        os.close(fd)


def marker(directory: Path) -> int:
    """Return a ctime of the file system that is later than that of everything in the directory."""
    latest = max(path.lstat().st_ctime_ns for path in [directory, *directory.rglob("*")])
    while True:
        fd = os.open(directory, os.O_TMPFILE | os.O_RDWR, 0o600)
        try:
            now = os.fstat(fd).st_ctime_ns
        finally:
            os.close(fd)
        if now > latest:
            return now


def snapshot(top: Path) -> Snapshot:
    """Return what stands below a directory: kind, permission bits and content, by relative path."""
    found: Snapshot = {}
    for directory, names, files in os.walk(top):
        for name in [*names, *files]:
            path = Path(directory, name)
            found[str(path.relative_to(top))] = _described(path)
    return found


def _described(path: Path) -> tuple[str, int, bytes]:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return ("link", 0, os.fsencode(os.readlink(path)))
    if stat.S_ISDIR(mode):
        return ("directory", mode & 0o777, b"")
    if not stat.S_ISREG(mode):
        return ("special", 0, b"")
    return ("file", mode & 0o777, path.read_bytes() if mode & 0o400 or os.geteuid() == 0 else b"")


def plant(top: Path, tree: Mapping[str, str | None]) -> None:
    """Make a tree: text for a file, None for a directory, `-> text` for a link, `755:` before a text for a mode."""
    top.mkdir(parents=True, exist_ok=True)
    for name, text in tree.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            path.mkdir(exist_ok=True)
        elif text.startswith("-> "):
            path.symlink_to(text[3:])
        elif text[3:4] == ":" and text[:3].isdigit():
            path.write_text(text[4:])
            path.chmod(int(text[:3], 8))
        else:
            path.write_text(text)
