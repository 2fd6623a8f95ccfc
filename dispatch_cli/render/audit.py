"""Logs of edges: whose, how far, and what each amounts to in words."""

from typing import Final

from dispatch_cli.render.fields import Document, items, number, text, truth, words
from dispatch_cli.render.lines import Line, Span, Tone, View, line
from dispatch_cli.render.table import Column, table
from dispatch_cli.render.text import visible

_ID_CHARS: Final = 8
_NONE: Final = "No log yet: each begins with the first end of a dispatch over an edge."
_TONES: Final = {"consistent": Tone.DONE, "unseen": Tone.WAITING}


def logs_lines(found: Document, view: View) -> list[Line]:
    """Return one row for each log."""
    logs = items(found, "logs")
    if not logs:
        return [line(_NONE)]
    columns = [Column("PEER"), Column("DEVICE"), Column("ENTRIES"), Column("ROOT")]
    rows = [
        [
            line(visible(text(each, "peer"))),
            line(_device(each)),
            line(f"{number(each, 'entries')}"),
            line(visible(text(each, "root"))[:16]),
        ]
        for each in logs
    ]
    return table(columns, rows, view)


def findings_lines(found: Document) -> list[Line]:
    """Return what each log amounts to, in a sentence."""
    logs = items(found, "logs")
    if not logs:
        return [line(_NONE)]
    return [
        line(
            f"{visible(text(each, 'peer'))}, {_device(each)}: ",
            Span(_finding(each), _TONES.get(text(each, "finding"), Tone.FAILED)),
        )
        for each in logs
    ]


def _finding(log: Document) -> str:
    entries = number(log, "entries") or 0
    count = f"{entries} entr{'y' if entries == 1 else 'ies'}"
    match text(log, "finding"):
        case "consistent":
            return f"{count}, nothing rewritten and nothing left out"
        case "unseen":
            gap = "; a checkpoint has not come" if truth(log, "gap") else ""
            return f"{count}, {number(log, 'unseen')} of them have not come here{gap}"
        case "unlogged":
            lost = "they keep no log, or the relay has lost what tells of it"
            return f"{number(log, 'unlogged')} last words of more than a day ago are in no log that came here: {lost}"
        case "flooded":
            return "more checkpoints came than tasks were sent, so what it says is not followed any more"
        case "left_out":
            return f"{len(words(log, 'left_out'))} last words were left out of it"
        case _:
            return "rewritten: checkpoints that this device has signed contradict each other"


def _device(log: Document) -> str:
    device = visible(text(log, "device"))[:_ID_CHARS]
    return f"my device {device}" if truth(log, "ours") else f"their device {device}"
