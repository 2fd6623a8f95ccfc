"""Finding the way to a granted host with the resolver of this machine, and with one that never answers."""

import asyncio
import socket
import threading
from collections.abc import Sequence

import pytest

from sandbox.gate.addresses import is_loopback
from sandbox.gate.destinations import Destination
from sandbox.gate.dialling import LOOKUPS, Dialler, look_up
from sandbox.gate.refusal import GateRefusalError
from tests.support.far_hosts import NameServer, recorder
from tests.support.patience import eventually

NAME = "host.example"


async def test_the_resolver_of_this_machine_is_asked_and_each_address_comes_once() -> None:
    found = await look_up("localhost", 443)
    assert found
    assert all(is_loopback(each) for each in found)
    assert len(set(found)) == len(found)


async def test_a_name_that_the_resolver_does_not_know_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", unknown)
    with pytest.raises(socket.gaierror):
        await look_up(NAME, 443)
    with pytest.raises(GateRefusalError, match="gate_unknown"):
        await Dialler().find(Destination(NAME, 443))


async def test_a_look_nobody_waits_for_any_more_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: release.wait() and [])
    asking = asyncio.ensure_future(look_up(NAME, 443))
    await eventually(lambda: any(each.name == "look up" for each in threading.enumerate()))
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    release.set()
    await eventually(lambda: not any(each.name == "look up" for each in threading.enumerate()))


async def test_a_name_server_that_never_answers_keeps_its_own_run_waiting_and_not_for_ever() -> None:
    asked: list[str] = []
    late = asyncio.Event()

    async def slowly(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        await late.wait()
        return ["1.1.1.1"]

    place, stuck = Destination(NAME, 443), Dialler(resolve=slowly)
    waiting = [asyncio.ensure_future(stuck.find(place)) for _ in range(3 * LOOKUPS)]
    await eventually(lambda: len(asked) >= LOOKUPS)
    assert await Dialler(resolve=NameServer({NAME: [["1.1.1.1"]]})).find(place) == ["1.1.1.1"]
    assert len(asked) == LOOKUPS, "few at a time"
    with pytest.raises(GateRefusalError, match="gate_unknown"):
        await Dialler(resolve=slowly, lookup_s=0.1).find(place)
    late.set()
    assert await asyncio.gather(*waiting) == [["1.1.1.1"]] * (3 * LOOKUPS)


async def test_an_address_that_does_not_answer_is_followed_by_the_next() -> None:
    async with recorder() as far:
        dialler = Dialler(frozenset({NAME}))
        # Nothing listens at the second loopback address, which every Linux has.
        (await dialler.dial(Destination(NAME, far.port), ["127.0.0.2", "127.0.0.1"])).close()
        await eventually(lambda: far.connections == 1)
