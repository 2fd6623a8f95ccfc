"""How a private log has grown is told by digests, at least one and at most a thousand at a time."""

import pytest

from dispatch_protocol.encoding import Fields
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.messages.shared_acts import ACTS, ActsEntry
from tests.support.documents import digest


def read(**changes: object) -> ActsEntry:
    entry = ActsEntry(since=3, digests=(digest("a"), digest("b")), root=digest("root"))
    said = {name: value for name, value in (entry.write() | changes).items() if name != "kind"}
    fields = Fields(said, "entry")
    found = ActsEntry.read(fields)
    fields.done()
    return found


def test_an_entry_is_read_as_it_was_written() -> None:
    assert read() == ActsEntry(since=3, digests=(digest("a"), digest("b")), root=digest("root"))
    assert ActsEntry(since=3, digests=(digest("a"),), root=digest("root")).write()["kind"] == "acts"


@pytest.mark.parametrize(
    "changes",
    [
        {"digests": []},
        {"digests": ["00" * 32] * (ACTS + 1)},
        {"digests": ["00" * 31]},
        {"since": -1},
        {"root": None},
    ],
)
def test_what_is_none_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(MalformedError):
        read(**changes)
