"""A second opener of envelopes, written from docs/PROTOCOL.md: it shares no line, and no library, with the product.

Where two implementations agree on every vector, the text between them is precise enough. This one uses the HPKE,
ChaCha20-Poly1305, Ed25519 and HKDF of `cryptography`; it takes plain JSON and gives plain JSON. Of chains it believes
what a vector file says about them, and of bodies it knows the names of their fields, not all of their bounds.
"""

import base64
import hashlib
import hmac
import json
import struct
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

Json = dict[str, Any]

SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
HEADER = struct.Struct(">4sBB32s32s32s32s16sQQI32sB")
LATEST = 2**53 - 1
GRACE_MS = 120_000
LONGEST_MS = 86_400_000

CLASSES = {"task": 1, "cancel": 2, "ack": 2, "message": 2, "decision": 3, "receipt": 3, "result": 3}
KINDS = {*CLASSES, "grant", "acceptance", "confirmation"}
HEAD = {"v", "nonce", "from", "to", "edge", "re", "created", "expires"}
FIELDS = {
    "task": "principal mandate origin owner_device grant_version task background links deliverable project attachments "
    "steps instructions meta route device after on_failure retries timeout budget thread parent",
    "cancel": "reason",
    "ack": "device seq",
    "message": "thread text surface audience",
    "decision": "seq prev decision mode reason run_id",
    "receipt": "seq prev type code detail run_id data",
    "result": "seq prev run_id outcome summary returns agent started ended code changeset changeset_digest diffs "
    "diff_truncated artifacts events usage confinement",
    "grant": "version parents status scopes",
    "acceptance": "invitation from_email to_email links grant mac",
    "confirmation": "invitation acceptance mac",
}
DISPATCHER_SAYS = {"task", "cancel", "ack", "confirmation"}
TRUSTOR_SAYS = {"decision", "receipt", "result", "grant", "acceptance"}


class RefusalError(Exception):
    """The step of the list that refuses, and its code."""

    def __init__(self, step: int, code: str) -> None:
        super().__init__(f"{step} {code}")
        self.step, self.code = step, code


@dataclass
class Header:
    """The clear part of an envelope; ids are hex as everywhere in JSON."""

    klass: int
    digest: str
    re: str
    device: str
    recipient: str
    edge: str
    created: int
    expires: int
    size: int
    commit: bytes
    devices: list[str]


def open_case(document: Json, case: Json) -> Json:
    """Open one case of a vector file; return what it says, or raise RefusalError."""
    envelope = unpadded(case["envelope"])
    opener = next(device for device in document["devices"] if device["name"] == case["device"])
    standing = dict(case["standing"])
    header, clear, wraps, ciphertext = split(envelope)
    key = unwrap(header, clear, wraps, opener)
    if derive(key, b"", b"dispatch/v1/commit") != header.commit:
        raise RefusalError(4, "commit_mismatch")
    payload_type, body, signature = decrypt(ciphertext, clear, key)
    signed = pae(payload_type, body)
    digest = hashlib.sha256(signed).hexdigest()
    kind = payload_type.removeprefix("application/vnd.dispatch.").removesuffix(".v1+json")
    if case["first_contact"]:
        introduce(document, case["first_contact"], standing, header, kind, signed, body, signature)
    peer = known(document, standing["peer"]) if standing["peer"] else []
    active = {state["head"] for state in peer if header.device in state["devices"]}
    if not active:
        raise RefusalError(7, "signer_unknown")
    if not signed_by(header.device, signature, signed):
        raise RefusalError(8, "signature_bad")
    if payload_type != f"application/vnd.dispatch.{kind}.v1+json" or kind not in KINDS:
        raise RefusalError(9, "unsupported")
    fields = parse(kind, body)
    own = known(document, standing["own"])
    stated = next((set(state["devices"]) for state in own if state["head"] == fields["to"]["head"]), None)
    check_equal(header, fields, kind, digest, stated)
    if not standing["seen"]:
        check_chains(document, standing, header, fields, (peer, active), (own, stated))
        check_grant(document, standing, header, kind, introduced=bool(case["first_contact"]))
        check_fresh(standing, header, kind)
    if standing["seen"]:
        raise RefusalError(14, "replayed")
    if standing["id_taken"]:
        raise RefusalError(14, "id_collision")
    return {"payload_type": payload_type, "body": body.decode(), "digest": digest}


def unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def derive(secret: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt or None, info).derive(secret)


def pae(payload_type: str, body: bytes) -> bytes:
    name = payload_type.encode()
    return b" ".join((b"DSSEv1", str(len(name)).encode(), name, str(len(body)).encode(), body))


def padme(length: int) -> int:
    length = max(length, 1024)
    exponent = len(f"{length:b}") - 1
    step = 2 ** (exponent - len(f"{exponent:b}"))
    return -(-length // step) * step


def signed_by(device: str, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(device)).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def split(raw: bytes) -> tuple[Header, bytes, list[bytes], bytes]:
    """Step 1."""
    malformed = RefusalError(1, "malformed")
    if len(raw) < HEADER.size:
        raise malformed
    magic, suite, klass, digest, re, device, recipient, edge, created, expires, size, commit, n = (
        HEADER.unpack(raw[: HEADER.size])
    )
    wraps_at = HEADER.size + 32 * n
    length_at = wraps_at + 80 * n
    if (magic, suite) != (b"DSP1", 1) or not 1 <= klass <= 4 or not 1 <= n <= 32:
        raise malformed
    if len(raw) != length_at + 4 + size or int.from_bytes(raw[length_at : length_at + 4], "big") != size:
        raise malformed
    devices = [raw[at : at + 32].hex() for at in range(HEADER.size, wraps_at, 32)]
    if devices != sorted(set(devices)) or max(created, expires) > LATEST or padme(size - 16) != size - 16:
        raise malformed
    header = Header(
        klass,
        digest.hex(),
        re.hex(),
        device.hex(),
        recipient.hex(),
        edge.hex(),
        created,
        expires,
        size,
        commit,
        devices,
    )
    wraps = [raw[at : at + 80] for at in range(wraps_at, length_at, 80)]
    return header, raw[:wraps_at], wraps, raw[length_at + 4 :]


def unwrap(header: Header, clear: bytes, wraps: list[bytes], opener: Json) -> bytes:
    """Steps 2 and 3."""
    if opener["device"] not in header.devices:
        raise RefusalError(2, "not_listed")
    wrap = wraps[header.devices.index(opener["device"])]
    for secret in opener["sealing_keys"]:
        private = X25519PrivateKey.from_private_bytes(bytes.fromhex(secret))
        public = private.public_key().public_bytes_raw()
        info = b"dispatch/v1/wrap" + hashlib.sha256(clear).digest()
        info += bytes.fromhex(opener["device"]) + hashlib.sha256(public).digest()
        try:
            return SUITE.decrypt(wrap, private, info)
        except (InvalidTag, ValueError):
            continue
    raise RefusalError(3, "unwrap_failed")


def decrypt(ciphertext: bytes, clear: bytes, key: bytes) -> tuple[str, bytes, bytes]:
    """Steps 5 and 6."""
    payload_key = derive(key, b"", b"dispatch/v1/payload" + hashlib.sha256(clear).digest())
    try:
        plaintext = ChaCha20Poly1305(payload_key).decrypt(bytes(12), ciphertext, clear)
    except InvalidTag:
        raise RefusalError(5, "ciphertext_bad") from None
    body_at = 2 + int.from_bytes(plaintext[:2], "big") + 4
    end = body_at + int.from_bytes(plaintext[body_at - 4 : body_at], "big") + 64
    if len(plaintext) != padme(end) or plaintext[end:].strip(b"\0"):
        raise RefusalError(6, "padding_bad")
    try:
        payload_type = plaintext[2 : body_at - 4].decode()
    except UnicodeDecodeError:
        raise RefusalError(6, "padding_bad") from None
    if not 1 <= body_at - 6 <= 128:
        raise RefusalError(6, "padding_bad")
    return payload_type, plaintext[body_at : end - 64], plaintext[end - 64 : end]


def canonical(value: Json) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def parse(kind: str, body: bytes) -> Json:
    """Step 9, after the type: canonical JSON, version 1, exactly the fields of its kind."""
    try:
        fields = json.loads(body)
        written = canonical(fields)
    except ValueError:
        raise RefusalError(9, "body_malformed") from None
    if fields.get("v") != 1:
        raise RefusalError(9, "unsupported")
    floats = any(isinstance(value, float) for value in fields.values())
    if written != body or floats or set(fields) != HEAD | set(FIELDS[kind].split()):
        raise RefusalError(9, "body_malformed")
    if kind == "task" and (fields["mandate"] is not None or fields["principal"] != fields["from"]):
        raise RefusalError(9, "mandate_unsupported")
    if kind == "task" and not fields["task"]:
        raise RefusalError(9, "body_malformed")
    return fields


def check_equal(header: Header, fields: Json, kind: str, digest: str, stated: set[str] | None) -> None:
    """Step 10."""
    clear = (header.digest, header.klass, header.re, header.device, header.recipient, header.edge)
    inside = (
        digest,
        CLASSES.get(kind, 4),
        fields["re"],
        fields["from"]["device"],
        fields["to"]["identity"],
        fields["edge"],
    )
    times = (header.created, header.expires) == (fields["created"], fields["expires"])
    if clear != inside or not times or (stated is not None and not stated >= set(header.devices)):
        raise RefusalError(10, "header_mismatch")


def genesis(document: Json, name: str) -> str:
    return next(each["genesis"] for each in document["identities"] if each["name"] == name)


def known(document: Json, chain: Json) -> list[Json]:
    """The states of a chain as far as the opener knows it."""
    identity = next(each for each in document["identities"] if each["name"] == chain["identity"])
    return identity["states"][: chain["links"]]


def check_chains(
    document: Json,
    standing: Json,
    header: Header,
    fields: Json,
    author: tuple[list[Json], set[str]],
    recipient: tuple[list[Json], set[str] | None],
) -> None:
    """Step 11."""
    (peer, active), (own, stated) = author, recipient
    names = (standing["peer"]["identity"], standing["own"]["identity"])
    if (fields["from"]["identity"], fields["to"]["identity"]) != tuple(
        genesis(document, name) for name in names
    ):
        raise RefusalError(11, "genesis_mismatch")
    if fields["from"]["head"] not in [state["head"] for state in peer]:
        raise RefusalError(11, "chain_unknown")
    if not {fields["from"]["head"], peer[-1]["head"]} <= active:
        raise RefusalError(11, "device_revoked")
    if stated is None or not set(own[-1]["devices"]) >= set(header.devices):
        raise RefusalError(11, "stale_chain")


def check_grant(document: Json, standing: Json, header: Header, kind: str, *, introduced: bool) -> None:
    """Step 12."""
    own, peer = (genesis(document, standing[side]["identity"]) for side in ("own", "peer"))
    edge = standing["edge"]
    if header.edge == "00" * 16 and own == peer:
        return
    if edge is None or edge["edge"] != header.edge or {edge["dispatcher"], edge["trustor"]} != {own, peer}:
        raise RefusalError(12, "no_edge")
    if (kind in DISPATCHER_SAYS and peer != edge["dispatcher"]) or (
        kind in TRUSTOR_SAYS and peer != edge["trustor"]
    ):
        raise RefusalError(12, "no_edge")
    if kind in {"acceptance", "confirmation"} and not introduced:
        raise RefusalError(12, "invitation_used")
    ended = 0 < edge["expires"] <= max(standing["now"], standing["floor"])
    status = "expired" if edge["status"] == "active" and ended else edge["status"]
    if kind == "task" and status != "active":
        raise RefusalError(12, f"edge_{status}")


def check_fresh(standing: Json, header: Header, kind: str) -> None:
    """Step 13."""
    now = max(standing["now"], standing["floor"])
    if header.expires and now > header.expires + GRACE_MS:
        raise RefusalError(13, "expired")
    if kind == "task" and header.expires > now + LONGEST_MS + GRACE_MS:
        raise RefusalError(13, "expiry_too_far")


def introduce(
    document: Json,
    expected: Json,
    standing: Json,
    header: Header,
    kind: str,
    signed: bytes,
    body: bytes,
    signature: bytes,
) -> None:
    """Step 7 of a first contact: find out whom the code introduces, and let the standing say so."""
    if kind != expected["kind"]:
        raise RefusalError(7, "unsupported")
    invitation = document["invitation"]
    payload = unpadded(invitation["payload"])
    digest = hashlib.sha256(pae(invitation["payloadType"], payload)).digest()
    terms, fields = json.loads(payload), json.loads(body)
    if set(fields) != HEAD | set(FIELDS[kind].split()):
        raise RefusalError(7, "signer_unknown")
    if fields["invitation"] != digest.hex() or fields.get("acceptance") != expected.get("acceptance"):
        raise RefusalError(7, "invitation_mismatch")
    own, sender = genesis(document, standing["own"]["identity"]), fields["from"]
    if kind == "acceptance":
        if (fields["from_email"], fields["to_email"]) != (terms["to_email"], terms["from_email"]):
            raise RefusalError(7, "invitation_mismatch")
        first = fields["links"][0]
        if (
            hashlib.sha256(pae(first["payloadType"], unpadded(first["payload"]))).hexdigest()
            != sender["identity"]
        ):
            raise RefusalError(7, "genesis_mismatch")
        parties = (own, sender["identity"])
        grant, (seal,) = fields["grant"], fields["grant"]["signatures"]
        granted = pae(grant["payloadType"], unpadded(grant["payload"]))
        if seal["keyid"] != sender["device"] or not signed_by(
            sender["device"], unpadded(seal["sig"]), granted
        ):
            raise RefusalError(7, "signature_bad")
    else:
        parties = (genesis(document, expected["inviter"]["identity"]), own)
        if sender["identity"] != parties[0]:
            raise RefusalError(7, "genesis_mismatch")
    if not signed_by(header.device, signature, signed):
        raise RefusalError(7, "signature_bad")
    check_code(expected, terms, kind, fields, digest)
    now = 0 if standing["seen"] else max(standing["now"], standing["floor"])
    if kind == "acceptance" and now > terms["expires"] + GRACE_MS:
        raise RefusalError(7, "invitation_expired")
    name = next(each["name"] for each in document["identities"] if each["genesis"] == sender["identity"])
    heads = [
        state["head"] for each in document["identities"] if each["name"] == name for state in each["states"]
    ]
    standing["peer"] = {"identity": name, "links": len(heads)}
    edge = bytearray(digest[:16])
    edge[6], edge[8] = 0x80 | edge[6] & 0x0F, 0x80 | edge[8] & 0x3F
    standing["edge"] = {
        "edge": edge.hex(),
        "status": "pending",
        "dispatcher": parties[0],
        "trustor": parties[1],
        "expires": 0,
    }


def check_code(expected: Json, terms: Json, kind: str, fields: Json, invitation: bytes) -> None:
    """Check that the sender knew the invitation's secret."""
    required = expected["secret"] and (kind == "confirmation" or terms["mac"] == "required")
    if fields["mac"] is None:
        if required:
            raise RefusalError(7, "token_needed")
        return
    role = {"acceptance": b"accept", "confirmation": b"confirm"}[kind]
    key = derive(bytes.fromhex(expected["secret"]), invitation, b"dispatch/v1/invitation/" + role)
    bare = pae(f"application/vnd.dispatch.{kind}.v1+json", canonical({**fields, "mac": None}))
    if not hmac.compare_digest(unpadded(fields["mac"]), hmac.digest(key, bare, "sha256")):
        raise RefusalError(7, "mac_bad")
