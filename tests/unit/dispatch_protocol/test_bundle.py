import pytest

from dispatch_protocol.bundle import Bundle, Side, as_document, bundle_of
from dispatch_protocol.encoding import dumps, loads
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.limits import MESSAGE_BYTES
from dispatch_protocol.signing import sign, verify_document
from tests.support.documents import ALICE, BOB, altered, without

TASK = sign(ALICE.sign, "application/vnd.dispatch.task.v1+json", b"{}")
ANSWER = sign(BOB.sign, "application/vnd.dispatch.receipt.v1+json", b"{}")
BUNDLE = bundle_of(
    task=(TASK, ALICE.device),
    answers=[(ANSWER, BOB.device)],
    author=Side(ALICE.email, ALICE.chain.links),
    recipient=Side(None, BOB.chain.links),
)
VALUE = loads(BUNDLE.encode(), max_bytes=MESSAGE_BYTES)


def test_decoding_is_the_inverse_of_encoding():
    assert Bundle.decode(BUNDLE.encode()) == BUNDLE


def test_what_travelled_sealed_is_kept_byte_for_byte_with_its_signer():
    document = as_document(TASK, ALICE.device)
    assert (document.body, document.digest) == (TASK.body, TASK.digest)
    verify_document([ALICE.device], document)


@pytest.mark.parametrize("place", list(VALUE))
def test_every_field_is_needed(place):
    with pytest.raises(MalformedError):
        Bundle.decode(dumps(without(VALUE, place)))


@pytest.mark.parametrize(
    "place, value",
    [
        ("more", 1),
        ("format", "dispatch-bundle/2"),
        ("author.more", 1),
        ("author.address", ""),
        ("author.links", []),
        ("recipient.links", [{}]),
        ("task", None),
        ("answers", None),
        ("answers.0.payload", "="),
    ],
)
def test_strictly(place, value):
    with pytest.raises(MalformedError):
        Bundle.decode(dumps(altered(VALUE, place, value)))
