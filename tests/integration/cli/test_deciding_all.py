"""`inbox -i`: what waits, shown whole, one after the other; Enter skips and changes nothing."""

from pathlib import Path

import pytest

from dispatch_cli.commands import deciding
from dispatch_cli.render.question import choices
from tests.support import door_documents as documents
from tests.support.dispatch_command import Terminal, dispatch
from tests.support.door_documents import ID
from tests.support.scripted_daemon import Script
from tests.support.scripted_run import ScriptedRun

OTHER = "0badc0de-0000-8000-8000-00000000000b"


def waits(door: Script, *dispatches: documents.Json) -> None:
    """Let the inbox hold these, newest first, beside one that was decided long ago."""
    done = documents.listed(dispatch_id="0badc0de-0000-8000-8000-00000000000c", status="completed")
    door.answer("GET", "/v1/dispatches", {"dispatches": [*dispatches, done], "next": None})
    for one in dispatches:
        door.answer("GET", f"/v1/dispatches/{one['dispatch_id']}", documents.whole(**one))


def press(terminal: Terminal, about: str, key: str) -> None:
    """Press a key once the question about a dispatch stands: what was typed before it would not count."""
    terminal.expect("Next [N]", after=about)
    terminal.press(key)


def test_an_empty_inbox_says_so(door: Script, home: Path) -> None:
    waits(door)
    with Terminal(home, "inbox", "-i") as terminal:
        assert terminal.end() == 0
    assert terminal.plain == "Nothing waits for your answer.\n"


@pytest.mark.parametrize("key", ["\n", "n"])
def test_enter_skips_the_oldest_first_and_nothing_is_decided(door: Script, home: Path, key: str) -> None:
    newer = documents.listed(dispatch_id=OTHER, task="the newer one", status="delivered")
    older = documents.listed(dispatch_id=ID, task="the older one", status="delivered")
    waits(door, newer, older)
    with Terminal(home, "inbox", "-i") as terminal:
        terminal.expect("the older one")
        terminal.expect("1 of 2")
        assert "the newer one" not in terminal.plain
        press(terminal, "1 of 2", key)
        terminal.expect("the newer one")
        terminal.expect("2 of 2")
        press(terminal, "2 of 2", "q")
        terminal.expect("2 dispatches still wait for you.")
        assert terminal.end() == 0
    assert {request.method for request in door.requests} == {"GET"}


def test_one_is_declined_and_the_next_accepted_and_followed(door: Script, home: Path) -> None:
    older = documents.listed(dispatch_id=OTHER, task="the older one", status="delivered")
    waits(door, documents.listed(status="delivered"), older)
    run = ScriptedRun(door, [documents.approval()])
    door.answer("POST", f"/v1/dispatches/{OTHER}/decline", {"dispatch_id": OTHER, "status": "declined"})
    with Terminal(home, "inbox", "-i") as terminal:
        press(terminal, "1 of 2", "d")
        terminal.expect("declined; the author is told")
        press(terminal, "2 of 2", "b")
        terminal.expect("Deny [D]")
        terminal.press("o")
        terminal.expect("Done. It took 48 s.")
        terminal.expect("1 dispatch still waits for you.")
        assert terminal.end() == 0
    assert run.answers == [{"decision": "approve", "dispatch_id": ID, "by": "cli", "grant": "once"}]


def test_a_refusal_is_told_and_the_next_one_is_asked_all_the_same(door: Script, home: Path) -> None:
    older = documents.listed(dispatch_id=OTHER, task="the older one", status="delivered")
    waits(door, documents.listed(task="the newer one", status="delivered"), older)
    door.refuse("POST", f"/v1/dispatches/{OTHER}/accept", "no_sandbox", "this machine has no sandbox")
    with Terminal(home, "inbox", "-i") as terminal:
        press(terminal, "1 of 2", "b")
        terminal.expect("Not accepted: this machine has no sandbox.")
        terminal.expect("the newer one")
        press(terminal, "2 of 2", "q")
        terminal.expect("2 dispatches still wait for you.")
        assert terminal.end() == 0


def test_a_run_that_was_left_is_gone_back_to_and_its_questions_are_answered(door: Script, home: Path) -> None:
    waits(door, documents.listed(status="waiting_approval"))
    run = ScriptedRun(door, [documents.approval()])
    run.begin()
    with Terminal(home, "inbox", "-i") as terminal:
        terminal.expect("It runs, and asks you.")
        press(terminal, "asks you", "b")
        terminal.expect("Deny [D]")
        terminal.press("o")
        terminal.expect("Nothing waits for you any more.")
        assert terminal.end() == 0
    assert [answer["decision"] for answer in run.answers] == ["approve"]


@pytest.mark.parametrize(
    ("key", "path", "said"),
    [
        ("d", "discard", "thrown away; nothing was applied"),
        ("b", "resume", "Not taken up: it changed meanwhile."),
    ],
)
def test_a_parked_run_is_taken_up_or_thrown_away(
    door: Script, home: Path, key: str, path: str, said: str
) -> None:
    waits(door, documents.listed(status="waiting_input"))
    door.answer("POST", f"/v1/dispatches/{ID}/discard", {"dispatch_id": ID, "status": "failed"})
    door.refuse("POST", f"/v1/dispatches/{ID}/resume", "drifted", "it changed meanwhile")
    with Terminal(home, "inbox", "-i") as terminal:
        terminal.expect("It was parked")
        press(terminal, "It was parked", key)
        terminal.expect(said)
        assert terminal.end() == 0
    assert [request.path for request in door.requests if request.method == "POST"] == [
        f"/v1/dispatches/{ID}/{path}"
    ]


def test_it_needs_a_person(door: Script, home: Path) -> None:
    waits(door)
    for flags in (["-i"], ["--interactive", "--json"]):
        assert dispatch(home, "inbox", *flags).code == 2


def test_no_key_of_the_list_allows_anything_in_a_run() -> None:
    allowing = {
        choice.key
        for asked in (documents.approval(), documents.closing())
        for choice in choices(asked)
        if choice.decision not in {"", "deny"}
    }
    assert allowing
    assert not allowing & deciding._KEYS.keys()
