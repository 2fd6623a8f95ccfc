"""Tab: what shells offer, asked of the daemon that runs, with a real bash, zsh and fish."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import door_documents as documents
from tests.support.dispatch_command import SCALE, dispatch, environment
from tests.support.door_documents import ID
from tests.support.scripted_daemon import Script, scripted_daemon

_BASH = """
source script
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_dispatch_completion dispatch
printf '%s\\n' "${COMPREPLY[@]}"
"""

# Its completion works at a terminal only: what the script hands to it is written out instead.
_ZSH = """
compdef() { print -r -- "$*" >registered }
_describe() { print -rl -- "${(@P)3}" }
compadd() { print -rl -- "${(@P)5}" }
source script
words=("$@"); CURRENT=$#
_dispatch_completion
"""
_FISH = "source script; complete --do-complete (string join ' ' -- $argv)"


def tab(home: Path, *words: str) -> list[str]:
    """Return what a real bash would offer for the last of these words."""
    said = shell(home, "bash", "--norc", "--noprofile", "-c", _BASH, "bash", "dispatch", *words)
    return said.split()


def shell(home: Path, name: str, *arguments: str) -> str:
    """Return what a shell says in a directory that holds its script, where `dispatch` is a program."""
    place = home.parent / name
    place.mkdir(exist_ok=True)
    (place / "script").write_text(dispatch(home, "completion", name).out)
    program = place / "dispatch"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m dispatch_cli "$@"\n')
    program.chmod(0o755)
    path = f"{place}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(
        [name, *arguments],
        env=environment(home) | {"PATH": path, "HOME": str(place)},  # fish writes there
        cwd=place,
        capture_output=True,
        text=True,
        timeout=40 * SCALE,
        check=True,
    )
    assert ended.stderr == ""
    return ended.stdout


def asked(home: Path, shell: str, *words: str, more: dict[str, str] | None = None) -> list[str]:
    """Return the lines that a shell's own script would read."""
    told = {"_DISPATCH_COMPLETE": f"{shell}_complete", "COMP_WORDS": " ".join(words), **(more or {})}
    ended = dispatch(home, **told)
    assert (ended.code, ended.err) == (0, "")
    return ended.out.splitlines()


def test_commands_and_flags_need_no_daemon(home: Path) -> None:
    assert tab(home, "acc") == ["accept", "accept-invitation"]
    assert "--wait" in tab(home, "send", "--w")
    assert tab(home, "completion", "") == ["bash", "zsh", "fish"]
    assert "broker" in tab(home, "config", "get", "")
    assert not home.exists(), "Tab started something"


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_each_shell_can_read_its_script(home: Path, name: str) -> None:
    assert shell(home, name, "-n", "script") == ""


def test_zsh_registers_its_script_and_offers_what_it_is_told(door: Script, home: Path) -> None:
    for words, offered in told(door, ":").items():
        assert sorted(shell(home, "zsh", "-f", "-c", _ZSH, "zsh", "dispatch", *words).splitlines()) == sorted(
            offered
        )
    assert (home.parent / "zsh" / "registered").read_text() == "_dispatch_completion dispatch\n"


def test_fish_offers_what_it_is_told(door: Script, home: Path) -> None:
    for words, offered in told(door, "\t").items():
        assert shell(home, "fish", "--no-config", "-c", _FISH, "dispatch", *words).splitlines() == offered


def told(door: Script, between: str) -> dict[tuple[str, ...], list[str]]:
    """Say what a shell that shows words offers, with what divides a word from what it is about."""
    waiting = documents.listed(task="Which tests: (are, all) `flaky` $HOME?", status="delivered")
    door.answer("GET", "/v1/dispatches", {"dispatches": [waiting], "next": None})
    return {
        ("acc",): [
            f"accept{between}Accept a dispatch and run it here, inside...",
            f"accept-invitation{between}Let the inviter dispatch to me.",
        ],
        ("completion", ""): ["bash", "fish", "zsh"],
        ("accept", ""): [f"{ID[:8]}{between}delivered · Which tests: (are, all) `flaky` $HOME?"],
    }


def test_ids_come_with_what_they_are_about(door: Script, home: Path) -> None:
    waiting = documents.listed(task="Which tests\nare \x1b[31mflaky?", status="delivered")
    done = documents.listed(status="completed", short_id="99999999")
    door.answer("GET", "/v1/dispatches", {"dispatches": [waiting, done], "next": None})
    assert tab(home, "accept", "") == [ID[:8]]
    assert set(tab(home, "status", "")) == {ID[:8], "99999999"}
    assert tab(home, "status", "999") == ["99999999"]
    assert tab(home, "cancel", "") == [ID[:8]]
    told = asked(home, "zsh", "dispatch", "accept", more={"COMP_CWORD": "2"})
    assert told == ["plain", ID[:8], "delivered · Which tests are ⟨U+001B⟩[31mflaky?"]
    (fish,) = asked(home, "fish", "dispatch accept", more={"COMP_CWORD": ""})
    assert fish.startswith(f"plain,{ID[:8]}\t")


def test_what_goes_on_is_offered_to_what_can_be_done_about_it(door: Script, home: Path) -> None:
    rows = [
        documents.listed(status=status, short_id=f"{number:08}")
        for number, status in enumerate(
            ("delivered", "accepted", "running", "waiting_approval", "waiting_input", "completed")
        )
    ]
    door.answer("GET", "/v1/dispatches", {"dispatches": rows, "next": None})
    assert tab(home, "resume", "") == ["00000004"]
    assert tab(home, "discard", "") == ["00000003", "00000004"]
    assert tab(home, "review", "") == ["00000001", "00000002", "00000003"]
    assert tab(home, "complete", "") == ["00000001", "00000002", "00000003"]


def test_devices_and_invitations_are_offered_as_their_lists_show_them(door: Script, home: Path) -> None:
    listed = [{"id": letter * 64, "name": f"machine {letter}", "this": letter == "a"} for letter in "ab"]
    door.answer("GET", "/v1/devices", {"identity": "f" * 64, "devices": listed})
    for command in ("rename", "set", "revoke"):
        assert tab(home, "devices", command, "") == ["a" * 16, "b" * 16]
    assert tab(home, "handover", ID[:8], "") == ["b" * 16], "this device has it already"
    received = [
        {"invitation_id": letter * 8 + ID[8:], "peer": "x@example.org", "status": status}
        for letter, status in (("c", "pending"), ("d", "declined"))
    ]
    sent = [{**each, "invitation_id": letter * 8} for each, letter in zip(received, "ef", strict=True)]
    door.answer("GET", "/v1/invitations", {"sent": sent, "received": received})
    assert tab(home, "accept-invitation", "") == ["c" * 8]
    assert tab(home, "decline-invitation", "") == ["c" * 8, "e" * 8], "one's own is taken back by it"


def test_people_are_offered_to_those_who_may_use_them(door: Script, home: Path) -> None:
    strange = documents.edge(peer="$(touch x)@example.org", alias=None)
    contacts = [documents.edge(alias="bob"), documents.edge(direction="incoming", alias="Alice"), strange]
    door.answer("GET", "/v1/contacts", {"edges": contacts})
    assert tab(home, "send", "") == ["me", "bob"], "no word for a shell is made of somebody's address"
    assert tab(home, "revoke", "") == ["bob", "Alice"]
    assert tab(home, "revoke", "al") == ["Alice"]


@pytest.mark.parametrize("order", ["bash_complete", "zsh_complete", "fish_complete"])
def test_a_daemon_that_refuses_or_talks_nonsense_offers_nothing(home: Path, order: str) -> None:
    with scripted_daemon(home) as script:
        script.refuse("GET", "/v1/dispatches", "internal", "no")
        script.answer("GET", "/v1/contacts", {"edges": [1, {"peer": 7}]})
        for words in ("dispatch status ", "dispatch send ", "dispatch nonsense x", "dispatch --home", ""):
            ended = dispatch(home, _DISPATCH_COMPLETE=order, COMP_WORDS=words, COMP_CWORD="2")
            assert ended.err == ""
            assert "Traceback" not in ended.out


def test_what_no_shell_says_is_refused(home: Path) -> None:
    for order in ("", "tcsh_complete", "bash_source", "bash"):
        ended = dispatch(home, _DISPATCH_COMPLETE=order)
        assert (ended.code, ended.out, ended.err) == (1, "", "")
    assert dispatch(home, "completion", "tcsh").code == 2
    assert "script" in dispatch(home, "completion", "fish", "--json").json


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (("send", "bob", "task", "--file"), "file"),
        (("send", "bob", "task", "--steps"), "file"),
        (("complete", "x", "--file"), "file"),
        (("accept", "x", "--cwd"), "dir"),
        (("result", "x", "--save"), "dir"),
        (("result", "x", "--share"), "file"),
        (("agent", "use", "claude", "--directory"), "dir"),
        (("agent", "use", "claude", "--key-file"), "file"),
        (("login", "--code-file"), "file"),
        (("trust", "import"), "file"),
        (("verify",), "file"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, tuple) else given,
)
def test_a_path_is_offered_by_the_shell_itself(home: Path, words: tuple[str, ...], kind: str) -> None:
    at = {"COMP_CWORD": str(len(words) + 1)}
    assert asked(home, "bash", "dispatch", *words, "no", more=at) == [f"{kind},no"]
    assert not home.exists()
