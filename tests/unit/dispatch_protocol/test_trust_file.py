"""A trust file is read as strictly as it is written, and holds whole chains or nothing."""

import pytest

from dispatch_protocol.bundle import Side
from dispatch_protocol.encoding import dumps
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.trust_file import TrustFile
from tests.support.documents import ALICE, BOB

FILE = TrustFile((Side(ALICE.email, ALICE.chain.links), Side(None, BOB.chain.links)))


def test_what_is_written_is_read() -> None:
    assert TrustFile.decode(FILE.encode()) == FILE
    assert TrustFile.decode(TrustFile(()).encode()) == TrustFile(())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        dumps({"format": "dispatch-trust/2", "chains": []}),
        dumps({"format": "dispatch-trust/1", "chains": [], "more": 1}),
        dumps({"format": "dispatch-trust/1", "chains": [{"address": None, "links": []}]}),
        dumps({"format": "dispatch-trust/1", "chains": [{"address": None, "links": [1]}]}),
        dumps({"format": "dispatch-trust/1", "chains": [{"links": []}]}),
    ],
)
def test_what_is_no_such_file_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        TrustFile.decode(data)
