"""What is remembered of another device is frozen, and says no more than that device said."""

from dataclasses import FrozenInstanceError

import pytest

from dispatch_daemon.core.shared_records import DeedRecord
from dispatch_protocol.messages.shared_work import Deed


def test_a_deed_names_a_run_only_where_it_was_told_one_and_never_changes() -> None:
    deed = DeedRecord(digest="ab" * 32, device="cd" * 32, deed=Deed.DECLINED, done_ms=1)
    assert (deed.run_id, deed.outcome) == (None, None)
    with pytest.raises(FrozenInstanceError):
        deed.deed = Deed.ACCEPTED  # type: ignore[misc]  # it is refused
