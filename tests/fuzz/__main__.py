"""Fuzz the decoders, guided by coverage: `scripts/fuzz [TARGET…] [--seconds N] [--list]`.

Without a target every decoder is tried in turn; a target is a part of a name. `--seconds` is the whole time, shared
among the targets; `--runs` bounds each target by its runs instead, from one fixed seed. What breaks a decoder is kept in
`tests/fuzz/found/` and replayed by the ordinary tests from then on. The exit code is 1 if anything was found.
"""

import argparse
import importlib
import json
import sys
from pathlib import Path

import atheris

PACKAGES = ["dispatch_protocol", "dispatch_broker", "dispatch_daemon", "dispatch_cli", "sandbox"]


def main(arguments: list[str]) -> int:
    """Fuzz what the arguments name; return the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    parser.add_argument("target", nargs="*", help="part of a decoder's name")
    parser.add_argument("--seconds", type=int, default=600, help="whole time, shared among the targets")
    parser.add_argument("--runs", type=int, default=0, help="runs of each target, instead of a time")
    parser.add_argument("--list", action="store_true", help="print the names of the targets and do nothing")
    parser.add_argument("--keep", type=Path, help="where found cases are written instead")
    parser.add_argument("--json", action="store_true", help="one JSON object per target")
    parser.add_argument("--planted", action="store_true", help="fuzz decoders with planted faults instead")
    asked = parser.parse_args(arguments)
    with atheris.instrument_imports(include=[*PACKAGES, "tests.fuzz.planted"], enable_loader_override=False):
        catalogue = importlib.import_module(
            "tests.fuzz.planted" if asked.planted else "tests.support.decoders.catalogue"
        )
    target = importlib.import_module("tests.fuzz.target")
    chosen = [
        decoder
        for name, decoder in catalogue.decoders().items()
        if not asked.target or any(part in name for part in asked.target)
    ]
    if asked.list or not chosen:
        print("\n".join(decoder.name for decoder in chosen) or "no decoder has such a name")
        return 0 if chosen else 2
    share = 0 if asked.runs else max(1, asked.seconds // len(chosen))
    found = False
    for decoder in chosen:
        report = target.attack(decoder, runs=asked.runs, seconds=share, keep=asked.keep)
        found = found or report.found is not None
        if asked.json:
            fields = ("name", "runs", "taken", "edges", "seconds", "found", "log")
            print(json.dumps({name: getattr(report, name) for name in fields}, default=str), flush=True)
        else:
            print(report, flush=True)
            if report.found is not None:
                print(report.log[-3000:], flush=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
