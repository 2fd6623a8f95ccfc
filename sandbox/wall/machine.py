"""What this machine is made of, as far as the wall depends on it.

Facts only: where bubblewrap is, which Python can run inside, how the top of the file system is laid out, which
ids a user namespace can name. Pure functions elsewhere turn them into a command line.
"""

import contextlib
import os
import platform
import pwd
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import NoSandboxError
from sandbox.wall.bubblewrap import PYTHON_PREFIX, Machine
from sandbox.wall.diagnosis import BUBBLEWRAP, SWITCHES, install_command
from sandbox.wall.syscalls import ARCHITECTURES, Architecture

_TOP = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
# The public parts of /etc that programs need. /etc/ssl as a whole holds private keys, which a launcher that is
# root could read; so only its public halves are named.
_ETC = (
    *("/etc/alternatives", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/localtime"),
    *("/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/ca-certificates", "/etc/pki/tls/certs"),
    *("/etc/pki/ca-trust/extracted", "/etc/crypto-policies", "/etc/mime.types", "/etc/perl", "/etc/terminfo"),
)
# Memory, addresses and objects of the kernel, which it shows to root whatever root's capabilities are.
_KERNEL_FILES = (
    *("kcore", "kmsg", "slabinfo", "vmallocinfo", "kpagecount", "kpageflags", "kpagecgroup", "pagetypeinfo"),
    *("timer_list", "sched_debug", "iomem", "ioports", "keys", "key-users", "kallsyms", "modules"),
)


@dataclass(frozen=True, slots=True)
class Host:
    """The launcher's side: the programs it starts and the ids it can map."""

    bubblewrap: str
    python: str
    architecture: Architecture
    uids: tuple[range, ...]
    gids: tuple[range, ...]


def survey_host() -> Host:
    """Find what the launcher needs.

    Raises:
        NoSandboxError: Not Linux, an unknown processor, or no bubblewrap.
    """
    if sys.platform != "linux":
        raise NoSandboxError(
            f"There is no wall for {sys.platform} yet.", "Run the daemon that executes on a Linux machine."
        )
    architecture = ARCHITECTURES.get(platform.machine())
    if architecture is None:
        raise NoSandboxError(
            f"There is no system call filter for {platform.machine()}.",
            f"Use a machine with one of: {', '.join(sorted(ARCHITECTURES))}.",
        )
    bubblewrap = BUBBLEWRAP if os.access(BUBBLEWRAP, os.X_OK) else shutil.which("bwrap")
    if bubblewrap is None:
        raise NoSandboxError("bubblewrap is not installed.", install_command(os_release()))
    return Host(bubblewrap, base_python(), architecture, _mappable("uid"), _mappable("gid"))


def base_python() -> str:
    """Find the interpreter outside any virtual environment, whose own directory holds its library."""
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


def layout() -> Machine:
    """Describe what is shown inside."""
    links = tuple((name, os.readlink(name)) for name in _TOP if os.path.islink(name))
    directories = tuple(name for name in _TOP if os.path.isdir(name) and not os.path.islink(name))
    java = tuple(str(each) for each in sorted(Path("/etc").glob("java-*")))
    python, parts = python_inside(base_python(), os.path.realpath(sys.base_prefix))
    kernel = tuple(name for name in _KERNEL_FILES if os.path.exists(f"/proc/{name}"))
    return Machine(links, directories, _ETC + java, python, parts, kernel)


def python_inside(python: str, prefix: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Say where an interpreter stands inside, and which parts of its prefix must be bound there.

    Only the program and its libraries, not the prefix: that may be a home directory.
    """
    if prefix == "/usr" or prefix.startswith("/usr/"):
        return python, ()
    inside = f"{PYTHON_PREFIX}/bin/{os.path.basename(python)}"
    libraries = [name for name in ("lib", "lib64") if os.path.isdir(f"{prefix}/{name}")]
    return inside, (
        (python, inside),
        *((f"{prefix}/{name}", f"{PYTHON_PREFIX}/{name}") for name in libraries),
    )


def homes() -> tuple[str, ...]:
    """List the owner's home directories, as the environment and as the password file name them, canonical."""
    named = [os.path.expanduser("~")]
    with contextlib.suppress(KeyError):  # an id without an entry has no second home
        named.append(pwd.getpwuid(os.geteuid()).pw_dir)
    return tuple(dict.fromkeys(os.path.realpath(each) for each in named if each.strip("/")))


def os_release() -> str:
    """Read the text that names this distribution, empty where there is none."""
    try:
        return Path("/etc/os-release").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def switches() -> dict[str, str]:
    """Read the kernel's settings about user namespaces, as far as this kernel has them."""
    found = {}
    for name, path in SWITCHES.items():
        with contextlib.suppress(OSError):
            found[name] = Path(path).read_text(encoding="ascii").strip()
    return found


def processes_of_user() -> int:
    """Count the processes a process limit would count besides the run's own; 0 where the kernel does not.

    Since Linux 5.14 the limit is counted in the user namespace, where only the run is.
    """
    release = platform.release().split(".")
    if (int(release[0]), int("".join(filter(str.isdigit, release[1][:3])) or 0)) >= (5, 14):
        return 0
    own = os.geteuid()
    return sum(1 for name in os.listdir("/proc") if name.isdigit() and _owner(name) == own)


def _owner(process: str) -> int:
    try:
        return os.stat(f"/proc/{process}").st_uid
    except OSError:
        return -1


def _mappable(kind: str) -> tuple[range, ...]:
    """List the ids the overlay's namespace can name: all that root knows, or only one's own."""
    own = os.geteuid() if kind == "uid" else os.getegid()
    if os.geteuid() != 0:
        return (range(own, own + 1),)
    rows: Sequence[str] = Path(f"/proc/self/{kind}_map").read_text(encoding="ascii").splitlines()
    return tuple(range(int(row.split()[0]), int(row.split()[0]) + int(row.split()[2])) for row in rows)
