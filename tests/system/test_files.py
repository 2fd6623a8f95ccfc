"""Files that go with a task and come back with its result, between two people with real daemons and a broker."""

import hashlib
import json
import os
import shutil
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.neighbourhood import Neighbourhood, bash, changed, edit, read
from tests.support.patience import poll

TOOLS = ("--tools", "Read,Bash", "--approval", "auto", "--returns", "trace")


def content(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def made(directory: Path, files: dict[str, bytes]) -> list[str]:
    """Make files and return the words that attach them."""
    words: list[str] = []
    for name, data in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        words += ["--file", str(path)]
    return words


def arrived(neighbourhood: Neighbourhood, dispatch_id: str) -> dict[str, Any]:
    """Wait until every file of a dispatch is at Bob's."""

    def here() -> dict[str, Any] | None:
        state = neighbourhood.bob.status(dispatch_id)
        return None if state["files_arriving"] else state

    return poll(here, "the files arrive")


def blobs(data: Path) -> list[Path]:
    """Return the sealed files that a broker holds whole."""
    return [path for path in data.rglob("*") if path.is_file() and path.parent.parent.name == "whole"]


FILES = {
    "report.txt": b"one line\n",
    "empty": b"",
    "full.bin": content(65_536),
    "big.bin": content(2_000_000),
    "Größe 🎈.md": b"# words\n",
}


def test_files_travel_sealed_are_read_inside_and_what_was_made_comes_back(
    neighbourhood: Neighbourhood, repository: Path, place: Path
) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    neighbourhood.befriend(*TOOLS, "--paths", f"{repository}:rw")
    steps = [
        bash('cd "$DISPATCH_ATTACHMENTS" && sha256sum * | sort -k2', save_as="sums.txt"),
        read("/run/dispatch/attachments/report.txt"),
        bash('echo x > "$DISPATCH_ATTACHMENTS/new"', allow_failure=True),
        bash('echo x >> "$DISPATCH_ATTACHMENTS/report.txt"', allow_failure=True),
        bash('cp "$DISPATCH_ATTACHMENTS/big.bin" "$DISPATCH_ARTIFACTS/copy.bin"'),
    ]
    dispatch_id = neighbourhood.send("Look", steps, *made(place / "out", FILES))
    shown = [
        (each["name"], each["size_bytes"], each["sha256"]) for each in bob.status(dispatch_id)["attachments"]
    ]
    assert shown == [(name, len(data), sha256(data)) for name, data in FILES.items()]
    arrived(neighbourhood, dispatch_id)
    bob.do("accept", dispatch_id, "--cwd", str(repository))
    state = bob.until(dispatch_id, "completed", "failed")
    assert state["status"] == "completed", state
    results = [each["data"] for each in state["events"] if each["type"] == "tool_result"]
    assert results[0]["output"].split() == [
        word for name in sorted(FILES, key=str.encode) for word in (sha256(FILES[name]), *name.split())
    ]
    assert "one line" in results[1]["output"]
    assert [each["ok"] for each in results[2:4]] == [False, False]
    assert list((bob.home / "runs").glob("*/inbox")) == []

    alice.until(dispatch_id, "completed")
    poll(lambda: not alice.status(dispatch_id)["files_arriving"], "the result's files arrive")
    saved = place / "saved"
    came = alice.do("result", dispatch_id, "--save", str(saved))
    assert {each["name"]: each["sha256"] for each in came["artifacts"]} == {
        "copy.bin": sha256(FILES["big.bin"]),
        "sums.txt": sha256(results[0]["output"].encode()),
    }
    assert (saved / "copy.bin").read_bytes() == FILES["big.bin"]
    assert alice.do("verify", came["bundle"])["ok"]
    for person in (alice, bob):
        whole = person.status(dispatch_id)
        (address,) = [each["download_url"] for each in whole["artifacts"] if each["name"] == "copy.bin"]
        with urllib.request.urlopen(person.daemon.url + address, timeout=10) as answer:
            assert answer.read() == FILES["big.bin"]
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(person.daemon.url + address, timeout=10)
    assert json.loads(Path(came["bundle"]).read_text())


def test_the_relay_keeps_bytes_without_names_and_forgets_them_when_they_are_fetched(
    neighbourhood: Neighbourhood, repository: Path, place: Path
) -> None:
    neighbourhood.befriend(*TOOLS, "--paths", f"{repository}:rw")
    secret = b"what nobody in between may read " * 5_000
    neighbourhood.bob.daemon.stop()
    sent = neighbourhood.alice.do(
        "send", neighbourhood.bob.address, "Read", *made(place / "out", {"secret-name.txt": secret})
    )
    neighbourhood.alice.until(sent["dispatch_id"], "sent")
    kept = [path for path in neighbourhood.broker.data.rglob("*") if path.is_file()]
    assert any(path.stat().st_size > len(secret) for path in kept if path.parent.parent.name == "whole")
    for path in kept:
        data = path.read_bytes()
        assert secret[:32] not in data, path
        assert b"secret-name" not in data, path
    neighbourhood.broker.stop()
    neighbourhood.broker.start()
    neighbourhood.bob.daemon.start()
    neighbourhood.bob.receives(sent["dispatch_id"])
    arrived(neighbourhood, sent["dispatch_id"])


def test_a_broker_restored_from_an_older_backup_is_given_a_results_files_again(
    neighbourhood: Neighbourhood, repository: Path, place: Path
) -> None:
    alice, bob, broker = neighbourhood.alice, neighbourhood.bob, neighbourhood.broker
    neighbourhood.befriend(*TOOLS, "--paths", f"{repository}:rw")
    dispatch_id = neighbourhood.send("Make", [bash('echo made > "$DISPATCH_ARTIFACTS/made.txt"')])
    broker.stop()
    shutil.copytree(broker.data, place / "backup")
    broker.start()
    alice.daemon.stop()
    bob.do("accept", dispatch_id, "--cwd", str(repository))
    assert bob.until(dispatch_id, "completed", "failed")["status"] == "completed"
    poll(lambda: blobs(broker.data), "the result's file is at the broker")
    bob.daemon.stop()
    broker.kill()
    shutil.rmtree(broker.data)
    shutil.copytree(place / "backup", broker.data)
    assert not blobs(broker.data)
    broker.start()
    bob.daemon.start()
    alice.daemon.start()
    alice.until(dispatch_id, "completed")
    poll(lambda: not alice.status(dispatch_id)["files_arriving"], "the result's file arrives")
    alice.do("result", dispatch_id, "--save", str(place / "saved"))
    assert (place / "saved" / "made.txt").read_bytes() == b"made\n"


def _swapped(path: Path) -> None:
    path.write_bytes(b"other\n")


def _linked(path: Path) -> None:
    path.with_name("same.txt").rename(path.parent.parent / "elsewhere")
    path.with_name("same.txt").symlink_to("../elsewhere")


def _added(path: Path) -> None:
    path.with_name("more.txt").write_bytes(b"more\n")


def _piped(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def test_a_file_that_is_swapped_after_it_was_shown_does_not_leave(
    neighbourhood: Neighbourhood, repository: Path, place: Path
) -> None:
    """Whatever lies there between the question and the answer: what was approved leaves, or nothing of it does."""
    alice, bob = neighbourhood.alice, neighbourhood.bob
    neighbourhood.befriend(
        "--tools", "Bash,Edit", "--returns", "trace", "--paths", f"{repository}:rw", "--approval", "review"
    )
    make = bash('cd "$DISPATCH_ARTIFACTS" && echo shown > swapped.txt && echo shown > same.txt')
    steps = {_swapped: [make, edit("notes.md", "first", "second")]}
    for swap in (_swapped, _linked, _added, _piped, None):
        dispatch_id = neighbourhood.send("Make", steps.get(swap, [make]))
        run_id = bob.do("accept", dispatch_id, "--cwd", str(repository))["run_id"]
        closing = bob.question(dispatch_id)
        shown = {each["name"]: each["sha256"] for each in closing["payload"]["artifacts"]}
        assert shown == dict.fromkeys(("same.txt", "swapped.txt"), sha256(b"shown\n"))
        assert len(closing["subject_digest"]) == 64
        if swap is not None:
            swap(bob.home / "runs" / run_id / "artifacts" / "swapped.txt")
        bob.do("approve", closing["request_id"])
        told = alice.until(dispatch_id, "completed", "failed")
        if swap is None:
            assert told["outcome"] == "success"
            continue
        assert (told["outcome"], told["runs"][0]["code"]) == ("failed", "changeset_changed"), swap
        assert told["error"]["detail"] == "What would have left was not what was approved."
        assert (told["artifacts"], changed(repository)) == ([], set())
    poll(lambda: not alice.status(dispatch_id)["files_arriving"], "the result's files arrive")
    alice.do("result", dispatch_id, "--save", str(place / "saved"))
    assert {path.name: path.read_bytes() for path in (place / "saved").glob("*.txt")} == {
        "same.txt": b"shown\n",
        "swapped.txt": b"shown\n",
    }


def test_ones_own_job_has_its_files_without_a_broker(place: Path, repository: Path) -> None:
    neighbourhood = Neighbourhood(place)
    alice = neighbourhood.alice
    alice.daemon.start()
    try:
        steps = place / "steps.json"
        steps.write_text(json.dumps([bash('cat "$DISPATCH_ATTACHMENTS"/*')]))
        words = made(place / "a", {"note": b"first\n"}) + made(place / "b", {"note": b"second\n"})
        sent = alice.do("send", "me", "Read", *words, "--steps", str(steps))
        state = alice.status(sent["dispatch_id"])
        assert [each["name"] for each in state["attachments"]] == ["note", "note-2"]
        assert not state["files_arriving"]
        alice.do("accept", sent["dispatch_id"], "--cwd", str(repository))
        state = alice.approve_all(sent["dispatch_id"])
        assert state["status"] == "completed", state
        (output,) = [each["data"]["output"] for each in state["events"] if each["type"] == "tool_result"]
        assert output == "first\nsecond\n"
    finally:
        alice.daemon.stop()


class TestWhatIsNotSent:
    """An error names the file, exits with 2 and sends nothing."""

    @pytest.fixture
    def alice(self, place: Path) -> Iterator[Any]:
        neighbourhood = Neighbourhood(place)
        neighbourhood.alice.daemon.start()
        yield neighbourhood.alice
        assert neighbourhood.alice.do("sent")["dispatches"] == []
        neighbourhood.alice.daemon.stop()

    def said(self, alice: Any, *words: str) -> str:
        return str(alice.do("send", "me", "Read", *words, code=2)["error"]["code"])

    def test_what_is_no_plain_file(self, alice: Any, place: Path) -> None:
        os.mkfifo(place / "fifo")
        (place / "dangling").symlink_to(place / "nowhere")
        (place / "loop").symlink_to(place / "loop")
        good = made(place, {"good": b"x"})
        for name in ("fifo", "dangling", "loop", "missing", "", "."):
            assert self.said(alice, *good, "--file", str(place / name)) == "file_unreadable"
        assert self.said(alice, "--file", "/dev/zero") == "file_unreadable"

    def test_a_name_that_cannot_travel(self, alice: Any, place: Path) -> None:
        for name in ("a\nb", "a\\b", "\u202egnp.exe"):
            assert self.said(alice, *made(place, {name: b"x"})) == "file_name"

    def test_one_file_too_many(self, alice: Any, place: Path) -> None:
        assert self.said(alice, *made(place, {f"{number}": b"" for number in range(51)})) == "too_many_files"

    def test_a_file_that_is_too_large(self, alice: Any, place: Path) -> None:
        large = place / "large"
        with large.open("wb") as file:
            file.truncate(5 * 1024 * 1024 + 1)
        assert self.said(alice, "--file", str(large)) == "file_too_large"
        with large.open("wb") as file:
            file.truncate(1 << 40)
        assert self.said(alice, "--file", str(large)) == "file_too_large"

    def test_a_file_that_changes_while_it_is_read(self, alice: Any, place: Path) -> None:
        moving, stop = place / "moving", threading.Event()
        moving.write_bytes(content(4 * 1024 * 1024))

        def write() -> None:
            while not stop.is_set():
                with moving.open("r+b") as file:
                    file.write(b"x")

        writing = threading.Thread(target=write)
        writing.start()
        try:
            assert self.said(alice, "--file", str(moving)) == "file_changed"
        finally:
            stop.set()
            writing.join()
