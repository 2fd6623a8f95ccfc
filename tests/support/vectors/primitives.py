"""Vectors of the parts that everything else is made of: encodings, digests, derived keys, seals and signatures."""

import hashlib
from dataclasses import replace

from dispatch_protocol import hkdf
from dispatch_protocol.encoding import JSON, b64u
from dispatch_protocol.envelope import padme
from dispatch_protocol.hpke import seal_base
from dispatch_protocol.keys import DeviceId, Digest, SealingKey, SealingPublic, SigningKey
from dispatch_protocol.limits import JSON_DEPTH
from dispatch_protocol.seal import commitment, payload_key, wrap_info
from dispatch_protocol.signing import Signed, dispatch_id, pae, sign
from tests.support.vectors.fixed import fixed

SIGNER = SigningKey(fixed("signatures"))
GROUP_ORDER = (
    2**252 + 27742317777372353535851937790883648493
)  # of Ed25519's main subgroup (RFC 8032, section 5.1)
BASE_HEAD = fixed("header bytes")


def pae_vectors() -> dict[str, JSON]:
    """The pre-authentication encoding, and D, which is its SHA-256."""
    cases = [
        ("the example of the DSSE specification", "http://example.com/HelloWorld", b"hello world"),
        ("an empty body", "application/vnd.dispatch.task.v1+json", b""),
        (
            "a type with letters beyond ASCII: lengths count bytes",
            "application/vnd.ärger🎈",
            "übrig".encode(),
        ),
        ("spaces and digits where lengths stand", "1 2", b"3 4"),
        ("bytes that are no text", "t", bytes(range(256))),
    ]
    return {
        "about": "DSSE v1: body is hex; pae is hex; digest is SHA-256(pae).",
        "cases": [
            {
                "name": name,
                "payload_type": payload_type,
                "body": body.hex(),
                "pae": pae(payload_type, body).hex(),
                "digest": hashlib.sha256(pae(payload_type, body)).hexdigest(),
            }
            for name, payload_type, body in cases
        ],
    }


def padme_vectors() -> dict[str, JSON]:
    """Padded sizes around every step of the rule."""
    lengths = [0, 1, 1023, 1024, 1025, 1087, 1088, 1089, 2047, 2048, 2049, 4096, 4097, 65_535, 65_536, 65_537]
    lengths += [100_000, 262_144, 262_145, 999_999, 1_048_576, 1_048_577, 1_048_774]
    return {
        "about": "[length, padded length], with a floor of 1024.",
        "cases": [[each, padme(each)] for each in lengths],
    }


def id_vectors() -> dict[str, JSON]:
    """The UUIDv8 that is made from a digest: a dispatch's id, and in the same way an edge's."""
    digests = [bytes(32), b"\xff" * 32, bytes(range(32)), fixed("some dispatch")]
    return {
        "about": "The first 16 bytes of the digest with version 8 and the variant of RFC 9562.",
        "cases": [{"digest": each.hex(), "id": str(dispatch_id(Digest(each)))} for each in digests],
    }


def hkdf_vectors() -> dict[str, JSON]:
    """Every label under which a content key or an invitation's secret is used."""
    key, secret = fixed("content key"), fixed("invitation secret", 16)
    invitation, device = fixed("invitation digest"), DeviceId(fixed("device"))
    public = SealingKey(fixed("sealing")).public
    return {
        "about": "HKDF-SHA256; an empty salt is 32 zero bytes; labels are ASCII without a terminator. All values are hex.",
        "content_key": key.hex(),
        "header": BASE_HEAD.hex(),
        "commit": commitment(key).hex(),
        "payload_key": payload_key(key, BASE_HEAD).hex(),
        "device": device.hex,
        "sealing": public.hex,
        "wrap_info": wrap_info(BASE_HEAD, device, public).hex(),
        "secret": secret.hex(),
        "invitation": invitation.hex(),
        "accept_key": hkdf.derive(secret, salt=invitation, info=b"dispatch/v1/invitation/accept").hex(),
        "confirm_key": hkdf.derive(secret, salt=invitation, info=b"dispatch/v1/invitation/confirm").hex(),
    }


# RFC 9180, appendix A.2.1, first message, as published.
RFC_9180 = {
    "info": b"Ode on a Grecian Urn".hex(),
    "private": "8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb",
    "public": "4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a",
    "ephemeral": "f4ec9b33b792c372c1d2c2063507b684ef925b8c75a42dbcbf57d63ccd381600",
    "enc": "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a",
    "shared_secret": "0bbe78490412b4bbea4812666f7916932b828bba79942424abb65244930d69a7",
    "key": "ad2744de8e17f4ebba575b3f5f5a8fa1f69c2a07f6e7500bc60ca6e3e3ec1c91",
    "base_nonce": "5c4d98150661b848853b547f",
    "aad": b"Count-0".hex(),
    "plaintext": b"Beauty is truth, truth beauty".hex(),
    "ciphertext": "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28",
}

# Every point of small order and its other spellings.
LOW_ORDER = (
    "00" * 32,
    "01" + "00" * 31,
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
)


def hpke_vectors() -> dict[str, JSON]:
    """Return the published vector, wraps of our own, and the points that are refused."""
    own: list[JSON] = []
    info = wrap_info(BASE_HEAD, DeviceId(bytes(32)), SealingPublic(bytes(32)))
    for name, plaintext, bound in [("a content key", fixed("content key"), info), ("nothing", b"", b"")]:
        private, ephemeral = SealingKey(fixed(f"{name} recipient")), SealingKey(fixed(f"{name} ephemeral"))
        sealed = seal_base(private.public, plaintext, info=bound, aad=b"", ephemeral=ephemeral)
        wrap = {
            "private": private.reveal(),
            "ephemeral": ephemeral.reveal(),
            "info": bound,
            "plaintext": plaintext,
            "sealed": sealed,
        }
        own.append({"name": name, **{part: value.hex() for part, value in wrap.items()}})
    return {
        "about": "mode_base, X25519, HKDF-SHA256, ChaCha20-Poly1305; sealed = enc | ciphertext; all values are hex.",
        "rfc9180_a_2_1": RFC_9180,
        "wraps": own,
        "low_order": list(LOW_ORDER),
    }


def _signed_cases() -> list[tuple[str, bytes, Signed, str, bool]]:
    """Return name, claimed signer, signed document, outcome, and whether other libraries agree."""
    honest = sign(SIGNER, "application/vnd.dispatch.ack.v1+json", b"{}")
    signer, signature = SIGNER.device.raw, honest.signature
    scalar = int.from_bytes(signature[32:], "little") + GROUP_ORDER
    respelled = signature[:32] + scalar.to_bytes(32, "little")
    identity = b"\x01" + bytes(31)

    def forged(
        name: str, signed: Signed, by: bytes = signer, *, agreed: bool = True
    ) -> tuple[str, bytes, Signed, str, bool]:
        return name, by, signed, "signature_bad", agreed

    return [
        ("an honest signature", signer, honest, "valid", True),
        forged("another body", replace(honest, body=b"{ }")),
        forged("another type", replace(honest, payload_type="application/json")),
        forged("another signer", honest, fixed("nobody")),
        forged("all zeros", replace(honest, signature=bytes(64))),
        forged("a second spelling of the scalar", replace(honest, signature=respelled)),
        forged(
            "a key of low order, whose signature holds for every body",
            replace(honest, signature=identity + bytes(32)),
            identity,
            agreed=False,
        ),
    ]


def signature_vectors() -> dict[str, JSON]:
    """Signed documents, honest and forged. Where `agreed` is false, other libraries accept what we refuse."""
    return {
        "about": "signed is S: u16 |T| T u32 |B| B signature, in hex.",
        "cases": [
            {
                "name": name,
                "signer": signer.hex(),
                "signed": signed.encode().hex(),
                "outcome": outcome,
                "agreed": agreed,
            }
            for name, signer, signed, outcome, agreed in _signed_cases()
        ],
    }


def encoding_vectors() -> dict[str, JSON]:
    """Strict JSON and base64url: canonical texts, and texts that are refused."""
    valid = [
        "null",
        "true",
        "[]",
        "{}",
        '{"a":[1,-1,9007199254740991],"b":{"c":"Ärger 🎈"}}',
        '"\\u0001\\n\\"\\\\"',
    ]
    invalid = {
        "nothing": b"",
        "cut short": b'{"a":',
        "two values": b"{}{}",
        "a duplicate key": b'{"a":1,"a":2}',
        "a duplicate key, spelled in two ways": b'{"a":1,"\\u0061":2}',
        "NaN": b"NaN",
        "Infinity": b"[Infinity]",
        "a float": b"1.5",
        "an exponent": b"1e3",
        "an integer beyond 2^53-1": b"9007199254740992",
        "a lone surrogate": b'"\\ud800"',
        "not UTF-8": b'"\xff"',
        "a surrogate in UTF-8": b'"\xed\xa0\x80"',
        "a byte order mark": b"\xef\xbb\xbf{}",
        "a line break in a text": b'"\n"',
        "nested too deep": b"[" * (JSON_DEPTH + 1) + b"]" * (JSON_DEPTH + 1),
    }
    return {
        "about": "valid texts are canonical as they stand; invalid ones are hex.",
        "valid": list(valid),
        "invalid": [{"name": name, "data": data.hex()} for name, data in invalid.items()],
        "base64url": {
            "valid": [[data.hex(), b64u(data)] for data in (b"", b"\0", b"\xfb\xff", bytes(range(32)))],
            "invalid": ["A", "AA==", "AB", "AAB", "+/+/", "A A", "AAA\n", "ÄÄ"],
        },
    }
