"""The relay never holds what two people say: its database and its log are searched for canaries."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.neighbourhood import Neighbourhood, bash, edit, make_repository
from tests.support.patience import poll

CANARY = "c4n4ry7f3a"


def run_with_canaries(everybody: Neighbourhood) -> None:
    """Put a canary into task, background, file names, scopes, steps, output, result and reason, and carry all of it."""
    project = make_repository(
        everybody.directory / f"{CANARY}-project", {f"{CANARY}.md": f"{CANARY}-old\n", "a.txt": "a\n"}
    )
    everybody.befriend("--tools", "Read,Edit,Bash", "--paths", f"{project}:rw", "--returns", "trace")
    steps = [
        edit(f"{CANARY}.md", f"{CANARY}-old", f"{CANARY}-new"),
        bash(f"echo {CANARY}-output", save_as=f"{CANARY}.txt"),
    ]
    extra = ("--background", f"{CANARY} background", "--deliverable", CANARY, "--meta", f"{CANARY}={CANARY}")
    done = everybody.send(f"{CANARY} task", steps, *extra)
    everybody.bob.do("accept", done)
    assert everybody.bob.approve_all(done)["status"] == "completed"
    state = everybody.alice.until(done, "completed")
    assert CANARY in state["changeset"][0]["path"]
    declined = everybody.send(f"{CANARY} other task")
    everybody.bob.do("decline", declined, "--reason", f"{CANARY} reason")
    everybody.alice.until(declined, "declined")


def found_at_the_relay(everybody: Neighbourhood) -> list[str]:
    """Return what the relay's files hold of the canary, in clear or in base64 of any alignment."""
    import base64

    needles = {CANARY.encode()}
    for shift in range(3):
        text = base64.b64encode(b"x" * shift + CANARY.encode() + b"yy").decode()
        needles.add(text[4:-4].encode())
    files = [path for path in everybody.broker.data.rglob("*") if path.is_file()] + [everybody.broker.log]
    assert everybody.broker.data / "broker.db" in files or len(files) > 1
    return [
        f"{path.name}: {needle.decode()}"
        for path in files
        for needle in needles
        if needle in path.read_bytes() or needle.hex().encode() in path.read_bytes()
    ]


def test_relay_holds_nothing_of_what_was_said(neighbourhood: Neighbourhood) -> None:
    run_with_canaries(neighbourhood)
    neighbourhood.broker.kill()  # before anything is tidied away
    assert found_at_the_relay(neighbourhood) == []


@pytest.fixture
def unsealed(place: Path) -> Iterator[Neighbourhood]:
    """Alice and Bob with daemons that do not seal."""
    everybody = Neighbourhood(place, daemon_module="tests.support.unsealed_daemon")
    try:
        everybody.open()
        yield everybody
    finally:
        everybody.close()


def test_the_search_finds_what_a_daemon_without_sealing_sends(unsealed: Neighbourhood) -> None:
    """Without sealing not even a first contact succeeds; what was sent stands at the relay for all to read."""
    token = unsealed.alice.do("invite", unsealed.bob.address, "--link-only")["token"]
    granted = unsealed.directory / f"{CANARY}-project"
    granted.mkdir()
    unsealed.bob.do("accept-invitation", token, "--profile", "edit", "--paths", f"{granted}:rw")
    assert poll(lambda: found_at_the_relay(unsealed), "the canary stands at the relay")
