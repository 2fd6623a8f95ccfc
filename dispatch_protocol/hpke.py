"""HPKE base mode, one message (RFC 9180), for the one suite we use: X25519, HKDF-SHA256, ChaCha20-Poly1305.

The ephemeral key is an argument, which no library offers and which makes sealing pure and every vector exact to the
byte. The tests' independent opener uses another library's HPKE and has to agree.
"""

from typing import Final

from nacl.bindings import (
    crypto_aead_chacha20poly1305_ietf_decrypt,
    crypto_aead_chacha20poly1305_ietf_encrypt,
    crypto_scalarmult,
)
from nacl.exceptions import CryptoError

from dispatch_protocol import hkdf
from dispatch_protocol.errors import MalformedError, RefusalCode, RefusedError
from dispatch_protocol.keys import SealingKey, SealingPublic

ENC_BYTES: Final = 32
_TAG_BYTES: Final = 16
_VERSION: Final = b"HPKE-v1"
_KEM: Final = b"KEM\x00\x20"
_SUITE: Final = b"HPKE\x00\x20\x00\x01\x00\x03"
_MODE_BASE: Final = b"\x00"


def seal_base(
    public: SealingPublic, plaintext: bytes, *, info: bytes, aad: bytes, ephemeral: SealingKey
) -> bytes:
    """Seal one message to a public key; returns `enc[32] | ciphertext` (RFC 9180, section 6.1).

    Raises RefusedError(`low_order_point`) for a public key that would make the shared secret the same for everybody.
    """
    enc = ephemeral.public.raw
    key, nonce = _key_schedule(_shared_secret(ephemeral, public, enc, public.raw), info)
    return enc + crypto_aead_chacha20poly1305_ietf_encrypt(plaintext, aad, nonce, key)


def open_base(private: SealingKey, sealed: bytes, *, info: bytes, aad: bytes) -> bytes:
    """Open what `seal_base` made; raises MalformedError if it is too short, RefusedError if it does not open."""
    if len(sealed) < ENC_BYTES + _TAG_BYTES:
        raise MalformedError(f"a sealed message of {len(sealed)} bytes")
    enc, ciphertext = sealed[:ENC_BYTES], sealed[ENC_BYTES:]
    key, nonce = _key_schedule(_shared_secret(private, SealingPublic(enc), enc, private.public.raw), info)
    try:
        return crypto_aead_chacha20poly1305_ietf_decrypt(ciphertext, aad, nonce, key)
    except (CryptoError, ValueError):
        raise RefusedError(
            RefusalCode.UNWRAP_FAILED, "the sealed message does not open with this key"
        ) from None


def _shared_secret(private: SealingKey, public: SealingPublic, enc: bytes, recipient: bytes) -> bytes:
    """DHKEM's Encap and Decap, which differ only in whose private key stands first (RFC 9180, section 4.1)."""
    try:
        point = crypto_scalarmult(private.reveal(), public.raw)
    except (CryptoError, ValueError, RuntimeError):
        raise RefusedError(
            RefusalCode.LOW_ORDER_POINT, f"the public key {public.hex} is of low order"
        ) from None
    secret = _labeled_extract(_KEM, b"", b"eae_prk", point)
    return _labeled_expand(_KEM, secret, b"shared_secret", enc + recipient, 32)


def _key_schedule(shared_secret: bytes, info: bytes) -> tuple[bytes, bytes]:
    """Derive the AEAD key and the nonce of the first, and for us only, message (RFC 9180, section 5.1)."""
    context = _MODE_BASE + _PSK_ID_HASH + _labeled_extract(_SUITE, b"", b"info_hash", info)
    secret = _labeled_extract(_SUITE, shared_secret, b"secret", b"")
    key = _labeled_expand(_SUITE, secret, b"key", context, 32)
    return key, _labeled_expand(_SUITE, secret, b"base_nonce", context, 12)


def _labeled_extract(suite: bytes, salt: bytes, label: bytes, secret: bytes) -> bytes:
    return hkdf.extract(salt, _VERSION + suite + label + secret)


def _labeled_expand(suite: bytes, key: bytes, label: bytes, info: bytes, length: int) -> bytes:
    return hkdf.expand(key, length.to_bytes(2) + _VERSION + suite + label + info, length)


_PSK_ID_HASH: Final = _labeled_extract(_SUITE, b"", b"psk_id_hash", b"")  # base mode has no pre-shared key
