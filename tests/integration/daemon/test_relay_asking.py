"""Asking the relay over a real WebSocket: many at once, rejected, unanswered, answered too late."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus

import pytest

from dispatch_daemon.adapters.relay import LinkPhase, RelayLink, RelayRejectedError, RelayUnreachableError
from dispatch_protocol.errors import LocalError
from dispatch_protocol.frames import Call, Deposit, Frame, Rejected
from dispatch_protocol.limits import ENVELOPE_BYTES
from tests.support.linked_device import DEVICE, LinkedDevice
from tests.support.patience import eventually
from tests.support.scripted_relay import ScriptedRelay

Linker = Callable[..., Awaitable[RelayLink]]


async def test_a_session_opens_with_a_proof_for_the_dialled_address(
    relay: ScriptedRelay, device: LinkedDevice, linked: Linker
) -> None:
    relay.clock_ahead_ms = 90_000
    link = await linked()
    assert (relay.proofs[0].url, relay.proofs[0].device) == (relay.url, DEVICE.device)
    assert relay.tokens == ["login-token"]
    assert link.token == "fresh-token"
    assert link.state.epoch == "epoch-1"
    assert link.state.skew_ms is not None
    assert abs(link.state.skew_ms - 90_000) < 5_000
    assert link.state.words == f"connected to {relay.url}"
    assert device.phases == [LinkPhase.CONNECTING, LinkPhase.ONLINE]


async def test_an_address_is_dialled_in_its_one_spelling(relay: ScriptedRelay, linked: Linker) -> None:
    link = await linked(relay.url.upper().replace("HTTP", "http") + "/")
    assert link.url == relay.url


@pytest.mark.parametrize(
    "url", ["ws://127.0.0.1", "127.0.0.1:8000", "https://", "http://a b", "http://u:p@a", "http://a?b"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(LocalError, match="bad_broker_url"):
        LinkedDevice().link(url)


async def test_a_deposit_returns_when_it_is_durable(relay: ScriptedRelay, linked: Linker) -> None:
    link = await linked()
    await link.deposit(b"sealed")
    assert relay.deposits == [b"sealed"]


async def test_a_call_returns_its_answer(linked: Linker) -> None:
    link = await linked()
    assert await link.call("edges", {"a": 1}) == {"op": "edges", "args": {"a": 1}}


async def test_many_requests_are_in_flight_and_ride_together(relay: ScriptedRelay, linked: Linker) -> None:
    waiting: list[Frame] = []

    def backwards(frame: Deposit | Call) -> Iterable[Frame]:
        waiting.extend(relay.answer(frame))
        return list(reversed(waiting)) if len(waiting) == 40 else []

    relay.answers = backwards
    link = await linked()
    deposits = [link.deposit(bytes([number])) for number in range(20)]
    calls = [link.call("chain", {"number": number}) for number in range(20)]
    results = await asyncio.gather(*deposits, *calls)
    assert [dict(result)["args"] for result in results[20:] if result is not None] == [
        {"number": n} for n in range(20)
    ]
    assert relay.deposits == [bytes([number]) for number in range(20)]
    assert relay.batches[0] == 40


async def test_what_one_message_cannot_hold_rides_in_several(relay: ScriptedRelay, linked: Linker) -> None:
    link = await linked()
    await asyncio.gather(*(link.deposit(bytes([number]) * ENVELOPE_BYTES) for number in range(4)))
    assert [len(envelope) for envelope in relay.deposits] == [ENVELOPE_BYTES] * 4


async def test_a_rejected_request_fails_alone(relay: ScriptedRelay, linked: Linker) -> None:
    def picky(frame: Deposit | Call) -> Iterable[Frame]:
        if isinstance(frame, Deposit) and frame.envelope == b"bad":
            return [Rejected(frame.ref, "daily_limit", 429, "50 a day")]
        return relay.answer(frame)

    relay.answers = picky
    link = await linked()
    good, bad = await asyncio.gather(link.deposit(b"good"), link.deposit(b"bad"), return_exceptions=True)
    assert good is None
    assert isinstance(bad, RelayRejectedError)
    assert (bad.code, bad.status, bad.detail) == ("daily_limit", 429, "50 a day")
    await link.deposit(b"again")


@pytest.mark.parametrize("envelope", [b"", b"x" * (ENVELOPE_BYTES + 1)])
async def test_an_envelope_no_relay_takes_fails_here(
    relay: ScriptedRelay, linked: Linker, envelope: bytes
) -> None:
    link = await linked()
    with pytest.raises(LocalError, match="frame_too_long"):
        await link.deposit(envelope)
    await link.deposit(b"fine")
    assert relay.deposits == [b"fine"]


async def test_a_call_that_cannot_be_written_fails_its_caller_alone(linked: Linker) -> None:
    link = await linked()
    with pytest.raises(LocalError, match="not_encodable"):
        await link.call("edges", {"a": 1.5})  # type: ignore[dict-item] - this is what is tested
    assert await link.call("edges", {})


async def test_without_a_session_a_deposit_fails_at_once(relay: ScriptedRelay, linked: Linker) -> None:
    relay.http_refusal = HTTPStatus.SERVICE_UNAVAILABLE
    link = await linked(online=False)
    with pytest.raises(RelayUnreachableError, match="no session with"):
        await link.deposit(b"x")


async def test_an_answer_that_never_comes_is_given_up(relay: ScriptedRelay, linked: Linker) -> None:
    relay.answers = lambda frame: []
    link = await linked(answer_s=0.05)
    with pytest.raises(RelayUnreachableError, match=r"did not answer within 0\.05 s"):
        await link.deposit(b"x")
    assert link.state.phase is LinkPhase.ONLINE


async def test_an_answer_that_comes_too_late_is_nobodys(relay: ScriptedRelay, linked: Linker) -> None:
    late: list[Frame] = []

    def slow(frame: Deposit | Call) -> Iterable[Frame]:
        late.extend(relay.answer(frame))
        return []

    relay.answers = slow
    link = await linked(answer_s=0.05)
    with pytest.raises(RelayUnreachableError):
        await link.deposit(b"x")
    relay.answers = lambda frame: [*late, *relay.answer(frame)]
    await link.deposit(b"y")
    assert link.state.phase is LinkPhase.ONLINE


async def test_those_who_wait_learn_that_the_session_ended(relay: ScriptedRelay, linked: Linker) -> None:
    relay.answers = lambda frame: []
    link = await linked()
    waiting = asyncio.gather(link.deposit(b"x"), link.call("edges", {}), return_exceptions=True)
    await eventually(lambda: relay.deposits)
    relay.cut()
    assert [type(error) for error in await waiting] == [RelayUnreachableError, RelayUnreachableError]


async def test_a_waiter_that_gives_up_first_disturbs_nobody(relay: ScriptedRelay, linked: Linker) -> None:
    relay.answers = lambda frame: []
    link = await linked()
    waiting = asyncio.create_task(link.deposit(b"x"))
    await eventually(lambda: relay.deposits)
    waiting.cancel()
    relay.cut()
    await eventually(lambda: len(relay.proofs) == 2 and link.state.phase is LinkPhase.ONLINE)
    assert waiting.cancelled()
