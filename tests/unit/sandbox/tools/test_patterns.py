import pytest

from sandbox.tools.patterns import PatternError, expand, matcher


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*.py", "a.py"),
        ("*.py", ".py"),
        ("**/*.py", "a.py"),
        ("**/*.py", "x/y/a.py"),
        ("src/**", "src/a/b"),
        ("src/**/b", "src/b"),
        ("a?c", "abc"),
        ("[a-c].txt", "b.txt"),
        ("[!a].txt", "b.txt"),
        ("a[]]b", "a]b"),
        ("\\*", "*"),
        ("*.{js,ts}", "a.ts"),
        ("{a,b{c,d}}", "bd"),
        ("a[b", "a[b"),
        ("a.b", "a.b"),
        ("a\nb", "a\nb"),
    ],
)
def test_it_matches(pattern: str, path: str) -> None:
    assert matcher(pattern).match(path)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*.py", "x/a.py"),
        ("*.py", "a.pyc"),
        ("**/*.py", "a.py\n"),
        ("a?c", "a/c"),
        ("[!a].txt", "a.txt"),
        ("a[^b]c", "a/c"),
        ("src/**", "src"),
        ("a**b", "a/x/b"),
        ("a.b", "axb"),
    ],
)
def test_it_does_not_match(pattern: str, path: str) -> None:
    assert not matcher(pattern).match(path)


def test_braces_expand_in_order() -> None:
    assert expand("x{a,b}y{c,d}") == ["xayc", "xayd", "xbyc", "xbyd"]
    assert expand("{,s}") == ["", "s"]


def test_braces_can_be_plain() -> None:
    assert matcher("a{b,c}", braces=False).match("a{b,c}")


def test_braces_without_end_or_without_measure_are_refused() -> None:
    with pytest.raises(PatternError):
        matcher("a{b")
    with pytest.raises(PatternError):
        matcher("{a,b}" * 30)
