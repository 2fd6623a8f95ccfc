"""A proof in words: what was attempted, what stopped it, and what the same attack does where that is missing."""

from dispatch_cli.render.fields import Document, items, text, truth
from dispatch_cli.render.lines import Line, Span, Tone, View, line, paragraph
from dispatch_cli.render.text import visible

_TITLES = {
    "relay": "A relay in the wrong hands, against a daemon like yours",
    "escape": "A run that wants out of its sandbox",
}
_CONTROLS = {"relay": "without the check", "escape": "without the wall"}


def proof_lines(report: Document, view: View) -> list[Line]:
    """Return every attempt under its title, and what they come to."""
    attempts = items(report, "attempts")
    lines: list[Line] = []
    for kind, title in _TITLES.items():
        lines += [line(Span(title, Tone.STRONG)), line()]
        for each in attempts:
            if text(each, "kind") == kind:
                lines += _attempt(each, view)
        lines.append(line())
    good = sum(truth(each, "stopped") and truth(each, "control") for each in attempts)
    if truth(report, "ok"):
        said = f"All {len(attempts)} were stopped, and each would have worked without what stopped it."
        return [*lines, line(Span(said, Tone.DONE))]
    said = f"{len(attempts) - good} of {len(attempts)} attempts prove nothing or were not stopped."
    return [*lines, line(Span(said, Tone.FAILED)), line("  see   ", Span("dispatch doctor", Tone.COMMAND))]


def _attempt(each: Document, view: View) -> list[Line]:
    stopped, control = truth(each, "stopped"), truth(each, "control")
    mark = Span("✓ ", Tone.DONE) if stopped and control else Span("✗ ", Tone.FAILED)
    held = "stopped" if stopped else "not stopped"
    missing = _CONTROLS[text(each, "kind")]
    worked = missing if control else f"{missing} it does not work either, so this proves nothing"
    return [
        line(mark, Span(visible(text(each, "name")), Tone.STRONG)),
        *paragraph(f"it {text(each, 'does')}", view, indent="    "),
        *paragraph(f"{held}: {text(each, 'stopped_by')} ({text(each, 'seen')})", view, indent="    "),
        *paragraph(f"{worked}: {text(each, 'control_seen')}", view, indent="    "),
    ]
