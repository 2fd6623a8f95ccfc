"""Chapter 10 of docs/PROTOCOL.md a second time: messages of frames, and what a Hello proves; and trust files (chapter 6).

It shares no line with the product. What it finds wrong it names by the code of the page; what cannot be read is `malformed`.
"""

from collections.abc import Callable
from typing import Any

from tests.support.independent_bodies import code_of
from tests.support.independent_bytes import Json, canonical, pae, signed_by
from tests.support.independent_evidence import WrongError, follow_chain, need
from tests.support.independent_shapes import (
    Holds,
    decoded,
    document,
    encoded,
    exactly,
    listed,
    nullable,
    number,
    text,
    word,
)
from tests.support.independent_shapes import strict as read

TWO_MIB, ENVELOPE = 2 * 1024 * 1024, 5 * 256 * 1024
STATUS: Holds = lambda value: number(400)(value) and value <= 599  # noqa: E731 - one of a table
HEADS: dict[str, dict[str, Holds]] = {
    "Challenge": {"challenge": encoded(32), "epoch": text(64, 1), "url": text(2_000, 1), "time": number()},
    "Hello": {"token": nullable(text(4_096, 1))},
    "Welcome": {"token": text(4_096, 1), "expires": number(), "epoch": text(64, 1), "time": number()},
    "Rejected": {"ref": nullable(number()), "code": word, "status": STATUS, "detail": text(2_000)},
    "Deposit": {"ref": number()},
    "Deposited": {"ref": number()},
    "Deliver": {"seq": number()},
    "Ack": {"seqs": listed(number(), 1_024, 1)},
    "Call": {"ref": number(), "op": word},
    "Answer": {"ref": number()},
    "Notice": {"kind": word},
}
NAMES = list(HEADS)
OBJECT = {"Hello", "Call", "Answer", "Notice"}


def strict(raw: bytes) -> Any:
    """One JSON value, not necessarily canonical."""
    try:
        return read(raw)
    except ValueError:
        raise WrongError("malformed") from None


def frames(message: bytes) -> list[tuple[str, Json, bytes]]:
    """The frames of one WebSocket message, all or none: name, head and tail."""
    need(0 < len(message) <= TWO_MIB, "malformed")
    found = []
    while message:
        size = int.from_bytes(message[:4], "big")
        need(len(message) >= 4 + size, "malformed")
        found.append(frame(message[4 : 4 + size]))
        message = message[4 + size :]
    return found


def frame(raw: bytes) -> tuple[str, Json, bytes]:
    need(len(raw) >= 3 and 1 <= raw[0] <= 11, "malformed")
    tail_at = 3 + int.from_bytes(raw[1:3], "big")
    need(len(raw) >= tail_at, "malformed")
    name, head, tail = NAMES[raw[0] - 1], strict(raw[3:tail_at]), raw[tail_at:]
    need(exactly(HEADS[name])(head), "malformed")
    if name in {"Deposit", "Deliver"}:
        need(0 < len(tail) <= ENVELOPE, "malformed")
    elif name in OBJECT:
        need(isinstance(strict(tail), dict), "malformed")
    else:
        need(tail == b"", "malformed")
    return name, head, tail


def framed(found: list[tuple[str, Json, bytes]]) -> bytes:
    """The message that holds these frames."""
    raw = b""
    for name, head, tail in found:
        said = canonical(head)
        one = bytes([NAMES.index(name) + 1]) + len(said).to_bytes(2, "big") + said + tail
        raw += len(one).to_bytes(4, "big") + one
    return raw


def signed(raw: bytes) -> tuple[str, bytes, bytes]:
    """S of chapter 3, taken apart."""
    body_at = 6 + int.from_bytes(raw[:2], "big")
    need(len(raw) >= body_at, "malformed")
    end = body_at + int.from_bytes(raw[body_at - 4 : body_at], "big")
    need(len(raw) == end + 64, "malformed")
    return raw[2 : body_at - 4].decode(), raw[body_at:end], raw[end:]


def hello(raw: bytes, url: str, challenge: str, genesis: str) -> Json:
    """Who opens a session with this frame, in the order of the page's checks."""
    name, _, tail = frame(raw)
    inner = strict(tail)
    need(name == "Hello" and exactly({"proof": text(TWO_MIB), "links": listed(document, 1_000, 1)})(inner), "malformed")  # fmt: skip
    proof = decoded(inner["proof"])
    need(proof is not None, "malformed")
    payload_type, body, signature = signed(proof or b"")
    need(payload_type == "application/vnd.dispatch.session.v1+json", "unsupported")
    refused = code_of("session", body)
    need(refused is None, refused or "")
    said = strict(body)
    _, states, _ = follow_chain(inner["links"], genesis)
    need(said["device"] in states[-1], "device_revoked")
    need(signed_by(said["device"], signature, pae(payload_type, body)), "signature_bad")
    stated = (said["genesis"], said["url"], (decoded(said["challenge"]) or b"").hex())
    need(stated == (genesis, url, challenge), "proof_mismatch")
    return {"device": said["device"], "counter": said["counter"]}


def trust_file(file: str) -> list[Json]:
    """The chains of a file: whose, as its writer says, and up to which head."""
    value = strict(file.encode())
    side = exactly({"address": nullable(text(254, 1)), "links": listed(document, 1_000, 1)})
    shape: dict[str, Callable[[Any], bool]] = {
        "format": lambda each: each == "dispatch-trust/1",
        "chains": listed(side, 10_000),
    }
    need(exactly(shape)(value), "malformed")
    found = []
    for each in value["chains"]:
        genesis, _, heads = follow_chain(each["links"], None)
        found.append({"address": each["address"], "genesis": genesis, "head": heads[-1]})
    return found
