import hashlib
import hmac
import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from dispatch_protocol.chain import Chain
from dispatch_protocol.errors import MalformedError, RefusalCode, RefusedError
from dispatch_protocol.first_contact import (
    Secret,
    mac,
    verify_acceptance,
    verify_confirmation,
    verify_invitation,
    with_mac,
)
from dispatch_protocol.grant import GrantStatus, Version
from dispatch_protocol.invitation import Acceptance, Confirmation, InvitationDocument, MacRule
from dispatch_protocol.keys import EdgeId
from dispatch_protocol.links import ALL_ROLES, AddDeviceLink, RevokeDeviceLink, sign_link
from dispatch_protocol.messages.registry import encode_body
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.signing import Document, Signed, edge_id, sign, sign_document
from tests.support.documents import (
    ALICE,
    BOB,
    EDGE,
    HOUR_MS,
    NOW_MS,
    Person,
    digest,
    fixed,
    grant,
    head,
    person,
)

SECRET = Secret(fixed("secret", 16))
OTHER = Secret(fixed("another secret", 16))
EVE = person("eve")
WEEK_MS = 7 * 24 * HOUR_MS


def invitation(**changes) -> InvitationDocument:
    fields = {
        "nonce": fixed("nonce", 16),
        "sender": ALICE.party,
        "from_email": ALICE.email,
        "to_email": BOB.email,
        "broker": "https://courier.example",
        "mac": MacRule.REQUIRED,
        "created_ms": NOW_MS,
        "expires_ms": NOW_MS + WEEK_MS,
    }
    return InvitationDocument(**(fields | changes))


def published(value: InvitationDocument, *signers: Person) -> Document:
    keys = [signer.sign for signer in signers or (ALICE,)]
    return sign_document(keys, payload_type(Kind.INVITATION), value.encode())


INVITATION = published(invitation())
MAILED = published(invitation(mac=MacRule.OPTIONAL))
EDGE_OF_IT = edge_id(INVITATION.digest)
FROM_BOB = head(BOB, ALICE, edge=EDGE_OF_IT)


def first_grant(edge: EdgeId, **changes) -> Document:
    body = grant(**({"head": head(BOB, ALICE, edge=edge)} | changes)).encode()
    return sign_document([BOB.sign], payload_type(Kind.GRANT), body)


def acceptance(document: Document = INVITATION, **changes) -> Acceptance:
    edge = edge_id(document.digest)
    fields = {
        "head": head(BOB, ALICE, edge=edge),
        "invitation": document.digest,
        "from_email": BOB.email,
        "to_email": ALICE.email,
        "links": BOB.chain.links,
        "grant": first_grant(edge),
        "mac": None,
    }
    return Acceptance(**(fields | changes))


def signed(message: Acceptance | Confirmation, signer: Person = BOB) -> Signed:
    kind = Kind.ACCEPTANCE if isinstance(message, Acceptance) else Kind.CONFIRMATION
    return sign(signer.sign, payload_type(kind), encode_body(message))


def refused(code: RefusalCode, act, *arguments, **named) -> None:
    with pytest.raises(RefusedError) as error:
        act(*arguments, **named)
    assert error.value.reason is code


class TestSecret:
    def test_it_is_128_bits_and_never_shown(self):
        assert SECRET.reveal() == fixed("secret", 16)
        assert repr(SECRET) == "Secret(hidden)"
        with pytest.raises(MalformedError):
            Secret(bytes(15))


class TestCode:
    @pytest.mark.parametrize("role", ["accept", "confirm"])
    def test_another_implementation_agrees(self, role):
        message = with_mac(SECRET, acceptance()) if role == "accept" else with_mac(SECRET, confirmation())
        kind = "acceptance" if role == "accept" else "confirmation"
        label = f"dispatch/v1/invitation/{role}".encode()
        key = HKDF(SHA256(), 32, INVITATION.digest.raw, label).derive(SECRET.reveal())
        body = json.loads(encode_body(message)) | {"mac": None}
        plain = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        name = f"application/vnd.dispatch.{kind}.v1+json"
        encoded = f"DSSEv1 {len(name)} {name} {len(plain)} ".encode() + plain
        assert message.mac == hmac.new(key, encoded, hashlib.sha256).digest()

    def test_it_does_not_depend_on_a_code_that_is_there_already(self):
        once = with_mac(SECRET, acceptance())
        assert mac(SECRET, once) == once.mac == with_mac(SECRET, once).mac

    @pytest.mark.parametrize(
        "changed",
        [
            acceptance(head=head(EVE, ALICE, edge=EDGE_OF_IT)),
            acceptance(head=head(BOB, EVE, edge=EDGE_OF_IT)),
            acceptance(from_email=EVE.email),
            acceptance(to_email=EVE.email),
            acceptance(links=EVE.chain.links),
            acceptance(invitation=digest("another")),
        ],
    )
    def test_whatever_could_be_swapped_changes_it(self, changed):
        assert mac(SECRET, changed) != mac(SECRET, acceptance())

    def test_another_secret_changes_it(self):
        assert mac(OTHER, acceptance()) != mac(SECRET, acceptance())


class TestInvitation:
    def verify(self, document=INVITATION, *, expect=None, inviter=ALICE.chain, now_ms=NOW_MS):
        expect = edge_id(document.digest) if expect is None else expect
        return verify_invitation(document, expect=expect, inviter=inviter, now_ms=now_ms)

    def test_a_good_one(self):
        assert self.verify() == invitation()

    def test_1_the_id_names_it(self):
        refused(RefusalCode.INVITATION_MISMATCH, self.verify, expect=EDGE)
        other = sign_document([ALICE.sign], payload_type(Kind.TASK), invitation().encode())
        refused(RefusalCode.INVITATION_MISMATCH, self.verify, other)

    def test_2_a_device_of_the_inviter_signed_it(self):
        refused(RefusalCode.SIGNER_UNKNOWN, self.verify, published(invitation(), EVE))
        refused(RefusalCode.SIGNER_UNKNOWN, self.verify, published(invitation(), ALICE, EVE))
        chain, phone = with_a_phone(ALICE)
        both = published(invitation(), ALICE, phone)
        refused(RefusalCode.SIGNER_UNKNOWN, self.verify, both, inviter=chain)
        (signature,) = INVITATION.signatures
        forged = replace(INVITATION, signatures=(replace(signature, value=bytes(64)),))
        refused(RefusalCode.SIGNATURE_BAD, self.verify, forged)

    def test_3_it_says_so_itself(self):
        refused(RefusalCode.INVITATION_MISMATCH, self.verify, published(invitation(sender=EVE.party)))
        other = replace(ALICE.party, identity=EVE.chain.genesis)
        refused(RefusalCode.INVITATION_MISMATCH, self.verify, published(invitation(sender=other)))
        other = replace(ALICE.party, device=EVE.device)
        refused(RefusalCode.INVITATION_MISMATCH, self.verify, published(invitation(sender=other)))

    def test_4_it_is_still_good(self):
        assert self.verify(now_ms=NOW_MS + WEEK_MS + 120_000)
        refused(RefusalCode.INVITATION_EXPIRED, self.verify, now_ms=NOW_MS + WEEK_MS + 120_001)


class TestAcceptance:
    def verify(self, message: Acceptance, document=INVITATION, *, signer=BOB, now_ms=NOW_MS):
        return verify_acceptance(signed(message, signer), invitation=document, secret=SECRET, now_ms=now_ms)

    def test_with_the_token_it_is_proven(self):
        message = with_mac(SECRET, acceptance())
        accepted = self.verify(message)
        assert (accepted.acceptance, accepted.chain, accepted.proven) == (message, BOB.chain, True)
        assert accepted.grant == grant(head=FROM_BOB)

    def test_without_it_only_a_mailed_invitation_is_accepted_and_then_unverified(self):
        assert self.verify(acceptance(MAILED), MAILED).proven is False
        assert self.verify(with_mac(SECRET, acceptance(MAILED)), MAILED).proven is True

    def test_1_it_is_an_acceptance(self):
        task = sign(BOB.sign, payload_type(Kind.TASK), encode_body(acceptance()))
        refused(
            RefusalCode.UNSUPPORTED,
            verify_acceptance,
            task,
            invitation=INVITATION,
            secret=SECRET,
            now_ms=NOW_MS,
        )
        broken = sign(BOB.sign, payload_type(Kind.ACCEPTANCE), b"{}")
        with pytest.raises(MalformedError):
            verify_acceptance(broken, invitation=INVITATION, secret=SECRET, now_ms=NOW_MS)

    @pytest.mark.parametrize(
        "changes",
        [
            {"invitation": digest("another")},
            {"head": head(BOB, ALICE, edge=EDGE)},
            {"head": head(BOB, EVE, edge=EDGE_OF_IT)},
            {"from_email": EVE.email},
            {"to_email": EVE.email},
        ],
    )
    def test_2_it_answers_this_invitation(self, changes):
        refused(RefusalCode.INVITATION_MISMATCH, self.verify, with_mac(SECRET, acceptance(**changes)))

    def test_2_it_is_for_this_inviter_even_if_its_grant_is_for_the_other_one(self):
        elsewhere = head(BOB, EVE, edge=EDGE_OF_IT)
        message = acceptance(head=elsewhere, grant=first_grant(EDGE_OF_IT, head=elsewhere))
        refused(RefusalCode.INVITATION_MISMATCH, self.verify, with_mac(SECRET, message))

    def test_3_its_chain_is_its_makers(self):
        stolen = with_mac(SECRET, acceptance(links=EVE.chain.links))
        refused(RefusalCode.GENESIS_MISMATCH, self.verify, stolen)
        unknown = replace(BOB.party, head=digest("unknown"))
        message = acceptance(head=replace(FROM_BOB, sender=unknown))
        refused(RefusalCode.CHAIN_UNKNOWN, self.verify, with_mac(SECRET, message))

    def test_3_an_active_device_signed(self):
        refused(RefusalCode.SIGNATURE_BAD, self.verify, with_mac(SECRET, acceptance()), signer=EVE)
        stranger = replace(BOB.party, device=EVE.device)
        message = acceptance(head=replace(FROM_BOB, sender=stranger))
        refused(RefusalCode.DEVICE_REVOKED, self.verify, with_mac(SECRET, message), signer=EVE)
        message = acceptance(links=replaced_chain().links)
        refused(RefusalCode.DEVICE_REVOKED, self.verify, with_mac(SECRET, message))

    def test_3_the_device_was_active_at_the_stated_head_too(self):
        chain, phone = with_a_phone(BOB)
        before = replace(BOB.party, device=phone.device)
        message = acceptance(links=chain.links, head=replace(FROM_BOB, sender=before))
        refused(RefusalCode.DEVICE_REVOKED, self.verify, with_mac(SECRET, message), signer=phone)

    @pytest.mark.parametrize(
        "changes",
        [
            {"head": head(BOB, ALICE, edge=EDGE)},
            {"head": head(BOB, EVE, edge=EDGE_OF_IT)},
            {
                "head": replace(FROM_BOB, sender=replace(BOB.party, device=EVE.device)),
                "version": Version(1, EVE.device),
            },
            {"head": replace(FROM_BOB, sender=replace(BOB.party, identity=EVE.chain.genesis))},
            {"head": FROM_BOB, "status": GrantStatus.REVOKED},
            {
                "head": FROM_BOB,
                "version": Version(2, BOB.device),
                "parents": (Version(1, BOB.device),),
            },
        ],
    )
    def test_4_its_grant_is_a_first_one_for_this_edge(self, changes):
        message = with_mac(SECRET, acceptance(grant=first_grant(EDGE_OF_IT, **changes)))
        refused(RefusalCode.INVITATION_MISMATCH, self.verify, message)

    def test_4_its_grant_is_its_makers_own(self):
        message = acceptance(grant=INVITATION)
        refused(RefusalCode.INVITATION_MISMATCH, self.verify, with_mac(SECRET, message))
        body = grant(head=FROM_BOB).encode()
        forged = sign_document([EVE.sign], payload_type(Kind.GRANT), body)
        refused(RefusalCode.SIGNATURE_BAD, self.verify, with_mac(SECRET, acceptance(grant=forged)))

    def test_5_the_code(self):
        refused(RefusalCode.TOKEN_NEEDED, self.verify, acceptance())
        refused(RefusalCode.MAC_BAD, self.verify, with_mac(OTHER, acceptance()))
        refused(RefusalCode.MAC_BAD, self.verify, with_mac(OTHER, acceptance(MAILED)), MAILED)

    def test_6_it_comes_in_time(self):
        late = NOW_MS + WEEK_MS + 120_001
        refused(RefusalCode.INVITATION_EXPIRED, self.verify, with_mac(SECRET, acceptance()), now_ms=late)


def with_a_phone(owner: Person) -> tuple[Chain, Person]:
    """Return somebody's chain with a phone added, and the phone."""
    phone = person(f"{owner.name}'s phone")
    added = AddDeviceLink(
        prev=owner.chain.head,
        device=phone.device,
        sealing=phone.seal.public,
        roles=ALL_ROLES,
        created_ms=NOW_MS,
        nonce=fixed("nonce", 16),
    )
    return owner.chain.extend([sign_link(added, (owner.sign, phone.sign))]), phone


def replaced_chain() -> Chain:
    """Bob's chain after a phone of his revoked the device that accepts."""
    chain, phone = with_a_phone(BOB)
    revoked = RevokeDeviceLink(
        prev=chain.head, device=BOB.device, created_ms=NOW_MS, nonce=fixed("nonce", 16)
    )
    return chain.extend([sign_link(revoked, (phone.sign,))])


def confirmation(**changes) -> Confirmation:
    fields = {
        "head": head(ALICE, BOB, edge=EDGE_OF_IT),
        "invitation": INVITATION.digest,
        "acceptance": digest("acceptance"),
        "mac": None,
    }
    return Confirmation(**(fields | changes))


class TestConfirmation:
    def verify(self, message: Confirmation, *, signer=ALICE, inviter=ALICE.chain, secret=SECRET):
        return verify_confirmation(
            signed(message, signer),
            invitation=INVITATION,
            acceptance=digest("acceptance"),
            inviter=inviter,
            secret=secret,
        )

    def test_with_the_token(self):
        message = with_mac(SECRET, confirmation())
        assert self.verify(message) == message

    def test_without_a_token_there_is_nothing_to_prove(self):
        assert self.verify(confirmation(), secret=None) == confirmation()

    def test_1_it_is_a_confirmation(self):
        other = sign(ALICE.sign, payload_type(Kind.ACCEPTANCE), encode_body(confirmation()))
        refused(
            RefusalCode.UNSUPPORTED,
            verify_confirmation,
            other,
            invitation=INVITATION,
            acceptance=digest("acceptance"),
            inviter=ALICE.chain,
            secret=SECRET,
        )

    @pytest.mark.parametrize(
        "changes",
        [
            {"invitation": digest("another")},
            {"head": head(ALICE, BOB, edge=EDGE)},
            {"acceptance": digest("another")},
        ],
    )
    def test_2_it_answers_this_acceptance(self, changes):
        refused(RefusalCode.INVITATION_MISMATCH, self.verify, with_mac(SECRET, confirmation(**changes)))

    def test_3_a_device_of_the_pinned_inviter_signed(self):
        message = with_mac(SECRET, confirmation())
        refused(RefusalCode.GENESIS_MISMATCH, self.verify, message, inviter=EVE.chain)
        refused(RefusalCode.SIGNATURE_BAD, self.verify, message, signer=EVE)

    def test_4_the_code(self):
        refused(RefusalCode.TOKEN_NEEDED, self.verify, confirmation())
        refused(RefusalCode.MAC_BAD, self.verify, with_mac(OTHER, confirmation()))

    def test_4_the_code_of_an_acceptance_confirms_nothing(self):
        reflected = replace(confirmation(), mac=mac(SECRET, acceptance()))
        refused(RefusalCode.MAC_BAD, self.verify, reflected)

    def test_5_an_offer_for_the_way_back(self):
        message = with_mac(SECRET, confirmation(offer=offered()))
        assert self.verify(message).offer == offered()

    @pytest.mark.parametrize(
        "changes, code",
        [
            ({"signer": EVE}, RefusalCode.SIGNATURE_BAD),
            ({"edge": edge_id(INVITATION.digest)}, RefusalCode.INVITATION_MISMATCH),
            ({"to": EVE}, RefusalCode.INVITATION_MISMATCH),
            ({"kind": Kind.LINK}, RefusalCode.INVITATION_MISMATCH),
            ({"status": GrantStatus.REVOKED}, RefusalCode.INVITATION_MISMATCH),
        ],
    )
    def test_5_no_other_offer(self, changes, code):
        refused(code, self.verify, with_mac(SECRET, confirmation(offer=offered(**changes))))

    def test_5_the_code_covers_what_is_offered(self):
        message = replace(with_mac(SECRET, confirmation()), offer=offered())
        refused(RefusalCode.MAC_BAD, self.verify, message)


def offered(*, signer=ALICE, to=BOB, edge=None, kind=Kind.GRANT, status=GrantStatus.ACTIVE):
    """Return Alice's first grant for Bob on the edge that his acceptance makes."""
    back = edge_id(digest("acceptance")) if edge is None else edge
    document = grant(head=head(ALICE, to, edge=back), version=Version(1, ALICE.device), status=status)
    return sign_document([signer.sign], payload_type(kind), document.encode())
