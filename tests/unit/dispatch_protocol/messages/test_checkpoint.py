import pytest

from dispatch_protocol.errors import MalformedError
from dispatch_protocol.keys import EdgeId
from dispatch_protocol.messages.checkpoint import Checkpoint
from tests.support.documents import altered, digest, head, read, without

CHECKPOINT = Checkpoint(head=head(), since=3, entries=(digest("one"), digest("two")), root=digest("root"))


def test_what_is_written_is_read() -> None:
    assert read(Checkpoint.read, CHECKPOINT.write()) == CHECKPOINT
    assert CHECKPOINT.size == 5


@pytest.mark.parametrize("field", ["since", "entries", "root", "nonce"])
def test_every_field_is_needed(field: str) -> None:
    with pytest.raises(MalformedError):
        read(Checkpoint.read, without(CHECKPOINT.write(), field))


@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        ("since", -1),
        ("entries", []),
        ("entries", [digest("one").hex] * 2),
        ("entries", ["00"]),
        ("root", "00"),
        ("re", digest("dispatch").hex),
        ("edge", EdgeId.SELF.hex),
        ("expires", 2**50),
    ],
)
def test_what_is_no_checkpoint_is_refused(place: str, wrong: object) -> None:
    with pytest.raises(MalformedError):
        read(Checkpoint.read, altered(CHECKPOINT.write(), place, wrong))
