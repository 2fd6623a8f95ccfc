"""Whoever wears the gate to hosts out wears out their own run: what it gives is bounded, and the others are served."""

import asyncio
import resource
import socket

import pytest

from sandbox.gate.hosts import Bounds
from sandbox.gate.proxying import HEAD_BYTES
from tests.support.far_hosts import far_host, recorder
from tests.support.hellos import real_hello
from tests.support.host_gates import first_line, host_gate, is_over, refused
from tests.support.patience import eventually

NAME = "host.example"
HERE = [["127.0.0.1"]]
HELLO = real_hello(NAME)


async def test_a_head_without_end_is_not_read_to_its_end() -> None:
    async with (
        recorder() as far,
        host_gate(f"{NAME}:{far.port}", answers={NAME: HERE}, private=[NAME]) as gate,
    ):
        first = f"CONNECT {NAME}:{far.port} HTTP/1.1\r\n".encode()
        line, streams = await gate.say(first + b"a: " + b"x" * (HEAD_BYTES * 4))
        assert line in ("HTTP/1.1 431 gate_too_large", ""), (
            "it says so, unless the kernel has hung up already"
        )
        assert await is_over(streams)
        assert (gate.codes, far.connections) == (["gate_too_large"], 0)
        line, streams = await gate.say(first + b"a: " + b"x" * (HEAD_BYTES // 2) + b"\r\n\r\n")
        assert line.startswith("HTTP/1.1 200 ")
        streams[1].close()


async def test_one_that_speaks_slowly_is_not_waited_for_and_costs_nobody_else() -> None:
    bounds = Bounds(words_s=1.0)
    async with (
        recorder() as far,
        host_gate(f"{NAME}:{far.port}", answers={NAME: HERE}, private=[NAME], bounds=bounds) as gate,
    ):
        slow = await gate.connect()
        slow[1].write(f"CONNECT {NAME}:{far.port} HTTP/1.1\r\na: b\r\n".encode())
        line, streams = await gate.tunnel(f"{NAME}:{far.port}")
        assert line.startswith("HTTP/1.1 200 ")
        streams[1].close()
        assert await first_line(slow[0]) == "HTTP/1.1 408 gate_slow"
        assert await is_over(slow)


async def test_of_many_connections_few_are_served_at_once_and_another_run_is_not_kept_waiting() -> None:
    bounds = Bounds(connections=4, words_s=60.0)
    place = {"answers": {NAME: HERE}, "private": [NAME]}
    async with (
        recorder() as far,
        host_gate(f"{NAME}:{far.port}", bounds=bounds, **place) as gate,
        host_gate(f"{NAME}:{far.port}", **place) as other,
    ):
        held = [await gate.connect() for _ in range(300)]
        line, streams = await other.tunnel(f"{NAME}:{far.port}")
        assert line.startswith("HTTP/1.1 200 ")
        streams[1].close()
        for each in held:
            each[1].write(f"CONNECT {NAME}:{far.port} HTTP/1.1\r\n\r\n".encode())
        answered = [await first_line(each[0]) for each in held[:4]]
        assert all(line.startswith("HTTP/1.1 200 ") for line in answered)
        assert far.connections == 5, "four of this run and one of the other: the rest wait"
        held[0][1].close()
        assert (await first_line(held[4][0])).startswith("HTTP/1.1 200 "), (
            "the next is served when one has gone"
        )
        for each in held:
            each[1].close()


async def test_a_machine_that_has_no_descriptor_left_serves_again_when_it_has() -> None:
    async with (
        recorder() as far,
        host_gate(f"{NAME}:{far.port}", answers={NAME: HERE}, private=[NAME]) as gate,
    ):
        loop = asyncio.get_running_loop()
        client = socket.socket()
        client.setblocking(False)
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
        try:
            await loop.sock_connect(client, ("127.0.0.1", gate.port))
            for _ in range(20):  # long enough for the gate to have tried
                await asyncio.sleep(0)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        await loop.sock_sendall(client, f"CONNECT {NAME}:{far.port} HTTP/1.1\r\n\r\n".encode())
        assert (await loop.sock_recv(client, 99)).startswith(b"HTTP/1.1 200 ")
        client.close()


async def test_a_connection_on_which_nothing_moves_is_closed() -> None:
    bounds = Bounds(idle_s=0.5)
    async with (
        recorder() as far,
        host_gate(f"{NAME}:{far.port}", answers={NAME: HERE}, private=[NAME], bounds=bounds) as gate,
    ):
        _, streams = await gate.tunnel(f"{NAME}:{far.port}")
        streams[1].write(HELLO)
        await eventually(lambda: far.held == 1 and bytes(far.heard) == HELLO)
        assert await is_over(streams)
        await eventually(lambda: far.held == 0)


@pytest.mark.parametrize(("size", "passes"), [(20_000, True), (60_000, False)])
async def test_what_a_run_may_move_in_all_is_bounded(size: int, passes: bool) -> None:
    bounds = Bounds(run_bytes=40_000)
    async with (
        recorder() as far,
        host_gate(f"{NAME}:{far.port}", answers={NAME: HERE}, private=[NAME], bounds=bounds) as gate,
    ):
        _, streams = await gate.tunnel(f"{NAME}:{far.port}")
        streams[1].write(HELLO + bytes(size))
        if passes:
            await eventually(lambda: len(far.heard) == len(HELLO) + size)
            streams[1].close()
            return
        assert await is_over(streams)
        await refused(gate, "gate_bytes")
        assert len(far.heard) <= 40_000
        line, streams = await gate.tunnel(f"{NAME}:{far.port}")
        assert line == "HTTP/1.1 429 gate_bytes"
        streams[1].close()


async def test_a_host_that_floods_is_held_back_by_whoever_does_not_read() -> None:
    """What nobody inside takes is not kept here: the gate stops reading, and the far end has to wait."""
    flood = bytes(64 * 1024 * 1024)
    async with far_host(says=flood) as far:
        granted = f"{NAME}:80"
        async with host_gate(granted, answers={NAME: HERE}, private=[NAME], reroute=far.port) as gate:
            line, (reader, writer) = await gate.say(f"GET http://{NAME}/ HTTP/1.1\r\n\r\n".encode())
            assert line == "HTTP/1.1 200 OK"
            moved = gate.gate.moved
            assert moved < len(flood) // 2
            rest = await reader.read()
            assert rest.endswith(bytes(1000))
            assert gate.gate.moved > len(flood)
            writer.close()
