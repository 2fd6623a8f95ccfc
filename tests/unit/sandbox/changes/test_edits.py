"""The way from one text to another is right, shortest, and found within the effort."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from sandbox.changes.edits import Edit, Effort, edits

LINES = st.lists(st.sampled_from("abc"), max_size=14)
PLENTY = 1_000_000


def carried_out(old: list[str], new: list[str], found: list[Edit]) -> list[str]:
    result: list[str] = []
    at = 0
    for edit in found:
        assert edit.old_start >= at
        result += old[at : edit.old_start] + new[edit.new_start : edit.new_end]
        at = edit.old_end
    return result + old[at:]


def common_length(one: list[str], other: list[str]) -> int:
    row = [0] * (len(other) + 1)
    for left in one:
        previous = row[:]
        for at, right in enumerate(other):
            row[at + 1] = previous[at] + 1 if left == right else max(row[at], previous[at + 1])
    return row[-1]


@given(LINES, LINES)
def test_the_edits_lead_from_old_to_new(old: list[str], new: list[str]) -> None:
    assert carried_out(old, new, edits(old, new, Effort(PLENTY))) == new


@given(LINES, LINES)
def test_no_shorter_way_exists(old: list[str], new: list[str]) -> None:
    found = edits(old, new, Effort(PLENTY))
    cost = sum(one.old_end - one.old_start + one.new_end - one.new_start for one in found)
    assert cost == len(old) + len(new) - 2 * common_length(old, new)


@given(LINES, LINES, st.integers(-5, 20))
def test_with_little_effort_the_way_is_coarse_but_right(old: list[str], new: list[str], steps: int) -> None:
    assert carried_out(old, new, edits(old, new, Effort(steps))) == new


@given(LINES, LINES)
def test_edits_never_touch_each_other(old: list[str], new: list[str]) -> None:
    found = edits(old, new, Effort(PLENTY))
    for before, after in itertools.pairwise(found):
        assert before.old_end < after.old_start
        assert before.new_end < after.new_start


def test_a_change_in_a_large_text_takes_little_effort() -> None:
    old = [str(number) for number in range(50_000)]
    new = [*old[:25_000], "new", *old[25_000:40_000], *old[40_001:]]
    effort = Effort(PLENTY)
    assert edits(old, new, effort) == [
        Edit(25_000, 25_000, 25_000, 25_001),
        Edit(40_000, 40_001, 40_001, 40_001),
    ]
    assert effort.steps > PLENTY / 2


def test_effort_that_is_used_up_stays_used_up() -> None:
    effort = Effort(10_000)
    old, new = [f"a{number}" for number in range(1000)], [f"b{number}" for number in range(1000)]
    assert edits(old, new, effort) == [Edit(0, 1000, 0, 1000)]
    assert effort.steps < 0
    assert edits(["a", "b", "c", "d", "e"], ["a", "x", "c", "y", "e"], effort) == [Edit(1, 4, 1, 4)]
