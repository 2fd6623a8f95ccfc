"""Start a sandbox: the only file that starts processes.

One run is one process tree: the stage (see `overlay`), which becomes bubblewrap, which starts the helper (see
`inside`). All of it dies with the launcher: the stage and bubblewrap ask the kernel for a signal when the
*thread* that forked them ends. So a box must be opened from a thread that lives as long as the box; the fork
happens in the thread of the event loop, which for the daemon is the main one.

Bubblewrap stops before it builds the view until it is told to go on (`--block-fd`); by then its process 1 is
known, held by pidfd and placed into its control group, so nothing inside ever runs outside the limits.
"""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sandbox.changes.discard import discard
from sandbox.errors import NoSandboxError, PathRefusedError, SandboxError
from sandbox.events import Confinement
from sandbox.job import Layer, PathGrant, Policy, ToolCall
from sandbox.wall import bubblewrap, bundle, cgroup, diagnosis, machine, orders, seccomp, words
from sandbox.wall.box import Box, Parts
from sandbox.wall.bubblewrap import ETC_FILES, Descriptors, Machine
from sandbox.wall.census import Census
from sandbox.wall.channel import Channel, ChannelClosedError, read_until
from sandbox.wall.executables import executables
from sandbox.wall.jail import Jail
from sandbox.wall.listeners import receive_listeners
from sandbox.wall.machine import Host
from sandbox.wall.overlay import FAILED
from sandbox.wall.plan import Plan
from sandbox.wall.policy import TOOLS, View, is_inside, resolve
from sandbox.wall.preparation import ARTIFACTS, Prepared, make_state, prepare
from sandbox.wall.resident import Resident
from sandbox.wall.watchdog import Meters

T = TypeVar("T")

__all__ = ["Box", "Probe", "open_box", "probe"]

START_TIMEOUT_S = 20.0
# The stage finds this package by the path in its last argument; `-I` keeps everything else out.
_BOOTSTRAP = "import sys; sys.path.append(sys.argv.pop()); from sandbox.wall.overlay import main; main()"
_NODE_PRELOAD = Path(__file__).with_name("interfaces.cjs")


@dataclass(frozen=True, slots=True)
class Probe:
    """Whether this machine can build the wall, and if not, why and what to type."""

    can_run: bool
    reason: str
    remedy: str
    layers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Streams:
    """The launcher's ends of an agent's standard streams."""

    said: int
    told: int
    errors: int


@dataclass(frozen=True, slots=True)
class _Started:
    """A stage that has been started, and the launcher's ends of its pipes."""

    jail: Jail
    said: int
    told: int
    info: int
    go: int
    resident: "_Streams | None"
    door: socket.socket | None


@contextlib.asynccontextmanager
async def open_box(
    policy: Policy,
    state_dir: Path,
    run_id: str,
    *,
    forbidden: Sequence[str | Path] = (),
    kept: Sequence[Layer] | None = None,
) -> AsyncIterator[Box]:
    """Open a sandbox for one run; leaving the context ends everything inside and freezes what is left.

    Args:
        policy: What the run may do.
        state_dir: This run's own directory, on the disk that shall hold what it writes.
        run_id: Names the run's control group; letters, digits and dashes.
        forbidden: Directories no grant may contain or lie in, besides the usual private ones: the daemon's
            home at least.
        kept: The layers of a run that was set aside (`wall.kept`) and is taken up again.

    Raises:
        NoSandboxError: This machine cannot build the wall.
        PathRefusedError: A grant or the run directory is refused.
        SandboxError: The policy cannot be served, or the state directory is in use.
    """
    closed = [os.path.realpath(each) for each in forbidden]
    box = await _open(policy, Path(os.path.realpath(state_dir)), run_id, closed, kept)
    try:
        yield box
    finally:
        await box.close_whole()


async def probe(state_dir: Path | None = None) -> Probe:
    """Find out by running the real command line once, with every tool and a writable grant.

    A failure is looked at twice: what somebody ended from outside, such as a kernel short of memory, proves nothing.

    Args:
        state_dir: Where runs will keep their state; another disk may be unable to hold an overlay.
    """
    found = await _probe(state_dir)
    return found if found.can_run else await _probe(state_dir)


async def _probe(state_dir: Path | None) -> Probe:
    try:
        with tempfile.TemporaryDirectory() as grant, tempfile.TemporaryDirectory(dir=state_dir) as state:
            path = os.path.realpath(grant)
            policy = Policy((PathGrant(path, "rw"),), path, TOOLS)
            async with open_box(policy, Path(state) / "run", "probe") as box:
                result = await box.call(
                    ToolCall("probe", "Bash", {"command": "echo x > written && cat written"})
                )
                layers = box.confinement.layers
    except SandboxError as error:
        return Probe(can_run=False, reason=error.detail, remedy=error.remedy, layers=())
    if not result.ok or result.output != "x\n":
        return Probe(
            can_run=False, reason=f"A command inside failed: {result.error}", remedy="", layers=layers
        )
    return Probe(can_run=True, reason="", remedy="", layers=layers)


async def _open(
    policy: Policy, state_dir: Path, run_id: str, forbidden: Sequence[str], kept: Sequence[Layer] | None
) -> Box:
    if not run_id.replace("-", "").isalnum():
        raise SandboxError("run_id_invalid", f"{run_id!r} names no run.", "Use letters, digits and dashes.")
    host, layout, loop = machine.survey_host(), machine.layout(), asyncio.get_running_loop()
    view = resolve(policy, homes=machine.homes(), forbidden=[*forbidden, str(state_dir)])
    started_s = loop.time()
    async with contextlib.AsyncExitStack() as undo:
        if kept is None:
            make_state(state_dir)
            undo.callback(_unmake_state, state_dir)
        group = cgroup.create(run_id, view.limits)
        if group is not None:
            undo.push_async_callback(group.remove)
        with contextlib.ExitStack() as handed:
            prepared = await _to_the_end(asyncio.to_thread(prepare, view, state_dir, host, handed, kept))
            started = _start(view, prepared, host, layout, state_dir, handed)
        undo.callback(started.jail.close)
        undo.push_async_callback(started.jail.kill)
        channel = await Channel.open(started.said, started.told, words.longest_line(view.limits.output_bytes))
        undo.callback(channel.close)
        resident = await _resident(started.resident, undo)
        first, joined = await _release(started, group)
        abi = await _greet(channel, started.jail, view, layout)
        listeners = await _listeners(started.door, view)
        if group is not None and not joined:
            await group.remove()
        census = None if joined else Census(first, orders.scratch_places(view))
        undo.pop_all()
    meters = Meters(prepared.watched, group if joined else None, census)
    confinement = _confinement(view, prepared.warnings, limited_by_group=joined, abi=abi)
    return Box(
        Parts(
            *(view, state_dir, started.jail, channel, meters, prepared.layers, confinement, started_s),
            *(resident, listeners),
        )
    )


async def _resident(streams: _Streams | None, undo: contextlib.AsyncExitStack) -> Resident | None:
    """Take over the streams of an agent that will live inside."""
    if streams is None:
        return None
    resident = await Resident.open(streams.said, streams.told, streams.errors)
    undo.callback(resident.close)
    return resident


async def _listeners(door: socket.socket | None, view: View) -> Mapping[int, socket.socket]:
    """Take the listeners of the gates, if there are any, over the door that was made for them."""
    if door is None:
        return {}
    with door:
        return await receive_listeners(door, view.ports, START_TIMEOUT_S)


async def _to_the_end(work: Awaitable[T]) -> T:
    """Await work in a thread to its end even when cancelled, so that what it opens can be closed."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _start(
    view: View, prepared: Prepared, host: Host, layout: Machine, state_dir: Path, handed: contextlib.ExitStack
) -> _Started:
    """Fork the stage; the descriptors it inherits are closed on our side by `handed`."""
    ours: list[int] = []
    hears, told = _pipe(handed, ours, write=True)
    says, said = _pipe(handed, ours, write=False)
    errs, errors = _pipe(handed, ours, write=False)
    info_out, info = _pipe(handed, ours, write=False)
    block, go = _pipe(handed, ours, write=True)
    streams, theirs = _streams(handed, ours) if view.program is not None else (None, ())
    door, their_door = _door(handed) if view.ports else (None, None)
    numbers = Descriptors(
        grants=tuple(mount.number for mount in prepared.mounts),
        artifacts=prepared.outbox,
        attachments=prepared.inbox,
        etc=_etc(handed, view),
        helper=_memory_file(handed, bundle.helper()),
        node_preload=_memory_file(handed, _NODE_PRELOAD.read_bytes()),
        seccomp=_memory_file(handed, seccomp.program(host.architecture)),
        info=info_out,
        block=block,
        hears=hears,
        says=says,
        resident=theirs,
        home=None if view.program is None else prepared.home,
        door=their_door,
    )
    options = _memory_file(handed, bubblewrap.encode(bubblewrap.arguments(view, layout, numbers)))
    command = bubblewrap.command(host.bubblewrap, options, layout, numbers)
    plan = _memory_file(handed, Plan(str(state_dir), os.getpid(), prepared.mounts, command).encode())
    try:
        process = subprocess.Popen(
            [host.python, "-I", "-S", "-B", "-c", _BOOTSTRAP, str(plan), str(bundle.ROOT)],
            stdin=subprocess.DEVNULL,
            stdout=errs,
            stderr=errs,
            pass_fds=(plan, options, *numbers.all()),
            env={},
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        for descriptor in ours:
            os.close(descriptor)
        if door is not None:
            door.close()
        raise NoSandboxError(
            f"The stage cannot be started: {error}.", "Check the Python installation."
        ) from None
    return _Started(Jail(process, errors), said, told, info, go, streams, door)


def _etc(handed: contextlib.ExitStack, view: View) -> tuple[tuple[str, int], ...]:
    return tuple(
        (name, _memory_file(handed, text.format(home=view.home).encode())) for name, text in ETC_FILES.items()
    )


def _streams(handed: contextlib.ExitStack, ours: list[int]) -> tuple[_Streams, tuple[int, ...]]:
    """Make an agent's standard streams; return our ends, then theirs."""
    hears, told = _pipe(handed, ours, write=True)
    says, said = _pipe(handed, ours, write=False)
    complains, errors = _pipe(handed, ours, write=False)
    return _Streams(said, told, errors), (hears, says, complains)


def _door(handed: contextlib.ExitStack) -> tuple[socket.socket, int]:
    """Make the socket over which listeners come out; return our end, and the number of theirs."""
    door, theirs = socket.socketpair()
    door.setblocking(False)
    handed.callback(theirs.close)
    return door, theirs.fileno()


def _pipe(handed: contextlib.ExitStack, ours: list[int], *, write: bool) -> tuple[int, int]:
    """Make a pipe; return the child's end, then ours, which writes or reads."""
    reading, writing = os.pipe()
    theirs, own = (reading, writing) if write else (writing, reading)
    handed.callback(os.close, theirs)
    ours.append(own)
    return theirs, own


def _memory_file(handed: contextlib.ExitStack, content: bytes) -> int:
    """Make a nameless file in memory that holds `content`, to be read from its start."""
    descriptor = os.memfd_create("dispatch", os.MFD_CLOEXEC)
    handed.callback(os.close, descriptor)
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _unmake_state(state_dir: Path) -> None:
    """Leave nothing of a run that did not start, so that it can be started again."""
    discard(state_dir)
    (state_dir / ARTIFACTS).rmdir()


async def _release(started: _Started, group: cgroup.Group | None) -> tuple[int, bool]:
    """Take hold of process 1, put it into its group and let it go on.

    Returns:
        Its number outside, and whether the group took it; if not, the watchdog counts instead.
    """
    try:
        info = await read_until(started.info, b"}", START_TIMEOUT_S)
        if not info:
            raise await _why_not(started.jail)
        first = int(json.loads(info)["child-pid"])
        started.jail.found_first(first)
        joined = group is not None and group.add(first)
        os.write(started.go, b".")
    except (ProcessLookupError, BrokenPipeError):
        raise await _why_not(started.jail) from None
    except TimeoutError:
        raise _silent() from None
    finally:
        os.close(started.go)
    return first, joined


async def _greet(channel: Channel, jail: Jail, view: View, layout: Machine) -> int:
    """Give the helper its brief and wait for its greeting; return the Landlock ABI it stands behind."""
    brief = orders.write(view, others=machine.processes_of_user(), executables=_executables(view, layout))
    channel.tell(brief.encode())
    try:
        return words.decode_ready(await channel.hear(START_TIMEOUT_S))
    except ChannelClosedError:
        raise await _why_not(jail) from None
    except TimeoutError:
        raise _silent() from None


def _executables(view: View, layout: Machine) -> tuple[str, ...]:
    """List what an agent's own program must be able to execute, as far as it is shown inside."""
    if view.program is None:
        return ()
    places = orders.environment(view) | dict(view.program.environment)
    shown = ("/usr", *layout.directories, *(grant.path for grant in view.grants))
    first = {inside: outside for outside, inside in layout.python_parts}.get(view.program.argv[0])
    # Our own interpreter stands elsewhere inside.
    own = () if first is None else (view.program.argv[0],)
    found = executables(first or view.program.argv[0], view.program.directories, places["PATH"])
    return (*own, *(each for each in found if any(is_inside(each, place) for place in shown)))


async def _why_not(jail: Jail) -> SandboxError:
    """Find out why the wall did not come up, from the words of whoever failed."""
    await jail.wait(START_TIMEOUT_S)
    said, status = jail.last_words(), jail.exit_status or 0
    if status < 0 and not said:
        return NoSandboxError(
            f"Signal {-status} ended the wall while it was being built.",
            "Try again; look whether memory ran out (`journalctl -k`).",
        )
    if status == FAILED:
        report = json.loads(said.splitlines()[-1])
        if report["code"] != "os_error":
            return PathRefusedError(report["code"], report["detail"], report["remedy"])
        said = f"{report['step']}: {report['detail']}"
    finding = diagnosis.explain(said, machine.switches(), machine.os_release())
    return NoSandboxError(finding.reason, finding.remedy)


def _silent() -> NoSandboxError:
    return NoSandboxError(
        f"The wall did not come up within {START_TIMEOUT_S:g} s.", "Try again when the machine is less busy."
    )


def _confinement(view: View, warnings: Sequence[str], *, limited_by_group: bool, abi: int) -> Confinement:
    network = "granted-hosts" if view.network else "no-network"
    layers = ["namespaces", "read-only-root", network, "seccomp", "rlimits"]
    layers += [f"landlock-{abi}"] if abi else []
    layers += ["copy-on-write"] if view.writable else []
    missing = (
        () if abi else ("This kernel has no Landlock; programs inside are kept apart by one wall less.",)
    )
    return Confinement(tuple(layers), "cgroup" if limited_by_group else "watchdog", (*warnings, *missing))
