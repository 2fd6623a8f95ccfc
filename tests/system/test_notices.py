"""Somebody who is not looking is called by a command of theirs: once for each thing, without a word of it."""

import json
import os
import sys
from pathlib import Path
from typing import Any

from tests.support.machines import at_home, bought
from tests.support.neighbourhood import Neighbourhood, Person, bash
from tests.support.patience import poll


def called(person: Person, place: Path) -> Path:
    """Let somebody choose a command that keeps what it is told, and begin anew with it."""
    out = place / f"{person.name}.calls"
    out.touch()
    hook = place / f"{person.name}-hook"
    hook.write_text(
        f"#!{sys.executable} -IB\nimport os, json\n"
        f"told = {{name: text for name, text in os.environ.items() if name.startswith('DISPATCH_NOTICE')}}\n"
        f"open({str(out)!r}, 'a').write(json.dumps(told) + '\\n')\n"
    )
    hook.chmod(0o700)
    person.do("config", "set", "notify", str(hook))
    person.daemon.stop()
    person.daemon.start()
    return out


def calls(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.read_text().splitlines()]


def test_what_waits_and_what_came_back_is_told_once_and_no_word_of_it(
    neighbourhood: Neighbourhood, repository: Path, place: Path
) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    neighbourhood.befriend("--tools", "Read,Bash", "--paths", f"{repository}:ro")
    old = neighbourhood.send("It waited before")
    his, hers = called(bob, place), called(alice, place)
    task = neighbourhood.send("A secret of Alice", [bash("echo secret")])
    (told,) = poll(lambda: calls(his), "Bob is called")
    assert (told["DISPATCH_NOTICE_KIND"], told["DISPATCH_NOTICE_FROM"]) == ("task", alice.address)
    assert (task.startswith(told["DISPATCH_NOTICE_ID"]), old.startswith(told["DISPATCH_NOTICE_ID"])) == (
        True,
        False,
    )
    assert "secret" not in str(told)
    assert calls(hers) == []
    bob.do("decline", task, "--reason", "not today")
    (back,) = poll(lambda: calls(hers), "Alice is called")
    assert (back["DISPATCH_NOTICE_KIND"], back["DISPATCH_NOTICE_FROM"]) == ("result", bob.address)
    assert "not today" not in str(back)
    assert bob.status(old)["status"] == "delivered", "a notice decides nothing"


def test_a_run_on_a_machine_with_nobody_before_it_calls_at_the_other_one(
    neighbourhood: Neighbourhood, repository: Path, place: Path
) -> None:
    bob = neighbourhood.bob
    with bought("laptop", place, bob.address) as laptop:
        at_home(neighbourhood, laptop, repository)
        out = called(laptop, place)
        task = neighbourhood.send("A secret of Alice", [bash("echo secret")])
        poll(lambda: calls(out), "the laptop calls for the task")
        bob.do("accept", task, "--cwd", str(repository))
        last = poll(
            lambda: [each for each in calls(out) if each["DISPATCH_NOTICE_KIND"] == "question"],
            "the laptop calls for what the desk asks",
        )[-1]
        assert task.startswith(last["DISPATCH_NOTICE_ID"])
        assert "secret" not in str(last)


def test_a_command_that_fails_harms_nothing_and_doctor_names_it(
    neighbourhood: Neighbourhood, place: Path
) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    assert _notices(bob) == (True, "nobody is called when something waits (the setting notify)")
    neighbourhood.befriend("--tools", "Read")
    called(bob, place)
    assert _notices(bob)[0]
    (place / "bob-hook").unlink()
    task = alice.do("send", bob.address, "Look")["dispatch_id"]
    bob.receives(task)
    poll(lambda: not _notices(bob)[0], "doctor says that the command is gone")
    assert "could not be started" in _notices(bob)[1]
    bob.do("decline", task)


def _notices(person: Person) -> tuple[bool, str]:
    ended = person.try_("doctor", "--json")
    (check,) = [each for each in json.loads(ended.out)["checks"] if each["name"] == "notices"]
    return check["ok"], check["detail"]


def test_a_press_on_a_notice_opens_the_page_and_answers_nothing(
    neighbourhood: Neighbourhood, place: Path
) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    neighbourhood.befriend("--tools", "Read")
    programs, opened = place / "bin", place / "opened"
    programs.mkdir()
    pressed = "import sys\nprint('-A, --action' if '--help' in sys.argv else 'default')"
    for name, text in (
        ("notify-send", pressed),
        ("browser", f"import sys\nopen({str(opened)!r}, 'w').write(sys.argv[1])"),
    ):
        (programs / name).write_text(f"#!{sys.executable} -IB\n{text}\n")
        (programs / name).chmod(0o700)
    bob.do("config", "set", "notify", "desktop")
    bob.daemon.stop()
    bob.daemon.environ |= {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "BROWSER": str(programs / "browser"),
    }
    bob.daemon.start()
    task = alice.do("send", bob.address, "Look")["dispatch_id"]
    bob.receives(task)
    url = poll(lambda: opened.exists() and opened.read_text(), "the page is opened")
    assert str(url).startswith(f"{bob.daemon.url}/")
    assert bob.status(task)["status"] == "delivered"
