"""A yes never covers more than its sentence says."""

from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch_daemon.core.reach import Reach, call_subject, places_of, reach_of
from dispatch_protocol.encoding import JSON

CWD, OTHER = "/src/api", "/src/web"
PATHS = (CWD, OTHER)
EVERY_NAME = [
    *(
        "a",
        "b/c",
        ".",
        "..",
        "a/../b",
        "/src/api",
        "/src/api/x",
        "/src/apix",
        "/src/web/y",
        "/",
        "//src/api/z",
    ),
    *("../web/y", "/etc/passwd", "a/../../web", "", "~", "x\0y", "a//b", "./a", "/src/api/../web/y"),
]
NAMES = st.sampled_from(EVERY_NAME)
FIELDS = {"Read": "file_path", "Write": "file_path", "Edit": "file_path", "Glob": "path", "Grep": "path"}
TOOLS = st.sampled_from([*FIELDS, "Bash", "mcp__files__list"])


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, dict[str, JSON]]:
    """Draw a call of some tool, sensible or not."""
    tool = draw(TOOLS)
    given: dict[str, JSON] = {}
    if tool in FIELDS and draw(st.booleans()):
        given[FIELDS[tool]] = draw(st.one_of(NAMES, st.just(7)))  # type: ignore[arg-type]  # JSON all the same
    if tool in {"Glob", "Grep"}:
        given["pattern"] = draw(NAMES)
    if tool == "Bash":
        given["command"] = draw(st.one_of(st.sampled_from(["true", "true; id", "true "]), st.none()))
    if draw(st.booleans()):
        given["extra"] = draw(st.integers(0, 2))
    return tool, given


def inside(place: str, top: str) -> bool:
    """Say, with a library of its own, whether a call that names `place` stays at or below `top`."""
    path = PurePosixPath(CWD, place.replace("//", "/"))  # pathlib keeps two slashes at the start apart
    return ".." not in path.parts and PurePosixPath(top) in (path, *path.parents)


def told(sentence: str, tool: str, given: dict[str, JSON]) -> bool:
    """Read a sentence as a person does, and say whether it speaks of this call."""
    if sentence.startswith("exactly this command: "):
        return tool == "Bash" and given.get("command") == sentence.removeprefix("exactly this command: ")
    if sentence.startswith("exactly this call of "):
        return sentence == f"exactly this call of {tool}"
    named, _, top = sentence.removeprefix("every ").partition(" that names a place at or below ")
    places: list[Any] = [given.get(FIELDS.get(tool, ""), "." if tool in {"Glob", "Grep"} else None)]
    if tool == "Glob":
        places.append(str(PurePosixPath(str(places[0]), str(given["pattern"]))))
    return named == tool and all(isinstance(place, str) and inside(place, top) for place in places)


@pytest.mark.parametrize("tool", FIELDS)
def test_place_is_covered_only_if_the_sentence_speaks_of_it(tool: str) -> None:
    def call(name: str) -> dict[str, JSON]:
        return {FIELDS[tool]: name} | ({"pattern": "*.py"} if tool == "Glob" else {})

    covered = 0
    for first in EVERY_NAME:
        reach = reach_of(tool, call(first), CWD, PATHS)
        for later in EVERY_NAME:
            if reach.covers(tool, call(later), CWD):
                covered += 1
                assert told(reach.sentence(), tool, call(later)), (reach.sentence(), later)
    assert covered > len(EVERY_NAME)


@pytest.mark.parametrize("pattern", EVERY_NAME)
def test_pattern_that_leads_elsewhere_is_not_covered(pattern: str) -> None:
    reach = reach_of("Glob", {"pattern": "*.py"}, CWD, PATHS)
    call: dict[str, JSON] = {"pattern": pattern}
    assert not reach.covers("Glob", call, CWD) or told(reach.sentence(), "Glob", call)


@given(calls(), calls())
def test_reach_covers_only_what_its_sentence_speaks_of(
    first: tuple[str, dict[str, JSON]], later: tuple[str, dict[str, JSON]]
) -> None:
    reach = reach_of(*first, CWD, PATHS)
    assert reach.covers(*first, CWD)
    if reach.covers(*later, CWD):
        assert told(reach.sentence(), *later), (reach.sentence(), later)
    if reach.subject is not None and first != later:
        assert not reach.covers(*later, CWD)


@given(calls())
def test_reach_of_a_call_stays_within_what_the_run_may_see(call: tuple[str, dict[str, JSON]]) -> None:
    reach = reach_of(*call, CWD, PATHS)
    assert sum(bound is not None for bound in (reach.command, reach.below, reach.subject)) == 1
    assert reach.below in (None, *PATHS)


@pytest.mark.parametrize(
    ("tool", "given", "sentence"),
    [
        ("Bash", {"command": "pytest -q"}, "exactly this command: pytest -q"),
        ("Edit", {"file_path": "a"}, "every Edit that names a place at or below /src/api"),
        ("Read", {"file_path": "/src/web/a"}, "every Read that names a place at or below /src/web"),
        ("Grep", {"pattern": "x"}, "every Grep that names a place at or below /src/api"),
        ("Glob", {"pattern": "../*"}, "exactly this call of Glob"),
        ("Write", {"file_path": "/tmp/a"}, "exactly this call of Write"),
        ("Bash", {}, "exactly this call of Bash"),
        ("mcp__mail__send", {"to": "x"}, "exactly this call of mcp__mail__send"),
    ],
)
def test_sentence_is_as_narrow_as_the_call_allows(tool: str, given: dict[str, JSON], sentence: str) -> None:
    assert reach_of(tool, given, CWD, PATHS).sentence() == sentence


def test_rule_of_before_covers_its_tool_and_never_a_command() -> None:
    assert Reach("Read").covers("Read", {"file_path": "/x"}, CWD)
    assert Reach("Read").sentence() == "every Read"
    assert not Reach("Bash").covers("Bash", {"command": "true"}, CWD)


def test_two_slashes_are_one_and_what_is_no_path_is_no_place() -> None:
    assert places_of("Read", {"file_path": "//src/api/a"}, CWD) == ("/src/api/a",)
    assert places_of("Glob", {"path": ".", "pattern": 3}, CWD) == ()
    assert places_of("Bash", {"command": "true"}, CWD) == ()


def test_call_is_named_by_exactly_what_is_asked() -> None:
    call: dict[str, JSON] = {"command": "true"}
    assert call_subject("Bash", call) == call_subject("Bash", dict(call))
    assert call_subject("Bash", call) != call_subject("Read", call)
