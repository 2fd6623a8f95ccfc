"""The real Claude Code with our plugin, its model a script: it sends, accepts, and relays one yes after the other."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from dispatch_cli.plugin_copy import PLUGIN
from tests.support.dispatch_command import SCALE, environment
from tests.support.model_server import WAIT, model_server_beside, scripted
from tests.support.neighbourhood import Neighbourhood, Person, bash, changed, edit

TOOL = "mcp__plugin_dispatch_dispatch__dispatch_"


def call(tool: str, **arguments: Any) -> dict[str, Any]:
    return {"tool": TOOL + tool, "input": arguments}


def session(programs: Path, person: Person, place: Path, *turns: list[Any]) -> dict[str, Any]:
    """Let Claude Code work for a person until its script is over, and return what it says of that."""
    home = place / f"claude-{person.name}"
    home.mkdir()
    with model_server_beside() as server:
        ended = subprocess.run(
            [
                *(programs / "claude", "-p", scripted(*turns), "--plugin-dir", PLUGIN),
                *("--output-format", "json", "--allowedTools", WAIT),
                *(TOOL + name for name in ("act", "invite", "read", "send", "trust")),
            ],
            env=environment(person.home, DISPATCH_KEY_BACKEND="file", DISPATCH_LOCAL_PORT="0")
            | {
                "HOME": str(home),
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                "ANTHROPIC_BASE_URL": server.url,
                "ANTHROPIC_API_KEY": "placeholder",
                "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
                "CLAUDE_CODE_MAX_RETRIES": "1",
                "DISABLE_AUTOUPDATER": "1",
                "DISABLE_TELEMETRY": "1",
            },
            cwd=home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120 * SCALE,
            check=False,
        )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    said: dict[str, Any] = json.loads(ended.stdout)
    assert said["permission_denials"] == []
    return said


def test_a_task_travels_from_one_session_to_another_and_each_call_is_asked(
    programs: Path, neighbourhood: Neighbourhood, repository: Path, place: Path
) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    neighbourhood.befriend("--tools", "Read,Edit,Bash", "--paths", f"{repository}:rw")
    said = session(
        programs, alice, place, [call("send", recipient=bob.address, task="A look")], ["Sent to Bob."]
    )
    assert said["result"] == "Sent to Bob."
    assert [each["task"] for each in alice.do("sent")["dispatches"]] == ["A look"]

    task = neighbourhood.send("Change it", [edit("notes.md", "first", "second"), bash("true")])
    yes = [call("act", action="approve", dispatch_id=task, request_id="$request_id", grant="once")]
    said = session(
        programs,
        bob,
        place,
        [call("act", action="accept", dispatch_id=task, cwd=str(repository))],
        yes,
        yes,
        yes,
        ["Done, and I touched nothing myself."],
    )
    assert said["result"] == "Done, and I touched nothing myself."
    assert bob.status(task)["status"] == "completed"
    assert changed(repository) == {"notes.md"}


def test_claude_code_finds_the_plugin_valid(programs: Path, place: Path) -> None:
    checked = subprocess.run(
        [programs / "claude", "plugin", "validate", PLUGIN],
        env={"PATH": os.environ["PATH"], "HOME": str(place)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "Validation passed" in checked.stdout
    # A picture is asked for by a public directory, and it is in none.
    assert set(re.findall(r"\(([A-Z_]+)\)", checked.stdout)) <= {"ICON_MISSING"}, checked.stdout
