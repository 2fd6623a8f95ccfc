"""Sealed files at the broker: left by one side of an edge, resumed, served to its two sides, and gone again."""

import asyncio
import contextlib
import hashlib
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import pytest

from dispatch_broker.core.quota import Quotas, Usage
from tests.support.device import Device, befriend, now_ms
from tests.support.patience import eventually_so
from tests.support.relay import broker_here, broker_process

DATA = bytes(range(256)) * 1_000
ADDRESS = hashlib.sha256(DATA).hexdigest()
DAY_MS = 86_400_000


@dataclass
class Caller:
    """One device with its short token, over plain HTTP."""

    url: str
    token: str
    edge: str
    client: aiohttp.ClientSession

    def query(self, data: bytes, **more: str) -> dict[str, str]:
        return {"edge": self.edge, "size": str(len(data)), "expires": str(now_ms() + DAY_MS), **more}

    async def ask(self, method: str, address: str = ADDRESS, **more) -> tuple[int, object]:
        headers = {"Authorization": f"Bearer {self.token}", **more.pop("headers", {})}
        where = f"{self.url}/v1/blobs/{address}"
        async with self.client.request(method, where, headers=headers, **more) as response:
            if response.content_type == "application/octet-stream":
                return response.status, await response.read()
            body = await response.json(content_type=None)
            return response.status, body.get("code", body) if isinstance(body, dict) else body

    async def announce(self, data: bytes = DATA, **more: str):
        address = hashlib.sha256(data).hexdigest()
        return await self.ask("POST", address, params=self.query(data, **more))

    async def leave(self, data: bytes = DATA, *, at: int = 0, address: str | None = None, **more: str):
        address = address or hashlib.sha256(data).hexdigest()
        return await self.ask(
            "PUT", address, params=self.query(data, offset=str(at), **more), data=io.BytesIO(data[at:])
        )


@contextlib.asynccontextmanager
async def callers(url: str, *devices: Device) -> AsyncIterator[list[Caller]]:
    """Sign devices in, with an edge from the first to the second."""
    async with contextlib.AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(device.signed_in(url)) for device in devices]
        edge = await befriend(*wires[:2])
        client = await stack.enter_async_context(aiohttp.ClientSession())
        yield [Caller(url, wire.welcome.token, edge.uuid, client) for wire in wires]


async def test_a_blob_is_served_to_the_two_sides_of_its_edge_and_to_nobody_else(url, alice, bob, carol):
    async with callers(url, alice, bob, carol) as (a, b, c):
        assert await a.announce() == (200, {"offset": 0, "kept": False})
        assert await a.leave() == (201, {"offset": len(DATA), "kept": True})
        assert await a.announce() == (200, {"offset": len(DATA), "kept": True})
        assert await a.leave() == (200, {"offset": len(DATA), "kept": True})
        assert await a.ask("GET") == (200, DATA)
        assert await b.ask("GET") == (200, DATA)
        assert await b.ask("GET", headers={"Range": "bytes=1000-"}) == (206, DATA[1000:])
        assert await c.ask("GET") == (404, "not_found")
        assert await c.leave() == (403, "no_edge")
        assert (await c.ask("DELETE"))[0] == 204  # and nothing of it is gone
        assert await b.ask("GET") == (200, DATA)
        assert (await b.ask("DELETE"))[0] == 204
        assert await b.ask("GET") == (404, "not_found")


@pytest.mark.parametrize("token", ["", "x.y", "Bearer"])
async def test_without_the_token_of_a_session_nothing_is_said(url, alice, bob, token):
    async with callers(url, alice, bob) as (a, b):
        await a.leave()
        b.token = token
        for method in ("GET", "DELETE"):
            assert await b.ask(method) == (401, "token_invalid")
        assert await b.leave() == (401, "token_invalid")
        a.client.headers["Origin"] = url
        assert await a.ask("GET") == (401, "token_invalid")


@pytest.mark.parametrize(
    "change", [{"size": "-1"}, {"size": "x"}, {"expires": ""}, {"edge": "no"}, {"size": "9" * 17}]
)
async def test_what_cannot_be_read_is_refused(url, alice, bob, change):
    async with callers(url, alice, bob) as (a, _):
        assert await a.announce(**change) == (400, "malformed")
        assert (await a.ask("GET", "zz" * 32))[0] == 404


async def test_bytes_that_are_not_what_the_address_says_are_dropped(url, alice, bob):
    async with callers(url, alice, bob) as (a, b):
        assert await a.leave(DATA[::-1], address=ADDRESS) == (422, "blob_address")
        assert await b.ask("GET") == (404, "not_found")
        assert await a.announce() == (200, {"offset": 0, "kept": False})
        assert (await a.leave())[0] == 201


async def test_what_has_come_stays_when_the_connection_breaks_and_the_rest_goes_after_it(url, alice, bob):
    async with callers(url, alice, bob) as (a, b):

        async def broken():
            yield DATA[:100_000]
            raise ConnectionError

        with pytest.raises((aiohttp.ClientError, ConnectionError)):
            await a.ask("PUT", params=a.query(DATA, offset="0"), data=broken())

        async def offset():
            return (await a.announce())[1]["offset"] > 0

        await eventually_so(offset)
        at = (await a.announce())[1]["offset"]
        assert await a.leave(at=0) == (409, "offset_wrong")
        assert (await a.leave(at=at))[0] == 201
        assert await b.ask("GET") == (200, DATA)


async def test_more_bytes_than_were_announced_are_not_taken(url, alice, bob):
    async with callers(url, alice, bob) as (a, _):
        status, code = await a.ask(
            "PUT", hashlib.sha256(DATA[:10]).hexdigest(), params=a.query(DATA[:10]), data=DATA
        )
        assert (status, code) in {(409, "offset_wrong"), (422, "blob_address")}


async def test_quotas_of_a_depositor_count_what_is_kept_and_what_was_begun(tmp_path, alice, bob):
    quotas = Quotas(blobs=Usage(3, 1_000), blob_bytes=600)
    async with (
        broker_here(tmp_path / "b", quotas=quotas) as broker,
        callers(broker.url, alice, bob) as (a, b),
    ):
        assert await a.announce(bytes(601)) == (413, "too_large")
        assert (await a.leave(bytes(500)))[0] == 201
        assert await a.announce(bytes(501)) == (429, "quota")
        assert (await b.leave(bytes(501)))[0] == 201  # another one's share
        address = hashlib.sha256(bytes(500)).hexdigest()
        assert (await b.ask("DELETE", address))[0] == 204
        assert (await a.leave(bytes(501)))[0] == 201


async def test_blobs_survive_a_restart_and_are_purged_when_their_time_is_over(tmp_path, clock, alice, bob):
    data = tmp_path / "broker"
    async with broker_here(data, clock=clock) as broker, callers(broker.url, alice, bob) as (a, _):
        assert (await a.leave())[0] == 201
    async with (
        broker_here(data, clock=clock) as broker,
        bob.connected(broker.url) as wire,
        aiohttp.ClientSession() as client,
    ):
        assert await Caller(broker.url, wire.welcome.token, "", client).ask("GET") == (200, DATA)
    clock.ahead_ms += 9 * DAY_MS
    async with broker_here(data, clock=clock):

        async def swept():
            return not [path for path in (data / "blobs").rglob("*") if path.is_file()]

        await eventually_so(swept)


async def test_large_files_on_their_way_hold_up_no_frame(tmp_path, alice, bob):
    """The broker is a process of its own; while files come and go, calls are answered in between."""
    async with (
        broker_process(tmp_path / "broker") as broker,
        alice.signed_in(broker.url) as wire,
        bob.signed_in(broker.url) as other,
    ):
        edge = await befriend(wire, other)
        async with aiohttp.ClientSession() as client:
            a = Caller(broker.url, wire.welcome.token, edge.uuid, client)
            files = [bytes((number,)) * 5_000_000 for number in range(4)]
            leaving = asyncio.gather(*(a.leave(data) for data in files))
            answered = 0
            while not leaving.done():
                await wire.call("edges")
                answered += 1
            assert {status for status, _ in await leaving} == {201}
            assert answered > 3
