"""Framing: how frames become the bytes of WebSocket messages, and how they are read back, strictly.

    message = (u32 length | frame)*        frame = u8 kind | u16 length of head | head | tail        big-endian

The head is a small strict JSON object with the frame's short fields. The tail carries, unencoded, what may be large:
an envelope's bytes, or one strict JSON object. So the relay moves sealed bytes without parsing or copying them through
text, and the frames of one tick ride in one message.
"""

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from dispatch_protocol.body import check_word
from dispatch_protocol.chain import read_links, write_links
from dispatch_protocol.encoding import JSON, Fields, b64u, dumps, loads
from dispatch_protocol.errors import LocalError, MalformedError
from dispatch_protocol.frames import (
    ACK_SEQS,
    CHALLENGE_BYTES,
    EPOCH_CHARS,
    TOKEN_CHARS,
    Ack,
    Answer,
    Call,
    Challenge,
    Deliver,
    Deposit,
    Deposited,
    Frame,
    Hello,
    Notice,
    Rejected,
    Welcome,
)
from dispatch_protocol.limits import CHAIN_LINKS, ENVELOPE_BYTES, MESSAGE_BYTES, REASON_CHARS, URL_CHARS
from dispatch_protocol.signing import Signed

_LENGTH: Final = struct.Struct(">I")
_PREFIX: Final = struct.Struct(">BH")

_KINDS: Final[Mapping[type[Frame], int]] = MappingProxyType(
    {
        Challenge: 1,
        Hello: 2,
        Welcome: 3,
        Rejected: 4,
        Deposit: 5,
        Deposited: 6,
        Deliver: 7,
        Ack: 8,
        Call: 9,
        Answer: 10,
        Notice: 11,
    }
)


def encode_frame(frame: Frame) -> bytes:
    """Return one frame, without its length.

    Raises:
        LocalError: `frame_too_long`, or `not_encodable`.
    """
    head, tail = _split(frame)
    text = dumps(head)
    if len(text) > 0xFFFF or len(tail) + len(text) > MESSAGE_BYTES - 7:
        raise LocalError("frame_too_long", f"a frame {type(frame).__name__} of {len(text) + len(tail)} bytes")
    return b"".join((_PREFIX.pack(_KINDS[type(frame)], len(text)), text, tail))


def encode_messages(frames: Iterable[Frame]) -> Iterator[bytes]:
    """Yield as few WebSocket messages as hold these frames in order, none above 2 MiB; raises like `encode_frame`."""
    parts: list[bytes] = []
    size = 0
    for frame in frames:
        raw = encode_frame(frame)
        if parts and size + _LENGTH.size + len(raw) > MESSAGE_BYTES:
            yield b"".join(parts)
            parts, size = [], 0
        parts += (_LENGTH.pack(len(raw)), raw)
        size += _LENGTH.size + len(raw)
    if parts:
        yield b"".join(parts)


def decode_message(message: bytes) -> tuple[Frame, ...]:
    """Return the frames of one WebSocket message.

    Raises:
        MalformedError: too long, empty, cut short, or a frame that cannot be read; no frame of it is believed.
    """
    if not 0 < len(message) <= MESSAGE_BYTES:
        raise MalformedError(f"a message of {len(message)} bytes; 1 to {MESSAGE_BYTES} are read")
    frames: list[Frame] = []
    at = 0
    while at < len(message):
        start = at + _LENGTH.size
        if start > len(message):
            raise MalformedError("a message that ends in a frame's length")
        at = start + _LENGTH.unpack_from(message, start - _LENGTH.size)[0]
        if at > len(message):
            raise MalformedError("a message that ends in a frame")
        frames.append(decode_frame(message[start:at]))
    return tuple(frames)


def decode_frame(raw: bytes) -> Frame:
    """Return one frame from its bytes, without its length; raises MalformedError."""
    if len(raw) < _PREFIX.size:
        raise MalformedError(f"a frame of {len(raw)} bytes")
    kind, head_bytes = _PREFIX.unpack_from(raw)
    tail_at = _PREFIX.size + head_bytes
    read = _READERS.get(kind)
    if read is None or tail_at > len(raw):
        raise MalformedError(f"a frame of the kind {kind} with a head of {head_bytes} bytes")
    fields = Fields(loads(raw[_PREFIX.size : tail_at], max_bytes=0xFFFF), f"frame {kind}")
    frame = read(fields, raw[tail_at:])
    fields.done()
    return frame


def _split(frame: Frame) -> tuple[dict[str, JSON], bytes]:
    """Return a frame's head and tail."""
    match frame:
        case Challenge():
            return {
                "challenge": b64u(frame.challenge),
                "epoch": frame.epoch,
                "url": frame.broker_url,
                "time": frame.time_ms,
            }, b""
        case Hello():
            tail = {"proof": b64u(frame.proof.encode()), "links": write_links(frame.links)}
            return {"token": frame.token}, dumps(tail)
        case Welcome():
            return {
                "token": frame.token,
                "expires": frame.expires_ms,
                "epoch": frame.epoch,
                "time": frame.time_ms,
            }, b""
        case Rejected():
            return {
                "ref": frame.ref,
                "code": frame.code,
                "status": frame.status,
                "detail": frame.detail[:REASON_CHARS],
            }, b""
        case Deposit():
            return {"ref": frame.ref}, frame.envelope
        case Deposited():
            return {"ref": frame.ref}, b""
        case Deliver():
            return {"seq": frame.seq}, frame.envelope
        case Ack():
            return {"seqs": list(frame.seqs)}, b""
        case Call():
            return {"ref": frame.ref, "op": frame.op}, dumps(frame.args)
        case Answer():
            return {"ref": frame.ref}, dumps(frame.value)
        case _:  # Notice, the last of the types
            return {"kind": frame.kind}, dumps(frame.data)


def _read_challenge(fields: Fields, tail: bytes) -> Challenge:
    _empty(tail)
    return Challenge(
        challenge=fields.base64("challenge", length=CHALLENGE_BYTES),
        epoch=fields.text("epoch", min_chars=1, max_chars=EPOCH_CHARS),
        broker_url=fields.text("url", min_chars=1, max_chars=URL_CHARS),
        time_ms=fields.integer("time"),
    )


def _read_hello(fields: Fields, tail: bytes) -> Hello:
    inner = Fields(_object(tail), "hello")
    hello = Hello(
        proof=Signed.decode(inner.base64("proof", max_bytes=MESSAGE_BYTES)),
        links=read_links(inner.items("links", max_items=CHAIN_LINKS, min_items=1)),
        token=fields.optional(fields.text, "token", min_chars=1, max_chars=TOKEN_CHARS),
    )
    inner.done()
    return hello


def _read_welcome(fields: Fields, tail: bytes) -> Welcome:
    _empty(tail)
    return Welcome(
        token=fields.text("token", min_chars=1, max_chars=TOKEN_CHARS),
        expires_ms=fields.integer("expires"),
        epoch=fields.text("epoch", min_chars=1, max_chars=EPOCH_CHARS),
        time_ms=fields.integer("time"),
    )


def _read_rejected(fields: Fields, tail: bytes) -> Rejected:
    _empty(tail)
    return Rejected(
        ref=fields.optional(fields.integer, "ref"),
        code=check_word(fields.text("code", max_chars=64), "rejected.code"),
        status=fields.integer("status", minimum=400, maximum=599),
        detail=fields.text("detail", max_chars=REASON_CHARS),
    )


def _read_deposit(fields: Fields, tail: bytes) -> Deposit:
    return Deposit(ref=fields.integer("ref"), envelope=_envelope(tail))


def _read_deposited(fields: Fields, tail: bytes) -> Deposited:
    _empty(tail)
    return Deposited(ref=fields.integer("ref"))


def _read_deliver(fields: Fields, tail: bytes) -> Deliver:
    return Deliver(seq=fields.integer("seq"), envelope=_envelope(tail))


def _read_ack(fields: Fields, tail: bytes) -> Ack:
    _empty(tail)
    seqs = fields.items("seqs", max_items=ACK_SEQS, min_items=1)
    if not all(type(seq) is int and seq >= 0 for seq in seqs):
        raise MalformedError("ack.seqs does not hold numbers of deliveries")
    return Ack(tuple(seq for seq in seqs if isinstance(seq, int)))


def _read_call(fields: Fields, tail: bytes) -> Call:
    return Call(
        ref=fields.integer("ref"),
        op=check_word(fields.text("op", max_chars=64), "call.op"),
        args=_object(tail),
    )


def _read_answer(fields: Fields, tail: bytes) -> Answer:
    return Answer(ref=fields.integer("ref"), value=_object(tail))


def _read_notice(fields: Fields, tail: bytes) -> Notice:
    return Notice(kind=check_word(fields.text("kind", max_chars=64), "notice.kind"), data=_object(tail))


_READERS: Final[Mapping[int, Callable[[Fields, bytes], Frame]]] = MappingProxyType(
    {
        _KINDS[Challenge]: _read_challenge,
        _KINDS[Hello]: _read_hello,
        _KINDS[Welcome]: _read_welcome,
        _KINDS[Rejected]: _read_rejected,
        _KINDS[Deposit]: _read_deposit,
        _KINDS[Deposited]: _read_deposited,
        _KINDS[Deliver]: _read_deliver,
        _KINDS[Ack]: _read_ack,
        _KINDS[Call]: _read_call,
        _KINDS[Answer]: _read_answer,
        _KINDS[Notice]: _read_notice,
    }
)


def _empty(tail: bytes) -> None:
    if tail:
        raise MalformedError(f"{len(tail)} bytes after a frame that has no tail")


def _envelope(tail: bytes) -> bytes:
    if not 0 < len(tail) <= ENVELOPE_BYTES:
        raise MalformedError(f"an envelope of {len(tail)} bytes; 1 to {ENVELOPE_BYTES} are carried")
    return tail


def _object(tail: bytes) -> dict[str, JSON]:
    value = loads(tail, max_bytes=MESSAGE_BYTES)
    if not isinstance(value, dict):
        raise MalformedError("a frame's tail is not an object")
    return value
