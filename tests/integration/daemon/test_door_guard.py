"""The door's guard over real sockets: who may speak, by which name, from which page, with which token."""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from dispatch_daemon.adapters.loopback import peer
from dispatch_daemon.adapters.loopback.peer import ask_kernel, peer_uid, read_table
from dispatch_daemon.adapters.loopback.server import Door
from dispatch_protocol.errors import LocalError
from tests.support.door_client import TOKEN, DoorClient
from tests.support.patience import eventually
from tests.support.scripted_service import ScriptedService


async def test_the_owner_with_the_token_is_let_in(
    client: DoorClient, door: Door, service: ScriptedService
) -> None:
    for host in (f"127.0.0.1:{door.port}", f"localhost:{door.port}", f"LOCALHOST:{door.port}"):
        reply = await client.ask("GET", "/v1/whoami", Host=host)
        assert (reply.status, reply.value["user"]) == (200, "bob@example.org")
    assert service.calls == [("whoami", {})] * 3


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "evil.example",
        "127.0.0.1",
        "localhost",
        "127.0.0.1:1",
        "127.0.0.1.evil.example:{port}",
        "localhost.evil.example:{port}",
        "evil.example:{port}",
        "127.0.0.2:{port}",
        "127.1:{port}",
        "2130706433:{port}",
        "0.0.0.0:{port}",
        "[::1]:{port}",
        "[::ffff:127.0.0.1]:{port}",
        "127.0.0.1:{port}@evil.example",
        "evil.example@127.0.0.1:{port}",
        "127.0.0.1:0{port}",
        "127.0.0.1:{port}.",
        "localhost.:{port}",
    ],
)
async def test_any_other_name_is_refused(
    client: DoorClient, door: Door, service: ScriptedService, host: str | None
) -> None:
    name = None if host is None else host.format(port=door.port)
    reply = await client.ask("GET", "/v1/whoami", Host=name)
    assert reply.status in {400, 403}
    assert reply.code in {"wrong_host", "bad_http"}
    assert service.calls == []


async def test_two_names_are_refused(client: DoorClient, door: Door) -> None:
    raw = client.head("GET", "/v1/whoami").replace("Connection", f"Host: localhost:{door.port}\r\nConnection")
    reply = await client.send(raw.encode())
    assert reply.code in {"wrong_host", "bad_http"}


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "http://127.0.0.1",
        "http://localhost",
        "https://127.0.0.1:{port}",
        "http://127.0.0.1:{port}.evil.example",
        "http://evil.example:{port}",
        "http://127.0.0.1:1",
        "",
    ],
)
async def test_a_foreign_page_is_refused(
    client: DoorClient, door: Door, service: ScriptedService, origin: str
) -> None:
    for unix in (False, True):
        reply = await client.ask("GET", "/v1/whoami", Origin=origin.format(port=door.port), unix=unix)
        assert (reply.status, reply.code) == (403, "wrong_origin")
    assert service.calls == []


async def test_the_doors_own_page_is_let_in(client: DoorClient, door: Door) -> None:
    for origin in (door.url, f"http://localhost:{door.port}"):
        reply = await client.ask("GET", "/v1/whoami", Origin=origin, Sec_Fetch_Site="same-origin")
        assert reply.status == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site", "anything"])
async def test_a_request_that_a_browser_marks_as_foreign_is_refused(client: DoorClient, site: str) -> None:
    reply = await client.ask("GET", "/v1/whoami", Sec_Fetch_Site=site)
    assert (reply.status, reply.code) == (403, "wrong_origin")


async def test_a_preflight_grants_nothing(client: DoorClient) -> None:
    reply = await client.ask(
        "OPTIONS", "/v1/dispatches", Origin="https://evil.example", Access_Control_Request_Method="POST"
    )
    assert reply.status == 403
    assert not [name for name in reply.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        "Bearer {token}x",
        "Bearer {short}",
        "Basic {token}",
        "{token}",
        "Bearer tökén",
        "Bearer \udcff\udcfe",
        "Bearer {token} {token}",
    ],
)
async def test_without_the_token_nothing_opens(
    client: DoorClient, home: Path, service: ScriptedService, header: str | None
) -> None:
    token = TOKEN
    spelt = None if header is None else header.format(token=token, short=token[:-1])
    for target in ("/v1/whoami", "/health", "/v1/openapi.json", "/v1/events", "/nowhere"):
        reply = await client.ask("GET", target, Authorization=spelt)
        assert (reply.status, reply.code) == (401, "token_wrong")
        assert reply.headers["www-authenticate"] == "Bearer"
    assert service.calls == []


async def test_two_tokens_are_one_too_many(client: DoorClient, home: Path) -> None:
    raw = client.head("GET", "/v1/whoami").replace(
        "Connection", f"Authorization: Bearer {TOKEN}\r\nConnection"
    )
    reply = await client.send(raw.encode())
    assert (reply.status, reply.code) == (401, "token_wrong")


async def test_on_the_socket_the_user_suffices_and_a_wrong_token_does_not_help(client: DoorClient) -> None:
    reply = await client.ask("GET", "/v1/whoami", unix=True, Authorization=None, Host="localhost")
    assert reply.status == 200
    reply = await client.ask("GET", "/v1/whoami", unix=True, Host="localhost")
    assert reply.status == 200
    reply = await client.ask("GET", "/v1/whoami", unix=True, Authorization="Bearer wrong")
    assert (reply.status, reply.code) == (401, "token_wrong")


# Another user of the machine. Real ones need root to become them; without root the door is told that it is another's.

STRANGER = """
import os, socket, sys
kind, place, uid, host, token = sys.argv[1:6]
place = place if kind == "unix" else int(place)
if int(uid) >= 0:
    os.setgid(int(uid)); os.setuid(int(uid))
family = {"tcp": socket.AF_INET, "tcp6": socket.AF_INET6, "unix": socket.AF_UNIX}[kind]
with socket.socket(family) as door:
    door.connect({"tcp": ("127.0.0.1", place), "tcp6": ("::ffff:127.0.0.1", place), "unix": place}[kind])
    door.sendall(f"GET /v1/whoami HTTP/1.1\\r\\nHost: {host}\\r\\nAuthorization: Bearer {token}\\r\\n\\r\\n".encode())
    print(door.makefile("rb").readline().decode())
"""


async def stranger(kind: str, door: Door, token: str, uid: int) -> str:
    place = door.socket if kind == "unix" else str(door.port)
    arguments = [kind, place, str(uid), f"127.0.0.1:{door.port}", token]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-S", "-c", STRANGER, *arguments, cwd="/", stdout=subprocess.PIPE
    )
    answer, _ = await process.communicate()
    assert process.returncode == 0
    return answer.decode()


@pytest.fixture
async def exposed(open_door: Callable[..., Awaitable[Door]]) -> AsyncIterator[Door]:
    """A door whose home and socket were opened to everybody by mistake, so that only the door itself is left."""
    with tempfile.TemporaryDirectory() as place:
        door = await open_door(home=Path(place))
        os.chmod(place, 0o755)
        os.chmod(door.socket, 0o666)
        yield door
        await door.stop()


@pytest.mark.parametrize("kind", ["tcp", "tcp6", "unix"])
async def test_another_user_is_refused_even_with_the_token(
    exposed: Door, home: Path, service: ScriptedService, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() == 0:
        answer = await stranger(kind, exposed, TOKEN, 54_321)
    else:
        own = os.geteuid()
        monkeypatch.setattr(os, "geteuid", lambda: own + 1)
        answer = await stranger(kind, exposed, TOKEN, -1)
    assert " 403 " in answer
    assert service.calls == []


@pytest.mark.parametrize("kind", ["tcp", "tcp6", "unix"])
async def test_another_process_of_the_same_user_is_let_in(door: Door, home: Path, kind: str) -> None:
    assert " 200 " in await stranger(kind, door, TOKEN, -1)


@pytest.mark.parametrize("ask", [ask_kernel, read_table])
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_the_kernel_knows_who_owns_the_other_end(
    family: socket.AddressFamily, ask: Callable[..., Any]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket(family) as client:
        client.connect(
            ("127.0.0.1" if family == socket.AF_INET else "::ffff:127.0.0.1", listener.getsockname()[1])
        )
        accepted, _ = listener.accept()
        with accepted:
            found = ask(accepted.getpeername(), accepted.getsockname())
            assert found == (os.geteuid(), os.fstat(client.fileno()).st_ino)


@pytest.mark.parametrize("ask", [ask_kernel, read_table])
async def test_an_end_that_nobody_owns_any_more_is_not_taken_for_root(ask: Callable[..., Any]) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    leaving = socket.create_connection(listener.getsockname())
    accepted, _ = listener.accept()
    with listener, accepted:
        ends = accepted.getpeername(), accepted.getsockname()
        leaving.close()

        await eventually(lambda: ask(*ends) == (0, 0))
        with pytest.raises(LocalError, match="no living process"):
            peer_uid(accepted)


@pytest.mark.parametrize("ask", [ask_kernel, read_table])
def test_a_connection_that_never_was_has_no_owner(ask: Callable[..., Any]) -> None:
    assert ask(("127.0.0.1", 1), ("127.0.0.1", 2)) == (0, 0)


def test_where_the_kernel_may_not_be_asked_its_table_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(peer, "ask_kernel", forbidden)
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert peer_uid(accepted) == os.geteuid()


async def test_a_caller_that_nobody_vouches_for_is_refused(
    client: DoorClient, service: ScriptedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer, "ask_kernel", lambda *_: (os.geteuid(), 0))
    reply = await client.ask("GET", "/v1/whoami")
    assert (reply.status, reply.code) == (403, "other_user")
    assert service.calls == []


async def test_strangers_cannot_crowd_out_the_owner(
    door: Door, home: Path, monkeypatch: pytest.MonkeyPatch, client: DoorClient
) -> None:
    own = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: own + 1)
    crowd = [await client.connect() for _ in range(20)]
    closed = 0
    for reader, _ in crowd[16:]:
        closed += await reader.read() == b""
    assert closed == 4
    monkeypatch.setattr(os, "geteuid", lambda: own)
    assert (await client.ask("GET", "/health")).status == 200
    for _, writer in crowd:
        writer.close()


async def test_the_door_serves_only_so_many_connections(
    open_door: Callable[..., Awaitable[Door]], client: DoorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispatch_daemon.adapters.loopback.connection.CONNECTIONS", 8)
    crowd = [await client.connect() for _ in range(9)]
    assert await crowd[8][0].read() == b""
    crowd[0][1].close()
    await crowd[0][1].wait_closed()

    while (await raw_status(client)) != 200:
        pass
    for _, writer in crowd:
        writer.close()


async def raw_status(client: DoorClient) -> int:
    """Ask once; 0 where the door hung up."""
    try:
        return (await client.ask("GET", "/health")).status
    except (ConnectionError, asyncio.IncompleteReadError):
        return 0
