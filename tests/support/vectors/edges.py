"""Vectors at the edges of the primitives, where libraries differ: which of two answers is ours is pinned here.

`agreed` says whether the second library answers the same. Where it does not, the page says why ours is the one.
"""

from dataclasses import dataclass

from nacl.bindings import crypto_aead_chacha20poly1305_ietf_encrypt

from dispatch_protocol.encoding import JSON
from dispatch_protocol.hpke import seal_base
from dispatch_protocol.keys import SealingKey
from dispatch_protocol.signing import pae
from tests.support.vectors.curve import (
    BASE,
    IDENTITY,
    ORDER,
    P,
    Point,
    challenge,
    decode,
    encode,
    of_order_eight,
    plus,
    times,
)
from tests.support.vectors.fixed import fixed
from tests.support.vectors.forge import flip

TYPE, BODY = "application/vnd.dispatch.ack.v1+json", b"{}"
MESSAGE = pae(TYPE, BODY)
SECRET = int.from_bytes(fixed("the scalar of an edge"), "little") % ORDER
KEY = times(SECRET, BASE)
EIGHTH = of_order_eight()


def _answer(first: Point, key: Point, nonce: int) -> bytes:
    """Return the signature that answers for the large part of a key."""
    number = challenge(encode(first), encode(key), MESSAGE)
    return encode(first) + ((nonce + number * SECRET) % ORDER).to_bytes(32, "little")


def _mixed(*, whole: bool) -> tuple[bytes, bytes]:
    """Return a key with a part of order eight, and a signature: for the equation itself, or only for eight times it."""
    key = plus(KEY, EIGHTH)
    for nonce in range(1, 1_000):
        first = times(nonce, BASE)
        if (challenge(encode(first), encode(key), MESSAGE) % 8 == 0) == whole:
            return encode(key), _answer(first, key, nonce)
    raise AssertionError("one of eight numbers is a multiple of eight")


def _spelled_high(point: Point) -> bytes:
    """Return a second spelling of a point, with a y that is not below the prime."""
    return (point[1] + P).to_bytes(32, "little")


@dataclass(frozen=True)
class _Signature:
    """One key and signature; `agreed` says whether the other library answers the same."""

    name: str
    key: bytes
    signature: bytes
    outcome: str = "signature_bad"
    agreed: bool = True

    def write(self) -> JSON:
        """Return it as JSON."""
        return {
            "name": self.name,
            "key": self.key.hex(),
            "signature": self.signature.hex(),
            "outcome": self.outcome,
            "agreed": self.agreed,
        }


def _scalars() -> list[_Signature]:
    """Return signatures whose second half has more than one spelling, and points that are none."""
    key, honest = encode(KEY), _answer(times(7, BASE), KEY, 7)
    beyond = (int.from_bytes(honest[32:], "little") + ORDER).to_bytes(32, "little")
    high = honest[:63] + bytes([honest[63] | 0xE0])
    missing = next(y for y in range(2, 100) if decode(y) is None).to_bytes(32, "little")
    return [
        _Signature("an honest signature", key, honest, "valid"),
        _Signature("a scalar beyond the order", key, honest[:32] + beyond),
        _Signature("a scalar with its highest bits set", key, high),
        _Signature("a key that is no point", missing, honest),
    ]


def _low_orders() -> list[_Signature]:
    """Return signatures in which a point of low order takes part."""
    nothing = encode(IDENTITY) + bytes(32)
    minus_zero = (1 | 1 << 255).to_bytes(32, "little")
    whole, eightfold = _mixed(whole=True), _mixed(whole=False)
    return [
        _Signature(
            "a first half of low order, which answers", encode(KEY), _answer(IDENTITY, KEY, 0), agreed=False
        ),
        _Signature("a first half of order eight", encode(KEY), _answer(EIGHTH, KEY, 0)),
        _Signature("a key of order one", encode(IDENTITY), nothing, agreed=False),
        _Signature(
            "a key of order one in its second spelling", _spelled_high(IDENTITY), nothing, agreed=False
        ),
        _Signature("a key of order one with a sign that it cannot have", minus_zero, nothing, agreed=False),
        _Signature("a key with a part of order eight, in the equation itself", *whole, "valid"),
        _Signature("a key with a part of order eight, in eight times the equation only", *eightfold),
    ]


# RFC 7748, section 5.2, and spellings of numbers beyond the prime, which are read as what is left of them.
_X25519 = [
    ("the first vector of RFC 7748", "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4", "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c", "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"),
    ("the second, whose highest bit is not looked at", "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d", "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493", "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957"),
]  # fmt: skip
# RFC 8439, section 2.8.2, as published.
_AEAD = {
    "key": "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
    "nonce": "070000004041424344454647",
    "ad": "50515253c0c1c2c3c4c5c6c7",
    "plaintext": (
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it."
    ).hex(),
    "tag": "1ae10b594f09e26a7e902ecbd0600691",
}


def _aead() -> dict[str, JSON]:
    """Return the published vector, and everything that is nearly it and must not open."""
    key, nonce, ad, plaintext = (bytes.fromhex(_AEAD[name]) for name in ("key", "nonce", "ad", "plaintext"))
    sealed = crypto_aead_chacha20poly1305_ietf_encrypt(plaintext, ad, nonce, key)
    text, tag = sealed[:-16], sealed[-16:]
    changed = {
        "a bit of the tag's last byte": text + flip(tag, 15),
        "a bit of the tag's first byte": text + flip(tag, 0, 0x80),
        "a bit of the text": flip(sealed, 0),
        "a byte of the text missing": text[:-1] + tag,
        "a byte after the tag": sealed + b"\0",
        "a tag cut to 15 bytes": sealed[:-1],
        "a tag cut to 12 bytes": sealed[:-4],
        "the text without a tag": text,
        "the tag without the text": tag,
        "the tag before the text": tag + text,
        "a tag of zeros": text + bytes(16),
        "shorter than a tag": sealed[:15],
        "nothing": b"",
    }
    elsewhere = {
        "associated data cut short": {"ad": ad[:-1].hex()},
        "a zero after the associated data": {"ad": (ad + b"\0").hex()},
        "no associated data": {"ad": ""},
        "another nonce": {"nonce": bytes(12).hex()},
        "another key": {"key": flip(key, 31).hex()},
    }
    cases = [
        *((name, {"sealed": raw.hex()}) for name, raw in changed.items()),
        *((name, {"sealed": sealed.hex(), **other}) for name, other in elsewhere.items()),
    ]
    honest = {"key": key.hex(), "nonce": nonce.hex(), "ad": ad.hex()}
    return {
        **_AEAD,
        "sealed": sealed.hex(),
        "refused": [{"name": name, **honest, **other} for name, other in cases],
    }


def _hpke() -> list[JSON]:
    private, ephemeral = SealingKey(fixed("an edge's recipient")), SealingKey(fixed("an edge's ephemeral"))
    sealed = seal_base(private.public, b"a key", info=b"i", aad=b"a", ephemeral=ephemeral)
    high = sealed[:31] + bytes([sealed[31] ^ 0x80]) + sealed[32:]
    flipped = sealed[:-1] + bytes([sealed[-1] ^ 1])
    cases = [
        ("as it was sealed", sealed, b"i", b"a", "opened"),
        ("enc in its other spelling, which is bound as bytes", high, b"i", b"a", "unwrap_failed"),
        ("one bit of the tag", flipped, b"i", b"a", "unwrap_failed"),
        ("another info", sealed, b"j", b"a", "unwrap_failed"),
        ("other associated data", sealed, b"i", b"b", "unwrap_failed"),
        ("shorter than a tag", sealed[: 32 + 15], b"i", b"a", "malformed"),
        ("nothing after enc", sealed[:32], b"i", b"a", "malformed"),
        ("enc of low order", bytes(32) + sealed[32:], b"i", b"a", "low_order_point"),
    ]
    return [
        {
            "name": name,
            "private": private.reveal().hex(),
            "sealed": raw.hex(),
            "info": info.hex(),
            "aad": aad.hex(),
            "outcome": outcome,
        }
        for name, raw, info, aad, outcome in cases
    ]


def edge_vectors() -> dict[str, JSON]:
    """Return the edges of Ed25519, X25519, ChaCha20-Poly1305 and HPKE."""
    x25519: list[JSON] = [
        {"name": name, "private": private, "public": public, "shared": shared}
        for name, private, public, shared in _X25519
    ]
    return {
        "about": "Where libraries differ. Values are hex; signatures are over the PAE of `payload_type` and `body`.",
        "payload_type": TYPE,
        "body": BODY.decode(),
        "ed25519": [each.write() for each in (*_scalars(), *_low_orders())],
        "x25519": x25519,
        "chacha20_poly1305": _aead(),
        "hpke": _hpke(),
    }
