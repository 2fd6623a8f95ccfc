"""The executor: the one adapter that starts sandboxes, applies changesets and knows where runs lie on disk.

It turns the journal's words into a policy and the sandbox's words into plain JSON. The daemon above it never
touches a path of a run, and the sandbox below it never hears of a dispatch.
"""

import asyncio
import contextlib
import logging
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Container, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from dispatch_daemon.adapters.executor.asking import price_of, work
from dispatch_daemon.adapters.executor.reaching import Surroundings, reaching
from dispatch_daemon.adapters.executor.residing import reside, resident_of
from dispatch_daemon.adapters.executor.run_spec import Observer, RunSpec, Settlement, WallError
from dispatch_daemon.adapters.executor.shown import (
    OUTPUT_CHARS,
    artifacts_json,
    change_json,
    clean,
    confinement_json,
    left_json,
    plain,
    result_json,
)
from dispatch_daemon.adapters.executor.toolbox import opened
from dispatch_daemon.adapters.executor.undoing import Originals
from dispatch_daemon.adapters.servers import Servers
from dispatch_protocol.encoding import JSON
from dispatch_protocol.errors import RefusedError
from sandbox.agents.agent import Gate, Session, Verdict
from sandbox.agents.model.loop import Spent
from sandbox.agents.steps import parse_steps, run_steps
from sandbox.changes.apply import ApplyOutcome, apply, discard, recover
from sandbox.changes.change import explain
from sandbox.changes.changeset import collect
from sandbox.changes.diff import unified
from sandbox.errors import SandboxError
from sandbox.events import CallFinished, CallProposed, Crossed, Ended, Event, Noted, Said, Thought
from sandbox.job import Frozen, Limits, PathGrant, Policy, ToolCall
from sandbox.wall import machine
from sandbox.wall.grants import enrol
from sandbox.wall.kept import NAME, Kept, find, keep, reopen
from sandbox.wall.preparation import INBOX
from sandbox.wall.remains import copy_files
from sandbox.wall.runner import Box, Probe, open_box, probe

_DIFF_BYTES = 256 * 1024
_ASK = "Ask its sender to send it again."
log = logging.getLogger("dispatch.executor")


class Executor:
    """Runs below `<home>/runs`, one directory a run. The home itself is never opened to one."""

    def __init__(self, home: Path, surroundings: Surroundings | None = None) -> None:
        self._home = home
        self._surroundings = surroundings or Surroundings()
        self._runs = home / "runs"
        self._probed: Probe | None = None
        self.originals = Originals(home)
        self.servers = Servers(home)

    async def probe(self) -> Probe:
        """Try the wall on this machine with its real command line; a success is remembered, a failure tried again."""
        if self._probed is None or not self._probed.can_run:
            self._runs.mkdir(mode=0o700, exist_ok=True)
            self._probed = await probe(self._runs)
        return self._probed

    def enrol(self, path: str, mode: Literal["ro", "rw"]) -> tuple[str, int, int]:
        """Return a path that may be granted, canonical, with the device and inode that stand there now.

        Raises:
            WallError: it does not exist, or must never be opened to a run (`/`, the home, keys of this person).
        """
        try:
            grant = enrol(path, mode, homes=machine.homes(), forbidden=(str(self._home),))
        except SandboxError as error:
            raise WallError(error.code, error.detail, error.remedy) from error
        assert grant.identity is not None  # noqa: S101 - enrolling is finding it
        return (grant.path, *grant.identity)

    def directory(self, run_id: str) -> Path:
        return self._runs / run_id

    async def execute(self, spec: RunSpec, observer: Observer) -> Settlement:
        """Run the agent inside the wall to its end; what it wrote stays in its copy.

        Raises:
            WallError: the wall could not be built, or it killed the run for a limit.
        """
        directory = self.directory(spec.run_id)
        self._runs.mkdir(mode=0o700, exist_ok=True)
        try:
            earlier = self._taken_up(spec)
            session, layers = (None, None) if earlier is None else (earlier.session, earlier.layers)
            if spec.unpack is not None and earlier is None:
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                await _unpacked(spec.unpack, directory / INBOX)
            calls = parse_steps(list(spec.steps)) if spec.steps else ()
            spent = Spent(price=price_of(spec.order))
            policy, gate, emit = self._policy(spec, session), _gate(observer), _emit(observer)
            async with (
                open_box(policy, directory, spec.run_id, forbidden=(self._home,), kept=layers) as box,
                opened(box, spec.servers, self.servers, emit) as toolbox,
            ):
                await observer.started(confinement_json(box.confinement))
                async with reaching(spec.network, box, emit, self._surroundings):
                    if calls:
                        toolbox.name(call.tool for call in calls)
                        ended = await run_steps(calls, toolbox, gate, emit, session)
                    else:
                        assert spec.order is not None  # noqa: S101 - a run without steps has an order
                        working = work if spec.order.agent.program is None else reside
                        ended = await working(spec.order, spec.cwd, toolbox, gate, emit, spent, session)
                ended = replace(_judged(ended, box), detail=clean(ended.detail))
            if ended.session is not None:
                saved = tuple(call.save_as for call in calls if call.save_as is not None)
                await asyncio.to_thread(keep, directory, Kept(box.frozen.layers, ended.session, saved))
            return replace(await asyncio.to_thread(self._settle, ended, box.frozen), spent=spent)
        except SandboxError as error:
            raise _wall_error(error) from error

    def _taken_up(self, spec: RunSpec) -> Kept | None:
        """Return what a run that goes on was set aside with; a new one finds an empty place."""
        directory = self.directory(spec.run_id)
        if not spec.resume:
            # What stands there is of a box that an earlier life opened, and in which nothing was run yet.
            self.forget(spec.run_id)
            return None
        kept = find(directory)
        reopen(directory, kept.saved)
        return kept

    async def drift(self, run_id: str) -> tuple[str, ...]:
        """Return which paths of a kept run somebody else changed since it began: it cannot go on over those.

        Raises:
            WallError: nothing is kept, or a grant is not the directory that it was.
        """
        try:
            kept = await asyncio.to_thread(find, self.directory(run_id))
            return (await asyncio.to_thread(collect, kept.layers)).drift
        except SandboxError as error:
            raise _wall_error(error) from error

    def _policy(self, spec: RunSpec, session: Session | None) -> Policy:
        return Policy(
            paths=tuple(PathGrant(path, mode, spec.identities.get(path)) for path, mode in spec.paths),
            cwd=spec.cwd,
            tools=spec.tools,
            network=tuple(spec.network),
            limits=Limits(wall_s=spec.wall_s),
            program=None
            if spec.order is None or spec.steps
            else resident_of(spec.order, spec.tools, session, tuple(dict.fromkeys(spec.servers))),
        )

    def _settle(self, ended: Ended, frozen: Frozen) -> Settlement:
        if ended.outcome != "success" and ended.session is None:
            return Settlement(
                outcome=ended.outcome,
                code=ended.reason_code,
                detail=ended.detail,
                frozen=frozen,
                changeset=None,
            )
        changeset = collect(frozen.layers)
        diffs, truncated = unified(changeset, frozen.layers, _DIFF_BYTES)
        shown: list[dict[str, JSON]] = [
            {"path": diff.path, "text": diff.text, "truncated": diff.truncated, "binary": diff.binary}
            for diff in diffs
        ]
        if truncated and shown:
            shown[-1]["truncated"] = True
        flags = dict.fromkeys(flag for change in changeset.entries for flag in change.flags)
        return Settlement(
            outcome=ended.outcome,
            code=ended.reason_code,
            detail=ended.detail,
            frozen=frozen,
            changeset=changeset,
            changes=tuple(change_json(change) for change in changeset.entries),
            diffs=tuple(shown),
            left_behind=(
                *(left_json(path, str(reason), explain(reason)) for path, reason in changeset.left_behind),
                *(
                    left_json(path, "scratch", "it was written to a place that is gone")
                    for path in frozen.scratch_files
                ),
                *(
                    left_json(name, "artifact", f"it was not kept: {why}")
                    for name, why in frozen.artifacts_left
                ),
            ),
            artifacts=tuple(artifacts_json(frozen.artifacts_dir)),
            flags=tuple(flags),
            resumable=ended.session is not None,
        )

    async def apply(self, run_id: str, settlement: Settlement) -> ApplyOutcome:
        """Apply an approved changeset, all of it or nothing; what breaks in the middle is mended by `recover`.

        Raises:
            WallError: it was not begun, or it broke in the middle; only `recover` knows which.
        """
        assert settlement.changeset is not None  # noqa: S101 - only a success is applied
        try:
            return await asyncio.to_thread(
                apply, settlement.changeset, settlement.frozen.layers, self._apply_journal(run_id)
            )
        except SandboxError as error:
            raise _wall_error(error) from error

    async def recover(self, run_id: str) -> ApplyOutcome | None:
        """Carry an interrupted apply to its end; None if it had not begun.

        Raises:
            WallError: it cannot be finished now, or (`journal_damaged`) ever.
        """
        try:
            return await asyncio.to_thread(recover, self._apply_journal(run_id))
        except SandboxError as error:
            raise _wall_error(error) from error

    def sweep(self, unfinished: Container[str]) -> None:
        """Discard the copies of runs that are over: their daemon died between the end and the tidying up."""
        if not self._runs.is_dir():
            return
        for directory in self._runs.iterdir():
            if directory.name not in unfinished:
                try:
                    discard(directory)
                except SandboxError as error:
                    log.warning("%s stays: %s", directory, error.detail)

    def discard(self, run_id: str) -> None:
        """Remove what a run wrote in its copy; artifacts and what `undo` needs stay."""
        directory = self.directory(run_id)
        if directory.exists():
            discard(directory)
            (directory / NAME).unlink(missing_ok=True)

    def artifacts(self, run_id: str) -> Path:
        """Return the directory of the run's artifacts (plain files only); it may not exist."""
        return self.directory(run_id) / "artifacts"

    async def artifacts_now(self, run_id: str) -> list[dict[str, JSON]] | None:
        """Return what lies there now, read anew; None where that is not what a run leaves."""
        place = self.artifacts(run_id)
        try:
            return await asyncio.to_thread(artifacts_json, place) if place.is_dir() else []
        except OSError:
            return None

    def keep_files(self, run_id: str, paths: Sequence[str]) -> list[dict[str, JSON]]:
        """Copy files that a human made into the artifacts of their run; what was copied for an earlier try goes.

        Raises:
            WallError: two have one name, a name that means something else elsewhere, or they are too large.
            OSError: one is not there, or no plain file.
        """
        self._runs.mkdir(mode=0o700, exist_ok=True)
        place = self.artifacts(run_id)
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(mode=0o700, parents=True)
        try:
            copy_files(paths, place)
        except SandboxError as error:
            raise _wall_error(error) from error
        return artifacts_json(place)

    @contextlib.contextmanager
    def workplace(self, run_id: str) -> Iterator[Path]:
        """Lend a private directory beside a run's own, on the same disk; it is gone afterwards."""
        place = self.directory(run_id)
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place) as lent:
            yield Path(lent)

    def forget(self, run_id: str) -> None:
        """Remove everything of a run that ended without applying."""
        self.discard(run_id)
        shutil.rmtree(self.directory(run_id), ignore_errors=True)

    def _apply_journal(self, run_id: str) -> Path:
        return self.directory(run_id) / "apply"


async def _unpacked(unpack: Callable[[Path], None], directory: Path) -> None:
    try:
        await asyncio.to_thread(unpack, directory)
    except RefusedError as error:
        raise WallError(error.code, f"a file that came with the task: {error.detail}", _ASK) from error
    except FileNotFoundError as error:
        gone = "a file that came with the task is not on this machine any more"
        raise WallError("files_missing", gone, _ASK) from error


def _judged(ended: Ended, box: Box) -> Ended:
    """Say how it really ended: what was killed for a limit has not done its task, whatever its agent says."""
    try:
        box.check_alive()
    except SandboxError as error:
        return Ended("failed", error.code, error.detail) if ended.outcome == "success" else ended
    return ended


def _wall_error(error: SandboxError) -> WallError:
    return WallError(error.code, error.detail, error.remedy)


def _gate(observer: Observer) -> Gate:
    async def ask(call: ToolCall) -> Verdict:
        allow, reason = await observer.allowed(call.call_id, call.tool, plain(call.input))
        return Verdict(allow=allow, reason=reason, park=observer.parked)

    return ask


def _emit(observer: Observer) -> Callable[[Event], Awaitable[None]]:
    async def emit(event: Event) -> None:
        match event:
            case CallProposed(call):
                await observer.proposed(call.call_id, call.tool, plain(call.input))
            case CallFinished(result):
                await observer.finished(result_json(result))
            case Said(text):
                await observer.said(clean(text[:OUTPUT_CHARS]))
            case Thought(text):
                await observer.thought(clean(text[:OUTPUT_CHARS]))
            case Noted(text):
                await observer.noted(text)
            case Crossed(allowed, what, code):
                await observer.crossed(what, code, allowed=allowed)
            case _:
                pass  # the start is told with the confinement, the end by the settlement

    return emit
