"""Who is known and how well: the words of the outside, in the order in which they count."""

import dataclasses

import pytest

from dispatch_daemon.core.trust_records import Direction, InvitationStatus, Trust
from tests.support.desk import edge


def test_records_of_trust_do_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        edge().direction = Direction.OUTGOING


def test_trust_stands_from_the_weakest_to_the_strongest() -> None:
    assert [str(level) for level in Trust] == ["unverified", "token", "compared"]
    assert str(next(iter(InvitationStatus))) == "pending"
