"""Whatever bytes a decoder is given, it takes them and writes them back the same, or it refuses them by name."""

import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.target import FOUND, folder
from tests.support.decoders.catalogue import BESIDES, NONE, decoders, look_like_decoders

NAMES = sorted(decoders())
FOUND_CASES = sorted(path for path in FOUND.glob("*/*") if path.is_file())
OFTEN = settings(max_examples=30)

_ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**54), 2**54),
    st.text(max_size=8),
    st.sampled_from(["", "\0", "x" * 300, "A" * 43, "0" * 64, "ff" * 32, "me", "http://a"]),
)
_VALUES = st.recursive(
    _ATOMS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
)


@cache
def seeds(name: str) -> tuple[bytes, ...]:
    return tuple(decoders()[name].seeds())


@cache
def json_seeds(name: str) -> tuple[bytes, ...]:
    return tuple(seed for seed in seeds(name) if _is_json(seed))


def _is_json(data: bytes) -> bool:
    try:
        return isinstance(json.loads(data), dict | list)
    except (ValueError, RecursionError):
        return False


@st.composite
def damaged(draw: st.DrawFn, name: str) -> bytes:
    """Return a seed that was cut, extended, overwritten or mixed with another one."""
    raw = bytearray(draw(st.sampled_from(seeds(name))))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(raw)))
        match draw(st.sampled_from(["cut", "extend", "flip", "insert", "splice"])):
            case "cut":
                del raw[at:]
            case "extend":
                raw += draw(st.binary(min_size=1, max_size=8))
            case "flip" if at < len(raw):
                raw[at] ^= 1 << draw(st.integers(0, 7))
            case "insert":
                raw[at:at] = draw(st.binary(min_size=1, max_size=4))
            case _:
                raw[at:] = draw(st.sampled_from(seeds(name)))[at:]
    return bytes(raw)


@st.composite
def reworded(draw: st.DrawFn, name: str) -> bytes:
    """Return a JSON seed in which one value, wherever it stands, was replaced, left out, doubled or added."""
    value: Any = json.loads(draw(st.sampled_from(json_seeds(name))))
    places = list(_places(value))
    if not places:
        return json.dumps(draw(_VALUES)).encode()
    holder, key = draw(st.sampled_from(places))
    match draw(st.sampled_from(["replace", "leave out", "add"])):
        case "replace":
            holder[key] = draw(_VALUES)
        case "leave out":
            del holder[key]
        case _ if isinstance(holder, dict):
            holder[draw(st.text(max_size=5))] = draw(_VALUES)
        case _:
            holder.append(draw(_VALUES))
    compact = draw(st.booleans())
    separators = (",", ":") if compact else None
    return json.dumps(value, ensure_ascii=not compact, sort_keys=compact, separators=separators).encode(
        "utf-8", "surrogatepass"
    )


def _places(value: Any) -> Any:
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])


def test_every_decoder_of_the_product_is_described_and_nothing_else_is() -> None:
    described = {name.partition("/")[0] for name in NAMES}
    found = look_like_decoders()
    assert found - described - NONE.keys() == set(), (
        "describe these in tests/support/decoders, or say why not"
    )
    assert described - found == BESIDES, "these are described and are no decoders that the product has"
    assert NONE.keys() <= found - described, "these are excused for nothing"


@pytest.mark.parametrize("name", NAMES)
def test_it_takes_some_of_its_seeds(name: str) -> None:
    assert any(decoders()[name].takes(seed) for seed in seeds(name))


@pytest.mark.parametrize("name", NAMES)
def test_any_bytes(name: str) -> None:
    @OFTEN
    @given(st.binary(max_size=200) | damaged(name))
    def holds(data: bytes) -> None:
        decoders()[name].takes(data)

    holds()


@pytest.mark.parametrize("name", [name for name in NAMES if json_seeds(name)])
def test_any_json(name: str) -> None:
    @OFTEN
    @given(reworded(name))
    def holds(data: bytes) -> None:
        decoders()[name].takes(data)

    holds()


@pytest.mark.parametrize("case", FOUND_CASES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_was_found_before_stays_mended(case: Any) -> None:
    (decoder,) = (each for each in decoders().values() if folder(each.name) == case.parent)
    decoder.takes(case.read_bytes())


def test_what_was_found_before_is_replayed() -> None:
    """Each kept case belongs to a decoder that still exists, and there are some."""
    known = {folder(name).name for name in NAMES}
    assert {path.parent.name for path in FOUND_CASES} <= known
    assert FOUND_CASES
