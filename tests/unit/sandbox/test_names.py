import pytest

from sandbox.names import is_plain_name


@pytest.mark.parametrize("name", ["report.txt", "a b", "Ünïcode-1.json", ".hidden", "x" * 255])
def test_plain_names(name: str) -> None:
    assert is_plain_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "a/b",
        "-rf",
        "a\nb",
        "a\x1b[31m",
        "a\u202etxt",
        "a\u200bb",
        "a\0",
        "a\udc80",
        "x" * 256,
        "ü" * 128,
    ],
)
def test_names_that_mean_something_else_somewhere(name: str) -> None:
    assert not is_plain_name(name)
