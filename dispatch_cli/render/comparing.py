"""A comparison in words: whose turn it is, the seven words, and what came of them."""

from dispatch_cli.render.fields import Document, text
from dispatch_cli.render.fields import words as words_of
from dispatch_cli.render.lines import Line, Span, Tone, View, following, line
from dispatch_cli.render.text import visible

_A_LINE = 4


def comparison_lines(comparison: Document, view: View) -> list[Line]:
    """Return where comparing stands and what comes next."""
    del view
    peer = visible(text(comparison, "peer"))
    words = words_of(comparison, "words")
    match text(comparison, "status"):
        case "words" if words:
            return [
                *_shown(f"Read these to {peer} by another way, and hear theirs:", words),
                following("type what they read", f"dispatch contacts verify {peer} --words 'SEVEN WORDS'"),
                following("if it is another", f"dispatch contacts verify {peer} --different"),
            ]
        case "same":
            return [
                line(Span(f"{peer} is compared", Tone.DONE), ": nobody sits between you."),
                *_shown("If they still wait for your words:", words),
            ]
        case "different":
            return [
                line(
                    Span(
                        f"The words differ: somebody may sit between you and {peer}. Send nothing that matters.",
                        Tone.DANGER,
                    )
                ),
                following("once more", f"dispatch contacts verify {peer} --again"),
                following("or end it", f"dispatch revoke {peer}"),
            ]
        case _:
            return [
                line(f"{peer} is asked to compare. Both of you see seven words once they have begun too."),
                line(
                    Span(
                        "  They type `dispatch contacts verify` with your address, now or later.", Tone.QUIET
                    )
                ),
                following("then look again", f"dispatch contacts verify {peer}"),
            ]


def _shown(title: str, words: list[str]) -> list[Line]:
    if not words:
        return []
    rows = [words[at : at + _A_LINE] for at in range(0, len(words), _A_LINE)]
    return [line(title), *(line("    ", Span(visible(" ".join(row)), Tone.STRONG)) for row in rows)]
