"""What applies have replaced, on disk: measured, shown as what would be undone, taken back, and in the end removed."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from dispatch_daemon.adapters.executor.run_spec import WallError
from dispatch_daemon.adapters.executor.shown import change_json
from dispatch_protocol.encoding import JSON
from sandbox.changes.apply import ApplyOutcome, ApplyStatus, recover
from sandbox.changes.undo import forget_originals, is_interrupted, kept_bytes, preview, undo
from sandbox.errors import SandboxError


@dataclass(frozen=True, slots=True)
class UndoEnd:
    """How an undo ended: all of it, or nothing, because of these paths; `midway` says that it had been begun."""

    done: bool
    midway: bool = False
    paths: tuple[str, ...] = ()


_DIFF_BYTES = 256 * 1024
_UNDO = "undo-"


class Originals:
    """The originals of runs below `<home>/runs`: each apply has its journal there, and each attempt to undo it one."""

    def __init__(self, home: Path) -> None:
        self._runs = home / "runs"

    async def size_bytes(self, run_id: str) -> int:
        """Return how much is kept of what a run replaced."""
        return await asyncio.to_thread(kept_bytes, self._apply(run_id))

    async def preview(self, run_id: str) -> dict[str, JSON]:
        """Return what would be undone, as changes and diffs under a digest; `drift` is what is in the way.

        Raises:
            WallError: it cannot be undone, and why.
        """
        try:
            changes, diffs, truncated = await asyncio.to_thread(preview, self._apply(run_id), _DIFF_BYTES)
        except SandboxError as error:
            raise _wall_error(error) from error
        shown: list[JSON] = [
            {"path": diff.path, "text": diff.text, "truncated": diff.truncated, "binary": diff.binary}
            for diff in diffs
        ]
        return {
            "digest": changes.digest,
            "changeset": [change_json(change) for change in changes.entries],
            "diffs": shown,
            "diff_truncated": truncated,
            "drift": list(changes.drift),
        }

    async def undo(self, run_id: str, digest: str) -> UndoEnd:
        """Undo what was shown under this digest; what an earlier life began of it is carried to its end first.

        Raises:
            WallError: nothing was touched, or (see `is_half_done`) it cannot be finished now.
        """
        try:
            outcome = await asyncio.to_thread(self._undo, run_id, digest)
        except SandboxError as error:
            raise _wall_error(error) from error
        paths = dict.fromkeys(conflict.path for conflict in outcome.conflicts)
        return UndoEnd(
            outcome.status is ApplyStatus.APPLIED, outcome.status is ApplyStatus.CONFLICT, tuple(paths)
        )

    def _undo(self, run_id: str, digest: str) -> ApplyOutcome:
        attempts = self._attempts(run_id)
        if attempts:
            earlier = recover(attempts[-1])
            if earlier is not None and earlier.status is not ApplyStatus.NOT_APPLIED:
                return earlier
        place = self._apply(run_id).with_name(f"{_UNDO}{len(attempts) + 1}")
        return undo(self._apply(run_id), place, digest)

    def is_half_done(self, run_id: str) -> bool:
        """Return whether an undo was begun and has not ended: its steps may be done, some of them or all."""
        attempts = self._attempts(run_id)
        return bool(attempts) and is_interrupted(attempts[-1])

    async def forget(self, run_id: str) -> None:
        """Remove what a run replaced, and what an undo of it did; how the apply ended stays known.

        Raises:
            WallError: it could not be removed.
        """
        try:
            for journal in (self._apply(run_id), *self._attempts(run_id)):
                await asyncio.to_thread(forget_originals, journal)
        except SandboxError as error:
            raise _wall_error(error) from error

    def _apply(self, run_id: str) -> Path:
        return self._runs / run_id / "apply"

    def _attempts(self, run_id: str) -> list[Path]:
        """Return the journals of the attempts to undo a run, in their order."""
        found = (self._runs / run_id).glob(f"{_UNDO}*")
        return sorted(found, key=lambda path: int(path.name.removeprefix(_UNDO)))


def _wall_error(error: SandboxError) -> WallError:
    return WallError(error.code, error.detail, error.remedy)
