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
SHARDS = 2  # processes that may run beside one another; each pays for its own instrumentation


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


def test_planted_faults_are_found_and_kept(tmp_path: Path) -> None:
    reports = fuzzed(tmp_path, "--planted", "--runs", str(5_000_000), code=1)
    assert [each["name"] for each in reports] == ["planted:deep", "planted:spelling", "planted:error"]
    for report in reports:
        assert report["found"] is not None, report["name"]
        assert report["runs"] < 5_000_000
    assert {path.name for path in tmp_path.iterdir()} == {Path(each["found"]).name for each in reports}
