"""The shortest way from one sequence of lines to another, within a bounded effort.

Myers' algorithm ("An O(ND) Difference Algorithm and Its Variations", 1986) in its greedy form: time grows with
the size of the difference, not with the size of the files. The standard library's matcher is not used because
its worst case is cubic and the lines are chosen by the run. When the effort is used up the answer is coarse but
still true: everything between the common beginning and the common end is replaced.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the old lines from `old_start` to `old_end` by the new ones from `new_start` to `new_end`."""

    old_start: int
    old_end: int
    new_start: int
    new_end: int


class Effort:
    """How many comparisons may still be spent; shared by all files of one diff."""

    def __init__(self, steps: int) -> None:
        self.steps = steps


def edits(old: Sequence[Hashable], new: Sequence[Hashable], effort: Effort) -> list[Edit]:
    """Return the edits that turn `old` into `new`, in order, none touching the next."""
    start = _common(old, new)
    end = _common(old[start:][::-1], new[start:][::-1])
    middle_old = old[start : len(old) - end]
    middle_new = new[start : len(new) - end]
    if not middle_old or not middle_new:
        whole = Edit(start, len(old) - end, start, len(new) - end)
        return [whole] if middle_old or middle_new else []
    rows = _rows(middle_old, middle_new, effort)
    if rows is None:
        return [Edit(start, len(old) - end, start, len(new) - end)]
    return _joined(_walk_back(rows, len(middle_old), len(middle_new)), start)


def _common(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    """Return how many elements two sequences have in common at their beginning."""
    for number, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return number
    return min(len(one), len(other))


def _rows(old: Sequence[Hashable], new: Sequence[Hashable], effort: Effort) -> list[list[int]] | None:
    """Return, for each number of edits d, how far each diagonal -d, -d+2, …, d of the edit graph reaches.

    The last row reaches the end of both sequences. None when the effort was used up before.
    """
    rows: list[list[int]] = []
    previous: list[int] = []
    for d in range(len(old) + len(new) + 1):
        row: list[int] = []
        for at in range(d + 1):
            if d == 0:
                x = 0
            elif at == 0 or (at < d and previous[at - 1] < previous[at]):
                x = previous[at]
            else:
                x = previous[at - 1] + 1
            y = x - (2 * at - d)
            before = x
            while x < len(old) and 0 <= y < len(new) and old[x] == new[y]:
                x += 1
                y += 1
            row.append(x)
            effort.steps -= 1 + x - before
            if x >= len(old) and y >= len(new):
                return [*rows, row]
        if effort.steps < 0:
            return None
        rows.append(row)
        previous = row
    raise AssertionError("the end is reached after at most all deletions and all insertions")


def _walk_back(rows: list[list[int]], old_length: int, new_length: int) -> list[tuple[int, int, bool]]:
    """Return the single edits from the last to the first as (old position, new position, is a deletion)."""
    x, y = old_length, new_length
    steps: list[tuple[int, int, bool]] = []
    for d in range(len(rows) - 1, 0, -1):
        previous = rows[d - 1]
        at = (x - y + d) // 2
        inserted = at == 0 or (at < d and previous[at - 1] < previous[at])
        came_from = at if inserted else at - 1
        x = previous[came_from]
        y = x - (2 * came_from - (d - 1))
        steps.append((x, y, not inserted))
    return steps


def _joined(steps: list[tuple[int, int, bool]], offset: int) -> list[Edit]:
    """Return single edits, given from the last to the first, as runs in order."""
    runs: list[Edit] = []
    for x, y, deletes in reversed(steps):
        old, new = x + offset, y + offset
        old_end, new_end = (old + 1, new) if deletes else (old, new + 1)
        if runs and (runs[-1].old_end, runs[-1].new_end) == (old, new):
            runs[-1] = Edit(runs[-1].old_start, old_end, runs[-1].new_start, new_end)
        else:
            runs.append(Edit(old, old_end, new, new_end))
    return runs
