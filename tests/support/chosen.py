"""Letting a person choose an agent, its model and key among it, as they would on their command line."""

import shlex
import sys
from pathlib import Path

from tests.support.neighbourhood import Person
from tests.support.resident_bench import settle

KEY = "key-of-the-chooser-alone"


def choose(person: Person, agent: str, url: str) -> Path:
    """Choose `model`, `acp` or `claude`, asked at `url`; return the directory of its own program, if it has one."""
    key = person.home / "model.key"
    key.write_text(KEY)
    key.chmod(0o600)
    asked = ("--url", url, "--key-file", str(key))
    folder = person.home.parent / f"agent-of-{person.name}"
    if agent == "model":
        person.do("agent", "use", "anthropic:a-model", *asked)
        return folder
    folder.mkdir()
    script = settle(folder, agent)
    python = sys._base_executable  # type: ignore[attr-defined]  # what the product uses too
    own = folder / "claude"
    own.write_text(f'#!/bin/sh\nexec {shlex.quote(python)} -I -B {shlex.quote(str(script))} "$@"\n')
    own.chmod(0o755)
    person.do(
        *("agent", "use", agent, "--model", "anthropic:a-model", "--command", shlex.quote(str(own))),
        *("--directory", str(folder), "--directory", sys.base_prefix, *asked),
    )
    return folder


def choose_offered(person: Person, name: str, url: str) -> dict[str, str]:
    """Choose a program that was found on PATH by the very command that is offered for it; return what was offered."""
    (offered,) = [row for row in person.do("agent", "list")["agents"] if row["name"] == name]
    (dispatch, *words) = shlex.split(offered["remedy"].replace(":MODEL", ":a-model"))
    assert dispatch == "dispatch"
    person.do(*words, "--url", url)
    return dict(offered)
