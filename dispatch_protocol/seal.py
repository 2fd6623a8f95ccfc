"""Sealing: one signed document becomes an envelope that only the named devices can open.

Signing comes before sealing on purpose: what the recipient keeps is evidence. The content key is committed to in the
header, so one envelope cannot open to two texts for two devices; and the header is bound into every wrap and into the
payload, so nothing of it can be exchanged on the way. Random bytes are arguments: the same ones make the same envelope.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

from nacl.bindings import crypto_aead_chacha20poly1305_ietf_encrypt

from dispatch_protocol import hkdf, hpke
from dispatch_protocol.envelope import TAG_BYTES, Envelope, EnvelopeClass, Header, padme
from dispatch_protocol.errors import LocalError
from dispatch_protocol.keys import DeviceId, Digest, EdgeId, Genesis, SealingKey, SealingPublic
from dispatch_protocol.limits import DEVICES
from dispatch_protocol.signing import Signed

CONTENT_KEY_BYTES: Final = 32
PAYLOAD_NONCE: Final = bytes(12)  # each content key seals one payload, so the nonce never repeats
_COMMIT_LABEL: Final = b"dispatch/v1/commit"
_PAYLOAD_LABEL: Final = b"dispatch/v1/payload"
_WRAP_LABEL: Final = b"dispatch/v1/wrap"


def commitment(content_key: bytes) -> bytes:
    """Derive what the header says about the content key without revealing it."""
    return hkdf.derive(content_key, info=_COMMIT_LABEL)


def payload_key(content_key: bytes, header: bytes) -> bytes:
    """Derive the key of the payload, another one for every header."""
    return hkdf.derive(content_key, info=_PAYLOAD_LABEL + hashlib.sha256(header).digest())


def wrap_info(header: bytes, device: DeviceId, public: SealingPublic) -> bytes:
    """Name what one wrap is bound to: this header, this device and this sealing key."""
    return _WRAP_LABEL + hashlib.sha256(header).digest() + device.raw + hashlib.sha256(public.raw).digest()


def seal(
    signed: Signed,
    *,
    klass: EnvelopeClass,
    re: Digest,
    from_device: DeviceId,
    to_genesis: Genesis,
    edge: EdgeId,
    created_ms: int,
    expires_ms: int,
    recipients: Sequence[tuple[DeviceId, SealingPublic]],
    content_key: bytes,
    ephemerals: Sequence[bytes],
) -> bytes:
    """Seal a signed document to one or more devices of one identity; returns the envelope's bytes.

    `content_key` is 32 fresh random bytes, `ephemerals` are 32 for each recipient, in the recipients' order. Raises
    LocalError(`seal_arguments`) if their numbers or lengths are wrong, RefusedError(`low_order_point`) for a bad
    sealing key. Source: docs/PROTOCOL.md, "Sealing".
    """
    _check(recipients, content_key, ephemerals)
    plaintext = signed.encode()
    plaintext = plaintext.ljust(padme(len(plaintext)), b"\0")
    parts = sorted(zip(recipients, ephemerals, strict=True), key=lambda part: part[0][0])
    header = Header(
        klass=klass,
        digest=signed.digest,
        re=re,
        from_device=from_device,
        to_genesis=to_genesis,
        edge=edge,
        created_ms=created_ms,
        expires_ms=expires_ms,
        size=len(plaintext) + TAG_BYTES,
        commit=commitment(content_key),
        devices=tuple(device for (device, _), _ in parts),
    )
    clear = header.encode()
    wraps = tuple(
        hpke.seal_base(
            public,
            content_key,
            info=wrap_info(clear, device, public),
            aad=b"",
            ephemeral=SealingKey(ephemeral),
        )
        for (device, public), ephemeral in parts
    )
    key = payload_key(content_key, clear)
    ciphertext = crypto_aead_chacha20poly1305_ietf_encrypt(plaintext, clear, PAYLOAD_NONCE, key)
    return Envelope(header, wraps, ciphertext).encode()


def _check(
    recipients: Sequence[tuple[DeviceId, SealingPublic]], content_key: bytes, ephemerals: Sequence[bytes]
) -> None:
    """Refuse arguments that would make a weak envelope or none; the causes are all on our side."""
    if not 1 <= len({device for device, _ in recipients}) == len(recipients) <= DEVICES:
        raise LocalError("seal_arguments", f"recipients are not 1 to {DEVICES} distinct devices")
    if len(content_key) != CONTENT_KEY_BYTES:
        raise LocalError("seal_arguments", f"a content key of {len(content_key)} bytes")
    if len(set(ephemerals)) != len(recipients) or len(ephemerals) != len(recipients):
        raise LocalError("seal_arguments", "not one fresh ephemeral key for each recipient")
