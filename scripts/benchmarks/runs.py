"""What a run costs: building the wall, one call through it, and collecting and applying what it changed."""

import asyncio
import shutil
from pathlib import Path

from benchmarks.figure import Sheet, timed
from benchmarks.sizes import Sizes
from sandbox.changes.apply import ApplyStatus, apply
from sandbox.changes.changeset import collect
from sandbox.changes.discard import discard
from sandbox.job import Frozen, Limits, PathGrant, Policy, ToolCall
from sandbox.wall.runner import open_box

_WRITE = "i=0; while [ $i -lt {count} ]; do echo line $i > $i.txt; i=$((i+1)); done"
_CALLS = {
    "Read": ({"file_path": "notes.txt"}, None),
    "Bash": ({"command": "true"}, "bash_p50"),
}


def measure(sheet: Sheet, sizes: Sizes, place: Path) -> None:
    """Measure walls, calls and changesets of each size below `place`."""
    place.mkdir()
    asyncio.run(_boxes(sheet, sizes, place))
    for count in sizes.files:
        asyncio.run(_changeset(sheet, count, place))


def _policy(grant: Path) -> Policy:
    return Policy(
        (PathGrant(str(grant), "rw"),), str(grant), frozenset({"Read", "Bash"}), limits=Limits(wall_s=600)
    )


async def _boxes(sheet: Sheet, sizes: Sizes, place: Path) -> None:
    grant = place / "notes"
    grant.mkdir()
    (grant / "notes.txt").write_text("a line\n" * 20)
    opening_s: list[float] = []
    whole_s: list[float] = []
    calls_s: dict[str, list[float]] = {tool: [] for tool in _CALLS}
    for number in range(1 + sizes.boxes):
        state = place / f"box-{number}"
        with timed(whole_s), timed(opening_s):
            box_context = open_box(_policy(grant), state, f"bench-{number}")
            box = await box_context.__aenter__()
        try:
            if number == 0:  # the first is for warmth
                opening_s.clear()
                whole_s.clear()
                for tool, (given, _) in _CALLS.items():
                    for turn in range(sizes.calls):
                        with timed(calls_s[tool]):
                            result = await box.call(ToolCall(f"{tool}-{turn}", tool, given))
                        if not result.ok:
                            raise RuntimeError(f"{tool} failed: {result.error}")
        finally:
            await box_context.__aexit__(None, None, None)
        discard(state)
    sheet.note_times("box", "a sandbox is open and ready", opening_s, floor="bwrap_p50")
    for tool, (_, floor) in _CALLS.items():
        sheet.note_times(f"call_{tool.lower()}", f"one {tool} through the wall", calls_s[tool], floor=floor)


async def _changeset(sheet: Sheet, count: int, place: Path) -> None:
    """Let a run make so many files in an empty directory, then collect and apply them, three times."""
    collecting_s: list[float] = []
    applying_s: list[float] = []
    for turn in range(3):
        grant, state = place / f"grant-{count}-{turn}", place / f"state-{count}-{turn}"
        grant.mkdir()
        frozen = await _written(grant, state, count)
        with timed(collecting_s):
            changes = collect(frozen.layers)
        with timed(applying_s):
            outcome = apply(changes, frozen.layers, state / "apply")
        if outcome.status is not ApplyStatus.APPLIED or len(list(grant.iterdir())) != count:
            raise RuntimeError(f"{count} files were written and not applied: {outcome}")
        shutil.rmtree(grant)
        discard(state)
    floor = f"copy_{count}"
    noun = "file" if count == 1 else "files"
    for name, words, taken_s in (("collect", "collecting", collecting_s), ("apply", "applying", applying_s)):
        values_ms = [taken * 1000 for taken in taken_s]
        sheet.note(f"{name}_{count}", f"{words} {count:,} new {noun}", "ms", values_ms, floor=floor)


async def _written(grant: Path, state: Path, count: int) -> Frozen:
    """Run one command that makes the files, and return what the run left."""
    async with open_box(_policy(grant), state, state.name) as box:
        result = await box.call(ToolCall("write", "Bash", {"command": _WRITE.format(count=count)}))
        if not result.ok:
            raise RuntimeError(f"writing failed: {result.error}")
    return box.frozen
