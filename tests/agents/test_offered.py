"""What `agent list` offers of the real programs on PATH works as it is printed, and the others stay on offer."""

import os
import shlex
from pathlib import Path

import pytest

from tests.support.model_server import model_server_beside
from tests.support.neighbourhood import Person


@pytest.mark.parametrize("name", ["claude", "claude-agent-acp", "opencode", "codex-acp"])
def test_the_command_that_is_offered_for_a_program_works(
    programs: Path, place: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    bob = Person("bob", place)
    bob.daemon.start()
    try:
        offered = {row["name"]: row for row in bob.do("agent", "list")["agents"] if not row["chosen"]}
        assert offered[name]["remedy"] in bob.try_("agent", "list").out
        (dispatch, *words) = shlex.split(offered[name]["remedy"].replace(":MODEL", ":a-model"))
        assert dispatch == "dispatch"
        with model_server_beside() as playing:
            bob.do(*words, "--url", playing.url)
            tried = bob.do("agent", "test")
        assert tried["ok"], tried
        listed = {row["name"]: row for row in bob.do("agent", "list")["agents"]}
        assert listed[name]["chosen"]
        assert listed.keys() == {"steps", *offered}
    finally:
        bob.daemon.stop()
