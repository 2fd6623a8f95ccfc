"""Being given envelopes by a real relay: kept before they are acknowledged, in order, and again if they must be."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

import pytest

from dispatch_daemon.adapters.relay import LinkPhase, NotYetError, RelayLink, RelayUnreachableError
from dispatch_protocol.encoding import JSON
from tests.support.linked_device import LinkedDevice
from tests.support.patience import eventually
from tests.support.scripted_relay import ScriptedRelay

Linker = Callable[..., Awaitable[RelayLink]]


async def test_a_delivery_is_acknowledged_only_when_it_is_kept(
    relay: ScriptedRelay, device: LinkedDevice, linked: Linker
) -> None:
    await linked()
    device.may_keep.clear()
    await relay.deliver(b"one", b"two", b"three")
    await eventually(lambda: device.begun == 3)
    assert relay.acked == []
    device.may_keep.set()
    await eventually(lambda: relay.acked == [1, 2, 3])
    assert device.kept == [b"one", b"two", b"three"]
    assert relay.batches == [1]  # three acknowledgements, one frame


async def test_deliveries_begin_in_the_order_they_came(
    relay: ScriptedRelay, device: LinkedDevice, linked: Linker
) -> None:
    await linked()
    envelopes = [number.to_bytes(2) for number in range(600)]
    await relay.deliver(*envelopes[:300])
    await relay.deliver(*envelopes[300:])
    await eventually(lambda: len(relay.acked) == 600)
    assert device.kept == envelopes
    assert sorted(relay.acked) == list(range(1, 601))


async def test_a_flood_is_not_taken_faster_than_it_is_kept(
    relay: ScriptedRelay, device: LinkedDevice, linked: Linker
) -> None:
    await linked()
    device.may_keep.clear()
    await relay.deliver(*(b"x" * 100 for _ in range(1_000)))
    await eventually(lambda: device.begun == 256)
    device.may_keep.set()
    await eventually(lambda: len(relay.acked) == 1_000)


async def test_a_delivery_that_cannot_be_kept_is_offered_again(
    relay: ScriptedRelay, device: LinkedDevice, linked: Linker, caplog: pytest.LogCaptureFixture
) -> None:
    await linked()
    device.keep_errors.append(OSError("disk full"))
    await relay.deliver(b"one", b"two")
    await eventually(lambda: len(relay.proofs) == 2 and relay.sessions == 1)
    assert device.offline_words == ["a delivery could not be kept on this machine"]
    assert "disk full" in caplog.text
    assert device.kept == [b"two"]
    assert 1 not in relay.acked
    await relay.deliver(b"one")
    await eventually(lambda: device.kept == [b"two", b"one"])


async def test_a_delivery_that_is_left_for_later_ends_nothing_and_is_not_acknowledged(
    relay: ScriptedRelay, device: LinkedDevice, linked: Linker
) -> None:
    await linked()
    device.keep_errors.append(NotYetError())
    await relay.deliver(b"one", b"two")
    await eventually(lambda: relay.acked == [2])
    assert (device.kept, len(relay.proofs)) == ([b"two"], 1)


async def test_a_repeated_delivery_reaches_the_journal_again(
    relay: ScriptedRelay, device: LinkedDevice, linked: Linker
) -> None:
    await linked()
    for _ in range(2):
        await relay.deliver(b"same")
    await eventually(lambda: relay.acked == [1, 2])
    assert device.kept == [b"same", b"same"]  # the journal is unique on the document, not the link


async def test_a_delivery_may_ask_the_relay_something(
    relay: ScriptedRelay, device: LinkedDevice, linked: Linker
) -> None:
    link = await linked()
    answers: list[Mapping[str, JSON]] = []

    async def ask(envelope: bytes) -> None:
        answers.append(await link.call("chain", {}))

    link._on_deliver = ask
    relay.cut()
    await eventually(lambda: len(relay.proofs) == 2 and relay.sessions == 1)
    await relay.deliver(b"x")
    await eventually(lambda: relay.acked == [1])
    assert answers == [{"op": "chain", "args": {}}]


async def test_notices_are_passed_on(relay: ScriptedRelay, device: LinkedDevice, linked: Linker) -> None:
    await linked()
    await relay.notify("presence", {"genesis": "00", "online": True})
    await eventually(lambda: device.notices == [("presence", {"genesis": "00", "online": True})])


async def test_closing_acknowledges_what_was_kept(
    relay: ScriptedRelay, device: LinkedDevice, linked: Linker
) -> None:
    link = await linked()
    device.may_keep.clear()
    await relay.deliver(b"one", b"two")
    await eventually(lambda: device.begun == 2)
    closing = asyncio.create_task(link.aclose())
    device.may_keep.set()
    await closing
    assert relay.acked == [1, 2]
    await eventually(lambda: relay.closings == [1001])
    assert link.state.phase is LinkPhase.OFFLINE
    with pytest.raises(RelayUnreachableError):
        await link.deposit(b"x")


async def test_closing_while_dialling_does_not_wait(relay: ScriptedRelay, linked: Linker) -> None:
    relay.greets = False
    link = await linked(online=False)
    await eventually(lambda: relay.dialled)
    await asyncio.wait_for(link.aclose(), 3)


async def test_closing_while_pausing_does_not_wait(
    relay: ScriptedRelay, device: LinkedDevice, linked: Linker
) -> None:
    relay.http_refusal = HTTPStatus.SERVICE_UNAVAILABLE
    link = await linked(online=False, first_pause_s=600, longest_pause_s=600)
    await eventually(lambda: LinkPhase.OFFLINE in device.phases)
    await asyncio.wait_for(link.aclose(), 1)


async def test_a_link_that_never_ran_closes_too(relay: ScriptedRelay, device: LinkedDevice) -> None:
    link = device.link(relay.url)
    await link.aclose()
    assert link.state.phase is LinkPhase.OFFLINE


async def test_cancelling_the_link_leaves_nothing_behind(relay: ScriptedRelay, device: LinkedDevice) -> None:
    link = device.link(relay.url)
    running = asyncio.create_task(link.run())
    await eventually(lambda: relay.sessions == 1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await eventually(lambda: relay.sessions == 0)
    assert [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("relay-")] == []
