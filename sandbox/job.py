"""What goes into a sandbox: the policy that bounds a run, and the calls it is asked to make.

These are plain frozen values. They say what is allowed and never how it is enforced, so the daemon can build,
store and compare them without importing anything that touches the operating system.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path  # costs a tenth of a start, and only the annotations need it

Mode = Literal["ro", "rw"]

ARTIFACTS = "/run/dispatch/artifacts"  # what is written there inside is returned
ATTACHMENTS = "/run/dispatch/attachments"  # what came with the task, read-only
MIB = 1024 * 1024
GIB = 1024 * MIB


@dataclass(frozen=True, slots=True)
class PathGrant:
    """One directory (or, read-only, one file) that a run may see.

    `identity` is the (device, inode) pair found when the owner granted the path. When it is given, a path
    that meanwhile leads somewhere else is refused; `None` trusts whatever stands there at the start.
    """

    path: str
    mode: Mode
    identity: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of the machine a run may use. Sizes are bytes, durations seconds.

    `wall_s` bounds the whole run by the clock, `cpu_s` each process by processor time. `memory_bytes` and
    `processes` count everything inside together. `file_bytes` is the largest single file, `output_bytes` the
    largest output of one call, `scratch_bytes` the size of each scratch file system. `upper_bytes` and
    `upper_files` bound what a run may change on disk, its artifacts included.
    """

    wall_s: float = 3600.0
    memory_bytes: int = 4 * GIB
    file_bytes: int = 1 * GIB
    processes: int = 256
    open_files: int = 4096
    cpu_s: int = 3600
    output_bytes: int = 1 * MIB
    scratch_bytes: int = 256 * MIB
    upper_bytes: int = 1 * GIB
    upper_files: int = 100_000


@dataclass(frozen=True, slots=True)
class Program:
    """A whole agent that lives inside beside the helper, confined as every program there.

    `argv` begins with an absolute path. `directories` are what it is made of besides /usr, shown read-only; without the
    tool Bash in scope nothing but its own files can be executed. `environment` is added to the run's own, and nothing of
    the launcher's is in either. `ports` are where it finds its model, and tools outside, on the loopback inside: gates outside serve them.
    """

    argv: tuple[str, ...]
    directories: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything one run may do: the paths, the directory it starts in, the tools, the hosts, the limits.

    `network` names the hosts that it may reach, `host` (port 443) or `host:port`, through a gate outside; whoever opens
    the box serves it. `program` is an agent that lives inside, if there is one.
    """

    paths: tuple[PathGrant, ...]
    cwd: str
    tools: frozenset[str]
    network: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    program: Program | None = None


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of one tool, with Claude Code's tool names and input shapes.

    `save_as` names the artifact that keeps the output; `allow_failure` lets a list of steps go on after it.
    """

    call_id: str
    tool: str
    input: Mapping[str, object]
    save_as: str | None = None
    allow_failure: bool = False


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What came of a call. `output` is text with undecodable bytes replaced; `error` says why it is not ok."""

    call_id: str
    ok: bool
    output: str
    truncated: bool = False
    exit_code: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Layer:
    """One writable grant after the run: what stood there (`lower`) and what the run wrote (`upper`).

    `lower` is the granted directory itself; nothing was written to it. `upper` is the overlay's upper
    directory, frozen because no process of the run is left. A path below `lower` whose ctime is not before
    `marker_ctime_ns` was changed by somebody else while the run went on.
    """

    grant: PathGrant
    lower: str
    upper: "Path"
    marker_ctime_ns: int


@dataclass(frozen=True, slots=True)
class Frozen:
    """What a finished run left on disk, all of it below the run's state directory.

    `artifacts_dir` holds plain files only. `scratch_files` names what the run had written to its scratch
    file systems, which are gone: a "created" for one of them was never a file of the owner's. `artifacts_left`
    says (name, reason) of what lay among the artifacts and was not kept.
    """

    layers: tuple[Layer, ...]
    artifacts_dir: "Path"
    scratch_files: tuple[str, ...]
    artifacts_left: tuple[tuple[str, str], ...] = ()
