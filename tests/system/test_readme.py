"""The README's walk, exactly as it stands there, on a terminal, with a person at the keys.

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

from tests.support.model_server import model_server_beside

ROOT = Path(__file__).resolve().parents[2]
SCALE = float(os.environ.get("DISPATCH_TEST_TIME_SCALE", "1"))
FENCE = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
END = "set +e; exec >/dev/null 2>&1; dispatch daemon stop; alice daemon stop; bob daemon stop; kill %1; wait"


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


def as_script(readme: str, broker: str, model: str) -> str:
    """Make one script of the README's walk, which asks its reader for what was printed: tokens and ids."""
    walk = readme.partition("## A first task, to yourself")[2].partition("## On a page")[0]
    passages = "".join(FENCE.findall(walk)).replace("scripts/setup && ", "")
    passages = passages.replace("127.0.0.1:8000", broker).replace("http://127.0.0.1:11434", model)
    lines = []
    for line in passages.replace("serve --dev", f"serve --dev --listen {broker}").splitlines():
        command, _, comment = line.partition("#")
        lines += [
            f"unset {name}" for name in ("TOKEN", "ID") if re.search(f"prints an? {name.lower()}", comment)
        ]
        names = re.findall(r"\b(TOKEN|ID)\b", command)
        lines += [f"[ -n \"${{{name}-}}\" ] || read -r -p '{name}? ' {name}" for name in names]
        lines.append(re.sub(r"\b(TOKEN|ID)\b", r'"$\1"', command))
        lines += ["read -r -p 'Go on? '"] if command.rstrip().endswith("&") else []
    return "\n".join(["set -e", f"trap '{END}' EXIT", *lines])


def accept(screen: Screen, file: Path, *tools: str) -> None:
    """Type the id that `send` showed, allow each call, and apply the difference; nothing changes before."""
    identifier = screen.read_until(r"dispatch (?:watch|accept) ([0-9a-f]{8})").group(1)
    screen.read_until(r"ID\? ")
    before = file.read_text()
    screen.press(f"{identifier}\n")
    for _ in tools:
        screen.read_until(r"Allow once \[o\]")
        screen.press("o")
        screen.read_until("allowed once")
    screen.read_until(r"Apply \[y\]")
    assert file.read_text() == before
    screen.press("y")
    screen.read_until(r"Done\.")


def test_the_walk_goes_as_the_readme_says(place: Path) -> None:
    mine, his = place / "walk/mine/hello.txt", place / "walk/notes/hello.txt"
    greeting = {"file_path": "hello.txt", "old_string": "Hello", "new_string": "Good morning"}
    with model_server_beside() as model:
        model.unscripted = [[{"tool": "Edit", "input": greeting}], ["I wished him a good morning."]]
        broker = free_address()
        with Screen(as_script((ROOT / "README.md").read_text(), broker, model.url), place) as screen:
            accept(screen, mine, "Read", "Edit")
            assert mine.read_text() == "Hello, Bob.\n"

            screen.read_until(r"listening on http://[0-9.]+:[0-9]+\n")  # before or after the prompt
            screen.press("\n")
            token = screen.read_until(r"dispatch1:[^\s']+").group()
            screen.read_until(r"TOKEN\? ")
            screen.press(f"{token}\n")
            accept(screen, his, "Read", "Edit")
            assert his.read_text() == "Hello, Bob.\n"

            accept(screen, his, "Edit")
            assert his.read_text() == "Good morning, Bob.\n"
            screen.read_until("I wished him a good morning")
            assert screen.end() == 0


def free_address() -> str:
    """Return an address on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def test_it_takes_three_commands_for_oneself_and_eight_for_two() -> None:
    sections = (ROOT / "README.md").read_text().split("\n## ")
    for title, count in (("A first task, to yourself", 3), ("Two people", 8)):
        (section,) = [each for each in sections if each.startswith(title)]
        assert len(FENCE.findall(section)[1].splitlines()) == count
