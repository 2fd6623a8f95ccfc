"""How far files are is told to whoever looks at a terminal, and to nobody else; a bell rings where one is wanted."""

import json
from pathlib import Path

import pytest

from tests.support import door_documents as documents
from tests.support.dispatch_command import Terminal, dispatch
from tests.support.door_documents import ID
from tests.support.scripted_daemon import Answer, Request, Script
from tests.support.scripted_run import ScriptedRun

RESULT = f"/v1/dispatches/{ID}/result"
BELL = "\a"


@pytest.fixture
def finished(door: Script, tmp_path: Path) -> documents.Json:
    report = tmp_path / "runs" / "report.txt"
    report.parent.mkdir()
    report.write_text("r" * 3000)
    door.answer("GET", f"/v1/dispatches/{ID}", documents.finished())
    return {
        "dispatch_id": ID,
        "outcome": "success",
        "files": [str(report)],
        "files_arriving": False,
        "artifacts": [{"name": "report.txt", "size_bytes": 3000}],
        "bundle": None,
    }


def test_sending_tells_which_file_of_how_many(door: Script, home: Path, tmp_path: Path) -> None:
    door.on("POST", "/v1/files", lambda _: (201, {"file_id": "a" * 64, "size_bytes": 1, "sha256": "c" * 64}))
    door.answer("POST", "/v1/dispatches", {"dispatch_id": ID, "status": "queued", "expires_at": None}, 201)
    door.answer("GET", f"/v1/dispatches/{ID}", documents.whole())
    for name in ("one.txt", "two.txt"):
        (tmp_path / name).write_bytes(bytes(1536))
    files = ("--file", "one.txt", "--file", "two.txt")
    with Terminal(home, "send", "bob", "x", *files, cwd=tmp_path) as terminal:
        terminal.expect("sealing one.txt · 1 of 2 · 0 bytes of 3.0 KiB")
        terminal.expect("sealing two.txt · 2 of 2 · 1.5 KiB of 3.0 KiB")
        assert terminal.end() == 0
    for more in ((), ("--json",)):
        assert "sealing" not in dispatch(home, "send", "bob", "x", *files, *more, cwd=tmp_path).err
    with Terminal(home, "send", "bob", "x", *files, "--json", cwd=tmp_path) as terminal:
        assert terminal.end() == 0
    assert "sealing" not in terminal.plain


def test_saving_waits_for_what_is_on_its_way_and_tells_how_far_it_is(
    door: Script, home: Path, tmp_path: Path, finished: documents.Json
) -> None:
    looks: list[Request] = []

    def look(request: Request) -> Answer:
        looks.append(request)
        here = len(looks) > 2
        return 200, finished | {"files_arriving": not here, "files": finished["files"] if here else []}

    door.on("GET", RESULT, look)
    with Terminal(home, "result", ID, "--save", "out", cwd=tmp_path) as terminal:
        terminal.expect("waiting for its files, 2.9 KiB")
        terminal.expect("saving report.txt · 0 bytes of 2.9 KiB")
        assert terminal.end() == 0
    assert (tmp_path / "out" / "report.txt").stat().st_size == 3000


def test_a_script_is_told_that_files_are_missing_and_saves_none_of_it(
    door: Script, home: Path, tmp_path: Path, finished: documents.Json
) -> None:
    door.answer("GET", RESULT, finished | {"files_arriving": True, "files": []})
    ended = dispatch(home, "result", ID, "--save", str(tmp_path / "out"), "--json")
    assert (ended.code, ended.json["error"]["code"]) == (8, "files_arriving")
    assert not (tmp_path / "out").exists()
    assert dispatch(home, "result", ID).code == 0
    door.answer("GET", RESULT, finished)
    ended = dispatch(home, "result", ID, "--save", str(tmp_path / "out"))
    assert ended.code == 0
    assert "saving" not in ended.err


@pytest.mark.parametrize(("notify", "rings"), [("bell", True), ("off", False)])
@pytest.mark.parametrize("command", ["accept", "watch"])
def test_a_question_rings_where_somebody_wants_it(
    door: Script, home: Path, command: str, notify: str, rings: bool
) -> None:
    home.mkdir(mode=0o700, exist_ok=True)
    config = home / "config.json"
    config.write_text(json.dumps({"notify": notify}))
    config.chmod(0o600)
    run = ScriptedRun(door, [documents.approval()])
    if command == "watch":
        run._accept(Request("POST", "", "", {}, None))
    with Terminal(home, command, ID) as terminal:
        terminal.expect("Deny [D]" if command == "accept" else "watching for")
        terminal.press("d" if command == "accept" else "\x03")
        terminal.end()
    assert terminal.text.count(BELL) == rings


def test_a_program_that_reads_along_hears_no_bell(door: Script, home: Path) -> None:
    home.mkdir(mode=0o700, exist_ok=True)
    (home / "config.json").write_text(json.dumps({"notify": "bell"}))
    (home / "config.json").chmod(0o600)
    run = ScriptedRun(door, [documents.approval()])
    run._accept(Request("POST", "", "", {}, None))
    with Terminal(home, "watch", ID, "--json") as terminal:
        terminal.expect('"type": "snapshot"')
        run.end(status="cancelled")
        assert terminal.end() == 0
    assert BELL not in terminal.text
