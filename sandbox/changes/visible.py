"""Text in which nothing is hidden: what a human reads is what a program would get.

A right-to-left override shows `exe.txt` for `txt.exe`, a zero-width space splits a name that looks whole, an
escape sequence repaints the terminal. Whoever shows a path, a diff, a command or an output of a run to a
person shows it in this form.
"""

import unicodedata

from sandbox.changes.protected import ignorable

_PLAIN = frozenset("\n\t")
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def visible(text: str) -> str:
    """Return the text with every character that cannot be seen as `⟨U+XXXX⟩`, line breaks and tabs kept.

    That takes in controls, formats such as bidirectional overrides and zero-width marks, variation selectors
    and fillers, lone surrogates, private and unassigned code points, and spaces other than the usual one.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if _plain(char) else f"⟨U+{ord(char):04X}⟩" for char in text)


def _plain(char: str) -> bool:
    """Say whether a character shows itself."""
    if char in _PLAIN or " " <= char <= "~":
        return True
    category = unicodedata.category(char)
    return category not in _HIDDEN_CATEGORIES and category != "Zs" and not ignorable(char)
