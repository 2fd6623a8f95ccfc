import pytest

from dispatch_protocol.errors import MalformedError
from dispatch_protocol.recovery_text import RecoveryText
from tests.support.documents import ALICE

TEXT = RecoveryText.of(ALICE.recovery, ALICE.chain.genesis)
WRITTEN = TEXT.format()


def test_what_was_written_down_is_read_again_however_it_is_spaced():
    spaced = " ".join(WRITTEN[at : at + 4] for at in range(0, len(WRITTEN), 4)) + "\n"
    for typed in (WRITTEN, spaced):
        read = RecoveryText.parse(typed)
        assert read.key.public == ALICE.recovery.public
        assert ALICE.chain.genesis.raw.startswith(read.hint)
    assert ALICE.recovery.reveal().hex() not in repr(TEXT)


@pytest.mark.parametrize(
    "typed", ["", "dispatch-recovery-", WRITTEN[:-2], WRITTEN + "AA", WRITTEN.removeprefix("dispatch-")]
)
def test_anything_else_is_refused_and_never_repeated(typed):
    with pytest.raises(MalformedError) as raised:
        RecoveryText.parse(typed)
    assert WRITTEN[20:40] not in str(raised.value)
