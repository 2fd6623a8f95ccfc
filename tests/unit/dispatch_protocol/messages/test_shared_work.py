"""What a device says it did is read as it was written, and only if it can be true."""

from dataclasses import replace

import pytest

from dispatch_protocol.encoding import Fields
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.lifecycle import Outcome
from dispatch_protocol.messages.shared_work import Deed, DeedEntry, HandoverEntry
from tests.support.documents import ALICE, NOW_MS, digest
from tests.support.household import RUN

DONE = DeedEntry(
    dispatch=digest("dispatch"),
    device=ALICE.device,
    deed=Deed.FINISHED,
    run_id=RUN,
    outcome=Outcome.SUCCESS,
    done_ms=NOW_MS,
)


GIVEN = HandoverEntry(dispatch=digest("dispatch"), turn=1, to=ALICE.device, handed_ms=NOW_MS)


def read(entry: DeedEntry | HandoverEntry) -> DeedEntry | HandoverEntry:
    fields = Fields({name: value for name, value in entry.write().items() if name != "kind"}, "entry")
    got = type(entry).read(fields)
    fields.done()
    return got


@pytest.mark.parametrize(
    "entry",
    [
        DONE,
        replace(DONE, outcome=None),
        replace(DONE, deed=Deed.ACCEPTED, outcome=None),
        replace(DONE, deed=Deed.DECLINED, run_id=None, outcome=None),
    ],
)
def test_a_deed_is_read_as_it_was_written(entry: DeedEntry) -> None:
    assert read(entry) == entry
    assert entry.write()["kind"] == "deed"


@pytest.mark.parametrize(
    "entry",
    [
        replace(DONE, run_id=None),
        replace(DONE, deed=Deed.CANCELLED, outcome=None),
        replace(DONE, deed=Deed.ACCEPTED),
    ],
)
def test_a_deed_that_cannot_be_is_malformed(entry: DeedEntry) -> None:
    with pytest.raises(MalformedError):
        read(entry)


def test_a_handover_is_read_as_it_was_written_and_is_counted_from_one() -> None:
    assert read(GIVEN) == GIVEN
    assert GIVEN.write()["kind"] == "handover"
    with pytest.raises(MalformedError):
        read(replace(GIVEN, turn=0))
