"""HPKE in its parts (RFC 9180, sections 4.1 and 5.1), because a vector fixes the ephemeral key and libraries draw it."""

import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from tests.support.independent_evidence import WrongError

KEM = b"KEM" + (0x0020).to_bytes(2, "big")
SUITE = b"HPKE" + b"".join(each.to_bytes(2, "big") for each in (0x0020, 0x0001, 0x0003))


def extract(salt: bytes, secret: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), secret, "sha256")


def expand(key: bytes, info: bytes, size: int) -> bytes:
    """RFC 5869; one block of it is always enough here."""
    return hmac.digest(key, info + b"\x01", "sha256")[:size]


def labelled(suite: bytes, key: bytes, label: bytes, info: bytes, size: int) -> bytes:
    return expand(key, size.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info, size)


def extracted(suite: bytes, salt: bytes, label: bytes, secret: bytes) -> bytes:
    return extract(salt, b"HPKE-v1" + suite + label + secret)


def agreed(private: bytes, public: bytes) -> bytes:
    """X25519 (RFC 7748); a point of low order gives nothing."""
    try:
        return X25519PrivateKey.from_private_bytes(private).exchange(
            X25519PublicKey.from_public_bytes(public)
        )
    except ValueError:
        raise WrongError("low_order_point") from None


def public_of(private: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def schedule(shared: bytes, enc: bytes, public: bytes, info: bytes) -> tuple[bytes, bytes]:
    """The key and the nonce of the one message in mode_base."""
    secret = labelled(KEM, extracted(KEM, b"", b"eae_prk", shared), b"shared_secret", enc + public, 32)
    context = b"\0" + extracted(SUITE, b"", b"psk_id_hash", b"") + extracted(SUITE, b"", b"info_hash", info)
    made = extracted(SUITE, secret, b"secret", b"")
    return labelled(SUITE, made, b"key", context, 32), labelled(SUITE, made, b"base_nonce", context, 12)


def seal(public: bytes, ephemeral: bytes, info: bytes, plaintext: bytes, aad: bytes = b"") -> bytes:
    enc = public_of(ephemeral)
    key, nonce = schedule(agreed(ephemeral, public), enc, public, info)
    return enc + ChaCha20Poly1305(key).encrypt(nonce, plaintext, aad)


def unseal(private: bytes, sealed: bytes, info: bytes, aad: bytes = b"") -> bytes:
    if len(sealed) < 48:
        raise WrongError("malformed")
    key, nonce = schedule(agreed(private, sealed[:32]), sealed[:32], public_of(private), info)
    try:
        return ChaCha20Poly1305(key).decrypt(nonce, sealed[32:], aad)
    except InvalidTag:
        raise WrongError("unwrap_failed") from None
