"""The official inspector reads our tools and calls one."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.dispatch_command import SCALE, environment
from tests.support.neighbourhood import Person


def inspect(programs: Path, person: Person, *arguments: str) -> Any:
    ended = subprocess.run(
        [programs / "mcp-inspector", "--cli", sys.executable, "-m", "dispatch_cli.mcp.server", *arguments],
        env=environment(person.home, DISPATCH_KEY_BACKEND="file", DISPATCH_LOCAL_PORT="0"),
        cwd=person.home.parent,
        capture_output=True,
        text=True,
        timeout=60 * SCALE,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return json.loads(ended.stdout)


def test_it_lists_and_calls_our_tools(programs: Path, place: Path) -> None:
    bob = Person("bob", place)
    tools = inspect(programs, bob, "--method", "tools/list")["tools"]
    assert len(tools) == 5
    answer = inspect(
        programs,
        bob,
        *("--method", "tools/call", "--tool-name", "dispatch_read", "--tool-arg", "what=whoami"),
    )
    assert answer["structuredContent"]["daemon"]["running"] is True
    bob.do("daemon", "stop")
