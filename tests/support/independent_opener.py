"""A second opener of envelopes, written from docs/PROTOCOL.md: it shares no line, and no library, with the product.

Where two implementations agree on every vector, the text between them is precise enough. It takes plain JSON and gives
plain JSON. Of chains it believes what a vector file says about them.
"""

import hashlib
import json

from tests.support.independent_bodies import code_of
from tests.support.independent_bytes import (
    Header,
    Json,
    RefusalError,
    decrypt,
    derive,
    pae,
    signed_by,
    split,
    unpadded,
    unwrap,
)
from tests.support.independent_introduction import introduce
from tests.support.independent_names import GRACE_MS, genesis

LONGEST_MS = 86_400_000

CLASSES = {
    "task": 1,
    "cancel": 2,
    "ack": 2,
    "message": 2,
    "heard": 2,
    "decision": 3,
    "receipt": 3,
    "result": 3,
}
KINDS = {*CLASSES, "grant", "acceptance", "confirmation", "comparison", "reveal", "checkpoint", "log"}
DISPATCHER_SAYS = {"task", "cancel", "ack", "confirmation"}
TRUSTOR_SAYS = {"decision", "receipt", "result", "grant", "acceptance", "checkpoint"}


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


def parse(kind: str, body: bytes) -> Json:
    """Step 9, after the type: canonical JSON of version 1, and down to its leaves what docs/protocol/FIELDS.md says of its kind."""
    refused = code_of(kind, body)
    if refused is not None:
        raise RefusalError(9, "body_malformed" if refused == "malformed" else refused)
    fields: Json = json.loads(body)
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
    if kind == "message" and status == "revoked":
        raise RefusalError(12, "edge_revoked")
    if kind == "task" and status != "active":
        raise RefusalError(12, f"edge_{status}")


def check_fresh(standing: Json, header: Header, kind: str) -> None:
    """Step 13."""
    now = max(standing["now"], standing["floor"])
    if header.expires and now > header.expires + GRACE_MS:
        raise RefusalError(13, "expired")
    if kind == "task" and header.expires > now + LONGEST_MS + GRACE_MS:
        raise RefusalError(13, "expiry_too_far")
