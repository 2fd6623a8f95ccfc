"""The envelope's outside: a fixed header, one wrapped key per device, one ciphertext. Nothing here is cryptography.

This is what the relay reads: who, to whom, when and how big. Every field has a fixed place and every length is checked
before a byte is used, so decoding and encoding are each other's inverse and the header's hash is well defined.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from dispatch_protocol.errors import MalformedError
from dispatch_protocol.keys import DeviceId, Digest, EdgeId, Genesis
from dispatch_protocol.limits import DEVICES, ENVELOPE_BYTES, PADDING_FLOOR_BYTES, SAFE_INTEGER

MAGIC: Final = b"DSP1"
SUITE: Final = 1
TAG_BYTES: Final = 16
WRAP_BYTES: Final = 80  # an HPKE encapsulated key (32) and the sealed content key (32 + 16)
_FIXED: Final = struct.Struct(">4sBB32s32s32s32s16sQQI32sB")
_LENGTH: Final = struct.Struct(">I")


class EnvelopeClass(IntEnum):
    """What an envelope is about, as coarsely as the relay has to know."""

    TASK = 1
    FOLLOW_ON = 2  # from the author: cancel, ack, message
    ANSWER = 3  # from the recipient: decision, receipt, result
    TRUST = 4


_CLASSES: Final = frozenset(EnvelopeClass)


def padme(length: int) -> int:
    """Return the padded size for a plaintext of `length` bytes, never below 1024.

    Padmé leaks O(log log n) bits of the length for at most 12 % of overhead. Source: docs/PROTOCOL.md, "Padding";
    Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication with PURBs" (2019).
    """
    length = max(length, PADDING_FLOOR_BYTES)
    exponent = length.bit_length() - 1
    low_bits = exponent - exponent.bit_length()
    mask = (1 << low_bits) - 1
    return (length + mask) & ~mask


@dataclass(frozen=True, slots=True)
class Header:
    """H: the clear part of an envelope, bound to its content by the payload key and every wrap.

    `digest` is D of what is inside; `re` is D of the dispatch it concerns, else `Digest.ZERO`; `expires_ms` 0 means
    none; `size` is the ciphertext's in bytes; `commit` commits to the content key; `devices` are sorted and distinct.
    """

    klass: EnvelopeClass
    digest: Digest
    re: Digest
    from_device: DeviceId
    to_genesis: Genesis
    edge: EdgeId
    created_ms: int
    expires_ms: int
    size: int
    commit: bytes
    devices: tuple[DeviceId, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.devices) <= DEVICES:
            raise MalformedError(f"an envelope for {len(self.devices)} devices; 1 to {DEVICES} are allowed")
        if any(left >= right for left, right in zip(self.devices, self.devices[1:], strict=False)):
            raise MalformedError("an envelope whose devices are not sorted and distinct")
        if not (0 <= self.created_ms <= SAFE_INTEGER and 0 <= self.expires_ms <= SAFE_INTEGER):
            raise MalformedError("an envelope with a time beyond 2^53-1 ms")
        if padme(self.size - TAG_BYTES) != self.size - TAG_BYTES:
            raise MalformedError(
                f"an envelope with a ciphertext of {self.size} bytes, which is no padded size"
            )
        if len(self.commit) != Digest.LENGTH:
            raise MalformedError(f"a commitment of {len(self.commit)} bytes where {Digest.LENGTH} belong")

    def encode(self) -> bytes:
        """Write the header: 203 bytes, and 32 for each device, big-endian."""
        fixed = _FIXED.pack(
            MAGIC,
            SUITE,
            self.klass,
            self.digest.raw,
            self.re.raw,
            self.from_device.raw,
            self.to_genesis.raw,
            self.edge.raw,
            self.created_ms,
            self.expires_ms,
            self.size,
            self.commit,
            len(self.devices),
        )
        return fixed + b"".join(device.raw for device in self.devices)

    @classmethod
    def read(cls, raw: bytes) -> "tuple[Header, int]":
        """Read the header from the start of `raw`; returns it and where it ends. Raises MalformedError."""
        if len(raw) < _FIXED.size:
            raise MalformedError("an envelope shorter than its header")
        magic, suite, klass, digest, re, sender, to, edge, created, expires, size, commit, count = (
            _FIXED.unpack_from(raw)
        )
        if magic != MAGIC or suite != SUITE:
            raise MalformedError("not an envelope of suite 1")
        if klass not in _CLASSES:
            raise MalformedError(f"an envelope of the unknown class {klass}")
        end = _FIXED.size + DeviceId.LENGTH * count
        if len(raw) < end:
            raise MalformedError("an envelope shorter than its list of devices")
        devices = tuple(
            DeviceId(raw[at : at + DeviceId.LENGTH]) for at in range(_FIXED.size, end, DeviceId.LENGTH)
        )
        header = cls(
            klass=EnvelopeClass(klass),
            digest=Digest(digest),
            re=Digest(re),
            from_device=DeviceId(sender),
            to_genesis=Genesis(to),
            edge=EdgeId(edge),
            created_ms=created,
            expires_ms=expires,
            size=size,
            commit=commit,
            devices=devices,
        )
        return header, end


@dataclass(frozen=True, slots=True)
class Envelope:
    """Signed and sealed bytes, split into their parts: `header | wrap * n | u32 |C| | C`."""

    header: Header
    wraps: tuple[bytes, ...]
    ciphertext: bytes

    def encode(self) -> bytes:
        """Write the whole envelope."""
        return b"".join(
            (self.header.encode(), *self.wraps, _LENGTH.pack(len(self.ciphertext)), self.ciphertext)
        )

    @classmethod
    def decode(cls, raw: bytes) -> "Envelope":
        """Split an envelope, checking every length and bound; raises MalformedError.

        This is step 1 of the opening list, and all that the relay does to an envelope.
        """
        if len(raw) > ENVELOPE_BYTES:
            raise MalformedError(f"an envelope of {len(raw)} bytes; at most {ENVELOPE_BYTES} are read")
        header, wraps_at = Header.read(raw)
        length_at = wraps_at + WRAP_BYTES * len(header.devices)
        ciphertext_at = length_at + _LENGTH.size
        if len(raw) != ciphertext_at + header.size or _LENGTH.unpack_from(raw, length_at)[0] != header.size:
            raise MalformedError(f"an envelope of {len(raw)} bytes, which is not what its header says")
        wraps = tuple(raw[at : at + WRAP_BYTES] for at in range(wraps_at, length_at, WRAP_BYTES))
        return cls(header, wraps, raw[ciphertext_at:])
