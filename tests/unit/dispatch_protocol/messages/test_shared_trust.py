from dataclasses import replace

import pytest

from dispatch_protocol.encoding import dumps, loads
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.keys import Digest
from dispatch_protocol.messages.registry import decode_body, encode_body
from dispatch_protocol.payloads import Kind
from tests.support.household import ENTRIES, household_log


def test_each_entry_is_read_as_it_was_written():
    log = household_log(entries=ENTRIES[:4])
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


def test_an_invitation_without_offer_and_alarm_is_what_an_earlier_version_writes():
    bare = replace(ENTRIES[2], offered_on=None, also_proved_by=None, also_proved_ms=0)
    body = loads(encode_body(household_log(entries=(bare,))), max_bytes=2**20)
    assert not {"offered_on", "also_proved_by", "also_proved"} & body["entries"][0].keys()
    assert decode_body(Kind.LOG, dumps(body)).entries == (bare,)
    body["entries"][0]["also_proved"] = 5
    with pytest.raises(MalformedError):
        decode_body(Kind.LOG, dumps(body))
