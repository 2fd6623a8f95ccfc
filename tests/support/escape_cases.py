"""Reads the attacks on the sandbox and runs them, unconfined as a control and inside as the test.

A case is a table in `tests/hostile/escapes/*.toml`:

- `id`: its number in the catalogue the wall was designed against; a case without one was found since.
- `attack`: what runs inside, in `language` ("sh", the default, or "python"). `then` is a second call after it.
- `expect`: "deny", the default: it prints ESCAPED if, and only if, the abuse worked. "contain": it prints ESCAPED
  if, and only if, it got past its `limits`, and the run or the call must end as one of `ends` says. "allow": an
  ordinary act, which must print OK. "refuse": the wall must not come up, for one of the reasons in `ends`.
- `before`, `after`: run on the host around it. `beside`: run on the host as the same user while the box is still
  open; it prints ESCAPED if it was harmed. `harm`: run on the host afterwards; exit 0 means harm was done.
- `launcher = "killed"`: the launcher is killed when `beside` prints READY; `harm` must then cease to be found.
- `needs`: "landlock N": on a kernel with an older Landlock ABI the case is told, not judged.

Each case is tried unconfined first, where the attack must succeed, or it proves nothing:

- `control`: who tries: "ordinary", the default; "root"; "namespace", the ordinary user as root of namespaces of
  its own, whose loopback answers for every address; or "none: REASON", where no control can exist. Where the tests
  do not run as root, a case for root must print ROOT ONLY: it reached the kernel and lacked nothing but the user.
- `unconfined`: the shell line that runs the attack (`$ATTACK`) without a wall, where running it plainly is no
  fair trial: it lacks what a careless launcher would give it, or would hurt the machine.
- `lacking`: why some machines do not have what is attacked; only then may a control print ABSENT.

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
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

# What a launcher's environment may hold and no run may see.
BAIT = {"API_TOKEN": "CANARY", "SSH_AUTH_SOCK": "/run/canary.sock"}
FOLDER = Path(__file__).parent.parent / "hostile" / "escapes"
PATIENCE_S = 60
# A network of its own in which any address can be reached, and no packet leaves it.
_NAMESPACE = (
    "unshare --user --map-root-user --mount --net --ipc --uts --pid --fork --mount-proc bash -c "
    "'ip link set lo up && ip route add local default dev lo && bash -c \"$ATTACK\"'"
)


@dataclass(frozen=True, slots=True)
class Case:
    """One attack, or one ordinary act."""

    name: str
    attack: str
    topic: str = ""  # the file in which it stands
    id: str = ""
    language: str = "sh"
    expect: str = "deny"
    why: str = ""
    before: str = ""
    then: str = ""
    beside: str = ""
    after: str = ""
    harm: str = ""
    launcher: str = ""
    limits: Mapping[str, Any] = field(default_factory=dict)
    ends: tuple[str, ...] = ()
    control: str = "ordinary"
    unconfined: str = ""
    lacking: str = ""
    needs: str = ""

    @property
    def shares(self) -> bool:
        """Whether the case only asks the wall and changes nothing, so that it may share a box with its like."""
        own = (self.before, self.then, self.beside, self.after, self.harm, self.launcher, self.limits)
        return self.expect in ("deny", "allow") and not any(own)

    def command(self, names: Mapping[str, str]) -> str:
        """Return the attack as one shell command."""
        script = fill(self.attack, names)
        return script if self.language == "sh" else f"python3 -c {shlex.quote(script)}"

    def plainly(self) -> str:
        """Return the shell line that runs the attack without a wall."""
        usual = _NAMESPACE if self.control == "namespace" else 'bash -c "$ATTACK"'
        return self.unconfined or usual


def load() -> list[Case]:
    """Read every case; a field that is not known is an error of whoever wrote it."""
    cases = [
        Case(topic=file.stem, **{name: _value(value) for name, value in table.items()})
        for file in sorted(FOLDER.glob("*.toml"))
        for table in tomllib.loads(file.read_text(encoding="utf-8"))["case"]
    ]
    assert len({case.name for case in cases}) == len(cases)
    return cases


def _value(value: Any) -> Any:
    if isinstance(value, str):
        return value.strip("\n")
    return tuple(value) if isinstance(value, list) else value


def fill(script: str, names: Mapping[str, str]) -> str:
    """Put the names of one ground into a script."""
    for name, value in names.items():
        script = script.replace(f"@{name}@", value)
    return script


def on_the_host(
    script: str,
    names: Mapping[str, str],
    credentials: Mapping[str, Any] = MappingProxyType({}),
    attack: str = "",
) -> subprocess.CompletedProcess[str]:
    """Run a script unconfined, as another user if `credentials` say so."""
    return subprocess.run(
        # A shell between, so that the parent a script attacks is a process of the same user, as it is inside.
        ["bash", "-c", 'bash -c "$1"; exit $?', "parent", fill(script, names)],
        cwd=names["WORK"] if os.path.isdir(names["WORK"]) else "/",
        env=os.environ | BAIT | {"HOME": names["HOME"], "ATTACK": attack},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=sys.stderr if "DISPATCH_TEST_VERBOSE" in os.environ else subprocess.DEVNULL,
        text=True,
        errors="replace",
        check=False,
        timeout=PATIENCE_S,
        **credentials,
    )
