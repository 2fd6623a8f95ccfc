from dataclasses import replace

import pytest

from dispatch_protocol.errors import LocalError, MalformedError
from dispatch_protocol.invitation import Acceptance, Confirmation, InvitationDocument, MacRule, is_address
from dispatch_protocol.keys import EdgeId
from dispatch_protocol.messages.registry import encode_body
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.signing import sign_document
from tests.support.documents import ALICE, BOB, NOW_MS, altered, digest, fixed, grant, head, read, without

INVITATION = InvitationDocument(
    nonce=fixed("nonce", 16),
    sender=ALICE.party,
    from_email=ALICE.email,
    to_email=BOB.email,
    broker="https://courier.example",
    mac=MacRule.REQUIRED,
    created_ms=NOW_MS,
    expires_ms=NOW_MS + 7 * 86_400_000,
)
ACCEPTANCE = Acceptance(
    head=head(BOB, ALICE),
    invitation=digest("invitation"),
    from_email=BOB.email,
    to_email=ALICE.email,
    links=BOB.chain.links,
    grant=sign_document([BOB.sign], payload_type(Kind.GRANT), grant().encode()),
    mac=fixed("mac"),
)
CONFIRMATION = Confirmation(
    head=head(), invitation=digest("invitation"), acceptance=digest("acceptance"), mac=fixed("mac")
)


class TestInvitation:
    def test_decoding_is_the_inverse_of_encoding(self):
        assert InvitationDocument.decode(INVITATION.encode()) == INVITATION

    @pytest.mark.parametrize("place", list(INVITATION.write()))
    def test_every_field_is_needed(self, place):
        with pytest.raises(MalformedError):
            read(InvitationDocument.read, without(INVITATION.write(), place))

    @pytest.mark.parametrize(
        "place, value",
        [
            ("more", 1),
            ("nonce", "AA"),
            ("from_email", "Alice@example.org"),
            ("to_email", "bob"),
            ("broker", "https://courier.example/"),
            ("mac", "never"),
            ("expires", NOW_MS),
            ("expires", NOW_MS + 7 * 86_400_000 + 1),
        ],
    )
    def test_strictly(self, place, value):
        with pytest.raises(MalformedError):
            read(InvitationDocument.read, altered(INVITATION.write(), place, value))

    def test_what_no_reader_takes_is_not_signed(self):
        with pytest.raises(LocalError):
            replace(INVITATION, to_email="").encode()


@pytest.mark.parametrize(
    "value", [ACCEPTANCE, replace(ACCEPTANCE, mac=None), CONFIRMATION, replace(CONFIRMATION, mac=None)]
)
class TestAnswers:
    def test_decoding_is_the_inverse_of_encoding(self, value):
        assert type(value).decode(encode_body(value)) == value

    def test_every_field_is_needed_and_none_is_added(self, value):
        body = value.write()
        for place in body:
            with pytest.raises(MalformedError):
                read(type(value).read, without(body, place))
        with pytest.raises(MalformedError):
            read(type(value).read, {**body, "more": 1})

    @pytest.mark.parametrize("place, new", [("edge", EdgeId.SELF.hex), ("re", "11" * 32), ("mac", "AAAA")])
    def test_strictly(self, value, place, new):
        with pytest.raises(MalformedError):
            read(type(value).read, altered(value.write(), place, new))


@pytest.mark.parametrize("place, value", [("links", []), ("links", [{}]), ("grant", None), ("to_email", "x")])
def test_an_acceptance_strictly(place, value):
    with pytest.raises(MalformedError):
        read(Acceptance.read, altered(ACCEPTANCE.write(), place, value))


@pytest.mark.parametrize("text", ["a@b", "anna.o'neil+x@mail.example", "ünï@example.org"])
def test_addresses(text):
    assert is_address(text)


@pytest.mark.parametrize(
    "text", ["", "a", "@b", "a@", "a@b@c", "A@b", "a b@c", "a@b\n", "a\u200b@b", "a\u202e@b"]
)
def test_no_addresses(text):
    assert not is_address(text)
