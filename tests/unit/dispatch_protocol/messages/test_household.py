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
