"""What pyproject.toml asks for is locked, with hashes, and from nowhere but the public index."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.architecture.tree import ROOT

PIN = re.compile(r"^([a-z0-9-]+)==(\S+) \\$", re.MULTILINE)
LEVELS = {"runtime": (), "test": ("test",), "check": ("test", "check")}


def pins(level: str) -> dict[str, str]:
    return dict(PIN.findall((ROOT / f"requirements/{level}.txt").read_text()))


@pytest.mark.parametrize("level", LEVELS)
def test_every_requirement_of_the_project_is_locked_at_a_version_it_allows(level: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"]]
    for extra in LEVELS[level]:
        wanted += project["optional-dependencies"][extra]
    locked = pins(level)
    for requirement in map(Requirement, wanted):
        version = locked.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement} is not in requirements/{level}.txt; type scripts/lock"
        assert requirement.specifier.contains(version), f"{requirement} forbids {version}; type scripts/lock"


@pytest.mark.parametrize(("smaller", "larger"), [("runtime", "test"), ("test", "check")])
def test_each_level_contains_the_one_before_unchanged(smaller: str, larger: str) -> None:
    assert pins(smaller).items() <= pins(larger).items()


@pytest.mark.parametrize("level", ["pip", *LEVELS])
def test_every_pin_has_hashes_and_no_line_names_a_host(level: str) -> None:
    text = (ROOT / f"requirements/{level}.txt").read_text()
    blocks = re.split(r"^(?=[a-z0-9-]+==)", text, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(pins(level)) > 0
    assert [block.split("\n")[0] for block in blocks if "--hash=sha256:" not in block] == []
    options = [line for line in text.splitlines() if line.strip().startswith("-")]
    assert [
        line for line in options if not re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}(?: \\)?", line)
    ] == []
    assert "://" not in text
