"""Turn a policy as written into the view that will be built, or refuse it in one sentence.

This is pure: strings and numbers in, a frozen `View` out. What only the file system can answer (does the path
exist, is it still the directory that was granted) is asked in `grants`; what must never be opened whatever
the file system says is decided here, so that it can be tested without one.

Two rules are worth knowing. A writable grant is mounted writable only when a tool that writes is in scope,
so a read-only scope has no writable mount at all. And one grant inside another is refused unless both have
the same mode: bubblewrap must never be asked for a mount point inside a directory that others write to.
"""

import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sandbox.errors import PathRefusedError, SandboxError
from sandbox.gate.destinations import Destination
from sandbox.job import Limits, PathGrant, Policy, Program

TOOLS = frozenset({"Read", "Glob", "Grep", "Write", "Edit", "Bash"})
WRITING_TOOLS = frozenset({"Write", "Edit", "Bash"})

# Directories of the owner's home that hold keys, sessions and our own journal.
PRIVATE_NAMES = (".dispatch", ".ssh", ".claude")

# Granting one of these whole would open the machine, not a project. What lies below them may be granted,
# except below the synthetic ones, whose contents the kernel or the wall itself makes.
SYSTEM_DIRECTORIES = frozenset(
    {
        *(
            "/",
            "/bin",
            "/boot",
            "/dev",
            "/etc",
            "/home",
            "/lib",
            "/lib32",
            "/lib64",
            "/libx32",
            "/media",
            "/mnt",
        ),
        *("/opt", "/proc", "/root", "/run", "/sbin", "/srv", "/sys", "/tmp", "/usr"),  # noqa: S108 - names, not uses
        *("/var", "/var/lib", "/var/run", "/var/tmp"),  # noqa: S108 - names, not uses
    }
)
SYNTHETIC_DIRECTORIES = ("/proc", "/sys", "/dev", "/run/dispatch", "/run/scratch")

# Scratch inside. A grant below one of the first places must not find its parents writable, so the scratch
# moves to the second place and the parents are part of the read-only root.
SCRATCH_PLACES = ("/tmp", "/run/scratch")  # noqa: S108 - the place inside, not one of the host's
HOME_PLACES = ("/home/agent", "/run/dispatch/home")

OWN_PROCESSES = 2  # bubblewrap's process 1 and the helper, which no limit is meant to count
PROXY_PORT = 3129  # where a program inside finds the gate to the hosts that were granted
MAX_GRANTS = 64
MAX_HOSTS = 64
MAX_ARGUMENTS = 64
MAX_PATH_CHARS = 4000


@dataclass(frozen=True, slots=True)
class View:
    """What the run will see: grants with the mode they really get, none inside another.

    Among the grants are the directories of the agent's own program, which stay read-only whatever the tools are.
    """

    grants: tuple[PathGrant, ...]
    cwd: str
    tools: frozenset[str]
    limits: Limits
    program: Program | None = None
    network: tuple[Destination, ...] = ()

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports of the loopback inside that gates outside serve."""
        own = () if self.program is None else self.program.ports
        return (*own, *((PROXY_PORT,) if self.network else ()))

    @property
    def writable(self) -> tuple[PathGrant, ...]:
        return tuple(grant for grant in self.grants if grant.mode == "rw")

    @property
    def runs_programs(self) -> bool:
        return "Bash" in self.tools

    @property
    def scratch(self) -> str:
        """The directory that TMPDIR names."""
        return self._place(SCRATCH_PLACES)

    @property
    def home(self) -> str:
        """The directory that HOME names, empty at the start."""
        return self._place(HOME_PLACES)

    def _place(self, places: tuple[str, str]) -> str:
        usual, other = places
        return other if any(is_inside(grant.path, usual) for grant in self.grants) else usual


def is_inside(path: str, parent: str) -> bool:
    """Tell whether `path` is `parent` or lies below it. Both are absolute and canonical."""
    return path == parent or path.startswith(parent.rstrip("/") + "/")


def private_directories(homes: Iterable[str], forbidden: Iterable[str]) -> tuple[str, ...]:
    """List what no grant may contain or lie in: the private names of each home, and `forbidden` itself."""
    private = [posixpath.join(home, name) for home in homes for name in PRIVATE_NAMES]
    return tuple(dict.fromkeys([*private, *forbidden]))


def check_path(path: str, *, homes: Sequence[str], forbidden: Sequence[str]) -> None:
    """Refuse a path that must never be granted.

    Args:
        path: The path as granted. Canonical form is demanded, not made: a path that changes its meaning
            between the grant and the run is the attack this prevents.
        homes: The owner's home directories, canonical. Refused themselves, and what contains them.
        forbidden: More private directories, canonical, such as the daemon's home or a run's own state.

    Raises:
        PathRefusedError: With code `path_invalid`, `path_system` or `path_private`.
    """
    _check_form(path)
    if path in SYSTEM_DIRECTORIES or any(is_inside(path, top) for top in SYNTHETIC_DIRECTORIES):
        raise PathRefusedError(
            "path_system",
            f"{path} belongs to the system and is not granted whole.",
            "Grant one project below it.",
        )
    for home in homes:
        if is_inside(home, path):
            raise PathRefusedError(
                "path_private",
                f"{path} is a home directory or contains one.",
                "Grant one project directory in it instead.",
            )
    for private in private_directories(homes, forbidden):
        if is_inside(private, path) or is_inside(path, private):
            raise PathRefusedError(
                "path_private",
                f"{path} contains or lies in {private}, which holds keys or this program's own records.",
                "Grant a directory that has nothing to do with it.",
            )


def resolve(policy: Policy, *, homes: Sequence[str], forbidden: Sequence[str]) -> View:
    """Make the view of a policy.

    Raises:
        PathRefusedError: A path may not be granted, two grants contradict each other (`grants_nested`), or
            the run directory lies outside every grant (`outside_paths`).
        SandboxError: `tools_unknown`, `network_invalid`, `program_invalid` or `limits_invalid`.
    """
    unknown = sorted(policy.tools - TOOLS)
    if unknown:
        raise SandboxError("tools_unknown", f"There is no tool called {', '.join(unknown)}.")
    network = _hosts(policy.network)
    _check_limits(policy.limits)
    for grant in policy.paths:
        check_path(grant.path, homes=homes, forbidden=forbidden)
    writes = bool(policy.tools & WRITING_TOOLS)
    given = [_effective(grant, writes=writes) for grant in policy.paths]
    parts = [] if policy.program is None else _parts(policy.program, homes=homes, forbidden=forbidden)
    grants = _merge([*given, *parts])
    _check_form(policy.cwd)
    if not any(is_inside(policy.cwd, grant.path) for grant in given):
        raise PathRefusedError(
            "outside_paths",
            f"The run directory {policy.cwd} lies outside the granted paths.",
            "Accept with --cwd inside one of the granted paths.",
        )
    return View(grants, policy.cwd, policy.tools, policy.limits, policy.program, network)


def _hosts(named: Sequence[str]) -> tuple[Destination, ...]:
    """Read the hosts that a run may reach."""
    try:
        found = tuple(Destination.read(each) for each in named)
    except ValueError as error:
        raise SandboxError("network_invalid", f"The scope names what is no host: {error}.") from None
    if len(found) > MAX_HOSTS:
        raise SandboxError("network_invalid", f"A run may reach at most {MAX_HOSTS} hosts.")
    return found


def _parts(program: Program, *, homes: Sequence[str], forbidden: Sequence[str]) -> list[PathGrant]:
    """Check an agent's program and return what must be shown of it besides /usr, which every run sees."""
    texts = [*program.argv, *program.environment, *program.environment.values()]
    fits = 1 <= len(program.argv) <= MAX_ARGUMENTS and PROXY_PORT not in program.ports
    if not fits or any("\0" in text for text in texts):
        raise SandboxError("program_invalid", "The agent's command cannot be started as it is written.")
    _check_form(program.argv[0])
    for directory in program.directories:
        if not is_inside(directory, "/usr"):
            check_path(directory, homes=homes, forbidden=forbidden)
    return [PathGrant(each, "ro") for each in program.directories if not is_inside(each, "/usr")]


def _effective(grant: PathGrant, *, writes: bool) -> PathGrant:
    return grant if writes else PathGrant(grant.path, "ro", grant.identity)


def _merge(grants: Sequence[PathGrant]) -> tuple[PathGrant, ...]:
    """Drop grants that another one of the same mode already covers; refuse the rest of the overlaps."""
    if not 1 <= len(grants) <= MAX_GRANTS:
        raise PathRefusedError(
            "path_invalid", f"A run needs between 1 and {MAX_GRANTS} paths.", "Edit the granted paths."
        )
    kept: list[PathGrant] = []
    for grant in sorted(grants, key=lambda each: (each.path, each.mode)):
        outer = next((each for each in kept if is_inside(grant.path, each.path)), None)
        if outer is None:
            kept.append(grant)
        elif outer.mode != grant.mode:
            raise PathRefusedError(
                "grants_nested",
                f"{grant.path} ({grant.mode}) lies inside {outer.path} ({outer.mode}).",
                "Grant directories beside each other, or both with the same mode.",
            )
    return tuple(kept)


def _check_form(path: str) -> None:
    canonical = path.startswith("/") and not path.startswith("//") and posixpath.normpath(path) == path
    if not canonical or "\0" in path or len(path) > MAX_PATH_CHARS:
        raise PathRefusedError(
            "path_invalid", f"{path!r} is not an absolute canonical path.", "Grant it again by its full path."
        )


def _check_limits(limits: Limits) -> None:
    smallest = min(
        limits.wall_s,
        limits.memory_bytes,
        limits.file_bytes,
        limits.processes,
        limits.open_files,
        limits.cpu_s,
        limits.output_bytes,
        limits.scratch_bytes,
        limits.upper_bytes,
        limits.upper_files,
    )
    if smallest <= 0:
        raise SandboxError("limits_invalid", "Every limit must be above zero.")
