"""Text of others: shown as it is, with nothing hidden, and cut only where a cut is harmless."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch_cli.render.text import (
    cells,
    count,
    cut_end,
    cut_middle,
    home_relative,
    one_line,
    pad,
    visible,
    wrapped,
)

ANY = st.text(st.characters(), max_size=200)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text", "plain text"),
        ("naïve €uro 日本", "naïve €uro 日本"),
        ("a\u202eb", "a⟨U+202E⟩b"),
        ("a\u200bb\u2066c", "a⟨U+200B⟩b⟨U+2066⟩c"),
        ("\x1b[2J\x00", "⟨U+001B⟩[2J⟨U+0000⟩"),
        ("a\nb\tc", "a⟨U+000A⟩b⟨U+0009⟩c"),
        ("\ud800", "⟨U+D800⟩"),
        ("x\U000e0041\u3164\u2800", "x⟨U+E0041⟩⟨U+3164⟩⟨U+2800⟩"),
        ("a\u2028b", "a⟨U+2028⟩b"),
        ("❤\ufe0f", "❤\ufe0f"),
    ],
)
def test_what_hides_or_acts_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_a_block_keeps_its_lines_and_tabs() -> None:
    assert visible("a\n\tb\r", lines=True) == "a\n\tb⟨U+000D⟩"


@given(ANY)
def test_nothing_that_acts_on_a_terminal_is_left(text: str) -> None:
    shown = visible(text)
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    shown.encode()


@given(ANY)
def test_one_line_is_one_line(text: str) -> None:
    assert "\n" not in one_line(text)
    assert "  " not in one_line(text)


def test_wide_and_combining_characters_have_their_cells() -> None:
    assert [cells(text) for text in ("abc", "日本", "e\u0301", "")] == [3, 4, 1, 0]
    assert pad("日", 4) == "日  "


@given(ANY, st.integers(2, 40))
def test_a_cut_fits_and_keeps_the_beginning(text: str, width: int) -> None:
    shown = visible(text)
    short = cut_end(shown, width)
    assert cells(short) <= width
    if cells(shown) > width:
        assert short.endswith("…")
        assert shown.startswith(short[:-1])


@given(ANY, st.integers(2, 40))
def test_a_path_keeps_both_ends(text: str, width: int) -> None:
    shown = visible(text)
    short = cut_middle(shown, width)
    assert cells(short) <= width
    if cells(shown) > width:
        head, _, tail = short.partition("…")
        assert shown.startswith(head)
        assert shown.endswith(tail)


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=300), st.one_of(st.none(), st.integers(8, 60))
)
def test_wrapping_loses_nothing_but_spaces_at_breaks(text: str, width: int | None) -> None:
    rows = wrapped(text, width)
    whole = visible(text, lines=True).expandtabs(4)
    assert "".join("".join(rows).split()) == "".join(whole.split())
    if width is not None:
        assert all(cells(row) <= width for row in rows)
    else:
        assert rows == whole.split("\n")


def test_wrapping_breaks_at_spaces_where_it_can() -> None:
    assert wrapped("one two three", 8) == ["one two", "three"]
    assert wrapped("abcdefghij", 4) == ["abcd", "efgh", "ij"]


def test_a_path_under_home_is_short() -> None:
    assert home_relative("/home/bob/src", "/home/bob") == "~/src"
    assert home_relative("/home/bob", "/home/bob") == "~"
    assert home_relative("/home/bobby", "/home/bob") == "/home/bobby"
    assert home_relative("/etc", "/") == "/etc"


def test_counting() -> None:
    assert (count(1, "file"), count(2, "file"), count(2, "entry", "entries")) == (
        "1 file",
        "2 files",
        "2 entries",
    )
