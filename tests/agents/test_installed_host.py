"""The real Claude Code with Dispatch as `agent host install` leaves it, started with a PATH on which none of ours is."""

import json
import shutil
import subprocess
from pathlib import Path

from tests.support.dispatch_command import SCALE, dispatch, environment
from tests.support.model_server import model_server_beside, scripted
from tests.support.neighbourhood import Neighbourhood, bash

READ = {"tool": "mcp__plugin_dispatch_dispatch__dispatch_read", "input": {"what": "inbox"}}


def test_its_sessions_reach_us_and_are_told_what_waits(
    programs: Path, neighbourhood: Neighbourhood, repository: Path, place: Path
) -> None:
    bob, config = neighbourhood.bob, place / "claude"
    neighbourhood.befriend("--tools", "Bash", "--paths", f"{repository}:rw")
    neighbourhood.send("A word of theirs", [bash("true")])
    dispatch(bob.home, "agent", "host", "install", "claude", CLAUDE_CONFIG_DIR=str(config))
    path = "/usr/bin:/bin"
    assert shutil.which("dispatch", path=path) is shutil.which("dispatch-mcp", path=path) is None
    with model_server_beside() as server:
        ended = subprocess.run(
            [
                *(programs / "claude", "-p", scripted([READ], ["Read."])),
                *("--output-format", "stream-json", "--verbose", "--allowedTools", READ["tool"]),
            ],
            env=environment(bob.home, DISPATCH_KEY_BACKEND="file", DISPATCH_LOCAL_PORT="0")
            | {
                "HOME": str(place),
                "PATH": path,
                "CLAUDE_CONFIG_DIR": str(config),
                "ANTHROPIC_BASE_URL": server.url,
                "ANTHROPIC_API_KEY": "placeholder",
                "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
                "CLAUDE_CODE_MAX_RETRIES": "1",
                "DISABLE_AUTOUPDATER": "1",
                "DISABLE_TELEMETRY": "1",
            },
            cwd=place,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120 * SCALE,
            check=False,
        )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    told = [json.loads(line) for line in ended.stdout.splitlines()]
    (hooked,) = [each["output"] for each in told if each.get("subtype") == "hook_response"]
    assert hooked.startswith("Dispatch: 1 waiting, from ")
    assert "A word of theirs" not in hooked
    assert hooked.strip() in json.dumps(server.requests[0], ensure_ascii=False), "it reaches the model"
    before, after = (json.dumps(server.requests[number]["messages"]) for number in (0, -1))
    assert ("A word of theirs" in before, "A word of theirs" in after) == (False, True)
