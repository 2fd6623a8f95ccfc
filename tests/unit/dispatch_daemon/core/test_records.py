"""Records are frozen; the journal replaces them whole."""

import dataclasses

import pytest

from dispatch_daemon.core.records import Box, GrantChoice
from tests.support.desk import received


def test_records_do_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        received().box = Box.SENT


def test_words_are_those_of_the_outside() -> None:
    assert [str(choice) for choice in GrantChoice] == ["once", "always", "session"]
