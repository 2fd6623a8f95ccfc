"""Every decoder goes under the fuzzer for a while, really runs there, and would be found out."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.tree import ROOT
from tests.conftest import TIME_SCALE
from tests.support.decoders.catalogue import decoders

RUNS = 200
SHARDS = 4  # processes that may run beside one another; each pays for its own instrumentation


def fuzzed(keep: Path, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    """Run the fuzzer as a person does, and return its reports."""
    ended = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", *arguments, "--json", "--keep", str(keep)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50 * TIME_SCALE,
        check=False,
    )
    assert ended.returncode == code, ended.stdout[-8000:] + ended.stderr[-4000:]
    return [json.loads(line) for line in ended.stdout.splitlines()]


@pytest.mark.parametrize("shard", range(SHARDS))
def test_no_decoder_breaks_and_each_one_ran(shard: int, tmp_path: Path) -> None:
    names = sorted(decoders())[shard::SHARDS]
    reports = {each["name"]: each for each in fuzzed(tmp_path, *names, "--runs", str(RUNS))}
    assert reports.keys() >= set(names)
    for name in names:
        report = reports[name]
        assert report["runs"] >= RUNS, report
        assert report["taken"] >= 1, f"{name} took nothing, so nothing beyond its first check was tried"
        assert report["edges"] >= 5, f"{name} ran without being watched"


@pytest.mark.parametrize(("target", "runs"), [("deep", 5_000_000), ("spelling", 20_000), ("error", 5_000)])
def test_a_planted_fault_is_found_and_kept(target: str, runs: int, tmp_path: Path) -> None:
    (report,) = fuzzed(tmp_path, "--planted", f"planted:{target}", "--runs", str(runs), code=1)
    assert report["found"] is not None
    assert report["runs"] < runs
    assert [path.name for path in tmp_path.iterdir()] == [Path(report["found"]).name]
