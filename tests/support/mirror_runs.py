"""Runs the mirror tests of a module on mutants of it, each in a fork of one process: `python -m tests.support.mirror_runs`.

Standard input holds one JSON object, {module: {"places": […], "mutants": [names], "tests": [files]}}; standard output
gets one line of JSON for each mutant: its name and the id of the first test that failed, or null.
"""

import importlib
import json
import os
import sys
from typing import Any

import pytest

from tests.support.mutants import Mutant, mutants


class _FirstFailure:
    """Remembers which test failed first."""

    def __init__(self) -> None:
        self.name: str | None = None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take note of a failure in any phase of a test."""
        if report.failed and self.name is None:
            self.name = report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A mutant with which the tests cannot even be read has been noticed as well."""
        if report.failed and self.name is None:
            self.name = report.nodeid


def first_failure(mutant: Mutant, tests: list[str]) -> str | None:
    """Run tests on a mutant in a fork; return the id of the first that fails."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        null = os.open(os.devnull, os.O_WRONLY)
        for standard in (1, 2):
            os.dup2(null, standard)
        seen = _FirstFailure()
        quiet = ["-x", "-q", "-c", os.devnull, "--rootdir", ".", "--noconftest", "--import-mode=importlib"]
        with mutant.in_force():
            pytest.main([*quiet, "-p", "no:cacheprovider", *tests], plugins=[seen])
        os.write(write, (seen.name or "").encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        name = pipe.read().decode()
    os.waitpid(child, 0)
    return name or None


def main() -> None:
    """Run everything that was asked for."""
    asked: dict[str, Any] = json.load(sys.stdin)
    for module, wanted in asked.items():
        for mutant in mutants(importlib.import_module(module), *wanted["places"]):
            if mutant.name in wanted["mutants"]:
                print(json.dumps([mutant.name, first_failure(mutant, wanted["tests"])]), flush=True)


if __name__ == "__main__":
    main()
