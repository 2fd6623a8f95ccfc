"""A link may only lead to what lies in the same grant, through whatever other links."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.changes.beneath import open_root
from sandbox.changes.survey.links import leads_out, outward
from tests.support.overlay import plant


@pytest.fixture
def top(tmp_path: Path) -> Iterator[int]:
    fd = open_root(str(tmp_path))
    yield fd
    os.close(fd)


@pytest.mark.parametrize(
    ("path", "target", "out"),
    [
        ("l", "a", False),
        ("l", "d/e", False),
        ("l", "./d//e/./", False),
        ("l", "missing/so/far", False),
        ("d/l", "../a", False),
        ("d/e/l", "../../a", False),
        ("l", "..", True),
        ("l", "../a", True),
        ("d/l", "../..", True),
        ("d/l", "../../grant/a", True),
        ("l", "/a", True),
        ("l", "/", True),
        ("l", "d/../..", True),
        ("l", "d/../a", False),
        ("l", "up/..", True),
        ("l", "up/a", False),
        ("l", "round", True),
        ("l", "absolute/x", True),
    ],
)
def test_where_a_link_leads(path: str, target: str, out: bool) -> None:
    others = {"up": "d/..", "round": "round", "absolute": "/etc"}
    assert leads_out(path, target, others.get) is out


def test_two_harmless_links_lead_out_together(tmp_path: Path, top: int) -> None:
    plant(tmp_path, {"d/e": None})
    links = {"d/e/in": "../..", "out": "d/e/in/../x"}
    assert outward(links, frozenset(), top) == {"out"}


def test_a_link_that_stands_there_already_counts(tmp_path: Path, top: int) -> None:
    plant(tmp_path, {"human": "-> /etc", "inner": "-> d", "d/a": ""})
    links = {"one": "human/passwd", "two": "inner/a"}
    assert outward(links, frozenset(), top) == {"one"}
    assert outward(links, frozenset({"human"}), top) == frozenset()


def test_what_is_refused_changes_where_others_lead(tmp_path: Path, top: int) -> None:
    plant(tmp_path, {"d": "-> /etc"})
    # The new `d` would make `l` harmless, but it leads out itself: the old one stays, and so `l` leads out too.
    assert outward({"d": "../x", "l": "d/passwd"}, frozenset(), top) == {"d", "l"}


def test_a_link_that_is_replaced_no_longer_counts(tmp_path: Path, top: int) -> None:
    plant(tmp_path, {"d": "-> /etc", "e/passwd": ""})
    assert outward({"d": "e", "l": "d/passwd"}, frozenset({"d"}), top) == frozenset()
