import pytest

from sandbox.tools.inputs import INPUTS, MAX_TEXT_CHARS, InputError, check
from sandbox.wall.policy import TOOLS

GOOD: dict[str, dict[str, object]] = {
    "Read": {"file_path": "a", "offset": 3, "limit": 10},
    "Glob": {"pattern": "**/*.py", "path": "src"},
    "Grep": {"pattern": "x", "output_mode": "content", "-n": True, "-A": 2, "glob": "*.py", "head_limit": 5},
    "Write": {"file_path": "a", "content": ""},
    "Edit": {"file_path": "a", "old_string": "", "new_string": "x", "replace_all": True},
    "Bash": {"command": "true", "timeout": 1000, "description": ""},
}


def test_the_tools_of_the_policy_are_the_tools_with_inputs() -> None:
    assert set(INPUTS) == TOOLS


@pytest.mark.parametrize("tool", sorted(GOOD))
def test_a_good_input_passes(tool: str) -> None:
    check(tool, GOOD[tool])


@pytest.mark.parametrize("tool", sorted(GOOD))
def test_an_unknown_field_is_refused(tool: str) -> None:
    with pytest.raises(InputError, match="no field 'sudo'"):
        check(tool, GOOD[tool] | {"sudo": True})


@pytest.mark.parametrize("tool", sorted(GOOD))
def test_a_missing_field_is_refused(tool: str) -> None:
    with pytest.raises(InputError, match="needs the field"):
        check(tool, {})


@pytest.mark.parametrize(
    ("tool", "field", "value"),
    [
        ("Read", "file_path", ""),
        ("Read", "file_path", None),
        ("Read", "file_path", "a\0b"),
        ("Read", "file_path", "\ud800"),
        ("Read", "limit", 0),
        ("Read", "limit", True),
        ("Read", "offset", -1),
        ("Read", "offset", 1.5),
        ("Grep", "output_mode", "lines"),
        ("Grep", "-i", 1),
        ("Write", "content", "x" * (MAX_TEXT_CHARS + 1)),
        ("Bash", "timeout", 600_001),
        ("Bash", "command", ["true"]),
    ],
)
def test_a_wrong_value_is_refused_by_name(tool: str, field: str, value: object) -> None:
    with pytest.raises(InputError, match=field.lstrip("-")):
        check(tool, GOOD[tool] | {field: value})


def test_there_is_no_other_tool() -> None:
    with pytest.raises(InputError, match="WebFetch"):
        check("WebFetch", {})
