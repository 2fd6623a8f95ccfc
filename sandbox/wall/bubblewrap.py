"""Bubblewrap's command line as a pure function of what a run may see.

Nothing is opened or started here. Descriptors come in as numbers, the file system outside as `Machine`, and a
tuple of words goes out, so a test can read the whole wall.

The words travel through `--args FD`, because the command line of process 1 can be read inside. Bubblewrap
itself gets an empty environment for the same reason. It is never asked for a mount point inside a grant: in
the versions in use a planted link made it create files outside (CVE-2026-87766).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.job import ARTIFACTS, ATTACHMENTS, PathGrant
from sandbox.wall.policy import View

PYTHON_PREFIX = "/run/dispatch/python"
HELPER = "/run/dispatch/inside.zip"
NODE_PRELOAD = "/run/dispatch/interfaces.cjs"
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - a mount point inside
UID = GID = 1000
SMALL_BYTES = 64 * 1024 * 1024

ETC_FILES = {
    "passwd": (
        f"agent:x:{UID}:{GID}:agent:{{home}}:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
    ),
    "group": f"agent:x:{GID}:\nnogroup:x:65534:\n",
    "hosts": "127.0.0.1 localhost dispatch\n::1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\nservices: files\nprotocols: files\n",
}


@dataclass(frozen=True, slots=True)
class Machine:
    """What the machine's file system looks like, as far as the wall shows any of it.

    `links` are top-level names that are links on this machine (`/bin` to `usr/bin`), `directories` those
    that are directories of their own, `etc` the public parts of /etc. `python` is the interpreter inside, and
    `python_parts` are (outside, inside) what it needs besides /usr: nothing where it lies there. `kernel_files`
    are names of /proc that tell of the kernel and not of a process.
    """

    links: tuple[tuple[str, str], ...]
    directories: tuple[str, ...]
    etc: tuple[str, ...]
    python: str
    python_parts: tuple[tuple[str, str], ...]
    kernel_files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Descriptors:
    """The numbers that bubblewrap inherits: one per grant in the view's order, and one per file of ours.

    `hears` and `says` are the helper's ends of its channel; `info` and `block` are bubblewrap's own pipes. `resident` are
    the standard streams of an agent that lives inside; `home` is where such an agent keeps what it knows; `door` is the
    socket over which the listeners of gates are handed out. What a run does not have has no number: one that nothing uses
    would be left open inside.
    """

    grants: tuple[int, ...]
    artifacts: int
    attachments: int
    etc: tuple[tuple[str, int], ...]
    helper: int
    node_preload: int
    seccomp: int
    info: int
    block: int
    hears: int
    says: int
    resident: tuple[int, ...] = ()
    home: int | None = None
    door: int | None = None

    @property
    def channel(self) -> tuple[int, ...]:
        """List what the helper itself is given, in the order in which it takes them."""
        door = () if self.door is None else (self.door,)
        return (self.hears, self.says, *self.resident, *door)

    def all(self) -> tuple[int, ...]:
        """List every number, for whoever passes them on."""
        etc = tuple(number for _, number in self.etc)
        home = () if self.home is None else (self.home,)
        files = (self.artifacts, self.attachments, *home, self.helper, self.node_preload, self.seccomp)
        return (*self.grants, *etc, *files, self.info, self.block, *self.channel)


def arguments(view: View, machine: Machine, descriptors: Descriptors) -> tuple[str, ...]:
    """Write the options that go through `--args`; the order of mounts is the order of words."""
    return (
        *_separation(),
        *_environment(view),
        *_system(machine),
        *_etc(machine, descriptors),
        *("--proc", "/proc", "--dev", "/dev"),
        *_hidden(machine),
        *_scratch(view),
        *_ours(machine, descriptors),
        *_home(view, descriptors),
        *_grants(view.grants, descriptors.grants),
        *_read_only("/run", "/dev", "/proc", "/"),
        *("--seccomp", str(descriptors.seccomp)),
        *("--info-fd", str(descriptors.info), "--block-fd", str(descriptors.block)),
        *("--chdir", "/"),
    )


def command(
    bubblewrap: str, arguments_fd: int, machine: Machine, descriptors: Descriptors
) -> tuple[str, ...]:
    """Write the command itself: nothing in it says what the wall is made of.

    The helper's channel is none of the standard streams: bubblewrap's process 1 keeps those open all the time,
    and would be a second door to them.
    """
    channel = [str(number) for number in descriptors.channel]
    return (bubblewrap, "--args", str(arguments_fd), "--", machine.python, "-I", "-S", "-B", HELPER, *channel)


def encode(words: Sequence[str]) -> bytes:
    r"""Encode options for `--args`: each word ends with a NUL.

    Raises:
        ValueError: A word contains a NUL and could smuggle in another option.
    """
    if any("\0" in word for word in words):
        raise ValueError("an option contains a NUL")
    return b"".join(word.encode("utf-8", "surrogateescape") + b"\0" for word in words)


def _separation() -> tuple[str, ...]:
    return (
        *("--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"),
        *("--unshare-cgroup-try", "--disable-userns", "--die-with-parent", "--new-session"),
        *("--cap-drop", "ALL", "--uid", str(UID), "--gid", str(GID), "--hostname", "dispatch"),
    )


def _environment(view: View) -> tuple[str, ...]:
    """Set what the helper itself needs; it builds the environment of the programs it runs."""
    return (
        *("--clearenv", "--setenv", "LANG", "C.UTF-8", "--setenv", "HOME", view.home),
        *("--setenv", "LD_LIBRARY_PATH", f"{PYTHON_PREFIX}/lib"),
    )


def _system(machine: Machine) -> tuple[str, ...]:
    words = ["--ro-bind", "/usr", "/usr"]
    for name, target in machine.links:
        words += ["--symlink", target, name]
    for name in machine.directories:
        words += ["--ro-bind", name, name]
    return tuple(words)


def _etc(machine: Machine, descriptors: Descriptors) -> tuple[str, ...]:
    words: list[str] = []
    for name in machine.etc:
        words += ["--ro-bind-try", name, name]
    for name, number in descriptors.etc:
        words += ["--perms", "0644", "--ro-bind-data", str(number), f"/etc/{name}"]
    return tuple(words)


def _scratch(view: View) -> tuple[str, ...]:
    small = min(SMALL_BYTES, view.limits.scratch_bytes)
    return (
        *_tmpfs(SHARED_MEMORY, small, "1777"),
        *("--perms", "0755", "--tmpfs", "/run"),
        *_tmpfs(view.scratch, view.limits.scratch_bytes, "1777"),
        *(_tmpfs(view.home, small, "0755") if view.program is None else ()),
    )


def _hidden(machine: Machine) -> tuple[str, ...]:
    """Cover what /proc tells of the kernel itself: a launcher that is root could read it inside too."""
    return tuple(
        word for name in machine.kernel_files for word in ("--ro-bind", "/dev/null", f"/proc/{name}")
    )


def _tmpfs(place: str, size_bytes: int, mode: str) -> tuple[str, ...]:
    return ("--size", str(size_bytes), "--perms", mode, "--tmpfs", place)


def _ours(machine: Machine, descriptors: Descriptors) -> tuple[str, ...]:
    words = ["--perms", "0644", "--ro-bind-data", str(descriptors.helper), HELPER]
    words += ["--perms", "0644", "--ro-bind-data", str(descriptors.node_preload), NODE_PRELOAD]
    for outside, inside in machine.python_parts:
        words += ["--ro-bind", outside, inside]
    words += ["--ro-bind-fd", str(descriptors.attachments), ATTACHMENTS]
    return (*words, "--bind-fd", str(descriptors.artifacts), ARTIFACTS)


def _home(view: View, descriptors: Descriptors) -> tuple[str, ...]:
    """Show an agent with a program of its own a home on the disk, which can be kept with the run."""
    return () if descriptors.home is None else ("--bind-fd", str(descriptors.home), view.home)


def _read_only(*places: str) -> tuple[str, ...]:
    """Close what lies around the grants; a remount does not reach the mounts below it.

    /proc is among them because a launcher that is root is root to /proc/sys too: its files ask for the user,
    not for a capability, and one of them names a program the kernel starts outside.
    """
    return tuple(word for place in places for word in ("--remount-ro", place))


def _grants(grants: Sequence[PathGrant], numbers: Sequence[int]) -> tuple[str, ...]:
    words: list[str] = []
    for grant, number in zip(grants, numbers, strict=True):
        words += ["--bind-fd" if grant.mode == "rw" else "--ro-bind-fd", str(number), grant.path]
    return tuple(words)
