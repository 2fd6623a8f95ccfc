"""Versions of a grant, in any order, twice or late: what binds is what no version has gone on from, and the meet of that."""

from dataclasses import replace
from itertools import permutations

import pytest

from dispatch_daemon.core import grants
from dispatch_daemon.core.trust_records import EdgeRecord
from dispatch_protocol.errors import DispatchError, MalformedError
from dispatch_protocol.grant import GrantStatus, Version
from dispatch_protocol.keys import SigningKey
from dispatch_protocol.limits import SAFE_INTEGER
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.scopes import Scopes
from dispatch_protocol.signing import Document, sign_document
from dispatch_protocol.standing import EdgeStatus
from tests.support.desk import edge
from tests.support.documents import ALICE, BOB, NOW_MS, fixed, grant, head

PHONE, TABLET = SigningKey(fixed("bob's phone")), SigningKey(fixed("bob's tablet"))
FIRST = Version(1, BOB.device)


def version(n: int, key: SigningKey, parents: list[Version], *tools: str, **more: object) -> Document:
    """Return a version that one of Bob's devices has made."""
    whose = replace(head(BOB, ALICE), sender=replace(head(BOB, ALICE).sender, device=key.device))
    body = grant(
        head=whose,
        version=Version(n, key.device),
        parents=tuple(sorted(parents)),
        scopes=more.pop("scopes", Scopes(tools=tuple(sorted(tools)))),
        **more,
    )
    return sign_document([key], payload_type(Kind.GRANT), body.encode())


START = replace(edge(), grant=version(1, BOB.sign, [], "Edit", "Glob", "Read").to_json())


def after(*documents: Document, start: EdgeRecord = START) -> EdgeRecord:
    for document in documents:
        start = grants.joined(start, document)
    return start


def tools(held: EdgeRecord) -> tuple[str, ...]:
    return grants.binding(held).scopes.tools


def test_a_version_that_goes_on_takes_the_place_of_the_one_before():
    wider = version(2, BOB.sign, [FIRST], "Edit", "Glob", "Read", "Write")
    held = after(wider)
    assert (tools(held), held.beside, held.passed) == (("Edit", "Glob", "Read", "Write"), (), ())
    assert grants.newest(held).version == Version(2, BOB.device)
    assert grants.joined(held, wider) == held
    assert after(Document.from_json(START.grant), start=held) == held


def test_of_two_devices_that_edit_at_once_neither_widens_what_the_other_has_narrowed():
    narrow, wide = version(2, BOB.sign, [FIRST], "Read"), version(2, PHONE, [FIRST], "Glob", "Read", "Write")
    for order in permutations((narrow, wide)):
        held = after(*order)
        assert tools(held) == ("Read",)
        assert (len(held.beside), held.status) == (1, EdgeStatus.ACTIVE)
    both = [Version(2, BOB.device), Version(2, PHONE.device)]
    assert list(grants.binding(held).tips) == sorted(both)
    settled = version(3, PHONE, both, "Glob", "Read")
    for order in permutations((narrow, wide, settled)):
        held = after(*order)
        assert (tools(held), held.beside) == (("Glob", "Read"), ())


def test_what_two_devices_have_said_at_once_is_told_until_one_says_it_once_more():
    narrow, wide = version(2, BOB.sign, [FIRST], "Read"), version(2, PHONE, [FIRST], "Glob", "Read", "Write")
    met = after(narrow, wide)
    assert {made.version.device: made.scopes.tools for made in grants.edits(met)} == {
        BOB.device: ("Read",),
        PHONE.device: ("Glob", "Read", "Write"),
    }
    settled = version(3, PHONE, [made.version for made in grants.edits(met)], "Glob")
    revoked = version(3, PHONE, [Version(2, PHONE.device)], "Glob", status=GrantStatus.REVOKED)
    assert [grants.edits(each) for each in (START, after(settled, start=met), after(revoked, start=met))] == [
        (),
        (),
        (),
    ]


def test_it_is_known_by_whose_word_an_edge_is_what_it_is():
    held = after(version(2, PHONE, [FIRST], "Read"))
    assert grants.is_by(held, {PHONE.device})
    assert not grants.is_by(held, {BOB.device})


def test_a_late_version_that_others_have_gone_on_from_narrows_nothing():
    """The versions of two more devices lie between; each order comes out at the same."""
    second = version(2, PHONE, [FIRST], "Read")
    third = version(3, TABLET, [Version(2, PHONE.device)], "Glob", "Read")
    fourth = version(4, BOB.sign, [Version(3, TABLET.device)], "Edit", "Glob", "Read", "Write")
    for order in permutations((second, third, fourth)):
        held = after(*order)
        assert (tools(held), held.beside) == (("Edit", "Glob", "Read", "Write"), ())
    assert after(fourth, third).passed == ((PHONE.device.hex, 2),)


def test_a_revocation_wins_in_any_order_and_over_a_version_that_goes_on_from_it():
    revoked = version(2, BOB.sign, [FIRST], "Read", status=GrantStatus.REVOKED)
    wide = version(2, PHONE, [FIRST], "Read", "Write")
    later = version(3, PHONE, [Version(2, BOB.device), Version(2, PHONE.device)], "Read", "Write")
    for order in permutations((revoked, wide, later)):
        assert after(*order).status is EdgeStatus.REVOKED


def test_the_earlier_end_of_two_holds():
    ends = [
        version(2, key, [FIRST], scopes=Scopes(tools=("Read",), expires_at_ms=NOW_MS + at))
        for key, at in ((BOB.sign, 9), (PHONE, 5))
    ]
    assert after(*ends).expires_ms == NOW_MS + 5
    assert after(version(2, BOB.sign, [FIRST], "Read")).expires_ms == 0


def test_what_is_no_grant_is_refused():
    with pytest.raises(DispatchError):
        grants.joined(START, BOB.chain.links[0])


def test_a_version_far_above_what_is_held_is_none_for_no_other_could_follow_it():
    near, far = grants.LEAP + 1, grants.LEAP + 2
    assert grants.newest(after(version(near, PHONE, [FIRST], "Read"))).version.n == near
    with pytest.raises(MalformedError, match="far above"):
        after(version(far, PHONE, [FIRST], "Read"))
    revoked = version(far, PHONE, [FIRST], "Read", status=GrantStatus.REVOKED)
    assert after(revoked).status is EdgeStatus.REVOKED, "nothing has to follow a revocation"


def test_a_revocation_goes_on_from_whatever_leaves_it_a_number():
    assert grants.before_last(START) == (FIRST,)
    last = replace(START, grant=version(SAFE_INTEGER, PHONE, [FIRST], "Read").to_json())
    assert grants.before_last(last) == (FIRST,)
    beside = replace(last, beside=(version(2, BOB.sign, [FIRST], "Read").to_json(),))
    assert grants.before_last(beside) == (Version(2, BOB.device),)
