"""A human sees every character that a program would."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.changes.visible import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text\twith a tab\n", "plain text\twith a tab\n"),
        ("Grüße, 世界, мир, 👍", "Grüße, 世界, мир, 👍"),
        ("a\u202eexe.txt", "a⟨U+202E⟩exe.txt"),
        ("zero\u200bwidth", "zero⟨U+200B⟩width"),
        ("\x1b[2Jgone", "⟨U+001B⟩[2Jgone"),
        ("bell\x07 null\x00", "bell⟨U+0007⟩ null⟨U+0000⟩"),
        ("c1\x9b31m", "c1⟨U+009B⟩31m"),
        ("over\rwritten", "over⟨U+000D⟩written"),
        ("no\u00a0break", "no⟨U+00A0⟩break"),
        ("line\u2028separator", "line⟨U+2028⟩separator"),
        ("\ufefffirst", "⟨U+FEFF⟩first"),
        ("variant\ufe0f", "variant⟨U+FE0F⟩"),
        ("tag\U000e0041", "tag⟨U+E0041⟩"),
        ("filler\u3164", "filler⟨U+3164⟩"),
        ("lone\ud800", "lone⟨U+D800⟩"),
        ("private\ue000", "private⟨U+E000⟩"),
        ("del\x7f", "del⟨U+007F⟩"),
        ("", ""),
    ],
)
def test_what_cannot_be_seen_is_spelled_out(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text())
def test_showing_twice_changes_nothing_more(text: str) -> None:
    assert visible(visible(text)) == visible(text)


@given(st.text())
def test_what_is_shown_can_be_printed_anywhere(text: str) -> None:
    shown = visible(text)
    assert shown.replace("\n", "").replace("\t", "").isprintable()
    shown.encode("utf-8")
