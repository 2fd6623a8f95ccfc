"""Logs of edges and of own devices: whose, how far, and what each amounts to in words."""

from typing import Final

from dispatch_cli.render.fields import Document, items, number, text, truth, words
from dispatch_cli.render.lines import Line, Span, Tone, View, line
from dispatch_cli.render.table import Column, table
from dispatch_cli.render.text import visible

_ID_CHARS: Final = 8
_NONE: Final = "No log yet: each begins with the first end of a dispatch over an edge."
_TONES: Final = {"consistent": Tone.DONE, "unseen": Tone.WAITING, "gap": Tone.WAITING}


def logs_lines(found: Document, view: View) -> list[Line]:
    """Return one row for each log, and what was decided on this device last."""
    logs, own = items(found, "logs"), items(found, "own")
    if not logs and not own:
        return [line(_NONE)]
    shown = [_edges(logs, view)] if logs else []
    shown += [_own(own, view)] if own else []
    acts = items(found, "acts")
    shown += [_acts(acts, view)] if acts else []
    return [each for number, part in enumerate(shown) for each in ([line("")] if number else []) + part]


def _own(own: list[Document], view: View) -> list[Line]:
    columns = [Column("DECIDED ON"), Column("ENTRIES"), Column("ROOT")]
    rows = [
        [line(_whose(each)), line(f"{number(each, 'entries')}"), line(visible(text(each, "root"))[:16])]
        for each in own
    ]
    return table(columns, rows, view)


def _acts(acts: list[Document], view: View) -> list[Line]:
    columns = [Column("#"), Column("WHEN"), Column("DECIDED HERE"), Column("ABOUT")]
    rows = [
        [
            line(f"{number(each, 'n')}"),
            line(visible(text(each, "at"))[:16].replace("T", " ")),
            line(visible(text(each, "kind")).replace("_", " ")),
            line(visible(text(each, "subject"))[:16]),
        ]
        for each in acts
    ]
    return table(columns, rows, view)


def _edges(logs: list[Document], view: View) -> list[Line]:
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
    logs, own = items(found, "logs"), items(found, "own")
    if not logs and not own:
        return [line(_NONE)]
    decided = [
        line(
            f"Decided on {_whose(each)}: ",
            Span(_kept(each), _TONES.get(text(each, "finding"), Tone.FAILED)),
        )
        for each in own
    ]
    return decided + [
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


def _kept(log: Document) -> str:
    """Say what a private log amounts to; of one that began before this device was there what is known of it."""
    first, entries = number(log, "first") or 1, number(log, "entries") or 0
    count = f"{entries} entr{'y' if entries == 1 else 'ies'}"
    since = "" if first == 1 else f", known here from entry {first} on"
    match text(log, "finding"):
        case "consistent":
            return f"{count}, nothing rewritten{since}"
        case "gap":
            return f"{count}, some of them have not come here{since}"
        case _:
            return "rewritten: it contradicts what it was before"


def _whose(log: Document) -> str:
    name = visible(text(log, "name")) or visible(text(log, "device"))[:_ID_CHARS]
    return f"{name} (this device)" if truth(log, "this") else name


def _device(log: Document) -> str:
    device = visible(text(log, "device"))[:_ID_CHARS]
    return f"my device {device}" if truth(log, "ours") else f"their device {device}"
