"""Files in hostile hands: a relay that changes, withholds or exchanges their bytes, and a sender who signs a lie."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dispatch_protocol.blob import SEALED_CHUNK_BYTES
from tests.support.neighbourhood import Neighbourhood, Person
from tests.support.patience import poll

CONTENT = b"".join(bytes((number,)) * 65_536 for number in range(3))


@pytest.fixture
def neighbourhood(place: Path) -> Iterator[Neighbourhood]:
    everybody = Neighbourhood(place, daemon_module="tests.support.brisk_daemon")
    try:
        everybody.open()
        yield everybody
    finally:
        everybody.close()


def befriend(neighbourhood: Neighbourhood, place: Path) -> None:
    (place / "work").mkdir()
    neighbourhood.befriend("--tools", "Bash", "--approval", "auto", "--paths", f"{place / 'work'}:rw")


def send(sender: Person, to: str, place: Path, *contents: bytes, name: str = "file") -> str:
    words: list[str] = []
    for content in contents:
        path = place / name
        path.write_bytes(content)
        words += ["--file", str(path)]
        name = f"{name}-more"
    steps = place / "steps.json"
    steps.write_text('[{"tool": "Bash", "input": {"command": "sha256sum $DISPATCH_ATTACHMENTS/*"}}]')
    sent = sender.do("send", to, "Look", "--steps", str(steps), *words)
    return str(sent["dispatch_id"])


def kept(neighbourhood: Neighbourhood) -> list[Path]:
    """Return the blobs on the relay's disk."""
    whole = neighbourhood.broker.data / "blobs" / "whole"
    return sorted(path for path in whole.rglob("*") if path.is_file())


def exchanged(raw: bytes, other: bytes) -> bytes:
    chunk = SEALED_CHUNK_BYTES
    return raw[chunk : 2 * chunk] + raw[:chunk] + raw[2 * chunk :]


REFUSED = {"key": "blob_chunk", "order": "blob_chunk", "digest": "blob_digest", "size": "file_too_large"}
DEEDS: dict[str, tuple[Callable[[bytes, bytes], bytes | None], str]] = {
    "truncated": (lambda raw, other: raw[:-1], "broker_unreachable"),
    "extended, and one bit": (lambda raw, other: bytes((raw[0] ^ 1,)) + raw[1:] + raw, "blob_address"),
    "one bit": (lambda raw, other: bytes((raw[0] ^ 1,)) + raw[1:], "blob_address"),
    "reordered": (exchanged, "blob_address"),
    "swapped for the other file": (lambda raw, other: other, "blob_address"),
    "withheld": (lambda raw, other: None, "not_found"),
}


def test_relay_that_changes_or_withholds_bytes_delays_a_yes_and_does_no_more(
    neighbourhood: Neighbourhood, place: Path
) -> None:
    """Each deed in turn, on one dispatch; when the relay is honest again, the files are whole and the task runs."""
    bob = neighbourhood.bob
    befriend(neighbourhood, place)
    bob.daemon.stop()
    dispatch_id = send(neighbourhood.alice, bob.address, place, CONTENT, CONTENT[::-1])
    neighbourhood.alice.until(dispatch_id, "sent")
    one, other = kept(neighbourhood)
    honest = {path: path.read_bytes() for path in (one, other)}
    for deed, (change, code) in DEEDS.items():
        for path, against in ((one, other), (other, one)):
            changed = change(honest[path], honest[against])
            if changed is None:
                path.unlink()
            else:
                path.write_bytes(changed)
        seen = len(bob.daemon.log.read_text()) if bob.daemon.log.exists() else 0
        bob.daemon.start()
        bob.receives(dispatch_id)
        poll(
            lambda seen=seen, code=code: f"has not come: {code}" in bob.daemon.log.read_text()[seen:],
            f"Bob's daemon notices: {deed}",
        )
        refused = bob.do("accept", dispatch_id, "--cwd", str(place / "work"), code=8)
        assert refused["error"]["code"] == "files_arriving", deed
        assert bob.status(dispatch_id)["status"] == "delivered", deed
        bob.daemon.stop()
    for path, raw in honest.items():
        path.write_bytes(raw)
    bob.daemon.start()
    poll(lambda: not bob.status(dispatch_id)["files_arriving"], "the files arrive after all")
    bob.do("accept", dispatch_id, "--cwd", str(place / "work"))
    assert bob.until(dispatch_id, "completed", "failed")["status"] == "completed"


def test_relay_that_lost_its_memory_gets_the_files_again(neighbourhood: Neighbourhood, place: Path) -> None:
    alice, bob, broker = neighbourhood.alice, neighbourhood.bob, neighbourhood.broker
    befriend(neighbourhood, place)
    broker.stop()
    backup = {path.name: path.read_bytes() for path in broker.data.glob("broker.*")}
    broker.start()
    bob.daemon.stop()
    dispatch_id = send(alice, bob.address, place, CONTENT)
    alice.until(dispatch_id, "sent")
    broker.stop()
    for path in [*broker.data.glob("broker.*"), *kept(neighbourhood)]:
        path.unlink()
    for name, data in backup.items():
        if not name.endswith("generation"):
            (broker.data / name).write_bytes(data)
    broker.start()
    bob.daemon.start()
    bob.receives(dispatch_id)
    poll(lambda: not bob.status(dispatch_id)["files_arriving"], "the files come from Alice once more")


def test_sender_who_signs_a_lie_about_a_file_is_refused_with_a_signed_reason(place: Path) -> None:
    """Each lie in turn; a name that deceives is none, and is shown and used without its deceit."""
    neighbourhood = Neighbourhood(place, daemon_module="tests.support.brisk_daemon")
    neighbourhood.alice = liar = Person("liar", place, module="tests.support.lying_daemon")
    bob = neighbourhood.bob
    try:
        neighbourhood.open()
        befriend(neighbourhood, place)
        sent = {about: send(liar, bob.address, place, CONTENT, name=about) for about in (*REFUSED, "name")}
        for about, code in REFUSED.items():
            told = liar.until(sent[about], "refused", "failed")
            assert told["error"]["code"] == code
            assert [each["type"] for each in told["receipts"]][-1] == "refused"
            assert bob.status(sent[about])["status"] == "refused"
        poll(lambda: not bob.status(sent["name"])["files_arriving"], "the file arrives")
        assert not {"\x1b", "\u202e", "\u200b"} & set(bob.try_("status", sent["name"]).out)
        bob.do("accept", sent["name"], "--cwd", str(place / "work"))
        state = bob.until(sent["name"], "completed", "failed")
        (output,) = [each["data"]["output"] for each in state["events"] if each["type"] == "tool_result"]
        assert output.split()[1] == "/run/dispatch/attachments/_[2J_gnp.exe_"
    finally:
        neighbourhood.close()
