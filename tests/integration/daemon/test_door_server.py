"""Opening and closing the door: where it binds, what it records, what it refuses to touch, whom it lets finish."""

import asyncio
import json
import logging
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from dispatch_daemon.adapters.home import HomeError
from dispatch_daemon.adapters.loopback.server import Door, bind_tcp
from dispatch_daemon.adapters.settings import read_config, write_config
from dispatch_protocol import loopback
from tests.support.door_client import TOKEN, DoorClient
from tests.support.patience import eventually
from tests.support.scripted_service import ScriptedService

Opener = Callable[..., Awaitable[Door]]

SQUATTER = """
import socket, sys
with socket.create_server((sys.argv[1], int(sys.argv[2]))) as taken:
    print(taken.getsockname()[1], flush=True)
    sys.stdin.read()
"""


def config(home: Path) -> dict[str, object]:
    return dict(read_config(home))


async def test_both_doors_lead_to_the_same_service(door: Door, home: Path) -> None:
    client = DoorClient(door, TOKEN)
    assert (await client.ask("GET", "/health")).value == {"ok": True}
    assert (await client.ask("GET", "/health", unix=True)).value == {"ok": True}
    assert door.url == f"http://127.0.0.1:{door.port}"
    assert door.socket == str(home / "daemon.sock")


async def test_the_socket_is_private_from_its_first_moment(door: Door) -> None:
    mode = os.stat(door.socket).st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    before = os.umask(0o022)
    os.umask(before)
    assert before != 0o177  # the mask was put back


async def test_tcp_listens_on_loopback_alone(door: Door) -> None:
    listening = Path("/proc/self/net/tcp").read_text().splitlines()
    row = f"0100007F:{door.port:04X} 00000000:0000 0A"
    assert [line for line in listening if row in line]
    assert not [line for line in listening if f"00000000:{door.port:04X} 00000000:0000 0A" in line]


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
async def test_a_port_that_another_process_holds_is_left_to_it(
    open_door: Opener, home: Path, caplog: pytest.LogCaptureFixture, address: str
) -> None:
    squatter = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SQUATTER, address, "0", stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert squatter.stdout is not None
    taken = int(await squatter.stdout.readline())
    with caplog.at_level(logging.WARNING):
        door = await open_door(port=taken)
    assert door.port != taken
    assert f"port {taken} is taken; the door is at {door.url}" in caplog.text
    assert config(home) == {"door": door.url}
    client = DoorClient(door, TOKEN)
    assert (await client.ask("GET", "/health")).status == 200
    wrong = await client.ask("GET", "/health", Host=f"127.0.0.1:{taken}")
    assert wrong.code == "wrong_host"
    await squatter.communicate(b"")


async def test_the_record_of_another_port_goes_with_its_reason(open_door: Opener, home: Path) -> None:
    write_config(
        home, {"broker": "http://127.0.0.1:8000", "door": "http://127.0.0.1:1", "socket": "/tmp/old.sock"}
    )
    with bind_tcp(0) as free:
        port = free.getsockname()[1]
    door = await open_door(port=port)
    if door.port == port:
        assert config(home) == {"broker": "http://127.0.0.1:8000"}
    else:  # somebody took it in between, which is the other case
        assert config(home)["door"] == door.url


async def test_any_port_is_recorded(open_door: Opener, home: Path) -> None:
    door = await open_door(port=0)
    assert config(home) == {"door": door.url}


def test_when_all_near_ports_are_taken_any_will_do() -> None:
    with bind_tcp(0) as first:
        start = first.getsockname()[1]
        with bind_tcp(start) as second:
            assert second.getsockname()[1] != start


async def test_a_port_near_the_end_of_the_range_is_no_error() -> None:
    with bind_tcp(65_535) as one, bind_tcp(65_535) as other:
        assert one.getsockname()[1] != other.getsockname()[1]


async def test_a_home_with_a_long_name_gets_a_short_socket(open_door: Opener, tmp_path: Path) -> None:
    home = tmp_path / ("long" * 30)
    home.mkdir(mode=0o700)
    door = await open_door(home=home)
    assert door.socket == loopback.socket_path(str(home))
    assert len(door.socket) < 100
    assert config(home)["socket"] == door.socket
    assert stat.S_IMODE(os.stat(door.socket).st_mode) == 0o600
    assert (await DoorClient(door, None).ask("GET", "/health", unix=True)).status == 200
    await door.stop()
    assert not os.path.exists(door.socket)


async def test_a_socket_that_a_dead_daemon_left_is_replaced(open_door: Opener, home: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(home / "daemon.sock"))
    door = await open_door()
    assert (await DoorClient(door, None).ask("GET", "/health", unix=True)).status == 200


async def test_a_file_in_the_sockets_place_is_not_removed(open_door: Opener, home: Path) -> None:
    (home / "daemon.sock").write_text("precious")
    with pytest.raises(HomeError, match="is no socket"):
        await open_door()
    assert (home / "daemon.sock").read_text() == "precious"


async def test_a_home_that_others_may_change_holds_no_socket(open_door: Opener, home: Path) -> None:
    home.chmod(0o777)
    with pytest.raises(HomeError, match="can be changed by other users"):
        await open_door()


async def test_a_home_that_is_gone_is_said(open_door: Opener, tmp_path: Path) -> None:
    with pytest.raises(HomeError, match="cannot be bound"):
        await open_door(home=tmp_path / "absent", token="t" * 40)


async def test_closing_lets_an_answer_finish_and_takes_no_more(
    open_door: Opener, home: Path, service: ScriptedService
) -> None:
    door = await open_door()
    client = DoorClient(door, TOKEN)
    service.pause.clear()
    asked = asyncio.create_task(client.ask("GET", "/v1/whoami"))
    await eventually(lambda: service.calls)
    stopping = asyncio.create_task(door.stop())
    await eventually(lambda: not _connects(door.port))
    service.pause.set()
    assert (await asked).status == 200
    await stopping
    assert not os.path.exists(door.socket)
    await door.stop()


def _connects(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def test_idle_connections_do_not_hold_the_door_open(open_door: Opener, home: Path) -> None:
    door = await open_door()
    client = DoorClient(door, TOKEN)
    reader, writer = await client.connect()
    await asyncio.wait_for(door.stop(), 2)
    assert await reader.read() == b""
    writer.close()


def test_an_idle_door_has_not_loaded_what_only_requests_need() -> None:
    program = (
        "import sys, dispatch_daemon.adapters.loopback.server, dispatch_daemon.adapters.settings;"
        "unwanted = {'pydantic', 'keyring', 'rich', 'dispatch_daemon.adapters.loopback.answers'};"
        "assert not unwanted & set(sys.modules), unwanted & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, env={**os.environ, "PYTHONPATH": os.getcwd()})


def test_the_door_works_under_uvloop(home: Path) -> None:
    program = f"""
import asyncio, uvloop
from pathlib import Path
from dispatch_daemon.adapters.loopback.server import Door
from tests.support.door_client import TOKEN, DoorClient
from tests.support.scripted_service import ScriptedService

async def main():
    door = Door(ScriptedService(), home=Path({str(home)!r}), port=0, token="t" * 40)
    await door.start()
    for unix in (True, False):
        assert (await DoorClient(door, "t" * 40).ask("GET", "/v1/whoami", unix=unix)).status == 200
    await door.stop()

uvloop.run(main())
"""
    subprocess.run([sys.executable, "-c", program], check=True, env={**os.environ, "PYTHONPATH": os.getcwd()})
    assert json.loads((home / "config.json").read_text())["door"]
