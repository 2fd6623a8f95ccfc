"""No failure shows a traceback: interruption, broken pipes, bytes that are no text, doors that answer nonsense."""

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dispatch_protocol.loopback import CODES
from tests.support.dispatch_command import Ended, Terminal, command, dispatch, environment
from tests.support.door_documents import ID, listed, whole
from tests.support.scripted_daemon import Script


def check(ended: Ended, code: int, *said: str) -> None:
    assert ended.code == code
    assert "Traceback" not in ended.err
    for words in said:
        assert words in ended.err
    assert ended.err.rstrip("\n").split("\n")[-1].startswith("  next   ")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"hello\r\n\r\n",
        b"\x00\xff" * 50_000,
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 2x0 OK\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: minus\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}",
        b"HTTP/1.1 200 OK\r\n\r\nnot json",
        b"HTTP/1.1 200 OK\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 200_000,
        b"HTTP/1.1 200 OK\r\n\r\n\xff\xfe{",
    ],
)
def test_a_door_that_answers_nonsense(home: Path, door: Script, raw: bytes) -> None:
    door.raw = raw
    check(dispatch(home, "inbox"), 5, "does not answer like the daemon")


@pytest.mark.parametrize("arguments", [("watch", "--all"), ("daemon", "status"), ("accept", "4f2a")])
def test_every_kind_of_request_survives_nonsense(
    home: Path, door: Script, arguments: tuple[str, ...]
) -> None:
    door.raw = b"SSH-2.0-OpenSSH_9.2\r\n\r\n\r\n"
    check(dispatch(home, *arguments), 5, "does not answer like the daemon")


@pytest.mark.parametrize(
    "document", [{}, {"dispatches": 5}, {"dispatches": [5, None, {}]}, {"dispatches": [{"task": 5}]}]
)
def test_documents_that_lack_or_garble_fields_still_show_something(
    home: Path, door: Script, document: object
) -> None:
    door.answer("GET", "/v1/dispatches", document)  # type: ignore[arg-type]  # the point of this test
    door.answer("GET", f"/v1/dispatches/{ID}", document)  # type: ignore[arg-type]  # the point of this test
    assert dispatch(home, "inbox").code == 0
    assert dispatch(home, "status", ID).code == 0


def test_a_stale_socket_is_nobody(home: Path) -> None:
    home.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(home / "daemon.sock"))
    check(dispatch(home, "inbox", "--no-start"), 5, "is not running, and --no-start forbids to start it")
    assert dispatch(home, "daemon", "status", "--json").json["running"] is False


def test_a_file_where_the_socket_should_be(home: Path) -> None:
    home.mkdir(mode=0o700)
    (home / "daemon.sock").write_text("hello")
    check(dispatch(home, "inbox", "--no-start"), 5, "is not running")


def test_a_home_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    check(dispatch(tmp_path / "file" / "home", "inbox", cwd=tmp_path), 1, "cannot be used as the home")
    check(
        dispatch(Path("/proc/nowhere"), "config", "set", "broker", "http://x", cwd=tmp_path),
        1,
        "cannot be used",
    )


def test_a_configuration_that_is_no_json(home: Path) -> None:
    home.mkdir(mode=0o700)
    (home / "config.json").write_bytes(b"\xff{")
    check(dispatch(home, "inbox", "--no-start"), 2, "config.json cannot be read: it is not valid JSON")
    (home / "config.json").write_text("[]")
    check(dispatch(home, "config", "get"), 2, "it should hold a JSON object")


@pytest.mark.parametrize(
    "arguments",
    [
        (b"send", b"bob", b"na\xefve"),
        (b"status", b"\xff\xfe"),
        (b"decline", b"4f2a", b"--reason", b"\x80"),
        (b"approve", b"\xc3"),
        (b"inbox", b"--cursor", b"\xff"),
        (b"accept", b"4f2a", b"--cwd", b"/tmp/\xff"),
    ],
)
def test_arguments_that_are_no_text(home: Path, door: Script, arguments: tuple[bytes, ...]) -> None:
    ended = dispatch(home, *arguments)
    check(ended, 2, "not UTF-8")
    assert door.requests == []
    document = dispatch(home, *arguments, b"--json").json
    assert document["error"]["code"] == "not_encodable"


def test_an_unknown_command_that_is_no_text(home: Path) -> None:
    ended = dispatch(home, b"\xff\xfe")
    check(ended, 2, "There is no command")


@pytest.mark.parametrize(
    ("arguments", "stdin", "said"),
    [
        (("send", "bob", "-"), b"na\xefve", "task in standard input is not UTF-8 text (byte 2)."),
        (("send", "bob", "-"), b"", "task is empty."),
        (("send", "bob", "-"), b"x" * 1_100_000, "longer than 1,048,576 bytes"),
        (("send", "bob", "hi", "--steps", "/nowhere"), b"", "cannot be read from /nowhere: No such file"),
        (("send", "bob", "hi", "--steps", "."), b"", "Is a directory"),
        (("send", "bob", "hi", "--background", "@/nowhere"), b"", "background cannot be read from /nowhere"),
        (("send", "bob", "hi", "--steps", "-"), b"{}", "it should be a list of steps"),
        (("send", "bob", "hi", "--steps", "-"), b"- a: &x [1]\n  b: *x", "an alias (*) is not allowed"),
        (
            ("login", "--broker", "http://x", "--email", "a@b.c", "--token-file", "/nowhere"),
            b"",
            "token cannot be read",
        ),
    ],
)
def test_input_that_cannot_be_read(
    home: Path, door: Script, arguments: tuple[str, ...], stdin: bytes, said: str
) -> None:
    check(dispatch(home, *arguments, stdin=stdin), 2, said)
    assert door.requests == []


def test_every_code_of_the_table_ends_as_the_table_says(home: Path, door: Script) -> None:
    for code, (_, expected, _hint) in sorted(CODES.items())[::9]:
        door.refuse("GET", "/v1/dispatches", code, "The sentence of the daemon.")
        ended = dispatch(home, "inbox", "--json")
        assert (ended.code, ended.json["error"]["code"]) == (expected, code)
        assert ended.json["error"]["message"] == "The sentence of the daemon."
        assert ended.json["error"]["hint"]


def test_a_code_of_a_newer_daemon_ends_by_its_http_status(home: Path, door: Script) -> None:
    door.answer("GET", "/v1/dispatches", {"code": "too_modern", "detail": "later"}, status=403)
    ended = dispatch(home, "inbox", "--json")
    assert (ended.code, ended.json["error"]["code"]) == (3, "too_modern")
    door.answer("GET", "/v1/dispatches", {}, status=404)
    assert dispatch(home, "inbox").code == 6


def test_candidates_of_an_ambiguous_id_are_listed(home: Path, door: Script) -> None:
    door.refuse(
        "GET", "/v1/dispatches/4f2", "ambiguous", "two dispatches begin with 4f2", candidates=[ID, "4f2b"]
    )
    ended = dispatch(home, "status", "4f2")
    check(ended, 6, "Two dispatches begin with 4f2.", f"  {ID}\n  4f2b\n")
    assert dispatch(home, "status", "4f2", "--json").json["error"]["candidates"] == [ID, "4f2b"]


@pytest.mark.parametrize("odd", [".", "..", ""])
def test_what_can_be_no_id_is_not_asked_for(home: Path, door: Script, odd: str) -> None:
    check(dispatch(home, "status", odd), 6, "There is no dispatch")
    assert door.requests == []


def test_the_daemon_sees_ids_as_they_were_typed(home: Path, door: Script) -> None:
    dispatch(home, "status", "a/b?c#d e%ü")
    assert door.requests[0].path == "/v1/dispatches/a%2Fb%3Fc%23d%20e%25%C3%BC"


@contextmanager
def running(home: Path, *arguments: str, **pipes: int) -> "Iterator[subprocess.Popen[bytes]]":
    process = subprocess.Popen(command(*arguments), stderr=subprocess.PIPE, env=environment(home), **pipes)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def wait_for(door: Script, count: int) -> None:
    ready = threading.Event()
    while len(door.requests) < count:
        ready.wait(0.005)


@pytest.mark.parametrize("arguments", [("inbox",), ("watch", ID), ("send", "bob", "hi", "--wait")])
def test_ctrl_c_is_130_and_quiet(home: Path, door: Script, arguments: tuple[str, ...]) -> None:
    door.stall = True
    with running(home, *arguments) as process:
        wait_for(door, 1)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"Traceback" not in err


def test_ctrl_c_with_json_is_one_document(home: Path, door: Script) -> None:
    door.stall = True
    with running(home, "inbox", "--json", stdout=subprocess.PIPE) as process:
        wait_for(door, 1)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b'"code": "interrupted"' in out


def test_ctrl_c_of_a_terminal(home: Path, door: Script) -> None:
    door.answer("GET", f"/v1/dispatches/{ID}", whole(status="running"))
    with Terminal(home, "watch", ID) as terminal:
        terminal.expect("watching for")
        terminal.press("\x03")
        assert terminal.end() == 130
    assert "Traceback" not in terminal.plain


@pytest.mark.parametrize(
    "arguments", [("inbox",), ("inbox", "--json"), ("--help",), ("watch", "--all", "--json")]
)
def test_a_reader_that_left_is_no_failure(home: Path, door: Script, arguments: tuple[str, ...]) -> None:
    rows = [listed(task="x" * 1000, dispatch_id=f"{number:08x}") for number in range(200)]
    door.answer("GET", "/v1/dispatches", {"dispatches": rows, "next": None})
    door.answer("GET", "/v1/approvals", {"approvals": []})
    read, write = os.pipe()
    os.close(read)
    with running(home, *arguments, stdout=write) as process:
        os.close(write)
        _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, b"")


def test_a_full_disk_behind_standard_output_is_said(home: Path) -> None:
    with Path("/dev/full").open("wb") as full, running(home, "version", stdout=full.fileno()) as process:
        _, err = process.communicate(timeout=20)
    assert process.returncode == 1
    assert b"The output could not be written: No space left on device." in err
    assert b"Traceback" not in err


def test_closed_streams_do_not_matter(home: Path) -> None:
    line = " ".join(str(part) for part in command("version"))
    done = subprocess.run(["sh", "-c", f"{line} >&- 2>&- <&-"], env=environment(home), check=False)
    assert done.returncode == 0


def test_an_ascii_terminal_gets_escapes_instead_of_failing(home: Path, door: Script) -> None:
    door.answer("GET", "/v1/dispatches", {"dispatches": [listed(task="naïve → ✓")], "next": None})
    ended = dispatch(home, "inbox", PYTHONIOENCODING="ascii")
    assert ended.code == 0
    assert "na\\xefve" in ended.out
    assert dispatch(home, "inbox", "--json", PYTHONIOENCODING="ascii").code == 0


def test_a_bug_of_ours_is_a_sentence_and_a_traceback_only_on_request(home: Path, door: Script) -> None:
    door.answer("GET", "/v1/doctor", {"checks": [{"name": [], "ok": True}]})
    ended = dispatch(home, "doctor")
    assert ended.code == 1
    assert "in a way that nobody foresaw (TypeError" in ended.err
    assert "Traceback" not in ended.err
    assert "Traceback" in dispatch(home, "doctor", DISPATCH_DEBUG="1").err
