"""Figures as people and programs read them: a table for a terminal, a table in Markdown, a JSON document."""

from typing import Any

from benchmarks.figure import Figure, Sheet


def document(sheet: Sheet, machine: dict[str, Any], *, quick: bool) -> dict[str, Any]:
    """Return everything as plain values; a ratio is a figure divided by its floor."""
    return {
        "machine": machine,
        "quick": quick,
        "figures": [_plain(sheet, one) for one in sheet.figures.values()],
    }


def _plain(sheet: Sheet, figure: Figure) -> dict[str, Any]:
    floor = sheet.floor_of(figure)
    return {
        "name": figure.name,
        "words": figure.words,
        "unit": figure.unit,
        "value": round(figure.value, 4),
        "samples": figure.samples,
        "low": round(figure.low, 4),
        "high": round(figure.high, 4),
        "floor": figure.floor,
        "ratio": None if floor is None else round(figure.value / floor.value, 2),
    }


def _rows(sheet: Sheet) -> list[tuple[str, str, str, str, str]]:
    rows = []
    for figure in sheet.figures.values():
        floor = sheet.floor_of(figure)
        against = "" if floor is None else f"{_number(floor.value)} {floor.unit} ({floor.name})"
        ratio = "" if floor is None else f"{figure.value / floor.value:.2f}"
        rows.append(
            (
                figure.words,
                f"{_number(figure.value)} {figure.unit}".strip(),
                against,
                ratio,
                str(figure.samples),
            )
        )
    return rows


def _number(value: float) -> str:
    """Write a number with three digits that count."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}"


_HEADS = ("what", "value", "floor", "ratio", "samples")


def terminal(sheet: Sheet) -> str:
    """Return the table for a terminal."""
    rows = [_HEADS, *_rows(sheet)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADS))]
    lines = [
        "  ".join(
            cell.ljust(width) if column in {0, 2} else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join(lines)


def markdown(sheet: Sheet, machine: dict[str, Any]) -> str:
    """Return a page with the table and what kind of machine it is of."""
    kind = " · ".join(f"{name.replace('_', ' ')} {value}" for name, value in machine.items())
    lines = [f"# Figures of {machine['date']}", "", kind, "", "How to read them: [README](README.md).", ""]
    lines += ["| what | value | floor | ratio | samples |", "|---|--:|---|--:|--:|"]
    lines += ["| " + " | ".join(row) + " |" for row in _rows(sheet)]
    return "\n".join(lines) + "\n"
