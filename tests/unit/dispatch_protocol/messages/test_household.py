from dataclasses import replace

import pytest

from dispatch_protocol.encoding import dumps, loads
from dispatch_protocol.errors import LocalError, MalformedError
from dispatch_protocol.keys import Digest, EdgeId
from dispatch_protocol.messages.household import Log
from dispatch_protocol.messages.registry import decode_body, encode_body
from dispatch_protocol.payloads import Kind
from tests.support.documents import ALICE, EDGE, digest, head
from tests.support.household import ENTRIES, HEADS, household_log


def test_every_entry_is_read_as_it_was_written():
    log = household_log(entries=ENTRIES)
    assert decode_body(Kind.LOG, encode_body(log)) == log


def test_entries_may_leave_out_what_they_do_not_have():
    pin, edge, invitation, rule, *others = ENTRIES
    bare = (
        replace(pin, alias=None, conflict=None),
        edge,
        replace(invitation, secret=None, accepted_by=None, acceptance=None),
        replace(rule, command="true", path=None, subject=None),
        *others,
    )
    log = household_log(entries=bare, seq=0, prev=Digest.ZERO, heads=())
    assert decode_body(Kind.LOG, encode_body(log)) == log


def body_of_a_pin(**changes):
    pin = replace(ENTRIES[0], **changes)
    return loads(encode_body(household_log(entries=(pin,))), max_bytes=2**20)


def test_a_pin_of_somebody_never_compared_is_what_an_earlier_version_writes():
    body = body_of_a_pin(compared_ms=None, known_before=None)
    assert not {"compared", "known_before"} & body["entries"][0].keys()
    (pin,) = decode_body(Kind.LOG, dumps(body)).entries
    assert (pin.compared_ms, pin.known_before) == (None, None)


def test_a_pin_of_somebody_never_named_is_what_an_earlier_version_writes():
    body = body_of_a_pin(named_ms=0)
    assert "named" not in body["entries"][0]
    (pin,) = decode_body(Kind.LOG, dumps(body)).entries
    assert pin.named_ms == 0
    body["entries"][0]["named"] = 0
    with pytest.raises(MalformedError):
        decode_body(Kind.LOG, dumps(body))


def test_how_a_contact_was_known_before_stands_beside_when_they_were_compared():
    (pin,) = decode_body(Kind.LOG, dumps(body_of_a_pin(known_before=None))).entries
    assert (pin.compared_ms, pin.known_before) == (ENTRIES[0].compared_ms, None)
    alone, empty = body_of_a_pin(), body_of_a_pin()
    del alone["entries"][0]["compared"]
    empty["entries"][0]["compared"] = None
    for body in (alone, empty):
        with pytest.raises(MalformedError):
            decode_body(Kind.LOG, dumps(body))


@pytest.mark.parametrize(
    "wrong",
    [
        {"head": head(edge=EDGE)},
        {"head": head(ALICE, ALICE, edge=EdgeId.SELF, re=digest("a dispatch"))},
        {"head": head(edge=EdgeId.SELF)},
        {"seq": 0},
        {"seq": 1},
        {"prev": Digest.ZERO},
    ],
)
def test_a_log_stays_in_the_household_and_names_the_document_before_it(wrong):
    with pytest.raises(LocalError):
        encode_body(household_log(**wrong))


def test_an_entry_of_another_kind_is_malformed():
    body = loads(encode_body(household_log(entries=ENTRIES[:1], heads=HEADS)), max_bytes=2**20)
    body["entries"][0]["kind"] = "key"
    with pytest.raises(MalformedError):
        decode_body(Kind.LOG, dumps(body))
    assert isinstance(household_log(), Log)
