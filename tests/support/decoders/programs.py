"""The decoders of the programs: what the broker, the daemon, the command line and the wall read from somebody else."""

from collections.abc import Iterator
from typing import Any

from dispatch_broker.adapters import settings as broker_settings
from dispatch_broker.adapters.tokens import Tokens, Use
from dispatch_broker.adapters.websocket import read_message
from dispatch_broker.core.accounts import Signup
from dispatch_broker.core.records import Claim
from dispatch_cli import events, http1, reading, steps_yaml
from dispatch_cli.errors import CliError
from dispatch_cli.render.times import parse_ms
from dispatch_daemon.adapters.loopback import routes
from dispatch_daemon.adapters.relay.dial import read_address
from dispatch_daemon.app.services import paging
from dispatch_daemon.core.errors import ServiceError
from dispatch_protocol.encoding import dumps, loads
from dispatch_protocol.errors import LocalError
from dispatch_protocol.framing import encode_messages
from sandbox.agents.steps import parse_steps
from sandbox.changes.git import index, rules
from sandbox.errors import HelperError, StepsError
from sandbox.gate import client_hello, mcp, proxying, refusal
from sandbox.gate.destinations import Destination
from sandbox.tools import ignore
from sandbox.tools.workplace import Outcome
from sandbox.wall import speech, words
from tests.support import hellos
from tests.support.decoders.decoder import LONGEST, Decoder, plain, text
from tests.support.decoders.documents import name_of
from tests.support.decoders.wire import message_seeds
from tests.support.vectors import world

_TOKENS = Tokens(bytes(32))
_CLAIM = Claim(address="alice@example.org", genesis=world.ALICE.genesis, device=world.ALICE_LAPTOP.device)
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: 2\r\n\r\n{}"
_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=1\r\nhello\r\n0\r\nTrailer: 1\r\n\r\n"
_STREAM = b": lives\n\nevent: snapshot\ndata: {}\ndata: more\r\n\r\nid: 7\ndata:x\n\n"
_STEPS_YAML = b"- tool: Read\n  input: {file_path: hello.txt}\n- {tool: Bash, input: {command: 'true'}}\n"
_IGNORES = b"# comment\n*.py[cod]\n!/keep/**/x?\n\\!odd\nbuild/\n[!a-z]*\\ \n**/foo/**\n[[:alpha:]-]\n"
_INDEX = (  # version 2, one entry for `a`, then its digest
    b"DIRC" + (2).to_bytes(4) + (1).to_bytes(4) + bytes(60) + (1).to_bytes(2) + b"a" + bytes(9) + bytes(20)
)


def _answer(data: bytes) -> Any:
    """Read an HTTP answer whole, in one piece and byte by byte, and demand that both are the same."""
    split = http1.split_head(data)
    if split is None:
        return None
    head, rest = split
    whole, slow = http1.body_of(head), http1.body_of(head)
    read = whole.feed(rest)
    assert b"".join(slow.feed(rest[at : at + 1]) for at in range(len(rest))) == read
    whole.end()
    return head, read


def _events(data: bytes) -> Any:
    """Read a stream of events whole and byte by byte, and demand that both are the same."""
    slow = events.Events()
    pieces = [event for at in range(len(data)) for event in slow.feed(data[at : at + 1])]
    found = events.Events().feed(data)
    assert pieces == found
    return found


def _of_the_command_line() -> Iterator[Decoder]:
    yield Decoder(
        name_of(http1.split_head),
        _answer,
        lambda: [_ANSWER, _CHUNKED, b"HTTP/1.1 204 No Content\r\n\r\n", b"SSH-2.0\r\n\r\n"],
        errors=(http1.GarbledError,),
    )
    yield Decoder(
        name_of(events.Events.feed), _events, lambda: [_STREAM, b"\xff\n"], errors=(http1.GarbledError,)
    )
    yield Decoder(
        name_of(steps_yaml.load),
        lambda data: steps_yaml.load(text(data)),
        lambda: [_STEPS_YAML, b"&a [*a]", b"!!binary x", b"? {}\n", b"- 010\n- .5\n- ~\n"],
        errors=(steps_yaml.StepsYamlError,),
    )
    yield Decoder(
        name_of(reading._parsed),
        lambda data: reading._parsed(text(data), must_be_json=False),
        lambda: [b'[{"tool":"Read","input":{}}]', _STEPS_YAML, b"[NaN]", b'{"a":1,"a":2}'],
        errors=(CliError,),
    )
    yield Decoder(
        name_of(parse_ms), lambda data: parse_ms(text(data)), lambda: [b"2026-01-02T03:04:05.678Z"], errors=()
    )


def _cursor_seeds() -> list[bytes]:
    return [b"MTIuYWI", b"", b"LTEu", b"\xc3\xa4"]


def _of_the_daemon() -> Iterator[Decoder]:
    yield Decoder(
        name_of(paging.read_cursor),
        lambda data: paging.read_cursor(text(data)),
        _cursor_seeds,
        errors=(ServiceError,),
    )
    yield Decoder(
        name_of(routes._decoded),
        lambda data: routes._decoded(text(data)),
        lambda: [b"80808080-8080-8080-8080-808080808080", b"%2e%2e", b"%ff"],
        errors=(ServiceError,),
    )
    yield Decoder(
        name_of(read_address),
        lambda data: read_address(text(data)),
        lambda: [b"HTTPS://Courier.Example:443/a/", b"http://[::1]:8000", b"http://a:99999", b"//"],
        write=lambda address: plain(address.url),
        errors=(LocalError,),
    )


def _of_the_broker() -> Iterator[Decoder]:
    yield Decoder(
        name_of(read_message),
        read_message,
        message_seeds,
        write=lambda value: b"".join(encode_messages(value)),
    )
    token = _TOKENS.make(Use.SESSION, _CLAIM, 2**53 - 1)
    yield Decoder(
        name_of(Tokens.read),
        lambda data: _TOKENS.read(Use.SESSION, text(data), 0),
        lambda: [token.encode(), token.replace(".", "").encode(), b"."],
        errors=(),
    )
    yield Decoder(
        name_of(Signup.parse),
        lambda data: Signup.parse(text(data)),
        lambda: [b"closed", b"open", b"domain:EXAMPLE.ORG", b"domain:"],
        errors=(),
    )
    yield Decoder(
        name_of(broker_settings._read_listen),
        lambda data: broker_settings._read_listen(text(data), "--listen"),
        lambda: [b"127.0.0.1:8000", b"[::1]:0", b":", b"a:70000"],
        errors=(broker_settings.SettingsError,),
    )


def _steps(data: bytes) -> Any:
    return parse_steps(loads(data, max_bytes=LONGEST))


def _result(data: bytes) -> Any:
    return words.decode_result(data, "step-1", 1000)


def _of_the_wall() -> Iterator[Decoder]:
    reply = speech.encode_result("step-1", Outcome(True, "out", False, 0, None))
    yield Decoder(
        name_of(words.decode_ready),
        words.decode_ready,
        lambda: [speech.encode_ready(4), b"{}\n"],
        write=speech.encode_ready,
        errors=(HelperError,),
    )
    yield Decoder(
        name_of(words.decode_result),
        _result,
        lambda: [reply, reply.replace(b"true", b"false"), reply[:-2]],
        errors=(HelperError,),
    )
    yield Decoder(
        name_of(words.decode_names),
        words.decode_names,
        lambda: [speech.encode_names(["a", "b/c"]), b'{"list":["\\ud800"]}'],
        write=lambda value: speech.encode_names(list(value)),
        errors=(HelperError,),
    )
    yield Decoder(
        name_of(parse_steps),
        _steps,
        lambda: [dumps([{"tool": "Read", "input": {"file_path": "a"}}]), b"[]", b"[{}]"],
        errors=(StepsError, *Decoder.__dataclass_fields__["errors"].default),
    )
    yield Decoder(name_of(rules.parse), rules.parse, lambda: [_IGNORES], errors=())
    yield Decoder(name_of(ignore.parse), lambda data: ignore.parse(text(data)), lambda: [_IGNORES], errors=())
    yield Decoder(
        name_of(index._parse), index._parse, lambda: [_INDEX, _INDEX[:40]], errors=(index._CorruptError,)
    )


def _of_the_tool_gate() -> Iterator[Decoder]:
    """Return what reads a program inside that asks a tool server."""
    yield Decoder(
        name_of(mcp.read_message),
        mcp.read_message,
        lambda: [
            b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"b":[1]}}}',
            b'{"jsonrpc":"2.0","method":"notifications/initialized"}',
            b'{"jsonrpc":"2.0","id":null,"method":"ping"}',
        ],
        errors=(refusal.GateRefusalError,),
    )
    yield Decoder(
        name_of(mcp.read_call),
        lambda data: mcp.read_call(refusal.read(data)),
        lambda: [
            b'{"name":"a","arguments":{"b":1.5},"_meta":{"progressToken":"p"}}',
            b'{"name":"a","_meta":{"progressToken":7}}',
            b'{"name":[]}',
        ],
        errors=(refusal.GateRefusalError,),
    )
    yield Decoder(
        name_of(mcp.read_number),
        lambda data: mcp.read_number(refusal.read(data).get("id"), "the id"),
        lambda: [b'{"id":1}', b'{"id":"a"}', b'{"id":true}', b'{"id":1.5}'],
        errors=(refusal.GateRefusalError,),
    )


def _of_the_gates() -> Iterator[Decoder]:
    yield Decoder(
        name_of(refusal.read),
        refusal.read,
        lambda: [
            b'{"model":"m","messages":[{"role":"user","content":"hello"}]}',
            b'{"a":NaN}',
            b'{"a":1,"a":2}',
        ],
        errors=(refusal.GateRefusalError,),
    )
    yield Decoder(
        name_of(Destination.read),
        lambda data: Destination.read(text(data)),
        lambda: [b"pypi.org", b"git.lan:8443", b"127.0.0.1:443", b"a..b:0"],
        write=lambda found: plain(str(found)),
        errors=(ValueError,),
    )
    yield Decoder(
        name_of(proxying.parse),
        proxying.parse,
        lambda: [
            b"CONNECT pypi.org:443 HTTP/1.1\r\nHost: pypi.org:443\r\n\r\n",
            b"POST http://example.org/a?b HTTP/1.1\r\nHost: example.org\r\nContent-Length: 3\r\n\r\n",
            b"GET http://127.0.0.1/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        ],
        errors=(refusal.GateRefusalError,),
    )
    yield Decoder(
        name_of(client_hello.Hello.take),
        hellos.read_hello,
        lambda: [
            hellos.records(hellos.message(hellos.body(hellos.names(b"pypi.org"))), sizes=[9]),
            hellos.records(hellos.message(hellos.body())),
            b"GET / HTTP/1.1",
        ],
        errors=(client_hello.HelloError,),
    )


def program_decoders() -> Iterator[Decoder]:
    """Return the decoders that stand in the programs and in the sandbox."""
    yield from _of_the_command_line()
    yield from _of_the_daemon()
    yield from _of_the_broker()
    yield from _of_the_wall()
    yield from _of_the_gates()
    yield from _of_the_tool_gate()
