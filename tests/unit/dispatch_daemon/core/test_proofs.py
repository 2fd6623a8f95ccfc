"""A grant that an own device tells proves by itself whose it is, on which edge, and for whom."""

from dataclasses import replace

import pytest

from dispatch_daemon.core import proofs
from dispatch_protocol.errors import RefusedError
from dispatch_protocol.grant import GrantDocument, Version
from dispatch_protocol.head import Party
from dispatch_protocol.keys import EdgeId
from dispatch_protocol.links import Role
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.signing import Document, sign_document
from tests.support.documents import ALICE, BOB, EDGE, Person, fixed, grant, head, with_device

PHONE = with_device(BOB, "phone")
RUNNER = with_device(BOB, "runner", frozenset({Role.RUNNER}))


def by(who: Person) -> GrantDocument:
    """Return the first grant of one of Bob's devices for Alice."""
    sender = Party(BOB.chain.genesis, who.device, who.chain.head)
    return grant(head=replace(head(BOB, ALICE), sender=sender), version=Version(1, who.device))


def signed(said: GrantDocument, who: Person, kind: Kind = Kind.GRANT) -> Document:
    return sign_document([who.sign], payload_type(kind), said.encode())


def looked_at(document: Document, trustor: Person = PHONE, own: Person = ALICE) -> GrantDocument:
    return proofs.require_grant(document, EDGE, trustor.chain, ALICE.chain.genesis, own=own.chain)


def test_grant_counts_by_any_device_of_its_trustor() -> None:
    for who in (BOB, PHONE):
        assert looked_at(signed(by(who), who)) == by(who)
    assert looked_at(signed(by(RUNNER), RUNNER), RUNNER) == by(RUNNER)


ELSEWHERE = EdgeId(fixed("elsewhere", 16))


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (signed(by(PHONE), PHONE, Kind.TASK), "unsupported"),
        (signed(replace(by(PHONE), head=replace(by(PHONE).head, edge=ELSEWHERE)), PHONE), "no_edge"),
        (signed(replace(by(BOB), head=head(BOB, BOB)), BOB), "no_edge"),
        (signed(grant(head=head(ALICE, ALICE), version=Version(1, ALICE.device)), ALICE), "no_edge"),
        (signed(by(RUNNER), RUNNER), "chain_unknown"),
        (signed(by(replace(PHONE, chain=BOB.chain)), PHONE), "signer_unknown"),
        (signed(by(PHONE), BOB), "signature_bad"),
    ],
)
def test_grant_that_proves_nothing_is_refused(document: Document, code: str) -> None:
    with pytest.raises(RefusedError) as refused:
        looked_at(document)
    assert refused.value.code == code


def test_own_grant_counts_by_a_device_that_decided_for_its_identity_then() -> None:
    assert looked_at(signed(by(PHONE), PHONE), own=PHONE) == by(PHONE)
    with pytest.raises(RefusedError) as refused:
        looked_at(signed(by(RUNNER), RUNNER), RUNNER, own=RUNNER)
    assert refused.value.code == "signer_unknown"


def test_approver_decides_as_long_as_it_belongs_here() -> None:
    assert proofs.decides(PHONE.chain, PHONE.device)
    assert not proofs.decides(RUNNER.chain, RUNNER.device)
    assert not proofs.decides(BOB.chain, PHONE.device)
