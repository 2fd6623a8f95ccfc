"""The executor: the one adapter that starts sandboxes, applies changesets and knows where runs lie on disk.

It turns the journal's words into a policy and the sandbox's words into plain JSON. The daemon above it never
touches a path of a run, and the sandbox below it never hears of a dispatch.
"""

import asyncio
import hashlib
import logging
import mimetypes
import shutil
from collections.abc import Awaitable, Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from dispatch_protocol.encoding import JSON
from sandbox.agents.agent import Gate, Verdict
from sandbox.agents.steps import parse_steps, run_steps
from sandbox.changes.apply import ApplyOutcome, apply, discard, recover
from sandbox.changes.change import Changeset, explain
from sandbox.changes.changeset import collect
from sandbox.changes.diff import unified
from sandbox.errors import SandboxError
from sandbox.events import CallFinished, CallProposed, Confinement, Ended, Event
from sandbox.job import Frozen, Limits, PathGrant, Policy, ToolCall, ToolResult
from sandbox.wall import machine
from sandbox.wall.grants import enrol
from sandbox.wall.runner import Probe, open_box, probe

_DIFF_BYTES = 256 * 1024
_OUTPUT_CHARS = 64 * 1024
_ARTIFACTS = 100
log = logging.getLogger("dispatch.executor")


class WallError(Exception):
    """The sandbox refused or failed; `code` is stable, `remedy` says what to do about it."""

    def __init__(self, code: str, detail: str, remedy: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.remedy = remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec:
    """What one run may see and do; `identities` are (path, device, inode) as the owner granted them."""

    run_id: str
    cwd: str
    paths: Sequence[tuple[str, Literal["ro", "rw"]]]
    identities: Mapping[str, tuple[int, int]]
    tools: frozenset[str]
    network: Sequence[str]
    steps: Sequence[Mapping[str, JSON]]
    wall_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """A run that has ended inside, with everything it would change, nothing of it applied yet."""

    outcome: Literal["success", "blocked", "failed"]
    code: str
    detail: str
    frozen: Frozen
    changeset: Changeset | None
    changes: tuple[dict[str, JSON], ...] = ()
    diffs: tuple[dict[str, JSON], ...] = ()
    left_behind: tuple[dict[str, JSON], ...] = ()
    artifacts: tuple[dict[str, JSON], ...] = ()
    flags: tuple[str, ...] = field(default=())


class Observer(Protocol):
    """What a run tells and asks while it goes on."""

    async def started(self, confinement: dict[str, JSON]) -> None: ...

    async def proposed(self, call_id: str, tool: str, arguments: dict[str, JSON]) -> None: ...

    async def allowed(self, call_id: str, tool: str, arguments: dict[str, JSON]) -> tuple[bool, str]: ...

    async def finished(self, result: dict[str, JSON]) -> None: ...


class Executor:
    """Runs below `<home>/runs`, one directory a run. `forbidden` directories are never opened to a run."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._runs = home / "runs"
        self._probed: Probe | None = None

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
            # What stands there is of a box that an earlier life opened, and in which nothing was run yet.
            self.forget(spec.run_id)
            calls = parse_steps(list(spec.steps))
            async with open_box(self._policy(spec), directory, spec.run_id, forbidden=(self._home,)) as box:
                await observer.started(_confinement(box.confinement))
                ended = await run_steps(calls, box, _gate(observer), _emit(observer))
            return await asyncio.to_thread(self._settle, ended, box.frozen)
        except SandboxError as error:
            raise _wall_error(error) from error

    def _policy(self, spec: RunSpec) -> Policy:
        return Policy(
            paths=tuple(PathGrant(path, mode, spec.identities.get(path)) for path, mode in spec.paths),
            cwd=spec.cwd,
            tools=spec.tools,
            network=tuple(spec.network),
            limits=Limits(wall_s=spec.wall_s),
        )

    def _settle(self, ended: Ended, frozen: Frozen) -> Settlement:
        if ended.outcome != "success":
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
            outcome="success",
            code="",
            detail=ended.detail,
            frozen=frozen,
            changeset=changeset,
            changes=tuple(change_json(change) for change in changeset.entries),
            diffs=tuple(shown),
            left_behind=(
                *(_left(path, str(reason), explain(reason)) for path, reason in changeset.left_behind),
                *(
                    _left(path, "scratch", "it was written to a place that is gone")
                    for path in frozen.scratch_files
                ),
                *(_left(name, "artifact", f"it was not kept: {why}") for name, why in frozen.artifacts_left),
            ),
            artifacts=tuple(_artifacts(frozen.artifacts_dir)),
            flags=tuple(flags),
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

    def artifacts(self, run_id: str) -> Path:
        """Return the directory of the run's artifacts (plain files only); it may not exist."""
        return self.directory(run_id) / "artifacts"

    def forget(self, run_id: str) -> None:
        """Remove everything of a run that ended without applying."""
        self.discard(run_id)
        shutil.rmtree(self.directory(run_id), ignore_errors=True)

    def _apply_journal(self, run_id: str) -> Path:
        return self.directory(run_id) / "apply"


def _wall_error(error: SandboxError) -> WallError:
    return WallError(error.code, error.detail, error.remedy)


def _gate(observer: Observer) -> Gate:
    async def ask(call: ToolCall) -> Verdict:
        allow, reason = await observer.allowed(call.call_id, call.tool, _plain(call.input))
        return Verdict(allow=allow, reason=reason)

    return ask


def _emit(observer: Observer) -> Callable[[Event], Awaitable[None]]:
    async def emit(event: Event) -> None:
        match event:
            case CallProposed(call):
                await observer.proposed(call.call_id, call.tool, _plain(call.input))
            case CallFinished(result):
                await observer.finished(_result(result))
            case _:
                pass  # the start is told with the confinement, the end by the settlement

    return emit


def _plain(value: Mapping[str, object]) -> dict[str, JSON]:
    """Return a call's input as JSON; it came from signed JSON and nothing else gets in."""
    return dict(value)  # type: ignore[arg-type]  # the sandbox says object, the steps were JSON


def _result(result: ToolResult) -> dict[str, JSON]:
    cut = result.truncated or len(result.output) > _OUTPUT_CHARS
    return {
        "call_id": result.call_id,
        "ok": result.ok,
        "output": result.output[:_OUTPUT_CHARS],
        "truncated": cut,
        "exit_code": result.exit_code,
        "error": result.error,
    }


def _confinement(confinement: Confinement) -> dict[str, JSON]:
    return {
        "layers": list(confinement.layers),
        "limits_by": confinement.limits_by,
        "warnings": list(confinement.warnings),
    }


def _left(path: str, reason: str, words: str) -> dict[str, JSON]:
    """Return a path whose change stays behind, with the reason as a word and in words."""
    return {"path": path, "reason": reason, "detail": words}


def change_json(change: object) -> dict[str, JSON]:
    """Return one change as the outside sees it."""
    names = ("op", "path", "kind", "old_mode", "new_mode", "size_bytes", "sha256", "target")
    shown: dict[str, JSON] = {name: getattr(change, name) for name in names}
    shown["flags"] = list(getattr(change, "flags"))  # noqa: B009 - same words as above
    return shown


def _artifacts(directory: Path) -> list[dict[str, JSON]]:
    found: list[dict[str, JSON]] = []
    for path in sorted(directory.iterdir())[:_ARTIFACTS]:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        mime, _ = mimetypes.guess_type(path.name)
        found.append(
            {
                "name": path.name,
                "kind": "file",
                "mime_type": mime or "application/octet-stream",
                "size_bytes": path.stat().st_size,
                "sha256": sha256,
            }
        )
    return found
