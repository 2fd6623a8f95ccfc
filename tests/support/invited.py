"""One invitation of Alice's to Bob, as each of them has it."""

from typing import Any

from dispatch_daemon.core import trust
from dispatch_daemon.core.trust_records import Direction, InvitationRecord, InvitationStatus
from dispatch_protocol.first_contact import Secret
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.signing import edge_id, sign_document
from tests.support.desk import ALICE_OWN, MOMENT
from tests.support.documents import ALICE, BOB, NOW_MS, fixed

SECRET = Secret(fixed("secret", 16))
INVITATION = trust.invitation(ALICE_OWN, MOMENT, to_email=BOB.email, broker="https://courier.example")
DOCUMENT = sign_document([ALICE.sign], payload_type(Kind.INVITATION), INVITATION.encode())
INVITED = edge_id(DOCUMENT.digest)


def record(direction: Direction, **more: Any) -> InvitationRecord:
    """Return the invitation as Alice has it (outgoing) or as Bob has it."""
    fields: dict[str, Any] = {
        "invitation_id": INVITED.hex,
        "direction": direction,
        "address": BOB.email if direction is Direction.OUTGOING else ALICE.email,
        "document": DOCUMENT.to_json(),
        "status": InvitationStatus.PENDING,
        "created_ms": NOW_MS,
        "expires_ms": INVITATION.expires_ms,
        "link": "",
        "mac_required": True,
        "secret": SECRET.reveal(),
    }
    return InvitationRecord(**fields | more)
