"""A changeset becomes few steps: whole trees with one rename, each path in exactly one step."""

from pathlib import Path

from sandbox.changes.applying.plan import Chmod, Plan, make_plan
from sandbox.changes.changeset import collect
from sandbox.changes.sources import opened
from sandbox.job import Layer, PathGrant
from tests.support.overlay import marker, plant


def layer(base: Path, lower: dict[str, str | None], upper: dict[str, str | None]) -> Layer:
    plant(base / "lower", lower)
    plant(base / "upper", upper)
    return Layer(
        PathGrant(str(base / "lower"), "rw"), str(base / "lower"), base / "upper", marker(base / "lower")
    )


def plan_of(*layers: Layer) -> Plan:
    with opened(layers) as sources:
        return make_plan(collect(layers), sources, "token")


def told(plan: Plan) -> dict[str, tuple[list[str], list[str]]]:
    return {
        step.path: ([one.path for one in step.before], [one.path for one in step.after])
        for step in plan.steps
    }


def test_a_new_tree_is_one_step(tmp_path: Path) -> None:
    plan = plan_of(layer(tmp_path, {}, {"d/a": "", "d/e/b": "", "d-e": "", "f": ""}))
    assert told(plan) == {"d": ([], ["", "a", "e", "e/b"]), "d-e": ([], [""]), "f": ([], [""])}
    assert [step.stage for step in plan.steps] == [f".dispatch-apply-token-{number}" for number in range(3)]


def test_a_change_inside_a_directory_that_stays_is_a_step_of_its_own(tmp_path: Path) -> None:
    plan = plan_of(layer(tmp_path, {"d/a": "old", "d/b": "old"}, {"d/a": "new", "d/b": "755:old"}))
    assert told(plan) == {"d/a": ([""], [""]), "d/b": ([""], [""])}


def test_a_file_that_becomes_a_tree_is_one_step(tmp_path: Path) -> None:
    assert told(plan_of(layer(tmp_path, {"p": "file"}, {"p/a": ""}))) == {"p": ([""], ["", "a"])}


def test_a_tree_that_becomes_a_file_is_one_step(tmp_path: Path) -> None:
    assert told(plan_of(layer(tmp_path, {"p/a/b": "x"}, {"p": "file"}))) == {"p": (["", "a", "a/b"], [""])}


def test_steps_of_several_grants_are_numbered_through(tmp_path: Path) -> None:
    one = layer(tmp_path / "one", {}, {"a": ""})
    two = layer(tmp_path / "two", {}, {"a": ""})
    plan = plan_of(one, two)
    assert [(step.root, step.path) for step in plan.steps] == [(0, "a"), (1, "a")]
    assert len({step.stage for step in plan.steps}) == 2
    assert plan.absolute(1, "a") == f"{two.lower}/a"
    assert plan.absolute(1, ".") == two.lower


def test_directories_are_unlocked_before_and_locked_after(tmp_path: Path) -> None:
    one = layer(tmp_path, {"d/a": "old", "e/a": "old", "f/a": "old"}, {"d/a": "new", "e/a": "new", "f": None})
    lower, upper = tmp_path / "lower", tmp_path / "upper"
    (lower / "d").chmod(0o555)
    (upper / "d").chmod(0o555)
    (upper / "e").chmod(0o500)
    (upper / "f").chmod(0o500)
    plan = plan_of(Layer(one.grant, one.lower, one.upper, marker(lower)))
    inodes = {name: (lower / name).stat().st_ino for name in "def"}
    assert plan.unlocks == (Chmod(0, "d", inodes["d"], 0o555, 0o755),)
    assert plan.chmods == (
        Chmod(0, "e", inodes["e"], 0o755, 0o700),
        Chmod(0, "f", inodes["f"], 0o755, 0o500),
    )
    assert plan.locks == (
        Chmod(0, "e", inodes["e"], 0o700, 0o500),
        Chmod(0, "d", inodes["d"], 0o755, 0o555),
    )
