"""A grant of fifty thousand files costs a look at each, and only what the run changed is in its changeset."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.changes.apply import ApplyStatus, apply
from sandbox.changes.changeset import collect
from tests.support import grounds
from tests.support.grounds import Ground
from tests.support.overlay import clear, quick_directory, run

FOLDERS, FILES = 50, 1000
PLANTED = f"mkdir $(seq -w {FOLDERS}) && for d in *; do (cd $d && seq -w {FILES} | xargs touch); done"


@pytest.fixture
def base() -> Iterator[Path]:
    """Give a directory in memory: what is tried is the number of files, not the disk."""
    directory = Path(tempfile.mkdtemp(dir=quick_directory()))
    yield directory
    clear(directory)


def test_a_run_sees_all_and_copies_what_it_changes(ground: Ground) -> None:
    shutil.rmtree(ground.work / ".git")
    job = ground.job(
        (
            "Bash",
            {"command": "find . -type f -name '00*' | wc -l; echo y > 07/0007; rm 08/0008; mv 09/0009 new"},
        )
    )
    told = grounds.finish(
        grounds.start(
            ground, job, mounts=f"mount -t tmpfs none {ground.work} && cd {ground.work} && {PLANTED}"
        )
    )
    assert told["error"] is None, told
    assert int(told["results"][0][1]) == FOLDERS * 99
    assert told["upper"] == ["07", "07/0007", "08", "08/0008", "09", "09/0009", "new"]
    assert told["confinement"][2] == []


def test_what_it_changed_is_what_is_applied(base: Path) -> None:
    grant = base / "grant"
    for number in range(1, FOLDERS + 1):
        (grant / f"{number:02}").mkdir(parents=True)
        for file in range(1, FILES + 1):
            (grant / f"{number:02}/{file:04}").touch()
    layer = run(base, "echo y > 07/0007; rm 08/0008").layer
    changes = collect([layer])
    assert [(str(one.op), one.path.removeprefix(f"{grant}/")) for one in changes.entries] == [
        ("modify", "07/0007"),
        ("delete", "08/0008"),
    ]
    assert apply(changes, [layer], base / "journal").status is ApplyStatus.APPLIED
    assert (grant / "07/0007").read_text() == "y\n"
    assert sum(1 for _ in grant.glob("*/*")) == FOLDERS * FILES - 1
