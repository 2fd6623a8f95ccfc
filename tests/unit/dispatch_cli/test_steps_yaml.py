"""YAML steps mean what they look like, or are refused."""

import contextlib
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch_cli.steps_yaml import StepsYamlError, load

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.text(st.characters(codec="ascii", categories=["L", "N"])),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (
            '- tool: Bash\n  input: {command: "pytest -q"}',
            [{"tool": "Bash", "input": {"command": "pytest -q"}}],
        ),
        (
            "a: yes\nb: no\nc: on\nd: ~\ne: null\nf: true",
            {"a": "yes", "b": "no", "c": "on", "d": None, "e": None, "f": True},
        ),
        (
            "[010, 0x10, 1_000, 12, -3, 1.5, 2026-01-02, .inf]",
            [10, "0x10", "1_000", 12, -3, 1.5, "2026-01-02", ".inf"],
        ),
        ("|\n  two\n  lines", "two\nlines"),
        ("'# no comment'", "# no comment"),
        ("", None),
        ("['NaN', \"Infinity\"]", ["NaN", "Infinity"]),
        ("<<: [1]", {"<<": [1]}),
    ],
)
def test_values_are_what_they_look_like(text: str, value: object) -> None:
    assert load(text) == value


@given(PLAIN)
def test_json_is_yaml_with_the_same_meaning(value: object) -> None:
    assert load(json.dumps(value)) == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &x [1]\nb: *x", "an alias (*) is not allowed (line 2)"),
        ("a: 1\na: 2", "the key 'a' is named twice (line 2)"),
        ("1: a", "a key should be text (line 1)"),
        ("[" * 40 + "]" * 40, "nested too deeply"),
        ("a: [", "neither JSON nor YAML"),
        ("!!python/object:os.system x", "neither JSON nor YAML"),
        ("a: !!timestamp 2026-01-02x", "neither JSON nor YAML"),
        ("--- 1\n--- 2", "neither JSON nor YAML"),
        ("\x00", "neither JSON nor YAML"),
        ("a: !!timestamp 2026-01-02", "neither JSON nor YAML"),
        ("a: !!binary aGk=", "neither JSON nor YAML"),
        ("a: !!set {b}", "neither JSON nor YAML"),
        ("a: NaN", "NaN is no value; as text it is written in quotes (line 1)"),
        ("[-Infinity]", "-Infinity is no value"),
    ],
)
def test_what_could_mean_two_things_is_refused(text: str, said: str) -> None:
    with pytest.raises(StepsYamlError, match=re.escape(said)):
        load(text)


@given(st.text(max_size=60))
def test_any_text_is_a_value_or_refused(text: str) -> None:
    with contextlib.suppress(StepsYamlError):
        json.dumps(load(text))
