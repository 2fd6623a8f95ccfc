"""`watch`: the present state, then what changes, until the dispatch ends; one object a line with `--json`."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import door_documents as documents
from tests.support.dispatch_command import Terminal, command, dispatch, environment
from tests.support.door_documents import ID
from tests.support.scripted_daemon import Script
from tests.support.scripted_run import ScriptedRun


@pytest.fixture
def run(door: Script) -> ScriptedRun:
    """A run that is on its way."""
    story = ScriptedRun(door, [], documents.whole(status="running", runs=[documents.run()]))
    door.on("GET", "/v1/dispatches/4f2a", lambda _: (200, dict(story.state)))
    story.log("tool_call", call_id="1", tool="Read", input={"file_path": "/srv/api/a.py"})
    return story


class Lines:
    """The JSON lines of a running command, one after the other."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._output = process.stdout
        self.process = process

    def next(self) -> documents.Json:
        assert self._output is not None
        found: documents.Json = json.loads(self._output.readline())
        return found


@contextmanager
def watching(home: Path, *arguments: str) -> Iterator[Lines]:
    process = subprocess.Popen(
        command("watch", *arguments, "--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(home),
    )
    try:
        yield Lines(process)
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def test_each_line_is_one_object_and_the_last_is_the_end(run: ScriptedRun, home: Path) -> None:
    with watching(home, "4f2a") as lines:
        first = lines.next()
        assert (first["type"], first["dispatch_id"], first["status"]) == ("snapshot", ID, "running")
        run.log("tool_result", call_id="1", ok=True, output="x", truncated=False)
        run.tell()
        told = lines.next()
        assert (told["type"], told["event"]["type"], told["event"]["seq"]) == ("event", "tool_result", 2)
        run.questions.append(documents.approval())
        run._next()
        assert lines.next()["approval"]["request_id"] == documents.REQUEST_ID
        assert lines.next()["status"] == "waiting_approval"
        run.end(status="completed", outcome="success")
        last = lines.next()
        assert (last["type"], last["status"], last["outcome"]) == ("status", "completed", "success")
        assert lines.process.wait(timeout=20) == 0


def test_a_finished_one_is_shown_and_left(door: Script, home: Path) -> None:
    door.answer("GET", f"/v1/dispatches/{ID}", documents.finished())
    ended = dispatch(home, "watch", ID)
    assert ended.code == 0
    assert ended.out.startswith(
        "4f2a91c0 · Alice (token) → bob@example.org (token) · completed\n  │ Which tests"
    )
    assert "Done. It took 48 s." in ended.out
    door.answer("GET", f"/v1/dispatches/{ID}", documents.whole(status="failed", outcome="failed"))
    assert dispatch(home, "watch", ID).code == 0
    assert dispatch(home, "watch", ID, "--json").json["type"] == "snapshot"


def test_a_stream_that_breaks_is_opened_again(run: ScriptedRun, home: Path) -> None:
    with watching(home, ID) as lines:
        lines.next()
        run.script.break_off()
        run.log("applied")
        assert lines.next()["event"]["type"] == "applied"
        run.end(status="completed", outcome="success")
        run.script.break_off()
        assert lines.next()["status"] == "completed"


def test_a_stream_that_always_breaks_is_a_failure(door: Script, home: Path) -> None:
    door.answer("GET", f"/v1/dispatches/{ID}", documents.whole(status="running"))
    door.answer("GET", "/v1/events", {})
    ended = dispatch(home, "watch", ID)
    assert ended.code == 5
    assert "the answer is no stream of events" in ended.err


def test_an_unknown_dispatch_is_not_watched(door: Script, home: Path) -> None:
    assert dispatch(home, "watch", "beef").code == 6


def test_on_a_terminal_the_run_unfolds(run: ScriptedRun, home: Path) -> None:
    with Terminal(home, "watch", ID) as terminal:
        terminal.expect("▸ Read  /srv/api/a.py")
        terminal.expect("running · watching for")
        run.log("message", text="I found \u202ethree.")
        run.log(
            "tool_result", call_id="1", ok=False, output="line\n" * 9 + "boom", truncated=True, exit_code=2
        )
        run.tell()
        terminal.expect("│ I found ⟨U+202E⟩three.")
        terminal.expect("│ … 4 lines before (cut where it was too long)")
        terminal.expect("✗ failed: exit code 2")
        run.questions.append(documents.approval(flags=["runs later when you type make"]))
        run._next()
        terminal.expect("allow it with   dispatch approve 0badc0de")
        run.end(status="cancelled")
        terminal.expect("Cancelled.")
        assert terminal.end() == 0


def test_everything_is_followed_until_interrupted(door: Script, home: Path) -> None:
    rows = [documents.listed()]
    asked: list[documents.Json] = []
    pages = {"dispatches": rows, "next": None}
    door.on(
        "GET",
        "/v1/dispatches",
        lambda request: (200, pages if "inbox" in request.query else {"dispatches": []}),
    )
    door.on("GET", "/v1/approvals", lambda _: (200, {"approvals": list(asked)}))
    with watching(home, "--all") as lines:
        assert lines.next() == documents.listed(type="status", box="inbox")
        rows[0] = documents.listed(status="running")
        asked.append(documents.approval())
        door.tell("change", {})
        told = {line["type"]: line for line in (lines.next(), lines.next())}
        assert told["status"]["status"] == "running"
        assert told["approval"] == documents.approval(type="approval")
    with Terminal(home, "watch", "--all") as terminal:
        terminal.expect("4f2a91c0   Alice (token)")
        terminal.expect("dispatch approve 0badc0de")
        # CPython ends by the signal itself, which a shell calls 130 too, if it comes while a module is loaded.
        terminal.expect("Ctrl-C leaves", after="deny it with")
        terminal.press("\x03")
        assert terminal.end() == 130
