"""A program that dies: applies one run's changes, killed with SIGKILL at each step in turn, then recovered.

It is a process of its own because it forks for every death, and because it may first become an ordinary user:
`python apply_lab.py EXPERIMENT [UID]`, with the repository on the module path. It prints one JSON document.
Everything is imported before the user changes, since an ordinary user may not reach this Python's library.
"""

import errno
import json
import os
import random
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path

from sandbox.changes.apply import ApplyOutcome, ApplyStatus, apply, recover
from sandbox.changes.applying.disk import Disk
from sandbox.changes.changeset import collect
from sandbox.changes.undo import preview, undo
from sandbox.errors import ChangesetError
from sandbox.job import Layer
from tests.support.edits import check_edits, random_edits, random_tree
from tests.support.overlay import Grant, Snapshot, clear, plant, quick_directory, run, snapshot

TREES = {
    "one": {
        "modified": "old",
        "deleted": "old",
        "moved": "moved",
        "mode": "644:#!/bin/sh",
        "link": "-> modified",
        "tree/gone/x": "x",
        "tree/gone/y": "y",
        "was-file": "file",
        "was-dir/x": "x",
        "locked/a": "a",
    },
    "two": {"modified": "old", "narrowed/a": "a"},
}
EDITS = {
    "one": """
        echo new > modified; rm deleted; mv moved tree/moved; chmod +x mode; ln -sfn tree link; rm -r tree/gone
        mkdir -p fresh/in; echo 1 > fresh/in/1; ln -s in fresh/link; chmod 555 fresh/in
        rm was-file; mkdir was-file; echo x > was-file/x; rm -r was-dir; echo x > was-dir
        chmod 755 locked; echo b > locked/b; chmod 555 locked
    """,
    "two": "echo new > modified; echo b > narrowed/a; chmod 500 narrowed",
}
NAMES = tuple(TREES)
CONTENTS = ("create", "fill", "symlink")


class Scene:
    """One run over two grants, whose trees can be made anew as often as needed."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.grants = [self._run(name) for name in NAMES]
        self.number = 0
        self.expected = [grant.merged for grant in self.grants]

    def _run(self, name: str) -> Grant:
        plant(self.base / name, TREES[name])
        self._lock(self.base / name)
        return run(self.base, EDITS[name], name)

    @staticmethod
    def _lock(top: Path) -> None:
        if (top / "locked").exists():
            (top / "locked").chmod(0o555)

    def fresh(self, *, undoing: bool = False) -> "Stage":
        """Return the trees as they were before the run, in a place of their own; or applied, and to be undone."""
        self.number += 1
        place = self.base / f"stage-{self.number}"
        grants = []
        for grant, name in zip(self.grants, NAMES, strict=True):
            plant(place / name, TREES[name])
            self._lock(place / name)
            grants.append(grant.on(place / name))
        return Undoing(place, grants, self.expected) if undoing else Stage(place, grants, self.expected)


class Stage:
    """One apply that may die, in trees of its own."""

    def __init__(self, place: Path, grants: Sequence[Grant], expected: list[Snapshot]) -> None:
        self.expected = expected
        self.place = place
        self.grants = grants
        self.journal = place / "journal"
        self.layers: list[Layer] = [grant.layer for grant in grants]
        self.changes = collect(self.layers)
        self.before = self.trees()
        assert self.changes.drift == ()
        assert self.changes.left_behind == ()

    def trees(self) -> list[Snapshot]:
        return [snapshot(grant.lower) for grant in self.grants]

    def apply(self, disk: Disk) -> ApplyOutcome:
        return apply(self.changes, self.layers, self.journal, disk=disk)

    def remove(self) -> None:
        clear(self.place)


class Undoing(Stage):
    """One undo that may die, of an apply that went well."""

    def __init__(self, place: Path, grants: Sequence[Grant], expected: list[Snapshot]) -> None:
        super().__init__(place, grants, expected)
        assert super().apply(Disk()).status is ApplyStatus.APPLIED
        self.applied = self.journal
        self.journal = place / "undo"
        self.expected, self.before = self.before, self.trees()
        assert self.before == expected

    def apply(self, disk: Disk) -> ApplyOutcome:
        changes, _, _ = preview(self.applied, 1024)
        return undo(self.applied, self.journal, changes.digest, disk=disk)


class Points:
    """Counts the steps of a disk; at one of them the process dies, or something else happens."""

    def __init__(self, act_at: int = 0, act: Callable[[], None] | None = None) -> None:
        self.seen: list[str] = []
        self._act_at = act_at
        self._act = act or die

    def __call__(self, point: str) -> None:
        self.seen.append(point)
        if len(self.seen) == self._act_at:
            self._act()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed(work: Callable[[], object]) -> bool:
    """Run something in a child; say whether it was killed. Whatever else it does wrong is an error."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0, "the child failed"
    return False


def points_of(
    scene: Scene, *, rename_flags: bool = True, human: "Human | None" = None, undoing: bool = False
) -> list[str]:
    """Return every step of an undisturbed apply, or undo, in its order."""
    stage = scene.fresh(undoing=undoing)
    points = Points()
    disk = Disk(watched(points, human, stage), rename_flags=rename_flags)
    stage.apply(disk)
    stage.remove()
    return points.seen


Human = Callable[[Stage], None]


def watched(points: Points, human: Human | None, stage: Stage) -> Callable[[str], None]:
    """Let a human act once, right before the third rename of the apply."""
    renames = 0

    def at(point: str) -> None:
        nonlocal renames
        if human is not None and point.startswith(("move ", "exchange ")) and ".dispatch-apply-" in point:
            renames += 1
            if renames == 3:
                human(stage)
        points(point)

    return at


def edit(stage: Stage) -> None:
    """Be the human who saves a file that comes last among the steps."""
    (stage.grants[1].lower / "narrowed/a").write_text("human")


def crash_everywhere(
    base: Path, *, rename_flags: bool, human: Human | None, undoing: bool
) -> dict[str, object]:
    """Die at every step, recover, and also die at some steps of the recovery; judge each end."""
    scene = Scene(base)
    names = points_of(scene, rename_flags=rename_flags, human=human, undoing=undoing)
    ends: dict[str, int] = {}
    wrong: list[str] = []
    for number in range(1, len(names) + 1):
        for second in second_deaths(number):
            stage = scene.fresh(undoing=undoing)
            disk = Disk(watched(Points(number), human, stage), rename_flags=rename_flags)
            assert killed(lambda stage=stage, disk=disk: stage.apply(disk)), names[number - 1]
            if second:
                again = Disk(Points(second), rename_flags=rename_flags)
                killed(lambda stage=stage, again=again: recover(stage.journal, disk=again))
            outcome = recover(stage.journal, disk=Disk(rename_flags=rename_flags))
            end = outcome.status.value if outcome else "nothing"
            ends[end] = ends.get(end, 0) + 1
            if not right(stage, outcome, disturbed=human is not None):
                wrong.append(f"{number} {names[number - 1]}, then {second}: {outcome}")
            if recover(stage.journal) != outcome:
                wrong.append(f"{number} {names[number - 1]}: another outcome the second time")
            stage.remove()
    return {"points": names, "ends": ends, "wrong": wrong}


def full_everywhere(base: Path) -> dict[str, object]:
    """Let the disk be full from each step on, and recover when there is room again; judge each end."""
    scene = Scene(base)
    names = points_of(scene)
    ends: dict[str, int] = {}
    wrong: list[str] = []
    for number, refused in product(range(1, len(names) + 1), (CONTENTS, (*CONTENTS, "mkdir", "write"))):
        stage = scene.fresh()
        try:
            end = stage.apply(Disk(full_from(number, refused))).status.value
        except ChangesetError as error:
            end = error.code
        outcome = recover(stage.journal)
        ends[end] = ends.get(end, 0) + 1
        expected = stage.expected if outcome and outcome.status is ApplyStatus.APPLIED else stage.before
        if stage.trees() != expected or end not in {"apply_interrupted", outcome and outcome.status.value}:
            wrong.append(f"{number} {names[number - 1]}: {end}, then {outcome}")
        stage.remove()
    return {"ends": ends, "wrong": wrong}


def full_from(number: int, refused: tuple[str, ...]) -> Callable[[str], None]:
    """Return what refuses, from a step on, everything that needs room: contents, or the least record too."""
    seen = 0

    def at(point: str) -> None:
        nonlocal seen
        seen += 1
        if seen >= number and point.startswith(refused):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return at


def second_deaths(number: int) -> Iterator[int]:
    """Yield where the recovery dies too: not at all, and for every third point at a step that differs each time."""
    yield 0
    if number % 3 == 0:
        yield 1 + number * 7 % 41


def right(stage: Stage, outcome: ApplyOutcome | None, *, disturbed: bool) -> bool:
    """Say whether the trees are what the outcome says, to the last file and mode."""
    trees = stage.trees()
    if outcome is not None and outcome.status is ApplyStatus.APPLIED:
        return trees == stage.expected
    if disturbed and trees[1].get("narrowed/a") == ("file", 0o644, b"human"):
        trees[1]["narrowed/a"] = stage.before[1]["narrowed/a"]  # the human came before the end, and stays
        return trees == stage.before and outcome is not None and outcome.status is ApplyStatus.CONFLICT
    return trees == stage.before and (outcome is None or outcome == ApplyOutcome(ApplyStatus.NOT_APPLIED))


def random_runs(base: Path, count: int) -> dict[str, object]:
    """Apply random edits of random trees; return what differed from the merged view."""
    wrong = []
    for seed in range(count):
        rng = random.Random(seed)
        place = base / str(seed)
        place.mkdir()
        difference = check_edits(place, random_tree(rng), random_edits(rng))
        if difference:
            wrong.append(f"{seed}: {difference}")
        clear(place)
    return {"runs": count, "wrong": wrong}


@contextmanager
def laboratory(uid: int | None) -> Iterator[Path]:
    """Become the user asked for and yield a directory of theirs."""
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    os.umask(0o022)
    base = Path(tempfile.mkdtemp(prefix="dispatch-lab-", dir=quick_directory()))
    try:
        yield base
    finally:
        clear(base)


def main() -> None:
    experiment = sys.argv[1]
    uid = int(sys.argv[2]) if len(sys.argv) > 2 else None
    with laboratory(uid) as base:
        if experiment == "random":
            result = random_runs(base, 60)
        elif experiment == "full":
            result = full_everywhere(base)
        elif experiment == "points":
            result = {"points": points_of(Scene(base))}
        else:
            human = edit if "disturbed" in experiment else None
            plain, undoing = experiment.endswith("plain"), experiment.startswith("undo")
            result = crash_everywhere(base, rename_flags=not plain, human=human, undoing=undoing)
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
