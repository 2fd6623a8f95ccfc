"""Whichever one check is left out of a list that judges a stranger's bytes, a test by name notices.

The lists are the opening list and what it stands on, the lists of a first contact, the order in which a session proof
is checked, and the rules of a chain. The checks are read from their source, so whoever adds one needs a test for it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from dispatch_protocol import chain, envelope, first_contact, session, signing, unseal
from dispatch_protocol.chain import Chain, read_links
from dispatch_protocol.errors import RemoteError
from dispatch_protocol.keys import Genesis
from tests.architecture.tree import ROOT
from tests.conftest import TIME_SCALE
from tests.support.mutants import Mutant, first_to_notice, mutants, unguarded
from tests.support.vectors.files import load
from tests.support.vectors.leniency import WITHOUT
from tests.support.vectors.opening import Book

# The lists, each with the functions that it consists of (all of a module's, where none are named).
LISTS: dict[str, tuple[ModuleType, tuple[str, ...]]] = {
    "opening": (unseal, ()),
    "lengths": (envelope, ("Header.__post_init__", "Header.read", "Envelope.decode")),
    "documents": (
        signing,
        ("Signed.read", "Signed.__post_init__", "_check_payload", "_check_signature", "verify_document"),
    ),
    "first contact": (first_contact, ()),
    "session proof": (session, ("verify_hello",)),
    "chain": (chain, ()),
}

# The steps of the opening list that carry out each of the lists.
STEPS = {
    "opening": frozenset(range(1, 15)),
    "lengths": frozenset({1}),
    "documents": frozenset({6}),
    "first contact": frozenset({7}),
}

# With these left out, the next check refuses the same bytes with the same code; the reason says which.
STOOD_IN_FOR: dict[str, str] = {
    "envelope.Header.read without `len(raw) < end`": "a device of fewer than 32 bytes is no device",
    "signing.Signed.read without `end > len(data)`": "a signature of fewer than 64 bytes is none",
}

# Refusals that no condition guards stand where something is yielded; the vectors' leniency yields it unchecked.
YIELDING: dict[str, set[str]] = {
    "opening": {"_unwrap", "_decrypt", "_strip", "_introduce", "_find_author", "_parse"},
    "documents": {"Signed.read"},
}


def _outcome(links: Any, genesis: str) -> str:
    try:
        Chain.verify(read_links(links), expect=Genesis.from_hex(genesis))
    except RemoteError as error:
        return error.code
    return "holds"


def vectors(what: str) -> dict[str, Callable[[], bool]]:
    """Return the refusals that concern a list as tests: does the product say of each what stands there?"""
    if what == "chain":
        return {
            f"chains.json: {case['name']}": lambda case=case: (
                _outcome(case["links"], case["genesis"]) == case["code"]
            )
            for case in load("chains.json")["refused"]
        }
    book, steps = Book(load("refusals.json")), STEPS.get(what, frozenset())
    return {
        f"refusals.json: {case['name']}": lambda case=case: book.outcome(case) == case["outcome"]
        for case in book.cases.values()
        if case["step"] in steps
    }


def unnoticed_by_mirror_tests(survivors: list[Mutant], places: tuple[str, ...]) -> set[str]:
    """Return the names of those mutants that the mirror tests of their module do not notice either."""
    if not survivors:
        return set()
    module = survivors[0].module.__name__
    mirror = f"tests/unit/dispatch_protocol/test_{module.rpartition('.')[2]}.py"
    asked = {module: {"places": places, "mutants": [each.name for each in survivors], "tests": [mirror]}}
    ended = subprocess.run(
        [sys.executable, "-m", "tests.support.mirror_runs"],
        cwd=ROOT,
        input=json.dumps(asked),
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=55 * TIME_SCALE,
        check=True,
    )
    noticed = dict(json.loads(line) for line in ended.stdout.splitlines())
    return {each.name for each in survivors if noticed[each.name] is None}


@pytest.mark.parametrize("what", LISTS)
def test_no_check_can_be_left_out_unnoticed(what: str) -> None:
    module, places = LISTS[what]
    tests = vectors(what)
    assert all(passes() for passes in tests.values())
    made = mutants(module, *places)
    assert len(made) >= 6
    survivors = [each for each in made if first_to_notice(each, tests) is None]
    unnoticed = unnoticed_by_mirror_tests(survivors, places)
    excused = {name for name in STOOD_IN_FOR if name.startswith(f"{module.__name__.rpartition('.')[2]}.")}
    assert sorted(unnoticed) == sorted(excused), "no test fails without these checks"


@pytest.mark.parametrize("what", LISTS)
def test_refusals_that_no_condition_guards_are_known(what: str) -> None:
    module, places = LISTS[what]
    assert unguarded(module, *places) == YIELDING.get(what, set())


def test_what_yields_something_can_be_made_lenient() -> None:
    lenient = {name for step in WITHOUT.values() for owner, name, _ in step if owner is unseal}
    assert YIELDING["opening"] - {"_introduce"} <= lenient  # a first contact's own list stands for it


def test_a_check_that_nobody_tests_is_told() -> None:
    """The seeded fault: a list with one check more than its vectors know of."""
    (mutant, *_) = mutants(unseal, "_check_first")
    assert first_to_notice(mutant, {}) is None
    assert first_to_notice(mutant, vectors("opening")) == "refusals.json: 14 replayed: opened before"
