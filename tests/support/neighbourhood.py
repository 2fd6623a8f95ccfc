"""A broker and people with daemons of their own, as real processes on this machine.

Everything is driven through the `dispatch` command and watched through its JSON, as a person's script would.
Programs are ended by the process id they were started with, never by name.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.dispatch_command import Ended, dispatch, environment
from tests.support.patience import poll

ENDED = frozenset({"completed", "failed", "refused", "declined", "expired", "cancelled", "conflict"})
_READY = "listening on "


@dataclass
class Program:
    """One process that says `listening on URL` when it is ready."""

    arguments: list[str]
    home: Path
    log: Path
    environ: dict[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[str] | None" = None
    url: str = ""

    def start(self) -> str:
        """Start it and wait until it is ready; returns its address."""
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                self.arguments,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment(self.home, DISPATCH_KEY_BACKEND="file", **self.environ),
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        assert line.startswith(_READY), f"{self.arguments} did not start:\n{self.log.read_text()}"
        self.url = line.removeprefix(_READY)
        return self.url

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """End it in order; returns its exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        process, self.process = self.process, None
        if process is None:
            return 0
        process.send_signal(number)
        code = process.wait(timeout=30)
        assert process.stdout is not None
        process.stdout.close()
        return code


class Broker(Program):
    """A broker in development mode; after the first start it keeps its port."""

    def __init__(self, directory: Path, *, module: str = "dispatch_broker") -> None:
        self.data = directory / "broker"
        self.module = module
        super().__init__(self._arguments("127.0.0.1:0"), directory, directory / "broker.log")

    def _arguments(self, listen: str) -> list[str]:
        return [
            *(sys.executable, "-m", self.module, "serve", "--listen", listen),
            *("--data", str(self.data), "--dev"),
        ]

    def start(self) -> str:
        """Start it; a restart listens where it listened before."""
        url = super().start()
        self.arguments = self._arguments(url.removeprefix("http://"))
        return url


class Person:
    """One person with one home and one daemon."""

    def __init__(self, name: str, directory: Path, *, module: str = "dispatch_daemon") -> None:
        self.name = name
        self.address = f"{name}@example.org"
        self.home = directory / name
        self.home.mkdir(mode=0o700)
        self.daemon = self.program(self.home, module, directory / f"{name}.log")

    @staticmethod
    def program(home: Path, module: str, log: Path) -> Program:
        """Return a daemon of a home, not started yet."""
        arguments = [sys.executable, "-m", module, "run", "--home", str(home), "--local-port", "0"]
        return Program(arguments, home, log)

    def try_(self, *arguments: str, stdin: bytes = b"", cwd: Path | None = None) -> Ended:
        """Type a command and return how it ended."""
        return dispatch(
            self.home, *arguments, stdin=stdin, cwd=cwd, DISPATCH_KEY_BACKEND="file", DISPATCH_LOCAL_PORT="0"
        )

    def do(self, *arguments: str, stdin: bytes = b"", code: int = 0, cwd: Path | None = None) -> Any:
        """Type a command with --json that must end with `code`, and return its document."""
        ended = self.try_(*arguments, "--json", stdin=stdin, cwd=cwd)
        assert ended.code == code, f"{self.name}: {arguments} ended with {ended.code}\n{ended.out}{ended.err}"
        return json.loads(ended.out)

    def login(self, url: str) -> None:
        """Sign in at a broker in development mode."""
        self.do("login", "--broker", url, "--email", self.address, "--dev")

    def status(self, dispatch_id: str) -> dict[str, Any]:
        """Return everything this person's machine knows of a dispatch."""
        state: dict[str, Any] = self.do("status", dispatch_id)
        return state

    def until(self, dispatch_id: str, *words: str) -> dict[str, Any]:
        """Wait until a dispatch shows one of these statuses."""

        def reached() -> dict[str, Any] | None:
            state = self.status(dispatch_id)
            return state if state["status"] in words else None

        return poll(reached, f"{self.name} sees {dispatch_id[:8]} {' or '.join(words)}")

    def receives(self, dispatch_id: str) -> None:
        """Wait until a dispatch stands in the inbox."""
        poll(
            lambda: [each for each in self.do("inbox")["dispatches"] if each["dispatch_id"] == dispatch_id],
            f"{self.name} receives {dispatch_id[:8]}",
        )

    def question(self, dispatch_id: str) -> dict[str, Any]:
        """Wait for the next open question of a dispatch."""
        asked: list[dict[str, Any]] = poll(
            lambda: [
                each for each in self.do("approvals")["approvals"] if each["dispatch_id"] == dispatch_id
            ],
            f"{self.name} is asked about {dispatch_id[:8]}",
        )
        return asked[0]

    def approve_all(self, dispatch_id: str) -> dict[str, Any]:
        """Answer every question with yes until the dispatch has ended."""
        answered: set[str] = set()

        def ended() -> dict[str, Any] | None:
            for each in self.do("approvals")["approvals"]:
                if each["dispatch_id"] == dispatch_id and each["request_id"] not in answered:
                    answered.add(each["request_id"])
                    self.do("approve", each["request_id"])
            state = self.status(dispatch_id)
            return state if state["status"] in ENDED else None

        return poll(ended, f"{dispatch_id[:8]} ends")


class Neighbourhood:
    """Alice, Bob and the broker between them."""

    def __init__(self, directory: Path, *, daemon_module: str = "dispatch_daemon") -> None:
        self.directory = directory
        self.broker = Broker(directory)
        self.alice = Person("alice", directory, module=daemon_module)
        self.bob = Person("bob", directory, module=daemon_module)

    @property
    def programs(self) -> list[Program]:
        return [self.broker, self.alice.daemon, self.bob.daemon]

    def open(self) -> None:
        """Start everything and sign both in."""
        url = self.broker.start()
        for person in (self.alice, self.bob):
            person.daemon.start()
            person.login(url)

    def close(self) -> None:
        """End whatever still runs, daemons first."""
        for program in reversed(self.programs):
            program.stop()

    def befriend(self, *scopes: str) -> str:
        """Let Bob accept an invitation of Alice's under these scopes; returns the edge's id."""
        token = self.alice.do("invite", self.bob.address, "--link-only")["token"]
        edge: str = self.bob.do("accept-invitation", token, *scopes)["edge_id"]
        for person in (self.alice, self.bob):
            poll(
                lambda person=person: [
                    each
                    for each in person.do("contacts")["edges"]
                    if each["edge_id"] == edge and each["status"] == "active"
                ],
                f"{person.name} sees the edge in force",
            )
        return edge

    def send(self, task: str, steps: Sequence[dict[str, Any]] | None = None, *more: str) -> str:
        """Let Alice send Bob a task; returns its id once it stands in his inbox."""
        arguments = ["send", self.bob.address, task, *more]
        if steps is not None:
            path = self.directory / "steps.json"
            path.write_text(json.dumps(steps))
            arguments += ["--steps", str(path)]
        dispatch_id: str = self.alice.do(*arguments)["dispatch_id"]
        self.bob.receives(dispatch_id)
        return dispatch_id


def make_repository(directory: Path, files: dict[str, str]) -> Path:
    """Make a Git repository with these files committed."""
    directory.mkdir(parents=True)
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(directory, "init", "--quiet")
    git(directory, "add", "--all")
    git(directory, "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "--quiet", "-m", "first")
    return directory


def git(repository: Path, *arguments: str) -> str:
    """Run git in a repository, without anybody's settings."""
    settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    done = subprocess.run(
        ["git", "-C", str(repository), *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | settings,
    )
    return done.stdout


def changed(repository: Path) -> set[str]:
    """Return the files that differ from the last commit."""
    return {entry[3:] for entry in git(repository, "status", "--porcelain", "-z").split("\0") if entry}


def edit(name: str, old: str, new: str) -> dict[str, Any]:
    """Return a step that replaces text in a file."""
    return {"tool": "Edit", "input": {"file_path": name, "old_string": old, "new_string": new}}


def bash(command: str, **more: Any) -> dict[str, Any]:
    """Return a step that runs a command."""
    return {"tool": "Bash", "input": {"command": command}, **more}


def read(name: str) -> dict[str, Any]:
    """Return a step that reads a file."""
    return {"tool": "Read", "input": {"file_path": name}}
