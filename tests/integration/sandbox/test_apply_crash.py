"""An apply that is killed at any step ends whole or not at all; so does its recovery, and for every user."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
NOBODY = 65534


def experiment(name: str, *, ordinary_user: bool = False) -> dict[str, Any]:
    """Run one of the laboratory's experiments in a process of its own; root can send an ordinary user."""
    command = [sys.executable, str(ROOT / "tests/support/apply_lab.py"), name]
    if ordinary_user and os.geteuid() == 0:
        command.append(str(NOBODY))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.timeout(240)
@pytest.mark.parametrize("ordinary_user", [False, True], ids=["self", "ordinary-user"])
def test_killed_at_every_step_it_is_all_or_nothing(ordinary_user: bool) -> None:
    result = experiment("crash", ordinary_user=ordinary_user)
    assert result["wrong"] == []
    assert result["ends"].keys() == {"nothing", "not_applied", "applied"}
    # The points come from the code itself: every kind of step that can leave a trace is among them.
    kinds = {point.split()[0] for point in result["points"]}
    assert kinds == {
        "mkdir",
        "write",
        "carry",
        "sync",
        "chmod",
        "create",
        "fill",
        "symlink",
        "move",
        "exchange",
    }


@pytest.mark.timeout(240)
def test_the_same_holds_where_a_file_system_cannot_exchange() -> None:
    result = experiment("crash-plain")
    assert result["wrong"] == []
    assert not any(point.startswith("exchange") for point in result["points"])


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", ["disturbed", "disturbed-plain"])
def test_killed_at_every_step_of_undoing_it_is_nothing_and_the_human_stays(name: str) -> None:
    result = experiment(name)
    assert result["wrong"] == []
    assert result["ends"]["conflict"] > result["ends"]["applied"]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", ["undo", "undo-disturbed-plain"])
def test_an_undo_that_is_killed_at_every_step_is_all_or_nothing_too(name: str) -> None:
    result = experiment(name, ordinary_user=name == "undo")
    assert result["wrong"] == []
    assert {"nothing", "not_applied"} <= result["ends"].keys()
    assert result["ends"]["applied" if name == "undo" else "conflict"] > 10


@pytest.mark.timeout(120)
def test_a_disk_that_is_full_from_any_step_on_ends_whole_or_not_at_all() -> None:
    result = experiment("full")
    assert result["wrong"] == []
    assert result["ends"].keys() == {"apply_interrupted", "applied", "not_applied"}


def test_everything_staged_is_on_the_disk_before_the_intent_is() -> None:
    points = experiment("points")["points"]
    intent = points.index("write intent.json")
    made = [point.split()[1] for point in points[:intent] if point.startswith(("create", "mkdir"))][2:]
    assert {f"sync {name}" for name in made} <= set(points[:intent])
    assert not any(point.startswith(("move", "exchange")) for point in points[:intent])


def test_every_rename_is_on_the_disk_before_the_end_is_told() -> None:
    points = experiment("points")["points"]
    last_rename = max(
        at for at, point in enumerate(points) if point.startswith(("move", "exchange", "chmod"))
    )
    committed, outcome = points.index("write committed.json"), points.index("write outcome.json")
    renames = [at for at, point in enumerate(points[:committed]) if point.startswith(("move", "exchange"))]
    assert {"sync .", "sync tree"} <= set(points[max(renames) : committed])
    assert {"sync .", "sync tree"} <= set(points[last_rename:outcome])


@pytest.mark.timeout(120)
def test_random_runs_of_an_ordinary_user_arrive_whole() -> None:
    result = experiment("random", ordinary_user=True)
    assert result == {"runs": result["runs"], "wrong": []}
