"""The programs under measurement: one broker, two people with daemons, and what each of them says of itself."""

import json
import os
import shutil
import sqlite3
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.support.neighbourhood import Broker, Neighbourhood, Person


class MeasuredBroker(Broker):
    """A broker that also tells its operator what it counts, on a door of its own."""

    def _arguments(self, listen: str) -> list[str]:
        return [*super()._arguments(listen), "--metrics", "127.0.0.1:0"]

    def counted(self, name: str) -> float:
        """Return one number as the broker counted it, over all its labels; 0 if it never happened."""
        events = [json.loads(line) for line in self.log.read_text().splitlines()]
        url = next(event["url"] for event in reversed(events) if event["event"] == "metrics")
        with urllib.request.urlopen(f"{url}/metrics") as answer:  # noqa: S310 - a URL that our own broker said
            lines = answer.read().decode().splitlines()
        wanted = [
            line for line in lines if line.partition(" ")[0].partition("{")[0] == f"dispatch_broker_{name}"
        ]
        return sum(float(line.rpartition(" ")[2]) for line in wanted)


class Pair:
    """Alice, Bob, and the broker between them; Bob has granted Alice as many dispatches as may be."""

    def __init__(self, directory: Path) -> None:
        self._everybody = Neighbourhood(directory)
        self.broker = self._everybody.broker = MeasuredBroker(directory)
        self.alice: Person = self._everybody.alice
        self.bob: Person = self._everybody.bob

    def open(self) -> None:
        """Start everything and let Bob trust Alice."""
        self._everybody.open()
        granted = self.bob.home.with_name("granted")
        granted.mkdir()
        self._everybody.befriend("--tools", "Read", "--paths", f"{granted}:ro", "--max-per-day", "10000")

    def close(self) -> None:
        """End everything that was started."""
        self._everybody.close()

    def received(self) -> int:
        """Count the dispatches of Bob's inbox in his journal: durable, not merely said."""
        with closing(
            sqlite3.connect(f"{(self.bob.home / 'journal.db').as_uri()}?mode=ro", uri=True)
        ) as journal:
            (count,) = journal.execute("SELECT count(*) FROM dispatches").fetchone()
        return int(count)


@contextmanager
def workplace() -> Iterator[Path]:
    """Make a short directory of this run's own on a real disk, and remove it."""
    base = Path(os.environ.get("DISPATCH_BENCH_DIR", "/var/tmp"))  # noqa: S108 - a fresh private directory in it
    directory = Path(tempfile.mkdtemp(prefix="bench-", dir=base))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def pair(directory: Path) -> Iterator[Pair]:
    """Run a pair of people and their broker for the length of a block."""
    directory.mkdir()
    everybody = Pair(directory)
    try:
        everybody.open()
        yield everybody
    finally:
        everybody.close()


def resident_mb(pid: int) -> float:
    """Return what a process holds in memory, in MB, shared pages included."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise ProcessLookupError(pid)
