"""Envelopes whose bytes are wrong: steps 1 to 6 of the list, each wrong in one respect only.

A relay or a thief can make all of these without any key, or with a content key of its own.
"""

from collections.abc import Callable
from dataclasses import replace

from dispatch_protocol.limits import SAFE_INTEGER
from dispatch_protocol.signing import Signed
from tests.support.vectors.cases import Case
from tests.support.vectors.fixed import fixed
from tests.support.vectors.forge import almost_honest, flip
from tests.support.vectors.primitives import LOW_ORDER
from tests.support.vectors.world import BOB_DESKTOP, BOB_LAPTOP, BOB_PHONE

# Where the fields stand in an envelope for one device.
CREATED, EXPIRES, SIZE, COUNT, DEVICE, WRAP, LENGTH, CIPHERTEXT = 150, 158, 166, 202, 203, 235, 315, 319

LATE = (SAFE_INTEGER + 1).to_bytes(8)


def _lengths() -> list[Case]:
    """Step 1: whatever is not in its place."""

    def cut(what: str, whole: Callable[[bytes], bytes]) -> Case:
        return almost_honest(1, "malformed", what, whole=whole)

    return [
        cut("one byte after the end", lambda raw: raw + b"\0"),
        cut("one byte short", lambda raw: raw[:-1]),
        cut("nothing at all", lambda raw: b""),
        cut("a header that is cut short", lambda raw: raw[:COUNT]),
        cut("a list of devices that is cut short", lambda raw: raw[: WRAP - 1]),
        cut("another magic", lambda raw: b"DSP2" + raw[4:]),
        cut("suite 2", lambda raw: raw[:4] + b"\x02" + raw[5:]),
        cut("class 0", lambda raw: raw[:5] + b"\x00" + raw[6:]),
        cut("class 5", lambda raw: raw[:5] + b"\x05" + raw[6:]),
        cut("no device", lambda raw: raw[:COUNT] + b"\x00" + raw[LENGTH:]),
        cut("thirty-three devices", _list_thirty_three),
        cut("a device listed twice", lambda raw: _list_another(raw, raw[DEVICE:WRAP])),
        cut("devices out of order", lambda raw: _list_another(raw, bytes(32))),
        cut("a creation beyond 2^53-1 ms", lambda raw: raw[:CREATED] + LATE + raw[EXPIRES:]),
        cut("an expiry beyond 2^53-1 ms", lambda raw: raw[:EXPIRES] + LATE + raw[SIZE:]),
        cut("a header with another size than the ciphertext's", lambda raw: flip(raw, SIZE + 2)),
        cut("a length other than the ciphertext's", lambda raw: flip(raw, LENGTH + 2)),
        cut("a ciphertext of no padded size", lambda raw: _resize(raw, -1)),
        cut("a ciphertext shorter than its tag", lambda raw: _resize(raw, 15 - (len(raw) - CIPHERTEXT))),
    ]


def _list_thirty_three(raw: bytes) -> bytes:
    devices = b"".join(bytes([index]) * 32 for index in range(33))
    return raw[:COUNT] + b"\x21" + devices + raw[WRAP:LENGTH] * 33 + raw[LENGTH:]


def _list_another(raw: bytes, device: bytes) -> bytes:
    return raw[:COUNT] + b"\x02" + raw[DEVICE:WRAP] + device + raw[WRAP:LENGTH] * 2 + raw[LENGTH:]


def _resize(raw: bytes, by: int) -> bytes:
    """Cut the ciphertext, and say so in both places."""
    size = (len(raw) - CIPHERTEXT + by).to_bytes(4)
    return raw[:SIZE] + size + raw[SIZE + 4 : LENGTH] + size + raw[CIPHERTEXT:by]


def _content_keys() -> list[Case]:
    """Steps 2 to 4: whatever keeps this device from the one content key."""
    to_other_key = [(BOB_LAPTOP.device, BOB_DESKTOP.sealing[0].public)]
    return [
        almost_honest(
            2,
            "not_listed",
            "wrapped for this device, but listing another",
            to=[BOB_DESKTOP],
            wrapped_for=[BOB_LAPTOP.recipient],
        ),
        almost_honest(2, "not_listed", "sealed to other devices", to=[BOB_DESKTOP, BOB_PHONE]),
        almost_honest(3, "unwrap_failed", "the tag of the wrap altered", wrap=lambda wrap: flip(wrap, -1)),
        almost_honest(3, "unwrap_failed", "the encapsulated key altered", wrap=lambda wrap: flip(wrap, 0)),
        almost_honest(
            3,
            "unwrap_failed",
            "an encapsulated key of low order",
            wrap=lambda wrap: bytes.fromhex(LOW_ORDER[2]) + wrap[32:],
        ),
        almost_honest(3, "unwrap_failed", "wrapped to another device's key", wrapped_for=to_other_key),
        almost_honest(
            3, "unwrap_failed", "the expiry altered by the relay", whole=lambda raw: flip(raw, SIZE - 1)
        ),
        almost_honest(
            3, "unwrap_failed", "the class altered by the relay", whole=lambda raw: flip(raw, 5, 2)
        ),
        almost_honest(
            4,
            "commit_mismatch",
            "a commitment to another content key",
            header=lambda header: replace(header, commit=fixed("another commitment")),
        ),
    ]


def _payload() -> list[Case]:
    """Steps 5 and 6: whatever is not the ciphertext of one document and its padding."""

    def padding(what: str, plaintext: Callable[[bytes], bytes]) -> Case:
        return almost_honest(6, "padding_bad", what, plaintext=plaintext)

    return [
        almost_honest(5, "ciphertext_bad", "the tag altered", ciphertext=lambda sealed: flip(sealed, -1)),
        almost_honest(5, "ciphertext_bad", "the text altered", ciphertext=lambda sealed: flip(sealed, 0)),
        padding("a last byte that is not zero", lambda text: flip(text, -1)),
        padding(
            "a byte that is not zero right after the document", lambda text: flip(text, Signed.read(text)[1])
        ),
        padding("padded to the size after the right one", lambda text: text.ljust(len(text) + 64, b"\0")),
        padding("a document longer than the plaintext", lambda text: b"\x00\x01a\xff\xff\xff\xff" + text[7:]),
        padding("a type that is not UTF-8", lambda text: text[:2] + b"\xff" + text[3:]),
        padding("a type of no letters", lambda text: bytes(len(text))),
        padding("a type of 129 bytes", lambda text: (b"\x00\x81" + b"a" * 129).ljust(len(text), b"\0")),
    ]


def refused_bytes() -> list[Case]:
    """Return what steps 1 to 6 refuse."""
    return [*_lengths(), *_content_keys(), *_payload()]
