"""Real programs are started for a notice: with what they are told, by no shell, for a while, and never to harm."""

import json
import logging
import os
import sys
from pathlib import Path

import pytest

from dispatch_daemon.adapters.notifier import DESKTOP, OFF, notifier
from tests.support.patience import eventually

HOME = Path("/home/bob/.dispatch")
TOLD = {"DISPATCH_NOTICE": "a task: $(touch pwned); a@x", "DISPATCH_NOTICE_COUNT": "1"}


def program(place: Path, text: str, name: str = "hook") -> Path:
    file = place / name
    file.write_text(f"#!{sys.executable} -IB\nimport os, sys, json, time\n{text}\n")
    file.chmod(0o700)
    return file


async def test_a_command_is_told_in_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a key")
    out = tmp_path / "out"
    hook = program(tmp_path, f"open({str(out)!r}, 'w').write(json.dumps([sys.argv[1:], dict(os.environ)]))")
    made = notifier(f"{hook} --loud '$HOME `x`'", HOME)
    assert made is not None
    await made.tell("unused", TOLD)
    arguments, seen = json.loads(out.read_text())
    assert arguments == ["--loud", "$HOME `x`"]
    assert made.failure is None
    assert TOLD.items() <= seen.items()
    assert "a key" not in seen.values()
    assert seen["DISPATCH_HOME"] == str(HOME)
    assert seen["HOME"] == os.environ["HOME"]
    assert not list(tmp_path.rglob("pwned"))


# Like notify-send from 0.8 on: it knows actions, waits for its notice, and prints which one was pressed.
_DESKTOP = """
if '--help' in sys.argv:
    print('  -A, --action=[NAME=]Text...')
    sys.exit()
place = os.path.dirname(os.path.abspath(sys.argv[0]))
open(place + '/shown', 'a').write(json.dumps(sys.argv[1:]) + '\\n')
open(place + '/pid', 'w').write(str(os.getpid()))
while not os.path.exists(place + '/pressed'):
    time.sleep(0.02)
print(open(place + '/pressed').read())
"""


async def test_a_notice_that_is_pressed_opens_the_page_and_decides_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, _DESKTOP, "notify-send")
    opened = tmp_path / "opened"
    opener = program(tmp_path, f"open({str(opened)!r}, 'a').write(json.dumps(dict(os.environ)))", "opener")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    made = notifier(DESKTOP, HOME, opener=[str(opener)])
    assert made is not None
    await made.tell("a task", {})
    assert json.loads((tmp_path / "shown").read_text()) == [
        *("--action=default=Open", "--app-name=Dispatch", "--", "Dispatch", "a task")
    ]
    assert (made.failure, opened.exists()) == (None, False)
    (tmp_path / "pressed").write_text("default")
    await eventually(lambda: opened.exists() and opened.read_text())
    assert json.loads(opened.read_text())["DISPATCH_HOME"] == str(HOME)
    await made.stop()


@pytest.mark.parametrize("how", ["dismissed", "another came", "the daemon stops"])
async def test_a_notice_that_is_not_pressed_opens_nothing_and_is_waited_for_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    program(tmp_path, _DESKTOP, "notify-send")
    opened = tmp_path / "opened"
    opener = program(tmp_path, f"open({str(opened)!r}, 'w')", "opener")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    made = notifier(DESKTOP, HOME, opener=[str(opener)])
    assert made is not None
    await made.tell("a task", {})
    first = int((tmp_path / "pid").read_text())
    if how == "dismissed":
        (tmp_path / "pressed").write_text("")
    elif how == "another came":
        await made.tell("two tasks", {})
    else:
        await made.stop()
    await eventually(lambda: _gone(first))
    await made.stop()
    assert not opened.exists()


async def test_a_desktop_that_shows_nothing_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "print('--action') if '--help' in sys.argv else sys.exit(1)"
    program(tmp_path, text, "notify-send")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    made = notifier(DESKTOP, HOME, opener=[])
    assert made is not None
    await made.tell("a task", {})
    assert made.failure == "ended with 1"


async def test_the_desktops_program_is_told_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    program(tmp_path, f"open({str(out)!r}, 'w').write(json.dumps(sys.argv[1:]))", "notify-send")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    made = notifier(DESKTOP, HOME)
    assert made is not None
    await made.tell("-a task", {})
    assert out.read_text() == '["--app-name=Dispatch", "--", "Dispatch", "-a task"]'


def test_nobody_is_told_where_nobody_wants_or_nothing_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert notifier(OFF, HOME) is None
    assert not caplog.records
    assert notifier(DESKTOP, HOME) is None
    assert "neither notify-send nor osascript" in caplog.text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sys.exit(3)", "ended with 3"),
        ("os.kill(os.getpid(), 9)", "ended with -9"),
        (None, "could not be started"),
    ],
)
async def test_a_program_that_fails_is_a_line_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str | None, said: str
) -> None:
    hook = tmp_path / "missing" if text is None else program(tmp_path, text)
    made = notifier(str(hook), HOME)
    assert made is not None
    with caplog.at_level(logging.WARNING):
        await made.tell("x", TOLD)
    assert said in caplog.text
    assert made.failure is not None
    assert said in made.failure
    assert "pwned" not in caplog.text


async def test_a_program_that_does_not_end_is_ended_with_what_it_started(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pids = tmp_path / "pids"
    hook = program(
        tmp_path,
        f"child = os.fork()\nif child:\n    open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child}}')\ntime.sleep(600)",
    )
    made = notifier(str(hook), HOME, patience_s=2.0)
    assert made is not None
    await made.tell("x", TOLD)
    assert "took longer than 2 s" in caplog.text
    for pid in pids.read_text().split():
        await eventually(lambda pid=pid: _gone(int(pid)))


def _gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return True
    return state in "ZX"
