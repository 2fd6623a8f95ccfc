"""The official conformance suite of the Model Context Protocol finds nothing that is not explained beside it."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.dispatch_command import SCALE, environment

EXPLAINED = Path(__file__).with_name("conformance.yaml")


def test_the_official_suite_finds_only_what_is_explained(programs: Path, place: Path) -> None:
    served = subprocess.Popen(
        [sys.executable, "-m", "tests.support.mcp_over_http", place / "home"],
        env=environment(place / "home", DISPATCH_KEY_BACKEND="file"),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert served.stdout is not None
        address = served.stdout.readline().strip()
        judged = subprocess.run(
            [
                *(programs / "conformance", "server", "--url", address, "--suite", "all"),
                *("--expected-failures", EXPLAINED, "--output-dir", place / "results"),
            ],
            env={
                **os.environ,
                "PATH": f"{programs}:{os.environ['PATH']}",
            },  # the node it needs lies beside it
            capture_output=True,
            text=True,
            timeout=120 * SCALE,
            check=False,
        )
    finally:
        served.terminate()
        served.communicate(timeout=30 * SCALE)
    assert judged.returncode == 0, judged.stdout[-3000:] + judged.stderr[-2000:]
    for passed in ("server-initialize", "ping", "tools-list", "tools-call-error", "dns-rebinding-protection"):
        assert f"✓ {passed}: " in judged.stdout
