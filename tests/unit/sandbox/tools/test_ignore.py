import pytest

from sandbox.tools.ignore import decide, parse


def ignored(text: str, path: str, *, is_directory: bool = False) -> bool | None:
    return decide(parse(text), path, is_directory=is_directory)


@pytest.mark.parametrize(
    ("text", "path", "is_directory", "expected"),
    [
        ("*.log", "a.log", False, True),
        ("*.log", "deep/er/a.log", False, True),
        ("/a.log", "a.log", False, True),
        ("/a.log", "deep/a.log", False, None),
        ("deep/a.log", "deep/a.log", False, True),
        ("deep/a.log", "x/deep/a.log", False, None),
        ("build/", "build", True, True),
        ("build/", "build", False, None),
        ("build/", "x/build", True, True),
        ("*.log\n!keep.log", "keep.log", False, False),
        ("!keep.log\n*.log", "keep.log", False, True),
        ("# *.log", "a.log", False, None),
        ("\\#x", "#x", False, True),
        ("a   ", "a", False, True),
        ("a\\ ", "a ", False, True),
        ("a{b,c}", "ab", False, None),
        ("a{b,c}", "a{b,c}", False, True),
        ("", "a", False, None),
        ("/", "a", True, None),
        ("**/x/**", "a/x/b", False, True),
        ("doc/*.txt", "doc/sub/a.txt", False, None),
        ("[", "[", False, True),
        ("[z-a]", "b", False, None),
    ],
)
def test_it_decides_as_git_does(text: str, path: str, is_directory: bool, expected: bool | None) -> None:
    assert ignored(text, path, is_directory=is_directory) is expected
