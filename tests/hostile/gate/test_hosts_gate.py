"""Whatever asks the gate to hosts from inside: it reaches the hosts that were granted, as themselves, and nothing else.

Each attack stands beside the same act with what was granted, which succeeds.
"""

import asyncio
import ssl
from pathlib import Path

import pytest

from sandbox.gate.destinations import Destination
from sandbox.gate.dialling import Dialler
from sandbox.gate.hosts import Bounds
from sandbox.gate.refusal import GateRefusalError
from tests.support.far_hosts import NameServer, far_host, recorder
from tests.support.hellos import body, message, names, real_hello, records
from tests.support.host_gates import Streams, host_gate, is_over, refused
from tests.support.patience import eventually

NAME = "host.example"
HERE = [["127.0.0.1"]]
GRANTED = real_hello(NAME)


async def over_tls(streams: Streams, bundle: Path, name: str, request: bytes) -> bytes:
    """Speak TLS in a tunnel, as an honest client does, and return the whole answer."""
    context = ssl.create_default_context(cafile=str(bundle))
    await streams[1].start_tls(context, server_hostname=name)
    streams[1].write(request)
    answer = await streams[0].read()
    streams[1].close()
    return answer


async def test_the_granted_host_is_reached_over_tls_and_only_its_name_is_told(tmp_path: Path) -> None:
    async with (
        far_host(tmp_path, NAME) as far,
        host_gate(f"{NAME}:{far.port}", answers={NAME: HERE}, private=[NAME]) as gate,
    ):
        for _ in range(2):
            line, streams = await gate.tunnel(f"{NAME}:{far.port}")
            assert line == "HTTP/1.1 200 Connection established"
            answer = await over_tls(streams, far.bundle, NAME, b"GET /secret HTTP/1.1\r\n\r\n")
            assert answer.endswith(far.says)
        assert gate.reached == [f"{NAME}:{far.port}"], "told once, and without what was asked there"
        assert gate.codes == []
        assert gate.names.asked == [NAME, NAME], "each connection looks once"


@pytest.mark.parametrize(
    "place",
    [
        *(
            "{name}:{other}",
            "other.example:{port}",
            "sub.{name}:{port}",
            "{name}.evil.example:{port}",
            "{name}.:{port}",
        ),
        *(
            "{name}@evil.example:{port}",
            "evil.example#{name}:{port}",
            "%68ost.example:{port}",
            "0x7f.1:{port}",
        ),
        *("127.0.0.1:{port}", "[::1]:{port}", "localhost:{port}", "127.1:{port}", "2130706433:{port}"),
        *("169.254.169.254:80", "metadata.google.internal:80", "[::ffff:127.0.0.1]:{port}", "{name}"),
    ],
)
async def test_nothing_that_was_not_granted_is_dialled_or_even_looked_up(place: str) -> None:
    async with (
        recorder() as far,
        host_gate(f"{NAME}:{far.port}", answers={NAME: HERE}, private=[NAME]) as gate,
    ):
        asked = place.format(name=NAME, port=far.port, other=far.port + 1 if far.port < 65_535 else 1)
        line, streams = await gate.tunnel(asked)
        assert line == "HTTP/1.1 403 gate_forbidden"
        assert await is_over(streams)
        assert (gate.names.asked, far.connections, gate.reached) == ([], 0, [])
        line, streams = await gate.tunnel(f"{NAME}:{far.port}")
        assert line.startswith("HTTP/1.1 200 ")
        streams[1].close()


@pytest.mark.parametrize(
    "first",
    [
        *("CONNECT evil.example\0.{name}:{port} HTTP/1.1", "CONNECT {name}:{port}\0 HTTP/1.1"),
        *("CONNECT {name}:{port} evil.example:{port} HTTP/1.1", "CONNECT {name}\t:{port} HTTP/1.1"),
        *(
            "connect {name}:{port} HTTP/1.1",
            "CONNECT {name}:{port} HTTP/1.1\nHost: x",
            "CONNECT {name}:{port}",
        ),
        "\x16\x03\x01\x00\x05",
    ],
)
async def test_a_line_that_another_reader_may_read_otherwise_is_no_request(first: str) -> None:
    async with (
        recorder() as far,
        host_gate(f"{NAME}:{far.port}", answers={NAME: HERE}, private=[NAME]) as gate,
    ):
        said = first.format(name=NAME, port=far.port).encode("latin-1")
        line, streams = await gate.say(said + b"\r\n\r\n")
        assert line == "HTTP/1.1 400 gate_malformed"
        assert await is_over(streams)
        assert (gate.names.asked, far.connections) == ([], 0)
        line, _ = await gate.say(f"CONNECT {NAME}:{far.port} HTTP/1.1\r\n\r\n".encode())
        assert line.startswith("HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["::1"], ["10.0.0.1", "192.168.1.1"], ["::ffff:127.0.0.1"], ["64:ff9b::7f00:1"], []],
)
async def test_a_name_that_leads_to_a_private_place_is_not_dialled(addresses: list[str]) -> None:
    async with (
        recorder() as far,
        host_gate(
            *(f"{NAME}:{far.port}", f"opened.example:{far.port}"),
            answers={NAME: [addresses], "opened.example": HERE},
            private=["opened.example"],
        ) as gate,
    ):
        line, streams = await gate.tunnel(f"{NAME}:{far.port}")
        assert line == "HTTP/1.1 403 gate_address"
        assert await is_over(streams)
        assert (far.connections, gate.reached) == (0, [])
        line, streams = await gate.tunnel(f"opened.example:{far.port}")
        assert line.startswith("HTTP/1.1 200 ")
        streams[1].close()


async def test_the_service_that_hands_out_keys_is_not_dialled_whatever_an_owner_said() -> None:
    answers = {NAME: [["169.254.169.254"]]}
    async with host_gate(f"{NAME}:80", NAME, answers=answers, private=[NAME]) as gate:
        for said in (f"CONNECT {NAME}:80 HTTP/1.1\r\n\r\n", f"GET http://{NAME}/latest HTTP/1.1\r\n\r\n"):
            line, streams = await gate.say(said.encode())
            assert line == "HTTP/1.1 403 gate_address"
            assert await is_over(streams)


async def test_a_name_that_leads_elsewhere_the_next_moment_leads_nowhere() -> None:
    """One lookup for each connection, judged anew; what was judged is dialled, whatever the name says by then."""
    moving = NameServer({NAME: [["93.184.216.34", "127.0.0.1"], ["127.0.0.1"]]})
    dialler = Dialler(resolve=moving)
    async with recorder() as far:
        place = Destination(NAME, far.port)
        assert await dialler.find(place) == ["93.184.216.34"], (
            "of several addresses the private one is left out"
        )
        with pytest.raises(GateRefusalError, match="gate_address"):
            await dialler.find(place)
        assert far.connections == 0
        opened = Dialler(frozenset({NAME}), resolve=NameServer({NAME: [["127.0.0.1"], ["169.254.169.254"]]}))
        found = await opened.find(place)
        (await opened.dial(place, found)).close()
        await eventually(lambda: far.connections == 1)
        with pytest.raises(GateRefusalError, match="gate_address"):
            await opened.find(place)


async def test_this_machine_is_closed_by_every_address_and_its_own_door_always() -> None:
    async with recorder() as far:
        place = Destination(NAME, far.port)
        with pytest.raises(GateRefusalError, match="this very machine"):
            await Dialler().dial(place, ["127.0.0.1"])
        with pytest.raises(GateRefusalError, match="this very machine"):
            await Dialler(frozenset({NAME}), lambda: frozenset({far.port})).dial(place, ["127.0.0.1"])
        assert far.connections == 0
        (await Dialler(frozenset({NAME}), lambda: frozenset({1})).dial(place, ["127.0.0.1"])).close()
        await eventually(lambda: far.connections == 1)


async def test_a_name_that_nobody_knows_or_where_nobody_answers_says_so() -> None:
    async with host_gate(f"{NAME}:1", "unknown.example", answers={NAME: HERE}, private=[NAME]) as gate:
        assert (await gate.tunnel("unknown.example:443"))[0] == "HTTP/1.1 502 gate_unknown"
        assert (await gate.tunnel(f"{NAME}:1"))[0] == "HTTP/1.1 502 gate_unreachable"


FIRST_WORDS = {
    "the name of another host": (real_hello("other.example"), "gate_hello"),
    "no name": (real_hello(None), "gate_hello"),
    "a hidden name": (records(message(body(names(NAME.encode()), (0xFE0D, b"x")))), "gate_hello"),
    "two names": (records(message(body(names(NAME.encode(), b"other.example")))), "gate_hello"),
    "plain HTTP": (b"GET / HTTP/1.1\r\nHost: other.example\r\n\r\n", "gate_hello"),
    "SSH": (b"SSH-2.0-OpenSSH_9.2\r\n", "gate_hello"),
    "nothing": (b"", "gate_slow"),
    "half a hello": (GRANTED[:-1], "gate_slow"),
}


@pytest.mark.parametrize("what", FIRST_WORDS)
async def test_no_byte_of_a_tunnel_leaves_before_it_asks_for_the_host_by_tls(what: str) -> None:
    said, code = FIRST_WORDS[what]
    async with (
        recorder() as far,
        host_gate(
            f"{NAME}:{far.port}",
            answers={NAME: HERE},
            private=[NAME],
            bounds=Bounds(words_s=0.5 if code == "gate_slow" else 60.0),
        ) as gate,
    ):
        _, streams = await gate.tunnel(f"{NAME}:{far.port}")
        streams[1].write(said)
        assert await is_over(streams)
        await refused(gate, code)
        await eventually(lambda: far.held == 0)
        assert far.heard == b""
        _, streams = await gate.tunnel(f"{NAME}:{far.port}")
        streams[1].write(GRANTED + b"and more")
        await eventually(lambda: bytes(far.heard) == GRANTED + b"and more")
        streams[1].close()


async def test_nothing_leaves_before_the_first_use_is_written_down() -> None:
    async with (
        recorder() as far,
        host_gate(f"{NAME}:{far.port}", answers={NAME: HERE}, private=[NAME]) as gate,
    ):
        gate.halted.clear()
        both = [asyncio.ensure_future(gate.tunnel(f"{NAME}:{far.port}")) for _ in range(2)]
        await eventually(lambda: len(gate.names.asked) == 2)
        assert (far.connections, [each.done() for each in both]) == (0, [False, False])
        gate.halted.set()
        for each in both:
            line, streams = await each
            assert line.startswith("HTTP/1.1 200 ")
            streams[1].close()
        assert gate.reached == [f"{NAME}:{far.port}"]


async def test_what_cannot_be_written_down_does_not_happen() -> None:
    async with (
        recorder() as far,
        host_gate(f"{NAME}:{far.port}", answers={NAME: HERE}, private=[NAME]) as gate,
    ):
        failures: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, told: failures.append(told["exception"]))
        gate.lost.append(LookupError("the journal is gone"))
        line, streams = await gate.tunnel(f"{NAME}:{far.port}")
        assert line == ""
        assert await is_over(streams)
        assert far.connections == 0
        assert failures == gate.lost, "and whoever runs the daemon reads of it"
        gate.lost.clear()
        line, streams = await gate.tunnel(f"{NAME}:{far.port}")
        assert line.startswith("HTTP/1.1 200 ")
        streams[1].close()


async def test_when_the_run_ends_everything_is_closed() -> None:
    async with recorder() as far:
        async with host_gate(f"{NAME}:{far.port}", answers={NAME: HERE}, private=[NAME]) as gate:
            _, open_one = await gate.tunnel(f"{NAME}:{far.port}")
            open_one[1].write(GRANTED)
            _, waiting = await gate.tunnel(f"{NAME}:{far.port}")
            silent = await gate.connect()
            await eventually(lambda: far.held == 2)
        for streams in (open_one, waiting, silent):
            assert await is_over(streams)
        await eventually(lambda: far.held == 0)
        with pytest.raises(ConnectionRefusedError):
            await gate.connect()
