"""A failure as a person reads it: what, why, and the next command on a line of its own."""

import shlex
from collections.abc import Sequence

from dispatch_cli.errors import CliError
from dispatch_cli.render.lines import Line, Span, Tone, View, following, line
from dispatch_cli.render.text import visible, wrapped


def error_lines(error: CliError, lead: str, view: View) -> list[Line]:
    """Return `Not sent: Bob has not allowed it.`, the candidates if any, and the next step."""
    message = f"{lead}: {_inside(error.message)}" if lead else _alone(error.message)
    rows = wrapped(message, view.width)
    lines = [line(Span(rows[0], Tone.STRONG)), *(line(row) for row in rows[1:])]
    lines += [line("  ", visible(candidate)) for candidate in _unsaid(error)]
    if error.hint:
        lines.append(following("next", visible(error.hint)))
    return lines


def _unsaid(error: CliError) -> Sequence[str]:
    """Return what could be meant; an only one that the next command names already is not said twice."""
    said = f" {error.hint} " if len(error.candidates) == 1 else ""
    return [candidate for candidate in error.candidates if f" {shlex.quote(candidate)} " not in said]


_ARTICLES = frozenset(
    [
        "The",
        "There",
        "This",
        "That",
        "It",
        "No",
        "Nobody",
        "Nothing",
        "A",
        "An",
        "You",
        "What",
        "Your",
        "Only",
        "Nothing",
        "One",
        "Two",
        "Such",
        "Its",
    ]
)


def _inside(sentence: str) -> str:
    """Return a sentence as the second half of another: names, ids and abbreviations keep their capitals."""
    first = sentence.split(" ", 1)[0]
    return _ended(sentence[:1].lower() + sentence[1:] if first in _ARTICLES else sentence)


def _alone(sentence: str) -> str:
    """Return a sentence that begins with a capital, unless it begins with a name, an address or a path."""
    first = sentence.split(" ", 1)[0]
    return _ended(sentence[:1].upper() + sentence[1:] if first.isalpha() and first.islower() else sentence)


def _ended(sentence: str) -> str:
    return sentence + "." if sentence[-1:].isalnum() or sentence[-1:] in ")\"'" else sentence
