"""The small parts of the implementation that was written from the page alone: encodings, keys, seals, scopes, codes, logs, files."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from tests.support import (
    independent_blob,
    independent_changeset,
    independent_codes,
    independent_comparison,
    independent_hpke,
    independent_log,
    independent_pairing,
    independent_scopes,
)
from tests.support.independent_bytes import derive, pae, signed_by
from tests.support.independent_evidence import WrongError, need
from tests.support.independent_session import signed as taken_apart
from tests.support.independent_session import strict
from tests.support.independent_shapes import decoded, named, written

Json = dict[str, Any]
raw = bytes.fromhex


def base64url(text: str) -> Json:
    found = decoded(text)
    need(found is not None, "malformed")
    return {"bytes": (found or b"").hex()}


def signed(signed: str, signer: str) -> Json:
    payload_type, body, signature = taken_apart(raw(signed))
    need(named(payload_type), "malformed")
    message = pae(payload_type, body)
    need(not low_order(raw(signer)) and not low_order(signature[:32]), "signature_bad")
    need(signed_by(signer, signature, message), "signature_bad")
    return {"payload_type": payload_type, "body": body.hex(), "digest": hashlib.sha256(message).hexdigest()}


P = 2**255 - 19


def low_order(point: bytes) -> bool:
    """Whether a point is of low order: eight times it is nothing. Its y decides."""
    y = (int.from_bytes(point, "little") & (1 << 255) - 1) % P
    eighth = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
    return y in {0, 1, P - 1, eighth, P - eighth}


def comparison(sides: list[Json], listed: list[str]) -> Json:
    commitments = [independent_comparison.commitment(side) for side in sides]
    return {"commitments": commitments, "words": independent_comparison.words(sides, listed)}


def open_blob(sealed: str, **said: Any) -> Json:
    clear = independent_blob.unseal(said, raw(sealed))
    return {"sha256": hashlib.sha256(clear).hexdigest()}


def pairing_code(code: str) -> Json:
    said = independent_codes.pairing_code(code)
    steps = ("offer", "join", "reveal", "welcome", "verdict")
    keys = {step: independent_pairing.key(code, step).hex() for step in steps}
    return {**said, "place": independent_pairing.place(code), "keys": keys}


def unwrapped(private: str, sealed: str, info: str, aad: str) -> Json:
    try:
        return {"plaintext": independent_hpke.unseal(*map(raw, (private, sealed, info, aad))).hex()}
    except WrongError as wrong:
        return {"refused": str(wrong)}


def opened(key: bytes, nonce: bytes, ad: bytes, sealed: bytes) -> bytes | None:
    """Open one message of ChaCha20-Poly1305: all of it, or None."""
    try:
        return ChaCha20Poly1305(key).decrypt(nonce, sealed, ad)
    except (InvalidTag, ValueError):
        return None


def open_aead(key: str, nonce: str, ad: str, sealed: str) -> Json:
    clear = opened(*map(raw, (key, nonce, ad, sealed)))
    return {"refused": "ciphertext_bad"} if clear is None else {"plaintext": clear.hex()}


ACTS: Mapping[str, Callable[..., Json]] = {
    "json": lambda data: {"canonical": written(strict(raw(data))).decode()},
    "base64url": base64url,
    "derive": lambda secret, salt, info: {"key": derive(raw(secret), raw(salt), raw(info)).hex()},
    "x25519": lambda private, public: {"shared": independent_hpke.agreed(raw(private), raw(public)).hex()},
    "aead": lambda key, nonce, ad, plaintext: {
        "sealed": ChaCha20Poly1305(raw(key)).encrypt(raw(nonce), raw(plaintext), raw(ad)).hex()
    },
    "open_aead": open_aead,
    "wrap": lambda public, ephemeral, info, plaintext, aad: {
        "sealed": independent_hpke.seal(*map(raw, (public, ephemeral, info, plaintext, aad))).hex()
    },
    "unwrap": unwrapped,
    "signed": signed,
    "scopes": lambda left, right: {"meet": independent_scopes.meet(left, right)},
    "token": independent_codes.token,
    "pairing_code": pairing_code,
    "comparison": comparison,
    "log": lambda entries: {"root": independent_log.root(entries)},
    "open_blob": open_blob,
    "changeset": lambda entries, left_behind: {"digest": independent_changeset.digest(entries, left_behind)},
}
