"""The README's first dispatch by hand, exactly as it stands there, on a terminal, with a person at the keys.

What changes is only what a person would change: the home directory, and the port of the broker.
"""

import os
import pty
import re
import select
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parents[2]
SCALE = float(os.environ.get("DISPATCH_TEST_TIME_SCALE", "1"))
FENCE = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
END = "set +e; exec >/dev/null 2>&1; alice daemon stop; bob daemon stop; kill %1; wait"


class Screen:
    """A shell script on a terminal: `read_until` what it shows, `press` keys."""

    def __init__(self, script: str, home: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DISPATCH_")}
        settings = {"HOME": str(home), "TERM": "xterm", "COLUMNS": "200", "NO_COLOR": "1"}
        self._descriptor, theirs = pty.openpty()
        self._process = subprocess.Popen(
            ["bash", "-c", script], stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT, env=kept | settings
        )
        os.close(theirs)
        self._unread = ""

    def read_until(self, pattern: str) -> re.Match[str]:
        """Return the first match of a pattern; what was shown up to its end is forgotten."""
        deadline = time.monotonic() + 30 * SCALE
        while (match := re.search(pattern, self._unread)) is None:
            ready = select.select([self._descriptor], [], [], max(0.0, deadline - time.monotonic()))[0]
            assert ready, f"{pattern!r} was never shown:\n{self._unread}"
            self._unread = ESCAPES.sub("", self._unread + self._read()).replace("\r", "")
        self._unread = self._unread[match.end() :]
        return match

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self._descriptor, keys.encode())

    def end(self) -> int:
        """Let the script end and return its exit code."""
        return self._process.wait(timeout=30 * SCALE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(
            self._descriptor
        )  # whatever still reads from it fails, and so the script's own clean-up runs
        self._process.wait(timeout=30 * SCALE)

    def _read(self) -> str:
        try:
            return os.read(self._descriptor, 65536).decode(errors="replace")
        except OSError as gone:
            raise AssertionError(f"the script ended early:\n{self._unread}") from gone


def as_script(readme: str) -> str:
    """Make one script of the README's two passages, which asks its reader for the token and the id."""
    once, dispatch = FENCE.findall(readme.partition("## The first dispatch by hand")[2])[:2]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    once = once.replace("scripts/setup && ", "").replace("127.0.0.1:8000", address)
    once = once.replace("serve --dev", f"serve --dev --listen {address}")
    lines = []
    for line in dispatch.splitlines():
        names = re.findall(r"\b(TOKEN|ID)\b", line.partition("#")[0])
        lines += [f"[ -n \"${{{name}-}}\" ] || read -r -p '{name}? ' {name}" for name in names]
        lines.append(re.sub(r"\b(TOKEN|ID)\b", r'"$\1"', line))
    return "\n".join(["set -e", f"trap '{END}' EXIT", once, *lines])


def test_the_first_dispatch_by_hand_goes_as_the_readme_says(place: Path) -> None:
    with Screen(as_script((ROOT / "README.md").read_text()), place) as screen:
        token = screen.read_until(r"dispatch1:[^\s']+").group()
        screen.read_until(r"TOKEN\? ")
        screen.press(f"{token}\n")
        identifier = screen.read_until(r"dispatch watch ([0-9a-f]{8})").group(1)
        screen.read_until(r"ID\? ")
        assert (place / "walk/notes/hello.txt").read_text() == "Helo, Bob.\n"
        screen.press(f"{identifier}\n")
        for _ in ("Read", "Edit"):
            screen.read_until(r"Allow once \[o\]")
            screen.press("o")
            screen.read_until("allowed once")
        screen.read_until(r"\+Hello, Bob\.")
        assert (place / "walk/notes/hello.txt").read_text() == "Helo, Bob.\n"
        screen.read_until(r"Apply \[y\]")
        screen.press("y")
        screen.read_until(r"Done\.")
        assert screen.end() == 0
    assert (place / "walk/notes/hello.txt").read_text() == "Hello, Bob.\n"
