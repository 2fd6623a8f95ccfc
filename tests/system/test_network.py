"""Hosts that a grant names: a dispatched run reaches exactly these, over real TLS, and its people see that it did."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.far_hosts import FarHost, far_host
from tests.support.neighbourhood import Neighbourhood, Person, bash, make_repository
from tests.support.patience import poll

NAME = "localhost"  # the one name that every machine knows, and that lies in a private place


@contextmanager
def far_host_beside(folder: Path) -> Iterator[FarHost]:
    """Serve a host on a loop of its own, while a test waits for other programs."""
    loop, made = asyncio.new_event_loop(), far_host(folder, NAME)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield asyncio.run_coroutine_threadsafe(made.__aenter__(), loop).result()
        asyncio.run_coroutine_threadsafe(made.__aexit__(None, None, None), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture
def far(tmp_path: Path) -> Iterator[FarHost]:
    with far_host_beside(tmp_path) as made:
        yield made


@pytest.fixture
def project(place: Path, far: FarHost) -> Path:
    return make_repository(place / "project", {"ca.pem": far.bundle.read_text()})


def opens(bob: Person) -> None:
    """Let Bob say on his machine that this name may lie on it; a setting counts from the next start on."""
    bob.do("config", "set", "private_hosts", NAME)
    bob.daemon.stop()
    bob.daemon.start()


def fetch(far: FarHost, *more: str) -> dict[str, Any]:
    return bash(" ".join(["curl -sS --max-time 60 --cacert ca.pem", *more, f"https://{NAME}:{far.port}/it"]))


def hold(far: FarHost) -> dict[str, Any]:
    """Return a step that opens a connection to a host and keeps it."""
    held = "import socket, ssl; s = socket.create_connection(('127.0.0.1', 3129)); "
    held += f"s.sendall(b'CONNECT {NAME}:{far.port} HTTP/1.1\\r\\n\\r\\n'); s.recv(999); "
    held += (
        f"t = ssl.create_default_context(cafile='ca.pem').wrap_socket(s, server_hostname='{NAME}'); t.recv(1)"
    )
    return bash(f'python3 -c "{held}"')


def test_a_run_reaches_the_host_that_was_granted_and_its_people_see_it(
    neighbourhood: Neighbourhood, far: FarHost, project: Path
) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    place = f"{NAME}:{far.port}"
    opens(bob)
    neighbourhood.befriend(
        *("--tools", "Bash", "--paths", f"{project}:rw", "--returns", "trace", "--network", place)
    )
    step = fetch(far, "-o", "fetched")
    dispatch_id = neighbourhood.send("Fetch it", [step, bash("cat fetched")])
    bob.do("accept", dispatch_id, "--detach")
    asked = bob.question(dispatch_id)
    assert asked["payload"]["input"] == step["input"]
    assert asked["payload"]["description"].endswith(f", and may reach {place}")
    assert far.connections == 0, "nothing leaves before the yes"
    while asked["kind"] != "changeset":
        bob.do("approve", asked["request_id"])
        asked = bob.question(dispatch_id)
    assert asked["payload"]["description"].endswith(f"; the run has reached {place}")
    bob.do("approve", asked["request_id"])
    state = bob.until(dispatch_id, "completed")
    assert state["outcome"] == "success", state
    assert (project / "fetched").read_bytes() == far.says
    assert [request.split(b"\r\n")[0] for request in far.asked] == [b"GET /it HTTP/1.1"]
    assert [event["data"] for event in state["events"] if event["type"] == "gate"] == [
        {"allowed": True, "what": place, "code": None, "effects": "external"}
    ]
    assert f"· reaches {place}" in bob.try_("status", dispatch_id).out
    result = alice.until(dispatch_id, "completed")
    assert far.says.decode() in str(result["events"])


def test_without_the_grant_or_the_owners_word_the_same_step_fails_and_nothing_leaves(
    neighbourhood: Neighbourhood, far: FarHost, project: Path
) -> None:
    alice, bob = neighbourhood.alice, neighbourhood.bob
    neighbourhood.befriend("--tools", "Bash", "--paths", f"{project}:rw", "--approval", "auto")
    bare = neighbourhood.send("Fetch it", [fetch(far)])
    bob.do("accept", bare, "--detach")
    state = bob.until(bare, "failed")
    assert "HTTPS_PROXY" not in str(state)
    assert [event for event in state["events"] if event["type"] == "gate"] == []

    bob.do("edit-edge", alice.address, "--network", f"{NAME}:{far.port}")
    closed = neighbourhood.send("Fetch it", [fetch(far)])
    bob.do("accept", closed, "--detach")
    state = bob.until(closed, "failed")
    (told,) = [event["data"] for event in state["events"] if event["type"] == "gate"]
    assert (told["allowed"], told["code"]) == (False, "gate_address")
    assert "the owner of this machine has not opened it" in told["what"]
    assert far.connections == 0

    opens(bob)
    control = neighbourhood.send("Fetch it", [fetch(far)])
    bob.do("accept", control, "--detach")
    assert bob.until(control, "completed")["outcome"] == "success"
    assert far.connections == 1


def test_what_is_on_its_way_ends_with_its_daemon_and_with_its_grant(
    neighbourhood: Neighbourhood, far: FarHost, project: Path
) -> None:
    """A run cut off says that it may have acted there, and is not tried again; a narrowed edge ends what it allowed."""
    alice, bob = neighbourhood.alice, neighbourhood.bob
    opens(bob)
    granted = ("--network", f"{NAME}:{far.port}")
    neighbourhood.befriend("--tools", "Bash", "--paths", f"{project}:rw", "--approval", "auto", *granted)
    cut_off = neighbourhood.send("Hold on to it", [hold(far)])
    bob.do("accept", cut_off, "--detach")
    poll(lambda: far.held == 1, "the run holds a connection")
    bob.daemon.kill()
    bob.daemon.start()
    state = bob.until(cut_off, "failed")
    assert state["error"]["code"] == "interrupted"
    assert "it had reached outside the wall, and may have acted there" in state["error"]["detail"]
    poll(lambda: far.held == 0, "the connection has ended with the daemon")

    narrowed = neighbourhood.send("Hold on to it", [hold(far)])
    bob.do("accept", narrowed, "--detach")
    poll(lambda: far.held == 1, "the run holds a connection")
    assert bob.do("edit-edge", alice.address, "--network", "example.org")["runs_ended"] == 1
    assert bob.until(narrowed, "cancelled")["error"]["code"] == "edge_narrowed"
    poll(lambda: far.held == 0, "the connection has ended with the run")
    assert far.connections == 2
