"""Run the checks of this repository and say at the end which ones failed, and how to repeat each alone.

The static checks run two at a time; they are cheap, and together they finish before a person loses the
thread. The tests come last and alone, because they use every core themselves. Started by `scripts/check`,
which installs what is needed first.
"""

import os
import shlex
import subprocess
import sys
import tempfile
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
PACKAGES = ("dispatch_protocol", "dispatch_broker", "dispatch_daemon", "dispatch_cli", "sandbox")


@dataclass(frozen=True, slots=True)
class Check:
    """One command that must exit 0, and what it holds true."""

    name: str
    promise: str
    command: tuple[str, ...]


PYTEST = ("python", "-m", "pytest", "-q", "--numprocesses=auto", "--maxprocesses=8", "--dist=worksteal")
# What the coverage is judged by; `scripts/test` runs all the rest.
MIRRORS = (
    "tests/unit/dispatch_protocol",
    "tests/unit/dispatch_broker/core",
    "tests/unit/dispatch_daemon/core",
)

STATIC = (
    Check("format", "every Python file is formatted", ("ruff", "format", "--check", ".")),
    Check("lint", "no lint without an explained ignore", ("ruff", "check", "--no-fix", ".")),
    Check("types", "mypy --strict, on the packages, the scripts and the architecture tests", ("mypy",)),
    Check("imports", "the import contracts hold", ("lint-imports",)),
    Check("dependencies", "what is imported is declared, and the other way round", ("deptry", *PACKAGES)),
    Check("spelling", "no common misspelling", ("codespell",)),
    Check("docs", "generated passages of the documents are current", ("scripts/docs", "--check")),
    Check("vectors", "the test vectors rebuild byte for byte", ("scripts/vectors", "--check")),
)
TESTS = (
    Check(
        "architecture",
        "the tree is as docs/ARCHITECTURE.md says; every import contract bites",
        (*PYTEST, "tests/architecture"),
    ),
    Check(
        "unit",
        "the mirror tests of the pure modules pass, measured",
        (*PYTEST, *MIRRORS, "--hypothesis-profile=brisk", "--cov", "--cov-context=test", "--cov-report="),
    ),
    Check(
        "coverage",
        "pure modules are covered to the last branch by their own mirror tests",
        ("python", "scripts/mirror_coverage.py"),
    ),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one check ended, and everything it printed."""

    check: Check
    passed: bool
    output: str
    took_s: float


def run(check: Check) -> Outcome:
    """Run one check and keep its output; a command that is not there is a failure, too."""
    program, *arguments = check.command
    found = BIN / program
    command = [str(found if found.exists() else ROOT / program), *arguments]
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"}
    started = time.monotonic()
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        try:
            code = subprocess.run(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            ).returncode
        except OSError as error:
            return Outcome(check, passed=False, output=str(error), took_s=0.0)
        output.seek(0)
        return Outcome(check, code == 0, output.read(), time.monotonic() - started)


def report(outcome: Outcome) -> None:
    """Print one line for a check that passed, and everything for one that failed."""
    mark = "ok  " if outcome.passed else "FAIL"
    print(f"{mark} {outcome.check.name:<13} {outcome.took_s:5.1f} s  {outcome.check.promise}", flush=True)
    if not outcome.passed:
        print(outcome.output.rstrip(), flush=True)
    elif "pytest" in outcome.check.command:
        print(outcome.output.rstrip().splitlines()[-1], flush=True)


def chosen(names: list[str]) -> tuple[list[Check], list[Check]]:
    """Return the static checks and the tests to run; no name means all. Raise SystemExit on an unknown one."""
    known = {check.name for check in STATIC + TESTS}
    if unknown := sorted(set(names) - known):
        sys.exit(f"check: no check is called {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    wanted = set(names) or known
    if "coverage" in wanted:
        wanted.add("unit")  # it judges what the unit tests have just measured
    return [c for c in STATIC if c.name in wanted], [c for c in TESTS if c.name in wanted]


def main(names: list[str]) -> int:
    """Run the named checks, or all, and return the exit code."""
    if names == ["--list"]:
        for check in STATIC + TESTS:
            print(f"{check.name:<13} {check.promise}\n{'':<13} {shlex.join(check.command)}")
        return 0
    static, tests = chosen(names)
    started = time.monotonic()
    outcomes: list[Outcome] = []
    with ThreadPoolExecutor(max_workers=2) as pool:
        pending: list[Future[Outcome]] = [pool.submit(run, check) for check in static]
        for future in pending:
            outcomes.append(future.result())
            report(outcomes[-1])
    for check in tests:
        outcomes.append(run(check))
        report(outcomes[-1])
    failed = [outcome.check for outcome in outcomes if not outcome.passed]
    print(
        f"\n{len(outcomes) - len(failed)} of {len(outcomes)} checks passed in {time.monotonic() - started:.0f} s"
    )
    for check in failed:
        print(f"failed: {check.name}; repeat it alone with  scripts/check {check.name}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
