"""The small parts of the product: encodings, keys, seals, scopes, codes, logs, files."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from nacl.bindings import (
    crypto_aead_chacha20poly1305_ietf_decrypt,
    crypto_aead_chacha20poly1305_ietf_encrypt,
    crypto_scalarmult,
)
from nacl.exceptions import CryptoError

from dispatch_protocol.blob import check_sealed
from dispatch_protocol.blob import open_blob as opened
from dispatch_protocol.compare import Side, commitment, words
from dispatch_protocol.encoding import Fields, dumps, loads, unb64u
from dispatch_protocol.hkdf import derive
from dispatch_protocol.hpke import open_base, seal_base
from dispatch_protocol.invitation_token import InvitationToken
from dispatch_protocol.keys import DeviceId, Digest, Genesis, SealingKey, SealingPublic
from dispatch_protocol.limits import MESSAGE_BYTES
from dispatch_protocol.merkle import EMPTY
from dispatch_protocol.messages.files import Blob
from dispatch_protocol.pairing_code import PairingCode
from dispatch_protocol.scopes import Scopes, meet
from dispatch_protocol.signing import Signed, verify
from sandbox.changes.change import Change, Kind, LeftBehind, Op, Reason
from sandbox.changes.change import changeset as gathered

Json = dict[str, Any]
raw = bytes.fromhex


def signed(signed: str, signer: str) -> Json:
    said = Signed.decode(raw(signed))
    verify(DeviceId.from_hex(signer), said)
    return {"payload_type": said.payload_type, "body": said.body.hex(), "digest": said.digest.hex}


def scopes(left: Json, right: Json) -> Json:
    one, other = (Scopes.read(Fields(each, "scopes")) for each in (left, right))
    return {"meet": meet(one, other).write()}


def token(token: str) -> Json:
    said = InvitationToken.parse(token)
    return {
        "broker": said.broker_url,
        "id": said.edge.uuid,
        "genesis": said.genesis.hex,
        "secret": said.secret.reveal().hex(),
    }


def pairing_code(code: str) -> Json:
    said = PairingCode.parse(code)
    keys = {step: said.key(step).hex() for step in ("offer", "join", "reveal", "welcome", "verdict")}
    secret = unb64u(code.rpartition("#")[2]).hex()
    return {"broker": said.broker_url, "secret": secret, "place": said.place, "keys": keys}


def comparison(sides: list[Json], listed: list[str]) -> Json:
    ours = [
        Side(Genesis.from_hex(each["genesis"]), Digest.from_hex(each["comparison"]), raw(each["random"]))
        for each in sides
    ]
    said = words(*ours)
    assert set(said) <= set(listed)
    return {
        "commitments": [commitment(each.genesis, each.random).hex() for each in ours],
        "words": list(said),
    }


def open_blob(sealed: str, address: str, key: str, size: int, sha256: str) -> Json:
    blob = Blob(Digest.from_hex(address), raw(key))
    check_sealed(blob, size, [raw(sealed)])
    clear = b"".join(opened(blob, size, Digest.from_hex(sha256), [raw(sealed)]))
    return {"sha256": hashlib.sha256(clear).hexdigest()}


def changeset(entries: list[Json], left_behind: list[list[str]]) -> Json:
    changes = [
        Change(**{**each, "op": Op(each["op"]), "kind": Kind(each["kind"]), "flags": tuple(each["flags"])})
        for each in entries
    ]
    behind = [LeftBehind(path_of(path), Reason(reason)) for path, reason in left_behind]
    return {"digest": gathered(changes, behind, []).digest}


def path_of(name: str) -> str:
    """Return a path, of which a vector writes as bytes what is no text."""
    if not name.startswith("bytes:"):
        return name
    return raw(name.removeprefix("bytes:")).decode("utf-8", "surrogateescape")


def wrapped(public: str, ephemeral: str, info: str, plaintext: str, aad: str) -> Json:
    key, once = SealingPublic(raw(public)), SealingKey(raw(ephemeral))
    return {"sealed": seal_base(key, raw(plaintext), info=raw(info), aad=raw(aad), ephemeral=once).hex()}


def unwrapped(private: str, sealed: str, info: str, aad: str) -> Json:
    return {"plaintext": open_base(SealingKey(raw(private)), raw(sealed), info=raw(info), aad=raw(aad)).hex()}


def aead(key: str, nonce: str, ad: str, plaintext: str) -> Json:
    sealed = crypto_aead_chacha20poly1305_ietf_encrypt(raw(plaintext), raw(ad), raw(nonce), raw(key))
    return {"sealed": sealed.hex()}


def open_aead(key: str, nonce: str, ad: str, sealed: str) -> Json:
    try:
        clear = crypto_aead_chacha20poly1305_ietf_decrypt(raw(sealed), raw(ad), raw(nonce), raw(key))
    except (CryptoError, ValueError):
        return {"refused": "ciphertext_bad"}
    return {"plaintext": clear.hex()}


ACTS: Mapping[str, Callable[..., Json]] = {
    "json": lambda data: {"canonical": dumps(loads(raw(data), max_bytes=MESSAGE_BYTES)).decode()},
    "base64url": lambda text: {"bytes": unb64u(text).hex()},
    "derive": lambda secret, salt, info: {"key": derive(raw(secret), salt=raw(salt), info=raw(info)).hex()},
    "x25519": lambda private, public: {"shared": crypto_scalarmult(raw(private), raw(public)).hex()},
    "aead": aead,
    "open_aead": open_aead,
    "wrap": wrapped,
    "unwrap": unwrapped,
    "signed": signed,
    "scopes": scopes,
    "token": token,
    "pairing_code": pairing_code,
    "comparison": comparison,
    "log": lambda entries: {"root": EMPTY.grown(map(Digest.from_hex, entries)).root.hex},
    "open_blob": open_blob,
    "changeset": changeset,
}
