"""The link against a real relay on a real WebSocket that refuses, drops, delays, repeats, freezes and comes back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from dispatch_daemon.adapters.relay import (
    LinkPhase,
    LinkState,
    RelayLink,
    RelayRejectedError,
    RelayUnreachableError,
    Timing,
)
from dispatch_protocol.chain import genesis_link
from dispatch_protocol.encoding import JSON
from dispatch_protocol.errors import LocalError
from dispatch_protocol.frames import (
    Answer,
    Call,
    Deposit,
    Deposited,
    Frame,
    Hello,
    Rejected,
)
from dispatch_protocol.keys import Genesis, RecoveryKey, SealingKey, SigningKey
from dispatch_protocol.limits import ENVELOPE_BYTES
from dispatch_protocol.session import SessionProof
from tests.support.certificates import make_certificate
from tests.support.patience import eventually
from tests.support.scripted_relay import ScriptedRelay

DEVICE = SigningKey(b"d" * 32)
LINK = genesis_link(
    device=DEVICE,
    sealing=SealingKey(b"s" * 32).public,
    recovery=RecoveryKey(b"r" * 32),
    created_ms=1,
    nonce=b"n" * 16,
)
QUICK = Timing(
    first_pause_s=0.005,
    longest_pause_s=0.02,
    handshake_s=5,
    answer_s=5,
    ping_interval_s=20,
    ping_timeout_s=20,
    steady_s=10,
    drain_s=2,
)


@dataclass
class Journal:
    """What the daemon behind the link does: it proves, keeps, and listens."""

    kept: list[bytes] = field(default_factory=list)
    notices: list[tuple[str, Mapping[str, JSON]]] = field(default_factory=list)
    states: list[LinkState] = field(default_factory=list)
    counter: int = 0
    proof_error: Exception | None = None
    keep_errors: list[Exception] = field(default_factory=list)
    may_keep: asyncio.Event = field(default_factory=asyncio.Event)
    begun: int = 0

    def __post_init__(self) -> None:
        self.may_keep.set()

    async def prove(self, challenge: bytes, url: str) -> Hello:
        if self.proof_error is not None:
            raise self.proof_error
        self.counter += 1
        proof = SessionProof(
            url=url,
            challenge=challenge,
            nonce=b"c" * 32,
            genesis=Genesis(LINK.digest.raw),
            device=DEVICE.device,
            counter=self.counter,
        )
        return Hello(proof.sign(DEVICE), (LINK,), "login-token" if self.counter == 1 else None)

    async def deliver(self, envelope: bytes) -> None:
        self.begun += 1
        await self.may_keep.wait()
        if self.keep_errors:
            raise self.keep_errors.pop()
        self.kept.append(envelope)

    def notice(self, kind: str, data: Mapping[str, JSON]) -> None:
        self.notices.append((kind, data))

    @property
    def phases(self) -> list[LinkPhase]:
        return [state.phase for state in self.states]


@pytest.fixture
async def relay() -> AsyncIterator[ScriptedRelay]:
    relay = ScriptedRelay()
    await relay.start()
    yield relay
    await relay.stop()


@pytest.fixture
async def journal() -> Journal:
    return Journal()


Linker = Callable[..., Awaitable[RelayLink]]


@pytest.fixture
async def linked(relay: ScriptedRelay, journal: Journal) -> AsyncIterator[Linker]:
    """Start links with any timing; they are closed at the end."""
    running: list[tuple[RelayLink, asyncio.Task[None]]] = []

    async def start(
        url: str | None = None, *, online: bool = True, ca_bundle: str | None = None, **settings: Any
    ) -> RelayLink:
        link = RelayLink(
            url or relay.url,
            prove=journal.prove,
            on_deliver=journal.deliver,
            on_notice=journal.notice,
            on_state=journal.states.append,
            ca_bundle=ca_bundle,
            timing=replace(QUICK, **settings),
        )
        running.append((link, asyncio.create_task(link.run())))
        if online:
            await eventually(lambda: link.state.phase is LinkPhase.ONLINE)
        return link

    yield start
    journal.may_keep.set()
    for link, task in running:
        await link.aclose()
        await task


async def test_a_session_opens_with_a_proof_for_the_dialled_address(
    relay: ScriptedRelay, journal: Journal, linked: Linker
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
    assert journal.phases == [LinkPhase.CONNECTING, LinkPhase.ONLINE]


async def test_an_address_is_dialled_in_its_one_spelling(relay: ScriptedRelay, linked: Linker) -> None:
    link = await linked(relay.url.upper().replace("HTTP", "http") + "/")
    assert link.url == relay.url


@pytest.mark.parametrize(
    "url", ["ws://127.0.0.1", "127.0.0.1:8000", "https://", "http://a b", "http://u:p@a", "http://a?b"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    journal: Any = None
    with pytest.raises(LocalError, match="bad_broker_url"):
        RelayLink(url, prove=journal, on_deliver=journal, on_notice=journal, on_state=journal)


# Asking.


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
        await link.call("edges", {"a": 1.5})  # type: ignore[dict-item]
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


# Being given.


async def test_a_delivery_is_acknowledged_only_when_it_is_kept(
    relay: ScriptedRelay, journal: Journal, linked: Linker
) -> None:
    await linked()
    journal.may_keep.clear()
    await relay.deliver(b"one", b"two", b"three")
    await eventually(lambda: journal.begun == 3)
    assert relay.acked == []
    journal.may_keep.set()
    await eventually(lambda: relay.acked == [1, 2, 3])
    assert journal.kept == [b"one", b"two", b"three"]
    assert relay.batches == [1]  # three acknowledgements, one frame


async def test_deliveries_begin_in_the_order_they_came(
    relay: ScriptedRelay, journal: Journal, linked: Linker
) -> None:
    await linked()
    envelopes = [number.to_bytes(2) for number in range(600)]
    await relay.deliver(*envelopes[:300])
    await relay.deliver(*envelopes[300:])
    await eventually(lambda: len(relay.acked) == 600)
    assert journal.kept == envelopes
    assert sorted(relay.acked) == list(range(1, 601))


async def test_a_flood_is_not_taken_faster_than_it_is_kept(
    relay: ScriptedRelay, journal: Journal, linked: Linker
) -> None:
    await linked()
    journal.may_keep.clear()
    await relay.deliver(*(b"x" * 100 for _ in range(1_000)))
    await eventually(lambda: journal.begun == 256)
    journal.may_keep.set()
    await eventually(lambda: len(relay.acked) == 1_000)


async def test_a_delivery_that_cannot_be_kept_is_offered_again(
    relay: ScriptedRelay, journal: Journal, linked: Linker, caplog: pytest.LogCaptureFixture
) -> None:
    await linked()
    journal.keep_errors.append(OSError("disk full"))
    await relay.deliver(b"one", b"two")
    await eventually(lambda: len(relay.proofs) == 2 and relay.sessions == 1)
    assert [state.words for state in journal.states if state.phase is LinkPhase.OFFLINE] == [
        "a delivery could not be kept on this machine"
    ]
    assert "disk full" in caplog.text
    assert journal.kept == [b"two"]
    assert 1 not in relay.acked
    await relay.deliver(b"one")
    await eventually(lambda: journal.kept == [b"two", b"one"])


async def test_a_repeated_delivery_reaches_the_journal_again(
    relay: ScriptedRelay, journal: Journal, linked: Linker
) -> None:
    await linked()
    for _ in range(2):
        await relay.deliver(b"same")
    await eventually(lambda: relay.acked == [1, 2])
    assert journal.kept == [b"same", b"same"]  # the journal is unique on the document, not the link


async def test_a_delivery_may_ask_the_relay_something(
    relay: ScriptedRelay, journal: Journal, linked: Linker
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


async def test_notices_are_passed_on(relay: ScriptedRelay, journal: Journal, linked: Linker) -> None:
    await linked()
    await relay.notify("presence", {"genesis": "00", "online": True})
    await eventually(lambda: journal.notices == [("presence", {"genesis": "00", "online": True})])


# Losing and finding.


async def test_a_broken_connection_is_made_anew(
    relay: ScriptedRelay, journal: Journal, linked: Linker
) -> None:
    link = await linked()
    for number in range(2, 5):
        relay.cut()
        await eventually(lambda: len(relay.proofs) == number and relay.sessions == 1)  # noqa: B023 - at once
        await eventually(lambda: link.state.phase is LinkPhase.ONLINE)
        await link.deposit(bytes([number]))
    assert [proof.counter for proof in relay.proofs] == [1, 2, 3, 4]
    assert relay.tokens == ["login-token", None, None, None]


async def test_a_relay_that_comes_back_is_found(
    relay: ScriptedRelay, journal: Journal, linked: Linker
) -> None:
    link = await linked()
    await relay.stop()
    await eventually(lambda: "nothing listens there" in [state.words for state in journal.states])
    await relay.start(relay.port)
    await eventually(lambda: link.state.phase is LinkPhase.ONLINE)


async def test_a_relay_that_hangs_up_politely_is_dialled_again(
    relay: ScriptedRelay, journal: Journal, linked: Linker
) -> None:
    await linked()
    await relay.hang_up()
    await eventually(lambda: len(relay.proofs) == 2)
    await eventually(lambda: relay.sessions == 1)
    await relay.hang_up(1011)
    await eventually(lambda: len(relay.proofs) == 3)
    words = [state.words for state in journal.states if state.phase is LinkPhase.OFFLINE]
    assert words == ["the relay hung up", "the relay hung up (code 1011)"]


async def test_a_half_open_connection_is_noticed(
    relay: ScriptedRelay, journal: Journal, linked: Linker
) -> None:
    await linked(ping_interval_s=0.05, ping_timeout_s=0.05)
    relay.freeze()
    await eventually(lambda: len(relay.proofs) == 2)
    assert "the relay does not answer pings" in [state.words for state in journal.states]


async def test_sleep_is_noticed_and_the_relay_dialled_at_once(
    relay: ScriptedRelay, journal: Journal, linked: Linker
) -> None:
    import time

    slept = 0.0
    link = await linked(
        clock=lambda: time.monotonic() + slept, look_s=0.01, first_pause_s=60, longest_pause_s=60
    )
    relay.freeze()  # what was connected before the sleep leads nowhere
    slept = 3_600.0
    await eventually(lambda: len(relay.proofs) == 2)
    await eventually(lambda: link.state.phase is LinkPhase.ONLINE)


async def test_waking_cuts_the_pause_short(relay: ScriptedRelay, journal: Journal, linked: Linker) -> None:
    relay.http_refusal = HTTPStatus.SERVICE_UNAVAILABLE
    link = await linked(online=False, first_pause_s=600, longest_pause_s=600)
    await eventually(lambda: LinkPhase.OFFLINE in journal.phases)
    assert link.state.words == "what answers there is no relay, or not now (HTTP 503)"
    relay.http_refusal = None
    link.wake()
    await eventually(lambda: link.state.phase is LinkPhase.ONLINE)


async def test_pauses_grow_and_stay_below_the_longest(relay: ScriptedRelay, linked: Linker) -> None:
    link = await linked(first_pause_s=0.2, longest_pause_s=30.0)
    pauses = [link._growing_pause() for _ in range(40)]
    assert all(0 <= pause < 30 for pause in pauses)
    assert all(pause < 0.2 * 2 ** (number + 1) for number, pause in enumerate(pauses))


# Being refused.


async def test_a_refusal_is_shown_as_what_it_is_and_tried_again(
    relay: ScriptedRelay, journal: Journal, linked: Linker
) -> None:
    relay.refusal = Rejected(None, "login_needed", 401, "sign in first")
    link = await linked(online=False)
    await eventually(lambda: len(relay.proofs) >= 2)
    refused = next(state for state in journal.states if state.phase is LinkPhase.REFUSED)
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
    dialled = relay.dialled
    await asyncio.sleep(0.1)  # five times the longest pause: nothing must happen
    assert relay.dialled == dialled
    relay.refusal = None
    link.wake()
    await eventually(lambda: link.state.phase is LinkPhase.ONLINE)


async def test_a_relay_in_trouble_is_not_a_refusal(
    relay: ScriptedRelay, journal: Journal, linked: Linker
) -> None:
    relay.refusal = Rejected(None, "draining", 503, "back in a minute")
    await linked(online=False)
    await eventually(lambda: len(relay.proofs) >= 2)
    assert LinkPhase.REFUSED not in journal.phases
    assert "the relay is not available: back in a minute" in [state.words for state in journal.states]


async def test_a_session_that_the_relay_ends_with_a_reason_shows_it(
    relay: ScriptedRelay, journal: Journal, linked: Linker
) -> None:
    await linked()
    await relay.say(Rejected(None, "device_revoked", 403, "this device was revoked"))
    await eventually(lambda: LinkPhase.REFUSED in journal.phases)
    assert journal.states[-1].code == "device_revoked"


async def test_a_proof_that_cannot_be_made_is_our_own_refusal(
    relay: ScriptedRelay, journal: Journal, linked: Linker
) -> None:
    journal.proof_error = LocalError("login_needed", "nobody has signed in")
    link = await linked(online=False)
    await eventually(lambda: link.state.phase is LinkPhase.REFUSED)
    assert (link.state.code, link.state.words) == ("login_needed", "nobody has signed in")


# A relay that breaks the rules, or is none.


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\x00",
        b"\x00\x00\x00\x05abcde",
        "text",
        b"\xff" * 100,
    ],
)
async def test_bytes_that_are_no_frames_end_the_session(
    relay: ScriptedRelay, journal: Journal, linked: Linker, message: bytes | str
) -> None:
    link = await linked()
    await relay.write(message)
    await eventually(lambda: len(relay.proofs) == 2)
    await eventually(lambda: link.state.phase is LinkPhase.ONLINE)
    assert "what answers there breaks the rules of a session (malformed)" in [
        state.words for state in journal.states
    ]


@pytest.mark.parametrize(
    "frame",
    [Deposited(99), Answer(99, {}), Rejected(99, "quota", 429, ""), Deposit(1, b"x"), Call(1, "edges", {})],
)
async def test_a_frame_that_a_relay_may_not_send_ends_the_session(
    relay: ScriptedRelay, journal: Journal, linked: Linker, frame: Frame
) -> None:
    await linked()
    await relay.say(frame)
    await eventually(lambda: len(relay.proofs) == 2)
    assert "what answers there breaks the rules of a session (bad_frame)" in [
        state.words for state in journal.states
    ]


async def test_a_repeated_answer_ends_the_session_but_not_the_work(
    relay: ScriptedRelay, journal: Journal, linked: Linker
) -> None:
    relay.answers = lambda frame: [*relay.answer(frame), *relay.answer(frame)]
    link = await linked()
    await link.deposit(b"x")
    await eventually(lambda: len(relay.proofs) == 2)


@pytest.mark.parametrize("knob", ["greets", "welcomes"])
async def test_a_relay_that_never_speaks_is_given_up(
    relay: ScriptedRelay, journal: Journal, linked: Linker, knob: str
) -> None:
    setattr(relay, knob, False)
    link = await linked(online=False, handshake_s=0.05)
    await eventually(lambda: relay.dialled >= 2)
    assert "no answer in time" in [state.words for state in journal.states]
    setattr(relay, knob, True)
    await eventually(lambda: link.state.phase is LinkPhase.ONLINE)


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"SSH-2.0-OpenSSH\r\n", b""]
)
async def test_what_is_no_relay_is_said(journal: Journal, linked: Linker, answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        await linked(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", online=False)
        await eventually(lambda: LinkPhase.OFFLINE in journal.phases)
    words = next(state.words for state in journal.states if state.phase is LinkPhase.OFFLINE)
    assert words.startswith("what answers there")


async def test_a_redirect_is_not_followed(relay: ScriptedRelay, journal: Journal, linked: Linker) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            f"HTTP/1.1 302 Found\r\nLocation: {relay.url}/v1/session\r\nContent-Length: 0\r\n\r\n".encode()
        )
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        await linked(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", online=False)
        await eventually(lambda: LinkPhase.OFFLINE in journal.phases)
    assert relay.dialled == 0


async def test_tls_where_there_is_none_is_said(
    relay: ScriptedRelay, journal: Journal, linked: Linker
) -> None:
    await linked(relay.url.replace("http:", "https:"), online=False)
    await eventually(lambda: LinkPhase.OFFLINE in journal.phases)
    words = next(state.words for state in journal.states if state.phase is LinkPhase.OFFLINE)
    assert words == "it hung up in the middle; is the address right?"


async def test_a_certificate_is_believed_only_if_we_were_told_to(
    journal: Journal, linked: Linker, tmp_path: Path
) -> None:
    context, bundle = make_certificate(tmp_path)
    relay = ScriptedRelay()
    await relay.start(tls=context)
    try:
        await linked(relay.url, online=False)
        await eventually(lambda: LinkPhase.OFFLINE in journal.phases)
        words = next(state.words for state in journal.states if state.phase is LinkPhase.OFFLINE)
        assert words.startswith("its certificate is not trusted: ")
        assert relay.proofs == []
        link = await linked(relay.url, ca_bundle=str(bundle))
        await link.deposit(b"x")
        assert relay.deposits == [b"x"]
    finally:
        await relay.stop()


async def test_a_certificate_file_that_is_none_is_our_own_refusal(
    relay: ScriptedRelay, journal: Journal, tmp_path: Path
) -> None:
    (tmp_path / "bundle.pem").write_text("not certificates")
    link = RelayLink(
        "https://127.0.0.1:1",
        prove=journal.prove,
        on_deliver=journal.deliver,
        on_notice=journal.notice,
        on_state=journal.states.append,
        ca_bundle=str(tmp_path / "bundle.pem"),
        timing=QUICK,
    )
    running = asyncio.create_task(link.run())
    await eventually(lambda: link.state.phase is LinkPhase.REFUSED)
    assert link.state.code == "bad_ca_bundle"
    await link.aclose()
    await running


async def test_loopback_is_never_dialled_through_a_proxy(
    relay: ScriptedRelay, linked: Linker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    link = await linked()
    await link.deposit(b"x")


async def test_another_host_is_dialled_through_the_proxy(
    journal: Journal, linked: Linker, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(proxy, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
    monkeypatch.delenv("no_proxy", raising=False)
    async with server:
        await linked("http://relay.invalid", online=False)
        await eventually(lambda: LinkPhase.OFFLINE in journal.phases)
    assert asked[0].startswith(b"CONNECT relay.invalid:80 ")
    assert "the proxy refused (HTTP 407)" in [state.words for state in journal.states]


# Ending.


async def test_closing_acknowledges_what_was_kept(
    relay: ScriptedRelay, journal: Journal, linked: Linker
) -> None:
    link = await linked()
    journal.may_keep.clear()
    await relay.deliver(b"one", b"two")
    await eventually(lambda: journal.begun == 2)
    closing = asyncio.create_task(link.aclose())
    journal.may_keep.set()
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
    relay: ScriptedRelay, journal: Journal, linked: Linker
) -> None:
    relay.http_refusal = HTTPStatus.SERVICE_UNAVAILABLE
    link = await linked(online=False, first_pause_s=600, longest_pause_s=600)
    await eventually(lambda: LinkPhase.OFFLINE in journal.phases)
    await asyncio.wait_for(link.aclose(), 1)


async def test_a_link_that_never_ran_closes_too(relay: ScriptedRelay, journal: Journal) -> None:
    link = RelayLink(
        relay.url,
        prove=journal.prove,
        on_deliver=journal.deliver,
        on_notice=journal.notice,
        on_state=journal.states.append,
    )
    await link.aclose()
    assert link.state.phase is LinkPhase.OFFLINE


async def test_cancelling_the_link_leaves_nothing_behind(relay: ScriptedRelay, journal: Journal) -> None:
    link = RelayLink(
        relay.url,
        prove=journal.prove,
        on_deliver=journal.deliver,
        on_notice=journal.notice,
        on_state=journal.states.append,
    )
    running = asyncio.create_task(link.run())
    await eventually(lambda: relay.sessions == 1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await eventually(lambda: relay.sessions == 0)
    assert [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("relay-")] == []
