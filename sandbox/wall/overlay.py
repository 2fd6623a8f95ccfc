"""The stage between the launcher and bubblewrap: copy-on-write mounts in namespaces of our own.

Bubblewrap 0.8 cannot mount an overlay, and an ordinary user may mount one only where it is root. So this
small program enters a new user and mount namespace, mounts one overlay for each writable grant, and turns
into bubblewrap. It runs as `python -I -S -B` with an empty environment and nothing but the standard library;
Python 3.11 has no `os.unshare`, so the calls go through ctypes.

The plan (see `plan`) comes on an inherited descriptor. Grants are walked once more here, because a descriptor from
outside belongs to the outer mount namespace and cannot be mounted from; the identity the launcher saw must
be found again. Each opened grant replaces the launcher's descriptor under the same number, which is the number
bubblewrap's options name. Overlay options hold only names relative to the run's state directory and
`/proc/self/fd`, so that no character in a path can end an option and no host path shows inside.
"""

import ctypes
import marshal
import os
import sys

from sandbox.errors import PathRefusedError
from sandbox.wall.walk import same_file, walk

CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_NOSUID, MS_NODEV, MS_REC, MS_PRIVATE = 0x2, 0x4, 0x4000, 1 << 18
PR_SET_PDEATHSIG, SIGKILL = 1, 9
FAILED = 120  # the exit status that means: the line on standard error is ours
OVERLAY_OPTIONS = "userxattr,redirect_dir=nofollow,index=off,metacopy=off"

INOTIFY = (
    ("max_inotify_instances", "/proc/sys/fs/inotify/max_user_instances"),
    ("max_inotify_watches", "/proc/sys/fs/inotify/max_user_watches"),
)


def id_map(own: int, parent_map: str, *, privileged: bool) -> str:
    """Write the map of the new namespace: oneself only, or, for a privileged launcher, whatever it can name.

    Args:
        own: The effective user (or group) id.
        parent_map: The text of `/proc/self/uid_map` (or `gid_map`) before the new namespace was entered.
        privileged: Whether the launcher may map ids that are not its own.
    """
    if not privileged:
        return f"{own} {own} 1\n"
    rows = (line.split() for line in parent_map.splitlines())
    return "".join(f"{inside} {inside} {count}\n" for inside, _, count in rows)


def main() -> None:
    """Prepare the mounts and become bubblewrap; on failure say which step failed and why, and exit."""
    step = "plan"
    try:
        with open(int(sys.argv[1]), "rb") as file:
            state_dir, launcher, mounts, command = marshal.load(file)  # noqa: S302 - the launcher's own bytes
        step = "namespaces"
        _enter_namespaces()
        _bound_watches()
        _die_with(launcher)
        step = "mounts"
        _check(_libc().mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "make mounts private")
        os.chdir(state_dir)
        for path, identity, number, slot, copied in mounts:
            _place(path, identity, number, slot, copied=copied)
        step = "bubblewrap"
        os.execve(command[0], list(command), {})  # noqa: S606 - the one program the stage becomes
    except PathRefusedError as error:
        _give_up(step, error.code, error.detail, error.remedy)
    except OSError as error:
        _give_up(step, "os_error", f"{error.strerror or error} (errno {error.errno})", "")


def _enter_namespaces() -> None:
    """Enter a new user and mount namespace and map ids into it.

    A privileged launcher maps every id it knows, so that files of any owner can be copied up. Such a map can
    only be written from the parent namespace: by a child that was forked before.
    """
    uid, gid, privileged = os.geteuid(), os.getegid(), os.geteuid() == 0
    maps = {
        name: id_map(own, _read(f"/proc/self/{name}"), privileged=privileged) for name, own in _ids(uid, gid)
    }
    writer = _fork_writer(maps) if privileged else None
    _check(_libc().unshare(CLONE_NEWUSER | CLONE_NEWNS), "unshare")
    if writer is None:
        _write("/proc/self/setgroups", "deny")
        for name, text in maps.items():
            _write(f"/proc/self/{name}", text)
        return
    child, ready = writer
    os.write(ready, b".")
    os.close(ready)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0:
        raise PermissionError(1, "the user namespace's map was refused")


def _ids(uid: int, gid: int) -> tuple[tuple[str, int], ...]:
    return (("uid_map", uid), ("gid_map", gid))


def _fork_writer(maps: dict[str, str]) -> tuple[int, int]:
    """Fork a child that waits for a byte and then writes its parent's maps."""
    parent, (waiting, ready) = os.getpid(), os.pipe()
    child = os.fork()
    if child:
        os.close(waiting)
        return child, ready
    os.close(ready)
    status = 1
    if os.read(waiting, 1):
        try:
            for name, text in maps.items():
                _write(f"/proc/{parent}/{name}", text)
            status = 0
        except OSError:
            status = 1
    os._exit(status)


def _bound_watches() -> None:
    """Leave half of the user's inotify instances and watches to the owner's own programs.

    The kernel counts them for a user inside and outside together, and lets each user namespace set a lower bound.
    Where /proc/sys is closed even to us, in some containers, the bound stays the machine's.
    """
    for name, place in INOTIFY:
        try:  # noqa: SIM105 - contextlib would cost this stage as much as all else that it imports
            _write(f"/proc/sys/user/{name}", str(max(1, int(_read(place)) // 2)))
        except OSError:
            pass


def _die_with(launcher: int) -> None:
    """Ask the kernel for SIGKILL when the launcher dies; bubblewrap asks again for itself and all below it."""
    _check(_libc().prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0), "set the parent-death signal")
    if os.getppid() != launcher:
        raise ProcessLookupError(3, "the launcher is gone")


def _place(path: str, identity: tuple[int, int], number: int, slot: str, *, copied: bool) -> None:
    """Open one grant, mount its overlay if it is writable, and leave the result under the agreed number.

    A mount below a writable grant, should one have appeared since the launcher looked, makes the kernel refuse.
    """
    opened = walk(path)
    if not same_file(opened, identity):
        raise PathRefusedError(
            "path_changed", f"{path} was replaced while the run was starting.", "Try again."
        )
    if slot:
        lower = f"copy/{slot}" if copied else f"/proc/self/fd/{opened}"
        merged = f"merged/{slot}"
        options = f"lowerdir={lower},upperdir=upper/{slot},workdir=work/{slot},{OVERLAY_OPTIONS}"
        result = _libc().mount(
            b"overlay", merged.encode(), b"overlay", MS_NOSUID | MS_NODEV, options.encode()
        )
        _check(result, f"mount the copy-on-write layer of {path}")
        os.close(opened)
        opened = os.open(merged, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    os.dup2(opened, number, inheritable=True)
    os.close(opened)


def _give_up(step: str, code: str, detail: str, remedy: str) -> None:
    import json  # only a failure needs it

    sys.stderr.write(json.dumps({"step": step, "code": code, "detail": detail, "remedy": remedy}) + "\n")
    sys.stderr.flush()
    os._exit(FAILED)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _read(path: str) -> str:
    with open(path, encoding="ascii") as file:
        return file.read()


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
