"""The demonstration: two people, a broker between them, one real task on a real Git repository.

Everything here is done with the commands a person would type; nothing is imported from the product. Alice's
and Bob's daemons are separate processes with separate homes, and meet only through the broker. Bob's answers
are given by this script, after showing what he would see. Exit 0 only if the result came back, verified, and
the repository changed exactly as the result says, or not at all where Bob said no.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo_repository import DemoError, changed_files, choose_file, git, prepare, steps_for

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
ALICE, BOB = "alice@example.org", "bob@example.org"
PATIENCE_S = 60.0
ENDED = {"completed", "failed", "refused", "declined", "expired", "cancelled", "conflict"}


class AskedToEnd(Exception):  # noqa: N818 - no error: Ctrl-C, a closed terminal, a kill
    """Somebody ended the demonstration before its end."""


class Ending:
    """Remembers a signal that ends us. It is heeded between commands, so that no daemon is left half started."""

    number = 0
    heeded = False

    def ask(self, number: int, frame: object) -> None:
        """Take the signal; a second one does not disturb what cleans up."""
        del frame
        self.number = self.number or number

    def heed(self) -> None:
        """Raise AskedToEnd, once, if a signal came."""
        if self.number and not self.heeded:
            self.heeded = True
            raise AskedToEnd


ENDING = Ending()


def say(text: str = "") -> None:
    """Print one line of the story at once."""
    print(text, flush=True)


def heading(text: str) -> None:
    """Begin a chapter."""
    say(f"\n── {text} " + "─" * max(0, 76 - len(text)))


@dataclass
class Person:
    """One of the two: a name, an address and a home of its own."""

    name: str
    address: str
    home: Path
    shown: bool = field(default=True)

    def dispatch(
        self, *arguments: str, ok: Sequence[int] = (0,), quiet: bool = False, title: str = ""
    ) -> str:
        """Type a command as this person, show it with its output, and return standard output."""
        if not quiet:
            say(f"{self.name.lower()} $ dispatch {title or ' '.join(_quoted(word) for word in arguments)}")
        done = subprocess.run(
            [BIN / "dispatch", *arguments],
            env=environment() | {"DISPATCH_HOME": str(self.home), "DISPATCH_LOCAL_PORT": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
            process_group=0,  # Ctrl-C on this terminal is for us: what a command has begun, it ends
        )
        ENDING.heed()
        if not quiet:
            for line in (done.stdout + done.stderr).splitlines():
                say(f"  {line}")
        if done.returncode not in ok:
            raise DemoError(
                f"dispatch {arguments[0]} ended with {done.returncode}: {done.stderr or done.stdout}"
            )
        return done.stdout

    def ask(self, *arguments: str, ok: Sequence[int] = (0,)) -> Any:
        """Type a command with --json, quietly, and return its one document."""
        return json.loads(self.dispatch(*arguments, "--json", ok=ok, quiet=True))


def environment() -> dict[str, str]:
    """Return the environment for every program here: this person's settings must not leak in."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DISPATCH_")}
    # Two homes would share one keychain, and a demonstration leaves nothing behind: keys go to files.
    return kept | {"DISPATCH_KEY_BACKEND": "file", "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"}


def _quoted(word: str) -> str:
    return word if word and all(char.isalnum() or char in "-_./:,@#=" for char in word) else "'" + word + "'"


def start_broker(directory: Path, end: contextlib.ExitStack) -> tuple[str, int]:
    """Start a broker in development mode on a free port, ended by `end`; returns its address and its process id."""
    log = directory / "broker.log"
    serve = [str(BIN / "dispatch-broker"), "serve", "--listen", "127.0.0.1:0", "--dev"]
    process = subprocess.Popen(
        [*serve, "--data", str(directory / "broker")],
        stdout=subprocess.PIPE,
        stderr=log.open("w"),
        text=True,
        env=environment(),
        start_new_session=True,
    )
    end.callback(process.wait, timeout=20)
    end.callback(process.send_signal, signal.SIGTERM)
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if not line.startswith("listening on "):
        raise DemoError(f"the broker did not start; it said: {log.read_text()[-500:]}")
    return line.removeprefix("listening on "), process.pid


# -- the story -------------------------------------------------------------------------------------------


def meet(alice: Person, bob: Person, url: str, repository: Path) -> None:
    """Sign both in, and let Bob grant Alice work in one repository."""
    heading("Two people sign in. Each has a daemon and keys of their own.")
    for person in (alice, bob):
        person.dispatch("login", "--broker", url, "--email", person.address, "--dev")
    heading("Alice asks for permission to send Bob tasks. Bob chooses what they may do.")
    invitation = alice.ask("invite", bob.address, "--link-only")
    alice.dispatch("invitations")
    bob.dispatch(
        "accept-invitation",
        invitation["token"],
        "--tools",
        "Read,Glob,Grep,Edit,Bash",
        "--paths",
        f"{repository}:rw",
        title=f"accept-invitation 'dispatch1:…' --tools Read,Glob,Grep,Edit,Bash --paths {repository}:rw",
    )
    until("the edge is in force", lambda: _edge_status(alice, "outgoing") == "active")
    until("both sides know it", lambda: _edge_status(bob, "incoming") == "active")


def _edge_status(person: Person, direction: str) -> str | None:
    edges = person.ask("contacts")["edges"]
    return next((edge["status"] for edge in edges if edge["direction"] == direction), None)


def until(what: str, condition: Any) -> Any:
    """Poll until a condition holds, and return it."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise DemoError(f"waited in vain: {what}")


def send(alice: Person, directory: Path, name: str, line: str) -> str:
    """Send the task and return its id."""
    heading("Alice describes a task and names Bob. It is signed, sealed and carried.")
    steps = directory / "steps.json"
    steps.write_text(json.dumps(steps_for(name, line), indent=2), encoding="utf-8")
    task = f"Look at how this repository stands, and leave a line about it in {name}."
    sent = alice.ask("send", BOB, task, "--steps", str(steps), "--deliverable", f"one line more in {name}")
    alice.dispatch("sent")
    return str(sent["dispatch_id"])


def answer(bob: Person, dispatch_id: str, said: str) -> None:
    """Let Bob look at the task and decide; every question is shown, then answered."""
    heading("Bob's machine has verified who signed it. Nothing runs until Bob says so.")
    until("the task is with Bob", lambda: bob.ask("inbox")["dispatches"])
    bob.dispatch("inbox")
    bob.dispatch("status", dispatch_id[:8])
    if said == "decline":
        bob.dispatch("decline", dispatch_id[:8], "--reason", "not today")
        return
    bob.dispatch("accept", dispatch_id[:8], "--detach")
    answered: set[str] = set()
    while True:
        state = until("a question or the end", lambda: _question_or_end(bob, dispatch_id, answered))
        if "request_id" not in state:
            return
        answered.add(state["request_id"])
        show_question(state)
        verb = ["approve"] if said == "approve" else ["deny", "--reason", "the demonstration says no"]
        bob.dispatch(verb[0], state["request_id"][:8], *verb[1:])


def _question_or_end(bob: Person, dispatch_id: str, answered: set[str]) -> Any:
    for question in bob.ask("approvals")["approvals"]:
        if question["dispatch_id"] == dispatch_id and question["request_id"] not in answered:
            return question
    state = bob.ask("status", dispatch_id)
    return state if state["status"] in ENDED else None


def show_question(question: dict[str, Any]) -> None:
    """Print a question as Bob would see it: the whole of it, verbatim."""
    say(f"\n▸ {question['title']}" + "".join(f"  [{flag}]" for flag in question["flags"]))
    if question["kind"] == "tool":
        for line in json.dumps(question["input"], indent=2, ensure_ascii=False).splitlines():
            say(f"  │ {line}")
        return
    for diff in question["payload"]["diffs"]:
        for line in diff["text"].splitlines():
            say(f"  │ {line}")


def conclude(
    alice: Person, bob: Person, dispatch_id: str, repository: Path, said: str, before: set[str]
) -> None:
    """Wait at Alice's side, show what came back, verify it, and compare it with the repository."""
    heading("What came back to Alice")
    state = until("Alice knows how it ended", lambda: _ended(alice, dispatch_id))
    alice.dispatch("result", dispatch_id[:8])
    result = alice.ask("result", dispatch_id)
    heading("The evidence, checked without daemon or broker")
    alice.dispatch("verify", result["bundle"])
    verdict = alice.ask("verify", result["bundle"])
    changed = changed_files(repository) - before
    told = {os.path.relpath(change["path"], repository) for change in state["changeset"]}
    wanted = {"approve": "completed", "deny": "failed", "decline": "declined"}[said]
    if not verdict["ok"] or state["status"] != wanted:
        raise DemoError(f"the dispatch is {state['status']} (expected {wanted}), verified: {verdict['ok']}")
    if changed != told or bool(changed) != (said == "approve"):
        raise DemoError(f"the repository changed in {sorted(changed)}, the result says {sorted(told)}")
    heading("In the repository")
    say(
        "\n".join(f"  {line}" for line in git(repository, "diff", "--stat").splitlines())
        or "  nothing changed"
    )
    for person in (alice, bob):
        status = person.ask("status", dispatch_id)["status"]
        say(f"  {person.name} sees: {status}")


def _ended(person: Person, dispatch_id: str) -> Any:
    state = person.ask("status", dispatch_id)
    return state if state["status"] in ENDED else None


def run(options: argparse.Namespace, directory: Path) -> None:
    """Tell the whole story once; only one that ended well is left running, if that was asked for."""
    repository = prepare(options.repo or ROOT, directory, in_place=options.in_place)
    before = changed_files(repository)
    alice = Person("Alice", ALICE, directory / "alice")
    bob = Person("Bob", BOB, directory / "bob")
    with contextlib.ExitStack() as end:
        url, pid = start_broker(directory, end)
        for person in (alice, bob):
            end.callback(person.dispatch, "daemon", "stop", ok=(0, 1, 5), quiet=True)
        meet(alice, bob, url, repository)
        dispatch_id = send(alice, directory, *choose_file(repository))
        answer(bob, dispatch_id, options.answer)
        conclude(alice, bob, dispatch_id, repository, options.answer, before)
        if not options.keep:
            return
        end.pop_all()
    heading("Everything is still running. Use it as either of the two:")
    for person in (alice, bob):
        say(f"  DISPATCH_HOME={person.home} DISPATCH_KEY_BACKEND=file {BIN / 'dispatch'} inbox")
    say(f"  broker {url}, repository {repository}")
    say(f"  end it with `dispatch daemon stop` in both homes and `kill {pid}`, then remove {directory}")


def main() -> int:
    """Read the options, run, clean up, and say how it went."""
    parser = argparse.ArgumentParser(
        prog="scripts/demo", description=(__doc__ or "").split("\n", maxsplit=1)[0]
    )
    parser.add_argument(
        "--repo", type=Path, metavar="DIR", help="a Git repository (default: a copy of this one)"
    )
    parser.add_argument("--in-place", action="store_true", help="work on it, not on a copy")
    parser.add_argument("--keep", action="store_true", help="leave everything running, and say how to use it")
    parser.add_argument(
        "--answer",
        choices=["approve", "deny", "decline"],
        default="approve",
        help="what Bob says (default: approve)",
    )
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, ENDING.ask)
    directory = Path(tempfile.mkdtemp(prefix="dispatch-demo-"))
    started = time.monotonic()
    kept = False
    try:
        run(options, directory)
        kept = options.keep
    except (DemoError, subprocess.TimeoutExpired) as error:
        say(f"\nThe demonstration failed: {error}")
        for log in sorted(directory.glob("*/daemon.log")):
            say(f"\n{log.parent.name}'s daemon said last:\n" + "\n".join(log.read_text().splitlines()[-8:]))
        return 1
    except AskedToEnd:
        with contextlib.suppress(OSError):  # the terminal may be gone
            say("\nInterrupted.")
        return 128 + ENDING.number
    finally:
        if not kept:
            shutil.rmtree(directory, ignore_errors=True)
    say(
        f"\nDone in {time.monotonic() - started:.1f} s: signed, sealed, confined, approved, applied once, verified."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
