"""The measuring itself works: every part measures real programs, and every figure stands on a floor of the same run."""

import json
import subprocess

import pytest

from tests.support.dispatch_command import ROOT, SCALE

EXPECTED = {
    "memory_broker",
    "memory_daemon",
    "memory_sessions",
    "send_visible_p50",
    "send_visible_p95",
    "burst_1",
    "burst_8",
    "box_p50",
    "call_read_p50",
    "call_bash_p50",
    "collect_1",
    "apply_1",
}


@pytest.mark.timeout(120)
def test_everything_is_measured_and_stands_on_a_floor() -> None:
    done = subprocess.run(
        [str(ROOT / "scripts" / "bench"), "--quick", "--json"],
        capture_output=True,
        text=True,
        timeout=100 * SCALE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["quick"] is True
    figures = {figure["name"]: figure for figure in said["figures"]}
    assert set(figures) >= EXPECTED
    for figure in figures.values():
        assert figure["samples"] > 0
        assert figure["low"] <= figure["value"] <= figure["high"]
        assert (figure["ratio"] is None) == (figure["floor"] is None)
        assert figure["floor"] is None or figure["floor"] in figures
    assert figures["broker_deposits"]["value"] > 0
    assert "progress" not in done.stdout
    assert "send → visible" in done.stderr
