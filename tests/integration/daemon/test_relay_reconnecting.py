"""Losing a real relay and finding it again: broken, frozen, gone, asleep, refusing."""

import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from dispatch_daemon.adapters.relay import LinkPhase, RelayLink
from dispatch_protocol.errors import LocalError
from dispatch_protocol.frames import Rejected
from tests.support.linked_device import LinkedDevice
from tests.support.patience import eventually
from tests.support.scripted_relay import ScriptedRelay

Linker = Callable[..., Awaitable[RelayLink]]


async def test_a_broken_connection_is_made_anew(
    relay: ScriptedRelay, device: LinkedDevice, linked: Linker
) -> None:
    link = await linked()
    for number in range(2, 5):
        relay.cut()
        await relay.proven(number)
        await eventually(lambda: link.state.phase is LinkPhase.ONLINE)
        await link.deposit(bytes([number]))
    assert [proof.counter for proof in relay.proofs] == [1, 2, 3, 4]
    assert relay.tokens == ["login-token", None, None, None]


async def test_a_relay_that_comes_back_is_found(
    relay: ScriptedRelay, device: LinkedDevice, linked: Linker
) -> None:
    link = await linked()
    await relay.stop()
    await eventually(lambda: "nothing listens there" in device.offline_words)
    await relay.start(relay.port)
    await eventually(lambda: link.state.phase is LinkPhase.ONLINE)


async def test_a_relay_that_hangs_up_politely_is_dialled_again(
    relay: ScriptedRelay, device: LinkedDevice, linked: Linker
) -> None:
    await linked()
    await relay.hang_up()
    await eventually(lambda: len(relay.proofs) == 2)
    await eventually(lambda: relay.sessions == 1)
    await relay.hang_up(1011)
    await eventually(lambda: len(relay.proofs) == 3)
    words = device.offline_words
    assert words == ["the relay hung up", "the relay hung up (code 1011)"]


async def test_a_half_open_connection_is_noticed(
    relay: ScriptedRelay, device: LinkedDevice, linked: Linker
) -> None:
    await linked(ping_interval_s=0.05, ping_timeout_s=0.05)
    relay.freeze()
    await eventually(lambda: len(relay.proofs) == 2)
    assert "the relay does not answer pings" in device.offline_words


async def test_sleep_is_noticed_and_the_relay_dialled_at_once(
    relay: ScriptedRelay, device: LinkedDevice, linked: Linker
) -> None:
    slept = 0.0
    link = await linked(
        clock=lambda: time.monotonic() + slept, look_s=0.01, first_pause_s=60, longest_pause_s=60
    )
    relay.freeze()  # what was connected before the sleep leads nowhere
    slept = 3_600.0
    await eventually(lambda: len(relay.proofs) == 2)
    await eventually(lambda: link.state.phase is LinkPhase.ONLINE)


async def test_waking_cuts_the_pause_short(
    relay: ScriptedRelay, device: LinkedDevice, linked: Linker
) -> None:
    relay.http_refusal = HTTPStatus.SERVICE_UNAVAILABLE
    link = await linked(online=False, first_pause_s=600, longest_pause_s=600)
    await eventually(lambda: LinkPhase.OFFLINE in device.phases)
    assert link.state.words == "what answers there is no relay, or not now (HTTP 503)"
    relay.http_refusal = None
    link.wake()
    await eventually(lambda: link.state.phase is LinkPhase.ONLINE)


async def test_pauses_grow_and_stay_below_the_longest(relay: ScriptedRelay, linked: Linker) -> None:
    link = await linked(first_pause_s=0.2, longest_pause_s=30.0)
    pauses = [link._growing_pause() for _ in range(40)]
    assert all(0 <= pause < 30 for pause in pauses)
    assert all(pause < 0.2 * 2 ** (number + 1) for number, pause in enumerate(pauses))


async def test_a_refusal_is_shown_as_what_it_is_and_tried_again(
    relay: ScriptedRelay, device: LinkedDevice, linked: Linker
) -> None:
    relay.refusal = Rejected(None, "login_needed", 401, "sign in first")
    link = await linked(online=False)
    await eventually(lambda: len(relay.proofs) >= 2)
    refused = next(state for state in device.states if state.phase is LinkPhase.REFUSED)
    assert (refused.code, refused.words) == ("login_needed", "the relay refused: sign in first")
    relay.refusal = None
    await eventually(lambda: link.state.phase is LinkPhase.ONLINE)


async def test_a_hopeless_refusal_is_not_tried_again_until_woken(
    relay: ScriptedRelay, linked: Linker
) -> None:
    relay.refusal = Rejected(None, "counter_reused", 409, "")
    link = await linked(online=False)
    await eventually(lambda: link.state.phase is LinkPhase.REFUSED)
    assert (link.state.code, link.state.words) == ("counter_reused", "the relay refused: counter_reused")
    assert link._refused("counter_reused", "") is None  # no pause is long enough
    assert link._refused("login_needed", "") is not None
    relay.refusal = None
    link.wake()
    await eventually(lambda: link.state.phase is LinkPhase.ONLINE)


async def test_a_relay_in_trouble_is_not_a_refusal(
    relay: ScriptedRelay, device: LinkedDevice, linked: Linker
) -> None:
    relay.refusal = Rejected(None, "draining", 503, "back in a minute")
    await linked(online=False)
    await eventually(lambda: len(relay.proofs) >= 2)
    assert LinkPhase.REFUSED not in device.phases
    assert "the relay is not available: back in a minute" in device.offline_words


async def test_a_session_that_the_relay_ends_with_a_reason_shows_it(
    relay: ScriptedRelay, device: LinkedDevice, linked: Linker
) -> None:
    await linked()
    await relay.say(Rejected(None, "device_revoked", 403, "this device was revoked"))
    await eventually(lambda: LinkPhase.REFUSED in device.phases)
    assert device.states[-1].code == "device_revoked"


async def test_a_proof_that_cannot_be_made_is_our_own_refusal(
    relay: ScriptedRelay, device: LinkedDevice, linked: Linker
) -> None:
    device.proof_error = LocalError("login_needed", "nobody has signed in")
    link = await linked(online=False)
    await eventually(lambda: link.state.phase is LinkPhase.REFUSED)
    assert (link.state.code, link.state.words) == ("login_needed", "nobody has signed in")
