"""Write the helper's brief from the view: what it may run, touch and use."""

from collections.abc import Sequence

from sandbox.job import ARTIFACTS, ATTACHMENTS, Limits
from sandbox.wall import landlock
from sandbox.wall.brief import Brief
from sandbox.wall.bubblewrap import NODE_PRELOAD, SHARED_MEMORY
from sandbox.wall.policy import OWN_PROCESSES, PROXY_PORT, View

# Everything a program does to its own files; making devices and sockets is nobody's work.
_CHANGE = landlock.every_right(2**31) & ~(landlock.MAKE_CHAR | landlock.MAKE_BLOCK | landlock.MAKE_SOCK)
_GRACE_CPU_S = 5
_SIGNALS = 4096
_GATE = f"http://127.0.0.1:{PROXY_PORT}"


def write(view: View, *, others: int, executables: Sequence[str] = ()) -> Brief:
    """Write the brief of a view.

    Args:
        view: What the run may see.
        others: Processes of the same user outside that the kernel would count against the run's limit;
            0 where it counts per user namespace (Linux 5.14 and later).
        executables: What the agent's own program consists of; without Bash nothing else can be executed.
    """
    kept = (*(grant.path for grant in view.writable), ARTIFACTS)
    scratch = scratch_places(view)
    written = dict.fromkeys((*kept, view.home, *scratch))
    execute = landlock.EXECUTE if view.runs_programs else 0
    programs = () if view.runs_programs else executables
    change = _CHANGE if view.runs_programs else _CHANGE & ~landlock.EXECUTE
    rules = [("/", landlock.READ | execute), ("/dev", landlock.DEVICES)]
    rules += [(path, landlock.READ | landlock.EXECUTE) for path in programs]
    rules += [(path, change) for path in written]
    own = environment(view)
    program = view.program
    return Brief(
        cwd=view.cwd,
        tools=tuple(sorted(view.tools)),
        environment=own,
        output_bytes=view.limits.output_bytes,
        kept=kept,
        scratch=scratch,
        rules=tuple(rules),
        rlimits=rlimits(view.limits, others=others),
        program=() if program is None else program.argv,
        program_environment={} if program is None else own | dict(program.environment),
        ports=view.ports,
    )


def scratch_places(view: View) -> tuple[str, ...]:
    """List the file systems in memory that a run may fill and that end with it.

    The home of an agent with a program of its own is not among them: what it keeps there is its own business, was never
    meant for the owner, and lies on the disk.
    """
    home = (view.home,) if view.program is None else ()
    return (view.scratch, *home, SHARED_MEMORY)


def environment(view: View) -> dict[str, str]:
    """Write the whole environment of the programs a run starts; nothing of the launcher's is in it."""
    written = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": view.home,
        "USER": "agent",
        "LOGNAME": "agent",
        "SHELL": "/bin/bash",
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "TMPDIR": view.scratch,
        "CLAUDE_CODE_TMPDIR": view.scratch,  # without that name of its own it takes /tmp, which may be a grant's
        "PAGER": "cat",
        "DISPATCH_ARTIFACTS": ARTIFACTS,
        "DISPATCH_ATTACHMENTS": ATTACHMENTS,
        # Files of the owner belong to another user inside, and git refuses such a repository unless told.
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
        "GIT_TERMINAL_PROMPT": "0",
        # Compiled files never leave the run; not writing them keeps the changeset to what was meant.
        "PYTHONDONTWRITEBYTECODE": "1",
        "NODE_OPTIONS": f"--require={NODE_PRELOAD}",
    }
    return written | _proxies(view)


def _proxies(view: View) -> dict[str, str]:
    """Say where the gate to granted hosts is, in the spellings that programs look for; nothing without hosts.

    What listens inside is reached without it, but for a name that was granted: then the one outside is meant.
    """
    if not view.network:
        return {}
    granted = {each.host for each in view.network}
    near = ",".join(each for each in ("localhost", "127.0.0.1", "::1") if each not in granted)
    return {
        **dict.fromkeys(("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"), _GATE),
        **dict.fromkeys(("NO_PROXY", "no_proxy"), near),
        "NODE_USE_ENV_PROXY": "1",  # Node's own fetch wants to be told that it shall look
    }


def rlimits(limits: Limits, *, others: int) -> tuple[tuple[str, int, int], ...]:
    """Translate limits into what each process is held to.

    Address space is not limited, because JavaScript runtimes reserve far more than they use; data is. The core
    limit is 1, the one value for which the kernel also leaves a core-dump handler of the host alone. Pending signals
    and timers are counted over all programs of the user, so a run may have a small part of them.
    """
    processes = limits.processes + OWN_PROCESSES + others
    return (
        ("RLIMIT_DATA", limits.memory_bytes, limits.memory_bytes),
        ("RLIMIT_FSIZE", limits.file_bytes, limits.file_bytes),
        ("RLIMIT_NOFILE", limits.open_files, limits.open_files),
        ("RLIMIT_CPU", limits.cpu_s, limits.cpu_s + _GRACE_CPU_S),
        ("RLIMIT_CORE", 1, 1),
        ("RLIMIT_NPROC", processes, processes),
        ("RLIMIT_SIGPENDING", _SIGNALS, _SIGNALS),
    )
