"""Chapters 3 and 4 of docs/PROTOCOL.md the other way round: signing and sealing, from the page alone, with another library.

HPKE stands here in its parts (RFC 9180, section 4.1 and 5.1), because a vector fixes the ephemeral key and libraries draw it.
"""

import base64
import hashlib
import hmac
import json

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from tests.support.independent_bytes import HEADER, Json, derive, padme, pae
from tests.support.independent_opener import CLASSES

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


def wrap(public: bytes, ephemeral: bytes, info: bytes, plaintext: bytes) -> bytes:
    """HPKE in mode_base, one message, without associated data."""
    private = X25519PrivateKey.from_private_bytes(ephemeral)
    enc = private.public_key().public_bytes_raw()
    shared = private.exchange(X25519PublicKey.from_public_bytes(public))
    secret = labelled(KEM, extracted(KEM, b"", b"eae_prk", shared), b"shared_secret", enc + public, 32)
    context = b"\0" + extracted(SUITE, b"", b"psk_id_hash", b"") + extracted(SUITE, b"", b"info_hash", info)
    schedule = extracted(SUITE, secret, b"secret", b"")
    key = labelled(SUITE, schedule, b"key", context, 32)
    nonce = labelled(SUITE, schedule, b"base_nonce", context, 12)
    return enc + ChaCha20Poly1305(key).encrypt(nonce, plaintext, b"")


def signed_bytes(source: Json, seed: str) -> bytes:
    """S of chapter 3."""
    name, body = source["payload_type"].encode(), source["body"].encode()
    message = pae(source["payload_type"], body)
    signature = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed)).sign(message)
    return len(name).to_bytes(2, "big") + name + len(body).to_bytes(4, "big") + body + signature


def header(source: Json, to_genesis: str, size: int, devices: list[bytes]) -> bytes:
    """H of chapter 4."""
    said = json.loads(source["body"])
    kind = source["payload_type"].removeprefix("application/vnd.dispatch.").removesuffix(".v1+json")
    return HEADER.pack(
        b"DSP1",
        1,
        CLASSES.get(kind, 4),
        hashlib.sha256(pae(source["payload_type"], source["body"].encode())).digest(),
        bytes.fromhex(said["re"]),
        bytes.fromhex(said["from"]["device"]),
        bytes.fromhex(to_genesis),
        bytes.fromhex(said["edge"]),
        said["created"],
        said["expires"],
        size,
        derive(bytes.fromhex(source["content_key"]), b"", b"dispatch/v1/commit"),
        len(devices),
    ) + b"".join(devices)


def seal(source: Json, seed: str, to_genesis: str) -> str:
    """Return the envelope that is made from what a vector was made from, in base64url."""
    signed, content_key = signed_bytes(source, seed), bytes.fromhex(source["content_key"])
    plaintext = signed.ljust(padme(len(signed)), b"\0")
    recipients = sorted(
        (bytes.fromhex(each["device"]), bytes.fromhex(each["sealing"]), bytes.fromhex(ephemeral))
        for each, ephemeral in zip(source["recipients"], source["ephemerals"], strict=True)
    )
    clear = header(source, to_genesis, len(plaintext) + 16, [device for device, _, _ in recipients])
    bound = hashlib.sha256(clear).digest()
    payload_key = derive(content_key, b"", b"dispatch/v1/payload" + bound)
    ciphertext = ChaCha20Poly1305(payload_key).encrypt(bytes(12), plaintext, clear)
    raw = clear
    for device, public, ephemeral in recipients:
        info = b"dispatch/v1/wrap" + bound + device + hashlib.sha256(public).digest()
        raw += wrap(public, ephemeral, info, content_key)
    raw += len(ciphertext).to_bytes(4, "big") + ciphertext
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
