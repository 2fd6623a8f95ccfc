"""Chapters 3 and 4 of docs/PROTOCOL.md the other way round: signing and sealing, from the page alone, with another library."""

import base64
import hashlib
import json

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from tests.support import independent_hpke
from tests.support.independent_bytes import HEADER, Json, derive, padme, pae
from tests.support.independent_opener import CLASSES


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
        raw += independent_hpke.seal(public, ephemeral, info, content_key)
    raw += len(ciphertext).to_bytes(4, "big") + ciphertext
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
