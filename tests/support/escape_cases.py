"""Reads the attacks on the sandbox and runs them, unconfined as a control and inside as the test.

A case is a table in `tests/hostile/escapes/*.toml`:

- `attack`: what runs inside, in `language` ("sh", the default, or "python"). It prints ESCAPED if, and only if,
  the abuse worked. `then` is a second call after it.
- `before`, `after`: run on the host around it. `harm`: run on the host afterwards; exit 0 means harm was done.
- `control`: without it the attack must succeed unconfined as an ordinary user, or the case proves nothing.
  "root": it must succeed unconfined as root (tried only where the tests run as root). "none: REASON": it
  cannot be tried.
- `needs`: "landlock N": on a kernel with an older Landlock ABI the case is told, not judged.

In every script @WORK@ is the writable grant, @READ@ the read-only one, @OUTSIDE@ a directory nobody granted
with a file `secret` that says CANARY, @HOME@ a home, @STATE@ the run's state, @PORT@ a TCP port of the host,
@ABSTRACT@ an abstract socket of the host, @PID@ a process of the same user whose environment says CANARY.
"""

import os
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

# What a launcher's environment may hold and no run may see.
BAIT = {"API_TOKEN": "CANARY", "SSH_AUTH_SOCK": "/run/canary.sock"}
FOLDER = Path(__file__).parent.parent / "hostile" / "escapes"


@dataclass(frozen=True, slots=True)
class Case:
    """One attack."""

    name: str
    attack: str
    language: str = "sh"
    why: str = ""
    before: str = ""
    then: str = ""
    after: str = ""
    harm: str = ""
    control: str = "ordinary"
    needs: str = ""

    def command(self, names: Mapping[str, str]) -> str:
        """Return the attack as one shell command."""
        script = fill(self.attack, names)
        return script if self.language == "sh" else f"python3 -c {shlex.quote(script)}"


def load() -> list[Case]:
    """Read every case; a field that is not known is an error of whoever wrote it."""
    cases = [
        Case(**{name: value.strip("\n") for name, value in table.items()})
        for file in sorted(FOLDER.glob("*.toml"))
        for table in tomllib.loads(file.read_text(encoding="utf-8"))["case"]
    ]
    assert len({case.name for case in cases}) == len(cases)
    return cases


def fill(script: str, names: Mapping[str, str]) -> str:
    """Put the names of one ground into a script."""
    for name, value in names.items():
        script = script.replace(f"@{name}@", value)
    return script


def on_the_host(
    script: str, names: Mapping[str, str], credentials: Mapping[str, Any] = MappingProxyType({})
) -> subprocess.CompletedProcess[str]:
    """Run a script unconfined, as another user if `credentials` say so."""
    return subprocess.run(
        # A shell between, so that the parent a script attacks is a process of the same user, as it is inside.
        ["bash", "-c", 'bash -c "$1"; exit $?', "parent", fill(script, names)],
        cwd=names["WORK"],
        env=os.environ | BAIT | {"HOME": names["HOME"]},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=sys.stderr if "DISPATCH_TEST_VERBOSE" in os.environ else subprocess.DEVNULL,
        text=True,
        errors="replace",
        check=False,
        timeout=60,
        **credentials,
    )
