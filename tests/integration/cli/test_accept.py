"""`accept` on a terminal: it stays, asks each call verbatim with Deny as the default, and ends with the outcome."""

import shlex
import signal
from pathlib import Path

import pytest

from tests.support import door_documents as documents
from tests.support.dispatch_command import Terminal, dispatch
from tests.support.door_documents import ID
from tests.support.scripted_daemon import Answer, Request, Script, problem
from tests.support.scripted_run import ScriptedRun

SECOND = "0badc0de-0000-4000-8000-000000000002"
CLOSING = "0badc0de-0000-4000-8000-000000000003"


def story(door: Script, *questions: documents.Json) -> ScriptedRun:
    return ScriptedRun(door, list(questions))


def bash(**changes: object) -> documents.Json:
    call = {"command": "pytest -q\nrm -rf /tmp/x", "timeout": 1000}
    asked = {"request_id": SECOND, "tool": "Bash", "input": call, "title": "Bash pytest -q"}
    return documents.approval(**asked | {"flags": ["a shell command"]} | changes)


def test_a_run_is_shown_asked_and_applied(door: Script, home: Path) -> None:
    run = story(door, documents.approval(), bash(), documents.closing(request_id=CLOSING))
    with Terminal(home, "accept", ID, columns=160) as terminal:
        terminal.expect("Alice (token) <alice@example.org> asks, signed:")
        terminal.expect("│ Which tests are flaky in api? Write the list to flaky.md")
        terminal.expect("may Read, Glob, Grep, Write · in /srv/api (rw) · no network · you approve each call")
        terminal.expect("│ test_login_retry")
        terminal.expect("Allow once [o] · always, for Write [a] · this run [s] · Deny [D]")
        terminal.press("o")
        terminal.expect("✓ allowed once")
        terminal.expect("│ rm -rf /tmp/x")
        terminal.expect("timeout: 1000")
        terminal.expect("! a shell command")
        terminal.expect("always, for this command [a]")
        terminal.press("a")
        terminal.expect("✓ allowed, from now on always")
        terminal.expect("2 files would change:")
        terminal.expect("! runs later when you type make")
        terminal.expect("+test_login_retry")
        terminal.expect("Apply [y] · look [l] · discard [N]")
        terminal.press("y")
        terminal.expect("Done. It took 48 s.")
        assert terminal.end() == 0
    assert "Applied: 2 paths changed." in terminal.plain
    assert "alice@example.org gets the result and a signed receipt." in terminal.plain
    assert run.answers == [
        {"decision": "approve", "dispatch_id": ID, "grant": "once", "by": "cli"},
        {"decision": "approve", "dispatch_id": ID, "grant": "always", "by": "cli"},
        {"decision": "approve", "dispatch_id": ID, "by": "cli"},
    ]


@pytest.mark.parametrize("key", ["\r", "\n", "d", "D"])
def test_deny_is_the_default_and_ends_the_run(door: Script, home: Path, key: str) -> None:
    run = story(door, documents.approval())
    with Terminal(home, "accept", ID) as terminal:
        terminal.expect("Deny [D]")
        terminal.press(key)
        terminal.expect("✗ denied")
        assert terminal.end() == 1
    assert "Blocked: a call or the changes were denied. Nothing was changed." in terminal.plain
    assert run.answers == [{"decision": "deny", "dispatch_id": ID, "by": "cli"}]


def test_an_enter_after_a_letter_does_not_answer_the_next_question(door: Script, home: Path) -> None:
    run = story(door, documents.approval(), bash())
    with Terminal(home, "accept", ID) as terminal:
        terminal.expect("Deny [D]")
        terminal.press("o\n")
        terminal.expect("always, for this command")
        terminal.press("s")
        assert terminal.end() == 0
    assert [answer["decision"] for answer in run.answers] == ["approve", "approve"]
    assert run.answers[1]["grant"] == "session"


def test_what_a_lasting_yes_means_is_called_as_its_key_is(door: Script, home: Path) -> None:
    said = {"always": "Write; until you remove the rule", "session": "Write; until this run ends"}
    details = [{"grant": grant, "meaning": meaning} for grant, meaning in said.items()]
    story(door, documents.approval(grant_details=details))
    with Terminal(home, "accept", ID) as terminal:
        terminal.expect("· this run: Write; until this run ends")
        terminal.expect("· this run [s] ·")
        assert "session" not in terminal.plain
        terminal.press("d")
        assert terminal.end() == 1


def test_keys_without_a_meaning_answer_nothing(door: Script, home: Path) -> None:
    run = story(door, documents.approval())
    with Terminal(home, "accept", ID) as terminal:
        terminal.expect("Deny [D]")
        terminal.press("\x1b[A")
        terminal.press("pasted text")
        terminal.press_until("o", "allowed once")
        assert terminal.end() == 0
    assert len(run.answers) == 1


def test_a_long_diff_is_shown_whole_when_asked_for(door: Script, home: Path) -> None:
    text = "--- a\n+++ b\n@@ -0,0 +1,200 @@\n" + "".join(f"+row {number}\n" for number in range(200))
    diffs = [{"path": "/srv/api/x", "text": text, "truncated": False, "binary": False}]
    story(door, documents.closing(payload={"diffs": diffs}))
    with Terminal(home, "accept", ID) as terminal:
        terminal.expect("l shows all of it")
        terminal.expect("discard [N]")
        assert "row 199" not in terminal.plain
        terminal.press("l")
        terminal.expect("+row 199")
        terminal.press("n")
        terminal.expect("✗ discarded")
        assert terminal.end() == 1


def test_a_question_answered_elsewhere_goes_away(door: Script, home: Path) -> None:
    run = story(door, documents.approval())
    with Terminal(home, "accept", ID) as terminal:
        terminal.expect("Deny [D]")
        run.withdraw()
        terminal.expect("answered elsewhere")
        run.end(status="completed", outcome="success")
        assert terminal.end() == 0
    assert run.answers == []


def test_a_question_whose_time_is_over_is_said_to_come_again(door: Script, home: Path) -> None:
    run = story(door, documents.approval(expires_at=documents.AT))
    with Terminal(home, "accept", ID) as terminal:
        terminal.expect("Deny [D]   0 s")
        run.state["approvals"] = []
        run.end(status="failed", outcome="blocked")
        terminal.expect("nobody answered in time: it is asked once more, and then the run is parked")
        assert terminal.end() == 1


def test_an_answer_that_came_too_late_is_said_to_be_late(door: Script, home: Path) -> None:
    run = story(door, documents.approval())
    with Terminal(home, "accept", ID) as terminal:
        terminal.expect("Deny [D]")
        gone = f"/v1/approvals/{documents.REQUEST_ID}"
        door.refuse("POST", gone, "not_pending", "this question is no longer open: it was expired")
        terminal.press("o")
        terminal.expect("too late: this question is no longer open")
        run.end(status="failed", outcome="blocked")
        assert terminal.end() == 1


def test_ctrl_c_leaves_the_run_and_says_how_to_come_back(door: Script, home: Path) -> None:
    story(door, documents.approval())
    with Terminal(home, "accept", ID) as terminal:
        terminal.expect("Deny [D]")
        terminal.press("\x03")
        terminal.expect("dispatch accept 4f2a91c0")
        terminal.expect("dispatch cancel 4f2a91c0")
        assert terminal.end() == 130
    assert "Traceback" not in terminal.plain


def test_who_left_comes_back_to_the_questions_with_the_same_command(door: Script, home: Path) -> None:
    run = story(door, documents.approval())
    with Terminal(home, "accept", ID) as terminal:
        terminal.expect("Deny [D]")
        terminal.press("\x03")
        terminal.expect(f"dispatch accept {ID[:8]}")
        assert terminal.end() == 130
    with Terminal(home, "accept", ID) as terminal:
        terminal.expect("Deny [D]")
        terminal.press("o")
        assert terminal.end() == 0
    assert [answer["decision"] for answer in run.answers] == ["approve"]
    assert [request.path for request in door.requests if request.method == "POST"].count(
        f"/v1/dispatches/{ID}/accept"
    ) == 1


def test_the_terminal_is_given_back_when_the_command_is_told_to_end(door: Script, home: Path) -> None:
    story(door, documents.approval())
    with Terminal(home, "accept", ID) as terminal:
        terminal.expect("Deny [D]")
        assert not terminal.echoes
        terminal.signal(signal.SIGTERM)
        assert terminal.end() == 128 + signal.SIGTERM
        assert terminal.echoes


def test_a_narrow_screen_never_loses_the_refusal(door: Script, home: Path) -> None:
    story(door, documents.approval())
    with Terminal(home, "accept", ID, columns=40) as terminal:
        terminal.expect("o once  a always  s run  D deny")
        assert "Runs in /srv/api · agent steps,\n  confined · may Read, Glob, Grep," in terminal.plain
        terminal.press("d")
        assert terminal.end() == 1


@pytest.mark.parametrize("environ", [{"TERM": "dumb"}, {"NO_COLOR": "1"}])
def test_a_plain_terminal_is_asked_too_without_a_colour(
    door: Script, home: Path, environ: dict[str, str]
) -> None:
    story(door, documents.approval())
    with Terminal(home, "accept", ID, **environ) as terminal:
        terminal.expect("Deny [D]")
        terminal.press("o")
        assert terminal.end() == 0
    assert "\x1b[3" not in terminal.text
    if environ == {"TERM": "dumb"}:
        assert "\x1b[" not in terminal.text


def test_hidden_characters_of_a_call_are_shown(door: Script, home: Path) -> None:
    story(door, bash(input={"command": "echo \u202efdp.exe\x1b[2K"}))
    with Terminal(home, "accept", ID) as terminal:
        terminal.expect("Deny [D]")
        assert "echo ⟨U+202E⟩fdp.exe⟨U+001B⟩[2K" in terminal.plain
        terminal.press("d")
        assert terminal.end() == 1


@pytest.mark.parametrize("arguments", [(), ("--detach",), ("--json",)])
def test_without_a_terminal_it_returns_at_once(door: Script, home: Path, arguments: tuple[str, ...]) -> None:
    run = story(door, documents.approval())
    ended = dispatch(home, "accept", ID, "--cwd", "api", *arguments)
    assert ended.code == 0
    assert run.answers == []
    [asked] = door.asked("POST", f"/v1/dispatches/{ID}/accept")
    places = {"cwd": str(home.parent / "api"), "caller_cwd": str(home.parent)}
    assert asked.body == {**places, "headless": True}
    if "--json" in arguments:
        assert ended.json == {"dispatch_id": ID, "status": "accepted"}
    else:
        assert ended.out == "Accepted. It runs here.\n  follow it with   dispatch watch 4f2a91c0\n"


def test_detach_returns_at_once_on_a_terminal_too(door: Script, home: Path) -> None:
    story(door, documents.approval())
    with Terminal(home, "accept", ID, "--detach") as terminal:
        assert terminal.end() == 0
    assert "Deny" not in terminal.plain


class TestSeveralDirectories:
    """Where several could be meant a person chooses by number, and a script is told them all."""

    PLACES = ("/srv/payments-api", "/srv/two\x1b[2Jlines")

    def door_that_asks(self, door: Script) -> None:
        story(door)
        path = f"/v1/dispatches/{ID}/accept"
        run = door.routes["POST", path]
        asks = problem("cwd_needed", "this edge grants 2 paths; say which", candidates=list(self.PLACES))

        def answer(request: Request) -> Answer:
            return run(request) if request.body.get("cwd") == self.PLACES[0] else (asks["status"], asks)

        door.on("POST", path, answer)

    def test_a_person_is_asked_and_answers_with_a_number(self, door: Script, home: Path) -> None:
        self.door_that_asks(door)
        with Terminal(home, "accept", ID) as terminal:
            terminal.expect(" 1  /srv/payments-api")
            terminal.expect("Where should it run? Number, or Enter for nowhere:")
            terminal.press("1\n")
            assert terminal.end() == 0
        assert "\x1b[2J" not in terminal.plain
        assert door.asked("POST", f"/v1/dispatches/{ID}/accept")[-1].body["cwd"] == self.PLACES[0]

    @pytest.mark.parametrize("said", ["\n", "3\n", "x\n", "0\n", "²\n"])
    def test_anything_else_runs_nowhere(self, door: Script, home: Path, said: str) -> None:
        self.door_that_asks(door)
        with Terminal(home, "accept", ID) as terminal:
            terminal.expect("Where should it run?")
            terminal.press(said)
            assert terminal.end() == 2
        assert len(door.asked("POST", f"/v1/dispatches/{ID}/accept")) == 1

    def test_a_script_gets_them_in_the_error(self, door: Script, home: Path) -> None:
        self.door_that_asks(door)
        ended = dispatch(home, "accept", ID, "--json")
        assert (ended.code, ended.json["error"]["code"]) == (2, "cwd_needed")
        assert ended.json["error"]["candidates"] == list(self.PLACES)


def test_a_directory_that_the_next_command_names_is_not_said_twice(door: Script, home: Path) -> None:
    story(door)
    place, detail = "/srv/it's here", "nothing says where it runs, so it needs a directory from you"
    hint = f"dispatch accept {ID[:8]} --cwd {shlex.quote(place)}"
    path = f"/v1/dispatches/{ID}/accept"
    door.refuse("POST", path, "cwd_needed", detail, candidates=[place], hint=hint)
    assert dispatch(home, "accept", ID).err == f"Not accepted: {detail}.\n  next   {hint}\n"


def test_after_some_answers_the_rest_may_be_reviewed_instead(door: Script, home: Path) -> None:
    run = story(door, documents.approval(can_review=True), documents.closing(request_id=CLOSING))
    run.state["questions"] = {"answered": 4, "unanswered": 0, "open": 1}
    with Terminal(home, "accept", ID) as terminal:
        terminal.expect("r review  D deny  4 answered, 1 open, ")
        terminal.press("r")
        terminal.expect("this run asks no more. You review its changes.")
        terminal.expect("Apply [y]")
        terminal.press("y")
        terminal.expect("approved")
        assert terminal.end() == 0
    assert run.answers[0] == {"review": {"by": "cli"}}


def test_a_contact_who_may_not_be_reviewed_is_not_offered_it(door: Script, home: Path) -> None:
    run = story(door, documents.approval(can_review=False))
    run.state["questions"] = {"answered": 9, "unanswered": 0, "open": 1}
    with Terminal(home, "accept", ID) as terminal:
        terminal.expect("D deny  9 answered, 1 open")
        assert "review" not in terminal.plain
        terminal.press("d")
        assert terminal.end() == 1


def test_a_run_that_is_parked_ends_the_staying_and_says_how_to_go_on(door: Script, home: Path) -> None:
    run = story(door, documents.approval())
    with Terminal(home, "accept", ID) as terminal:
        terminal.expect("Deny [D]")
        run.end(
            status="waiting_input", outcome="blocked", error={"code": "parked", "detail": "kept until then"}
        )
        terminal.expect("Parked: nobody answered")
        terminal.expect("kept until then")
        terminal.expect("dispatch resume 4f2a91c0")
        terminal.expect("dispatch discard 4f2a91c0")
        assert terminal.end() == 8


def test_what_nobody_here_could_do_is_not_accepted_and_may_be_done_by_hand(door: Script, home: Path) -> None:
    story(door)
    detail = "it carries no steps, and no agent is chosen on this machine"
    commands = ["dispatch agent use openai:m", "dispatch accept 4f2a91c0 --by-hand"]
    door.refuse("POST", f"/v1/dispatches/{ID}/accept", "no_agent", detail, candidates=commands)
    with Terminal(home, "accept", ID) as terminal:
        terminal.expect("no agent is chosen on this machine")
        terminal.expect("dispatch agent use openai:m")
        terminal.expect("dispatch accept 4f2a91c0 --by-hand")
        terminal.expect("dispatch agent list")
        assert terminal.end() == 8
    assert dispatch(home, "accept", ID, "--json").code == 8


def test_where_nobody_is_there_it_may_be_said_so(door: Script, home: Path) -> None:
    story(door)
    assert dispatch(home, "accept", ID, "--headless").code == 0
    assert dispatch(home, "accept", ID).code == 0  # no terminal is anywhere near
    with Terminal(home, "accept", ID, "--detach") as terminal:
        assert terminal.end() == 0
    posted = [request.body for request in door.requests if request.method == "POST"]
    assert [body.get("headless") for body in posted] == [True, True, None]
    assert dispatch(home, "accept", ID, "--headless", "--by-hand").code == 2


def test_on_a_terminal_by_hand_shows_who_asks_first(door: Script, home: Path) -> None:
    story(door)
    with Terminal(home, "accept", ID, "--by-hand") as terminal:
        terminal.expect("Alice (token) <alice@example.org> asks, signed:")
        terminal.expect("Accepted, by hand")
        assert terminal.end() == 0


def test_resumed_on_a_terminal_it_stays(door: Script, home: Path) -> None:
    run = story(door, documents.approval())
    door.on("POST", f"/v1/dispatches/{ID}/resume", run._accept)
    with Terminal(home, "resume", ID) as terminal:
        terminal.expect("Deny [D]")
        terminal.press("o")
        assert terminal.end() == 0
