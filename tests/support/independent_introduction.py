"""Step 7 of a first contact, independently: whom the invitation's code introduces.

The carried chain is recognised, not verified: its first link must have the digest that the sender calls its identity.
"""

import hashlib
import hmac
import json

from tests.support.independent_bodies import code_of
from tests.support.independent_bytes import (
    Header,
    Json,
    RefusalError,
    canonical,
    derive,
    pae,
    signed_by,
    unpadded,
)
from tests.support.independent_names import GRACE_MS, genesis


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
    """Find out whom the code introduces, and let the standing say so."""
    if kind != expected["kind"]:
        raise RefusalError(7, "unsupported")
    invitation = document["invitation"]
    payload = unpadded(invitation["payload"])
    digest = hashlib.sha256(pae(invitation["payloadType"], payload)).digest()
    refused = code_of(kind, body)
    if refused is not None:
        raise RefusalError(7, "signer_unknown" if refused == "malformed" else refused)
    terms, fields = json.loads(payload), json.loads(body)
    if fields["invitation"] != digest.hex() or fields.get("acceptance") != expected.get("acceptance"):
        raise RefusalError(7, "invitation_mismatch")
    own, sender = genesis(document, standing["own"]["identity"]), fields["from"]
    if kind == "acceptance":
        parties = (own, sender["identity"])
        check_acceptance(fields, terms)
    else:
        parties = (genesis(document, expected["inviter"]["identity"]), own)
        if sender["identity"] != parties[0]:
            raise RefusalError(7, "genesis_mismatch")
    if not signed_by(header.device, signature, signed):
        raise RefusalError(7, "signature_bad")
    check_code(expected, terms, kind, fields, digest)
    if kind == "confirmation" and fields["offer"] is not None:
        check_offer(fields, sender, own)
    now = 0 if standing["seen"] else max(standing["now"], standing["floor"])
    if kind == "acceptance" and now > terms["expires"] + GRACE_MS:
        raise RefusalError(7, "invitation_expired")
    pinned = next(each for each in document["identities"] if each["genesis"] == sender["identity"])
    standing["peer"] = {"identity": pinned["name"], "links": len(pinned["states"])}
    standing["edge"] = {
        "edge": edge_of(digest),
        "status": "pending",
        "dispatcher": parties[0],
        "trustor": parties[1],
        "expires": 0,
    }


def check_offer(fields: Json, sender: Json, own: str) -> None:
    """Check the grant for the way back that a confirmation carries."""
    check_grant(fields["offer"], sender)
    offered = json.loads(unpadded(fields["offer"]["payload"]))
    parts = (offered["from"]["identity"], offered["from"]["device"], offered["to"]["identity"])
    place = (offered["edge"], offered["version"]["n"], offered["status"])
    back = edge_of(bytes.fromhex(fields["acceptance"]))
    if parts != (sender["identity"], sender["device"], own) or place != (back, 1, "active"):
        raise RefusalError(7, "invitation_mismatch")


def check_acceptance(fields: Json, terms: Json) -> None:
    """Check what an acceptance carries: the addresses, the chain and the grant."""
    sender, grant = fields["from"], fields["grant"]
    if (fields["from_email"], fields["to_email"]) != (terms["to_email"], terms["from_email"]):
        raise RefusalError(7, "invitation_mismatch")
    first = fields["links"][0]
    if (
        hashlib.sha256(pae(first["payloadType"], unpadded(first["payload"]))).hexdigest()
        != sender["identity"]
    ):
        raise RefusalError(7, "genesis_mismatch")
    check_grant(grant, sender)


def check_grant(grant: Json, sender: Json) -> None:
    """Check that the sender's device has signed a grant that is carried."""
    (seal,) = grant["signatures"]
    granted = pae(grant["payloadType"], unpadded(grant["payload"]))
    if seal["keyid"] != sender["device"] or not signed_by(sender["device"], unpadded(seal["sig"]), granted):
        raise RefusalError(7, "signature_bad")


def edge_of(invitation: bytes) -> str:
    """The edge that is born of an invitation."""
    edge = bytearray(invitation[:16])
    edge[6], edge[8] = 0x80 | edge[6] & 0x0F, 0x80 | edge[8] & 0x3F
    return edge.hex()


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
