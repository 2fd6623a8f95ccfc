"""What answers at the relay's address is no relay, or one that breaks the rules, or behind a proxy or a certificate."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from dispatch_daemon.adapters.relay import LinkPhase, RelayLink
from dispatch_protocol.frames import Answer, Call, Deposit, Deposited, Frame, Rejected
from tests.support.certificates import make_certificate
from tests.support.linked_device import LinkedDevice
from tests.support.patience import eventually
from tests.support.scripted_relay import ScriptedRelay

Linker = Callable[..., Awaitable[RelayLink]]


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
    relay: ScriptedRelay, device: LinkedDevice, linked: Linker, message: bytes | str
) -> None:
    link = await linked()
    await relay.write(message)
    await eventually(lambda: len(relay.proofs) == 2)
    await eventually(lambda: link.state.phase is LinkPhase.ONLINE)
    assert "what answers there breaks the rules of a session (malformed)" in [
        state.words for state in device.states
    ]


@pytest.mark.parametrize(
    "frame",
    [Deposited(99), Answer(99, {}), Rejected(99, "quota", 429, ""), Deposit(1, b"x"), Call(1, "edges", {})],
)
async def test_a_frame_that_a_relay_may_not_send_ends_the_session(
    relay: ScriptedRelay, device: LinkedDevice, linked: Linker, frame: Frame
) -> None:
    await linked()
    await relay.say(frame)
    await eventually(lambda: len(relay.proofs) == 2)
    assert "what answers there breaks the rules of a session (bad_frame)" in [
        state.words for state in device.states
    ]


async def test_a_repeated_answer_ends_the_session_but_not_the_work(
    relay: ScriptedRelay, device: LinkedDevice, linked: Linker
) -> None:
    relay.answers = lambda frame: [*relay.answer(frame), *relay.answer(frame)]
    link = await linked()
    await link.deposit(b"x")
    await eventually(lambda: len(relay.proofs) == 2)


@pytest.mark.parametrize("knob", ["greets", "welcomes"])
async def test_a_relay_that_never_speaks_is_given_up(
    relay: ScriptedRelay, device: LinkedDevice, linked: Linker, knob: str
) -> None:
    setattr(relay, knob, False)
    link = await linked(online=False, handshake_s=0.05)
    await eventually(lambda: relay.dialled >= 2)
    assert "no answer in time" in device.offline_words
    setattr(relay, knob, True)
    await eventually(lambda: link.state.phase is LinkPhase.ONLINE)


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"SSH-2.0-OpenSSH\r\n", b""]
)
async def test_what_is_no_relay_is_said(device: LinkedDevice, linked: Linker, answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        await linked(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", online=False)
        await eventually(lambda: LinkPhase.OFFLINE in device.phases)
    words = device.offline_words[0]
    assert words.startswith("what answers there")


async def test_a_redirect_is_not_followed(relay: ScriptedRelay, device: LinkedDevice, linked: Linker) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            f"HTTP/1.1 302 Found\r\nLocation: {relay.url}/v1/session\r\nContent-Length: 0\r\n\r\n".encode()
        )
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        await linked(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", online=False)
        await eventually(lambda: LinkPhase.OFFLINE in device.phases)
    assert relay.dialled == 0


async def test_tls_where_there_is_none_is_said(
    relay: ScriptedRelay, device: LinkedDevice, linked: Linker
) -> None:
    await linked(relay.url.replace("http:", "https:"), online=False)
    await eventually(lambda: LinkPhase.OFFLINE in device.phases)
    words = device.offline_words[0]
    assert words == "it hung up in the middle; is the address right?"


async def test_a_certificate_is_believed_only_if_we_were_told_to(
    device: LinkedDevice, linked: Linker, tmp_path: Path
) -> None:
    context, bundle = make_certificate(tmp_path)
    relay = ScriptedRelay()
    await relay.start(tls=context)
    try:
        await linked(relay.url, online=False)
        await eventually(lambda: LinkPhase.OFFLINE in device.phases)
        words = device.offline_words[0]
        assert words.startswith("its certificate is not trusted: ")
        assert relay.proofs == []
        link = await linked(relay.url, ca_bundle=str(bundle))
        await link.deposit(b"x")
        assert relay.deposits == [b"x"]
    finally:
        await relay.stop()


async def test_a_certificate_file_that_is_none_is_our_own_refusal(
    relay: ScriptedRelay, device: LinkedDevice, tmp_path: Path
) -> None:
    (tmp_path / "bundle.pem").write_text("not certificates")
    link = device.link("https://127.0.0.1:1", ca_bundle=str(tmp_path / "bundle.pem"))
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


@pytest.mark.parametrize(
    ("variable", "url", "line"),
    [
        ("http_proxy", "http://relay.invalid", b"CONNECT relay.invalid:80 "),
        ("HTTPS_PROXY", "https://relay.invalid", b"CONNECT relay.invalid:443 "),
    ],
)
async def test_another_host_is_dialled_through_the_proxy(
    device: LinkedDevice,
    linked: Linker,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    url: str,
    line: bytes,
) -> None:
    asked: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(proxy, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    monkeypatch.setenv(variable, f"http://127.0.0.1:{port}")
    monkeypatch.delenv("no_proxy", raising=False)
    async with server:
        await linked(url, online=False)
        await eventually(lambda: LinkPhase.OFFLINE in device.phases)
    assert asked[0].startswith(line)
    assert "the proxy refused (HTTP 407)" in device.offline_words


async def test_a_host_that_no_proxy_names_is_dialled_straight(
    relay: ScriptedRelay, device: LinkedDevice, linked: Linker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`0.0.0.0` reaches this machine without being one of its loopback addresses."""
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    relay.url = relay.url.replace("127.0.0.1", "0.0.0.0")
    monkeypatch.setenv("no_proxy", "elsewhere.invalid")
    await linked(relay.url, online=False)
    await eventually(lambda: LinkPhase.OFFLINE in device.phases)
    assert relay.proofs == []
    monkeypatch.setenv("no_proxy", "elsewhere.invalid,0.0.0.0")
    await eventually(lambda: LinkPhase.ONLINE in device.phases)
    assert len(relay.proofs) == 1
