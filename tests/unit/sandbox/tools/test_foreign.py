import pytest

from sandbox.tools import foreign
from sandbox.tools.inputs import InputError

DEEP: object = 1
for _ in range(40):
    DEEP = {"a": DEEP}


@pytest.mark.parametrize("given", [{}, {"a": [1, 2.5, None, {"b": "ä"}]}, {"a": "x" * 100_000}])
def test_any_bounded_input_may_be_asked_for(given: dict[str, object]) -> None:
    foreign.check("mcp__files__list", given)


@pytest.mark.parametrize(
    "given",
    [{"a": "x" * foreign.INPUT_BYTES}, {"a": float("nan")}, {"a": "\ud800"}, {"a": b"x"}, {"a": DEEP}],
    ids=["long", "nan", "surrogate", "bytes", "deep"],
)
def test_what_cannot_be_shown_is_no_input(given: dict[str, object]) -> None:
    with pytest.raises(InputError):
        foreign.check("mcp__files__list", given)


@pytest.mark.parametrize("tool", ["mcp__", "Read", "mcp__a b", "mcp__a.b__c", f"mcp__{'x' * 60}"])
def test_what_no_server_could_have_is_no_tool(tool: str) -> None:
    with pytest.raises(InputError):
        foreign.check(tool, {})


def test_a_tool_outside_is_known_by_its_name() -> None:
    assert foreign.is_foreign("mcp__files__list")
    assert not foreign.is_foreign("Bash")
    assert foreign.ForeignTool("mcp__a__b", "").schema == {"type": "object"}
