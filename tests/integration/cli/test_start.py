"""What starting costs, and what a command line that is wrong, or asks for help, answers."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dispatch_cli.main import COMMANDS, run
from tests.support.dispatch_command import ROOT, Ended, dispatch, environment
from tests.support.door_documents import ID, finished
from tests.support.scripted_daemon import Script

HEAVY = {
    "aiohttp", "asyncio", "email", "http", "keyring", "logging", "nacl", "pydantic", "rich", "subprocess",
    "uvloop", "websockets", "yaml",
}  # fmt: skip
_PROBE = """
import sys
from dispatch_cli.main import run
code = run(sys.argv[1:])
sys.stderr.write("MODULES " + " ".join(sys.modules))
"""


def imported(home: Path, *arguments: str, **environ: str) -> set[str]:
    """Return the packages that a command imported."""
    done = subprocess.run(
        [sys.executable, "-c", _PROBE, *arguments],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=environment(home, **environ),
        cwd=ROOT,
        check=True,
    )
    return {name.partition(".")[0] for name in done.stderr.rpartition("MODULES ")[2].split()}


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("send", "--help"),
        ("status", ID),
        ("status", ID, "--json"),
        ("inbox",),
        ("approvals",),
        ("frob",),
    ],
)
def test_a_command_imports_nothing_heavy(home: Path, door: Script, arguments: tuple[str, ...]) -> None:
    door.answer("GET", f"/v1/dispatches/{ID}", finished())
    door.answer("GET", "/v1/dispatches", {"dispatches": [], "next": None})
    door.answer("GET", "/v1/approvals", {"approvals": []})
    assert imported(home, *arguments) & HEAVY == set()


def test_colour_alone_does_not_need_rich(home: Path, door: Script) -> None:
    door.answer("GET", "/v1/dispatches", {"dispatches": [], "next": None})
    assert "rich" not in imported(home, "inbox", FORCE_COLOR="1")


def test_json_steps_are_read_without_a_yaml_parser(home: Path, door: Script, tmp_path: Path) -> None:
    steps = tmp_path / "steps.json"
    steps.write_text('[{"tool": "Read", "input": {"file_path": "x"}}]')
    door.refuse("POST", "/v1/dispatches", "no_edge", "no")
    assert "yaml" not in imported(home, "send", "me", "x", "--steps", str(steps))


def test_the_help_names_every_command_with_its_own_words(home: Path) -> None:
    shown = dispatch(home, "--help")
    assert shown.code == 0
    for name, entry in COMMANDS.items():
        assert f"  {name} " in shown.out
        assert entry.help in shown.out


@pytest.fixture
def here(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ended]:
    """Run a command line in this process: what needs no process of its own is tried by the dozen."""
    monkeypatch.setenv("DISPATCH_HOME", str(home))

    def run_here(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["dispatch", *arguments])
        code = run(arguments)
        return Ended(code, *capsys.readouterr())

    return run_here


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_explains_itself(here: Callable[..., Ended], name: str) -> None:
    shown = here(name, "--help")
    assert shown.code == 0
    assert shown.out.startswith(f"Usage: dispatch {name}")
    assert shown.err == ""
    _, _, listed = shown.out.partition("\nCommands:\n")
    assert "..." not in listed, "the words of a subcommand fit into its line"


def test_no_command_shows_the_help(home: Path) -> None:
    assert dispatch(home).out == dispatch(home, "--help").out


@pytest.mark.parametrize(
    ("arguments", "said", "hint"),
    [
        (("frob",), 'There is no command "frob".', "dispatch --help"),
        (("inboxx", "x"), "Did you mean inbox?", "dispatch --help"),
        (("send", "bob"), "Missing argument 'TASK'.", "dispatch send --help"),
        (("send", "bob", "hi", "--expires", "5"), "60<=x<=86400", "dispatch send --help"),
        (("send", "bob", "hi", "--meta", "x"), "'x' is not KEY=VALUE.", "dispatch send --help"),
        (("send", "bob", "hi", "--idempotency-key", "a\nb"), "printable ASCII", "dispatch send --help"),
        (("send", "bob", "hi", "--after", "x"), "No such option", "dispatch send --help"),
        (("watch",), "Name one dispatch, or use --all.", "dispatch watch --help"),
        (("approve",), "Missing argument", "dispatch approve --help"),
        (("approve", "a", "b", "c"), "Name one question", "dispatch approve --help"),
        (("--frob",), "No such option", "dispatch --help"),
        (("config", "frob"), "No such command", "dispatch config --help"),
    ],
)
@pytest.mark.parametrize("place", ["before", "after", "absent"])
def test_a_wrong_command_line_is_one_sentence_and_exit_2(
    home: Path, here: Callable[..., Ended], arguments: tuple[str, ...], said: str, hint: str, place: str
) -> None:
    line = {"before": ("--json", *arguments), "after": (*arguments, "--json"), "absent": arguments}[place]
    ended = here(*line)
    assert ended.code == 2
    if place == "absent":
        assert said in ended.err
        assert ended.err.endswith(f"next   {hint}\n")
        assert ended.out == ""
    else:
        assert ended.json["error"]["code"] == "usage"
        assert said in ended.json["error"]["message"]
        assert ended.json["error"]["hint"] == hint
        assert ended.err == ""
    assert not home.exists()


def test_what_stands_behind_two_dashes_is_no_option(home: Path, door: Script) -> None:
    door.refuse("POST", "/v1/dispatches", "no_edge", "no")
    ended = dispatch(home, "send", "--", "bob", "--json")
    assert ended.code == 3
    assert door.asked("POST", "/v1/dispatches")[0].body == {"by": "cli", "recipient": "bob", "task": "--json"}
    assert ended.out == ""


def test_help_with_json_is_one_document_too(home: Path) -> None:
    assert "Usage: dispatch send" in dispatch(home, "send", "--help", "--json").json["help"]
    assert dispatch(home, "--json").json["error"]["code"] == "usage"
    assert dispatch(home, "--json", "rules").json["error"]["message"] == "Missing command."


@pytest.mark.parametrize("group", ["rules", "config", "daemon", "service", "trust", "agent server"])
def test_a_group_alone_shows_what_it_holds(home: Path, group: str) -> None:
    alone = dispatch(home, *group.split())
    assert alone.code == 0
    assert alone.out == dispatch(home, *group.split(), "--help").out
    assert alone.err == ""
    assert not home.exists()


@pytest.mark.parametrize(
    ("option", "meant"),
    [("--nope", ""), ("--jsn", " Did you mean --json?"), ("--tokn", " Did you mean --token?")],
)
def test_only_an_option_that_looks_alike_is_suggested(home: Path, option: str, meant: str) -> None:
    ended = dispatch(home, "config", "path", option)
    assert ended.code == 2
    assert ended.err.splitlines()[0] == f"No such option '{option}'.{meant}"


def test_the_version_is_said_without_a_daemon(home: Path) -> None:
    assert set(dispatch(home, "version", "--json").json) == {"version", "python"}
    assert dispatch(home, "--version").out == dispatch(home, "version").out
    assert not home.exists()


def test_a_global_option_after_the_command_wins(home: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shown = dispatch(home, "--home", str(home), "config", "path", "--home", str(other), "--json")
    assert shown.json == {"path": str(other / "config.json")}
    assert json.loads(shown.out)["path"].endswith("config.json")
