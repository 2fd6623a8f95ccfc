"""`scripts/bench`: measures what was asked for and says it."""

import argparse
import json
import sys
import time
from pathlib import Path

from benchmarks import command_line, delivery, floors, machine, memory, runs, table
from benchmarks.figure import Sheet
from benchmarks.programs import pair, workplace
from benchmarks.sizes import FULL, QUICK, Sizes

_PAGES = Path(__file__).resolve().parents[2] / "docs" / "benchmarks"
_PARTS = ("memory", "command_line", "delivery", "runs")


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description="Measure this checkout on this machine."
    )
    parser.add_argument(
        "--quick", action="store_true", help="see that everything works; the figures mean little"
    )
    parser.add_argument(
        "--only", action="append", choices=_PARTS, help="the floors and this part; may be repeated"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of the table")
    parser.add_argument("--save", metavar="NAME", help="write docs/benchmarks/NAME.md and .json besides")
    options = parser.parse_args()
    sizes = QUICK if options.quick else FULL
    began_s = time.monotonic()

    def progress(words: str) -> None:
        print(f"{time.monotonic() - began_s:6.1f} s  {words}", file=sys.stderr, flush=True)

    sheet = Sheet(progress)
    with workplace() as place:
        about = machine.describe(place)
        measure(sheet, sizes, place, set(options.only or _PARTS))
    said = json.dumps(table.document(sheet, about, quick=options.quick), indent=2, ensure_ascii=False)
    if options.save:
        (_PAGES / f"{options.save}.json").write_text(f"{said}\n", encoding="utf-8")
        (_PAGES / f"{options.save}.md").write_text(table.markdown(sheet, about), encoding="utf-8")
    print(said if options.json else table.terminal(sheet))


def measure(sheet: Sheet, sizes: Sizes, place: Path, parts: set[str]) -> None:
    """Measure the floors, then the parts that were chosen; each has fresh programs where it needs any."""
    floors.measure(sheet, sizes, place)
    if "runs" in parts:
        runs.measure(sheet, sizes, place / "runs")
    for part, measured in (
        ("memory", memory.measure),
        ("command_line", command_line.measure),
        ("delivery", delivery.measure),
    ):
        if part in parts:
            with pair(place / part) as everybody:
                measured(sheet, sizes, everybody)


if __name__ == "__main__":
    main()
