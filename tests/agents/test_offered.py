"""The real programs on PATH as `agent list` offers them: the command works as it is printed, and a cancelled run leaves nothing."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.chosen import choose_offered
from tests.support.model_server import model_server_beside, scripted
from tests.support.neighbourhood import Person
from tests.support.patience import poll
from tests.support.processes import command, members

_LASTING = "tail -f /dev/null"
_ASKED = "sleep 86399"  # codex-acp takes the other for harmless, and Claude Code does not sleep
_BASH = {"tool": "Bash", "input": {"command": _LASTING, "description": "Wait"}}
CALLS: dict[str, dict[str, Any]] = {
    "claude": _BASH,
    "claude-agent-acp": _BASH,
    "opencode": {"tool": "bash", "input": {"command": _LASTING, "description": "Wait"}},
    "codex-acp": {"tool": "exec_command", "input": {"cmd": _ASKED}},
}


@pytest.mark.parametrize("name", CALLS)
def test_the_command_that_is_offered_for_a_program_works(bob: Person, name: str) -> None:
    before = {row["name"] for row in bob.do("agent", "list")["agents"]}
    told = bob.try_("agent", "list").out
    with model_server_beside() as playing:
        offered = choose_offered(bob, name, playing.url)
        tried = bob.do("agent", "test")
    assert offered["remedy"] in told
    assert tried["ok"], tried
    listed = {row["name"]: row for row in bob.do("agent", "list")["agents"]}
    assert listed[name]["chosen"]
    assert listed.keys() == before, "the others stay on offer"


def lasting(bob: Person) -> list[int]:
    """List what the call has started, below Bob's daemon."""
    assert bob.daemon.process is not None
    found = []
    for pid in members(bob.daemon.process.pid):
        try:
            words = command(pid)
        except OSError:  # it ended while it was looked at
            continue
        if " ".join(words).strip() in (_LASTING, _ASKED):
            found.append(pid)
    return found


@pytest.mark.parametrize("name", CALLS)
def test_a_cancelled_run_of_it_leaves_no_process(bob: Person, repository: Path, name: str) -> None:
    """It is cancelled in the middle of a call, whose own program runs."""
    assert bob.daemon.process is not None
    daemon = bob.daemon.process.pid
    with model_server_beside() as playing:
        choose_offered(bob, name, playing.url)
        task: str = bob.do("send", "me", scripted(["I wait.", CALLS[name]], ["All done."]))["dispatch_id"]
        before = set(members(daemon))
        bob.do("accept", task, "--cwd", str(repository))
        asked = poll(lambda: bob.status(task)["approvals"], "it is asked")
        bob.do("approve", asked[0]["request_id"])
        poll(lambda: lasting(bob), "the call runs")
        bob.do("cancel", task)
        assert bob.until(task, "cancelled", "completed", "failed")["status"] == "cancelled"
        poll(lambda: set(members(daemon)) <= before, "nothing of the run is left")
