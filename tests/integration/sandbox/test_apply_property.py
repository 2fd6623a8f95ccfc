"""Whatever a run does to whatever tree: the result is what it saw, but for what is listed as left behind."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.edits import CONTENTS, DIRECTORIES, OPERATIONS, PATHS, Edit, argument, check_edits
from tests.support.overlay import clear, quick_directory

PLACES = st.sampled_from((*PATHS, *(path.rstrip("/") for path in DIRECTORIES[1:])))
TREES = st.dictionaries(st.sampled_from(PATHS), st.sampled_from(CONTENTS), max_size=12)


@st.composite
def edits(draw: st.DrawFn) -> Edit:
    operation = draw(st.sampled_from(tuple(OPERATIONS)))
    if OPERATIONS[operation] == 1:
        return operation, draw(PLACES)
    return operation, draw(PLACES), draw(st.sampled_from(argument(operation)))


@pytest.mark.timeout(240)
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(tree=TREES, steps=st.lists(edits(), min_size=1, max_size=14))
def test_the_result_is_what_the_run_saw(tree: dict[str, str], steps: list[Edit]) -> None:
    base = Path(tempfile.mkdtemp(dir=quick_directory()))
    try:
        assert check_edits(base, tree, steps) == ""
    finally:
        clear(base)
