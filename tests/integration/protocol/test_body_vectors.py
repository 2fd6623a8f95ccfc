"""Bodies of every kind: the product and the second reading of docs/protocol/FIELDS.md agree on each, down to its leaves."""

import json
from collections import Counter
from typing import Any

import pytest

from dispatch_protocol.encoding import dumps
from tests.support import independent_bodies
from tests.support.all_fields import entries, objects
from tests.support.independent_shapes import written
from tests.support.vectors import bodies
from tests.support.vectors.changing import changed
from tests.support.vectors.files import load

VECTOR: Any = load("bodies.json")


def kind_of(name: str) -> str:
    return name.partition(":")[0]


def theirs(name: str, raw: bytes) -> str:
    return independent_bodies.code_of(kind_of(name), raw) or "holds"


@pytest.mark.parametrize("name", VECTOR["bodies"])
def test_a_body_that_fills_every_field_holds(name: str) -> None:
    raw = VECTOR["bodies"][name].encode()
    assert bodies.outcome(bodies.reader(name), raw) == theirs(name, raw) == "holds"


@pytest.mark.parametrize("name", VECTOR["bodies"])
def test_both_say_the_same_of_it_changed_in_each_place(name: str) -> None:
    body, read = json.loads(VECTOR["bodies"][name]), bodies.reader(name)
    cases = [case for case in VECTOR["cases"] if case["of"] == name]
    assert cases
    for case in cases:
        raw = written(changed(body, case["changes"]))
        assert raw == dumps(changed(body, case["changes"]))
        said = {case["name"]: bodies.outcome(read, raw)}
        assert said == {case["name"]: theirs(name, raw)} == {case["name"]: case["outcome"]}


@pytest.mark.parametrize("case", VECTOR["texts"], ids=lambda case: case["name"])
def test_both_say_the_same_of_a_body_as_it_stands(case: Any) -> None:
    raw = case["body"].encode()
    assert bodies.outcome(bodies.reader(case["of"]), raw) == theirs(case["of"], raw) == case["outcome"]


def test_every_field_of_every_object_is_refused_somewhere_for_what_stands_in_it() -> None:
    told = {
        (case["of"], change["at"].rpartition(".")[2])
        for case in VECTOR["cases"]
        if case["outcome"] != "holds"
        for change in case["changes"]
    }
    fields = {field for _, field in told}
    assert {field for asked in (*objects().values(), *entries().values()) for field in asked} <= fields
    assert {kind_of(name) for name, _ in told} == {
        *(kind for kind in independent_bodies.FIELDS),
        *independent_bodies.ALONE,
        "link",
    }


def test_both_ends_of_the_bounds_are_there() -> None:
    said = Counter(case["outcome"] for case in VECTOR["cases"])
    assert said["holds"] > 500
    assert said["malformed"] > 4_000
    assert said["unsupported"] > 50


LENIENT: dict[str, tuple[str, str, Any]] = {
    "steps": ("FIELDS", "task", {**independent_bodies.FIELDS["task"], "steps": lambda value: True}),
    "usage": ("FIELDS", "result", {**independent_bodies.FIELDS["result"], "usage": lambda value: True}),
    "grants": ("AGREES", "grant", lambda said: True),
}


@pytest.mark.parametrize("what", LENIENT)
def test_a_reading_that_is_lenient_in_one_leaf_disagrees(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    table, kind, instead = LENIENT[what]
    monkeypatch.setitem(getattr(independent_bodies, table), kind, instead)
    body = json.loads(VECTOR["bodies"][kind])
    cases = [case for case in VECTOR["cases"] if case["of"] == kind]
    assert any(theirs(kind, written(changed(body, case["changes"]))) != case["outcome"] for case in cases)
