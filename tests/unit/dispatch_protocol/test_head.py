import pytest

from dispatch_protocol.errors import MalformedError
from dispatch_protocol.head import Head, Party, Recipient, concerning
from dispatch_protocol.keys import EdgeId
from tests.support.documents import ALICE, NOW_MS, altered, digest, head, read, without

FULL = head(re=digest("dispatch"), expires_ms=NOW_MS + 1)


def test_reading_is_the_inverse_of_writing():
    for value in (FULL, head(), head(edge=EdgeId.SELF)):
        assert read(Head.read, value.write()) == value
    assert read(Party.read, ALICE.party.write()) == ALICE.party
    assert read(Recipient.read, ALICE.recipient.write()) == ALICE.recipient


def test_the_fields_are_those_of_the_specification():
    assert set(FULL.write()) == {"nonce", "from", "to", "edge", "re", "created", "expires"}
    assert set(FULL.write()["from"]) == {"identity", "device", "head"}
    assert set(FULL.write()["to"]) == {"identity", "head"}


@pytest.mark.parametrize("place", list(FULL.write()))
def test_every_field_is_needed(place):
    with pytest.raises(MalformedError):
        read(Head.read, without(FULL.write(), place))


@pytest.mark.parametrize(
    "place, value",
    [
        ("nonce", "AAAA"),
        ("from.device", "00"),
        ("from.more", 1),
        ("to.more", 1),
        ("to", ALICE.party.write()),
        ("edge", "80808080-8080-8080-8080-808080808080"),
        ("re", None),
        ("created", 2.0),
        ("expires", None),
        ("expires", NOW_MS),
    ],
)
def test_strictly(place, value):
    changed = FULL.write()
    if value == 2.0:  # canonical JSON cannot hold it: put it in by hand
        changed[place] = value
    else:
        changed = altered(changed, place, value)
    with pytest.raises(MalformedError):
        read(Head.read, changed)


def test_some_bodies_must_concern_a_dispatch():
    assert concerning(FULL) is FULL
    with pytest.raises(MalformedError, match="no dispatch"):
        concerning(head())
