"""First contact: the codes that prove an invitation's secret, and the numbered lists that check what each side sends.

For these documents alone the signer's key comes from a chain that is carried, or known by the fingerprint in a token;
the code stands where "pinned" stands for all others. It is computed over everything that could be swapped: both
geneses, both addresses (in the body, and in the invitation whose digest is the salt), and the role (in the payload type
and in the label).
"""

import hmac
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from dispatch_protocol.chain import Chain
from dispatch_protocol.errors import MalformedError, RefusalCode, RefusedError
from dispatch_protocol.grant import GrantDocument, GrantStatus
from dispatch_protocol.head import Head
from dispatch_protocol.hkdf import derive
from dispatch_protocol.invitation import Acceptance, Confirmation, InvitationDocument, MacRule
from dispatch_protocol.keys import DeviceId, Digest, EdgeId
from dispatch_protocol.limits import EXPIRY_GRACE_MS
from dispatch_protocol.messages.registry import encode_body, kind_of
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.signing import Document, Signed, edge_id, pae, verify, verify_document

SECRET_BYTES: Final = 16
_ACCEPT: Final = b"dispatch/v1/invitation/accept"
_CONFIRM: Final = b"dispatch/v1/invitation/confirm"

_Proving = TypeVar("_Proving", Acceptance, Confirmation)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Secret:
    """The 128 random bits of an invitation; like every private thing it never shows itself and is not compared."""

    _raw: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self._raw) != SECRET_BYTES:
            raise MalformedError(
                f"an invitation's secret of {len(self._raw)} bytes where {SECRET_BYTES} belong"
            )

    def reveal(self) -> bytes:
        """Return the secret bytes, for a token or a keystore and for nobody else."""
        return self._raw

    def __repr__(self) -> str:
        return "Secret(hidden)"


@dataclass(frozen=True, slots=True)
class Accepted:
    """An acceptance that passed its list. `proven`: its maker held the token; otherwise the contact is unverified."""

    acceptance: Acceptance
    chain: Chain
    grant: GrantDocument
    proven: bool


def mac(secret: Secret, message: Acceptance | Confirmation) -> bytes:
    """Return the 32-byte code of an acceptance or a confirmation; the `mac` it may hold already is left out.

    HMAC-SHA256 under HKDF-SHA256(secret, salt = the invitation's D, info = label), over the PAE of the body whose `mac`
    is null. Bodies are canonical, so both sides compute it over the same bytes. Source: docs/PROTOCOL.md, section 7.
    """
    bare = replace(message, mac=None)
    label = _ACCEPT if isinstance(message, Acceptance) else _CONFIRM
    key = derive(secret.reveal(), salt=message.invitation.raw, info=label)
    return hmac.digest(key, pae(payload_type(kind_of(bare)), encode_body(bare)), "sha256")


def with_mac(secret: Secret, message: _Proving) -> _Proving:
    """Return an acceptance or a confirmation that proves the secret."""
    return replace(message, mac=mac(secret, message))


def verify_invitation(
    document: Document, *, expect: EdgeId, inviter: Chain, now_ms: int
) -> InvitationDocument:
    """Check an invitation fetched by its id, and return what it says.

    `inviter` is the chain whose fingerprint the token names; without a token it is only what the broker tells.

    Raises:
        MalformedError: it cannot be read.
        RefusedError: with the code of the step that refuses.
    """
    # 1. It is the document that the id names.
    if edge_id(document.digest) != expect or document.payload_type != payload_type(Kind.INVITATION):
        raise RefusedError(RefusalCode.INVITATION_MISMATCH, f"not the invitation {expect.uuid}")
    # 2. One active device of the inviter signed it.
    signers = tuple(DeviceId(signer) for signer in document.signers)
    if len(signers) != 1 or signers[0] not in inviter.devices:
        raise RefusedError(RefusalCode.SIGNER_UNKNOWN, "not signed by one device of the inviter")
    verify_document(signers, document)
    # 3. It says so itself.
    invitation = InvitationDocument.decode(document.body)
    if invitation.sender.identity != inviter.genesis or invitation.sender.device != signers[0]:
        raise RefusedError(RefusalCode.INVITATION_MISMATCH, "it names another inviter than its signer")
    # 4. It is still good, by our own clock.
    _check_fresh(invitation, now_ms)
    return invitation


def verify_acceptance(signed: Signed, *, invitation: Document, secret: Secret, now_ms: int) -> Accepted:
    """Check an acceptance of our own invitation before anything is sealed to its maker.

    Whether the invitation was used before is our journal's to say: a second acceptance that passes is an alarm.

    Raises:
        MalformedError: it cannot be read.
        RefusedError: with the code of the step that refuses.
    """
    ours = InvitationDocument.decode(invitation.body)
    # 1. It is an acceptance; its chain stands inside, so this once the body is read before its signature is checked.
    acceptance = _read(signed, Kind.ACCEPTANCE, Acceptance)
    # 2. It answers this invitation, for the addresses that stand in it.
    _check_answers(acceptance.head, acceptance.invitation, invitation)
    if acceptance.head.recipient.identity != ours.sender.identity:
        raise RefusedError(RefusalCode.INVITATION_MISMATCH, "an acceptance for another inviter")
    if (acceptance.from_email, acceptance.to_email) != (ours.to_email, ours.from_email):
        raise RefusedError(RefusalCode.INVITATION_MISMATCH, "an acceptance between other addresses")
    # 3. The carried chain is the acceptor's, and one of its active devices signed.
    chain = Chain.verify(acceptance.links, expect=acceptance.head.sender.identity)
    _check_signer(signed, acceptance.head, chain)
    # 4. The carried grant is the acceptor's, for this edge and for us.
    grant = _check_grant(acceptance.grant, acceptance.head, acceptance.head.edge)
    # 5. The code.
    proven = _check_mac(secret, acceptance, ours.mac)
    # 6. The invitation is still good, by our own clock.
    _check_fresh(ours, now_ms)
    return Accepted(acceptance, chain, grant, proven)


def verify_confirmation(
    signed: Signed, *, invitation: Document, acceptance: Digest, inviter: Chain, secret: Secret | None
) -> Confirmation:
    """Check the inviter's confirmation of our own acceptance; `secret` is None if we accepted without a token.

    Raises:
        MalformedError: it cannot be read.
        RefusedError: with the code of the step that refuses.
    """
    # 1. It is a confirmation.
    confirmation = _read(signed, Kind.CONFIRMATION, Confirmation)
    # 2. It answers this invitation and our acceptance.
    _check_answers(confirmation.head, confirmation.invitation, invitation)
    if confirmation.acceptance != acceptance:
        raise RefusedError(RefusalCode.INVITATION_MISMATCH, "a confirmation of another acceptance")
    # 3. An active device of the pinned inviter signed it.
    if confirmation.head.sender.identity != inviter.genesis:
        raise RefusedError(RefusalCode.GENESIS_MISMATCH, "a confirmation of another identity")
    _check_signer(signed, confirmation.head, inviter)
    # 4. The code: whoever accepted with a token is confirmed with it.
    if secret is not None:
        _check_mac(secret, confirmation, MacRule.REQUIRED)
    # 5. What is offered for the way back is the inviter's, for us, on the edge that our acceptance makes.
    if confirmation.offer is not None:
        _check_grant(confirmation.offer, confirmation.head, edge_id(acceptance))
    return confirmation


def _read(signed: Signed, kind: Kind, message_type: type[_Proving]) -> _Proving:
    if signed.payload_type != payload_type(kind):
        raise RefusedError(RefusalCode.UNSUPPORTED, f"a document that is no {kind}")
    return message_type.decode(signed.body)


def _check_answers(head: Head, named: Digest, invitation: Document) -> None:
    if named != invitation.digest or head.edge != edge_id(invitation.digest):
        raise RefusedError(RefusalCode.INVITATION_MISMATCH, "an answer to another invitation")


def _check_signer(signed: Signed, head: Head, chain: Chain) -> None:
    stated = chain.at(head.sender.head)
    if stated is None:
        raise RefusedError(RefusalCode.CHAIN_UNKNOWN, "the sender states a link that its chain does not have")
    if head.sender.device not in stated.devices or head.sender.device not in chain.devices:
        raise RefusedError(RefusalCode.DEVICE_REVOKED, f"the device {head.sender.device.hex} is not active")
    verify(head.sender.device, signed)


def _check_grant(document: Document, head: Head, edge: EdgeId) -> GrantDocument:
    """Check a first grant that is carried by a message with this head, whose sender is verified."""
    if document.payload_type != payload_type(Kind.GRANT):
        raise RefusedError(
            RefusalCode.INVITATION_MISMATCH, "a first contact that carries no grant where one belongs"
        )
    verify_document((head.sender.device,), document)
    grant = GrantDocument.decode(document.body)
    stands = (
        grant.head.sender.identity,
        grant.head.sender.device,
        grant.head.recipient.identity,
        grant.head.edge,
    )
    if stands != (head.sender.identity, head.sender.device, head.recipient.identity, edge):
        raise RefusedError(RefusalCode.INVITATION_MISMATCH, "a first contact with a grant for something else")
    if grant.version.n != 1 or grant.status is not GrantStatus.ACTIVE:
        raise RefusedError(
            RefusalCode.INVITATION_MISMATCH, "a first contact with a grant that is not a first one"
        )
    return grant


def _check_mac(secret: Secret, message: Acceptance | Confirmation, rule: MacRule) -> bool:
    """Return whether the message proves the secret; refuse a wrong proof, and none where one is required."""
    if message.mac is None:
        if rule is MacRule.REQUIRED:
            raise RefusedError(RefusalCode.TOKEN_NEEDED, "this invitation is accepted with its token only")
        return False
    if not hmac.compare_digest(message.mac, mac(secret, message)):
        raise RefusedError(RefusalCode.MAC_BAD, "its maker did not hold this invitation's token")
    return True


def _check_fresh(invitation: InvitationDocument, now_ms: int) -> None:
    if now_ms > invitation.expires_ms + EXPIRY_GRACE_MS:
        raise RefusedError(RefusalCode.INVITATION_EXPIRED, "an invitation is good for seven days")
