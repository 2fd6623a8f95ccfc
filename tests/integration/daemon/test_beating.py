"""What devices of one person say when they have nothing to say, and what is done about words that were lost."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dispatch_daemon.app.pausing import keep_panic
from dispatch_daemon.core.behind import BEAT_MS
from dispatch_daemon.core.effects import TaskKind
from dispatch_protocol.keys import Digest
from dispatch_protocol.messages.household import LogHead
from tests.support.ageing_device import AgeingDevice
from tests.support.documents import fixed
from tests.support.sibling_words import hears, leaves, said


@pytest.fixture
async def device(tmp_path: Path) -> AsyncIterator[AgeingDevice]:
    """A device beside another one, which a test speaks for."""
    made = AgeingDevice(tmp_path)
    await made.pair()
    yield made
    made.close()


async def beat(device: AgeingDevice) -> int:
    """Settle the task, as a scheduler would; returns in how many milliseconds it is looked at again."""
    await device.performer.perform([device.household.plan(0)])
    task = device.journal.tasks.get(TaskKind.BEAT, "household")
    assert task is not None
    await device.household.beat(task)
    again = device.journal.tasks.get(TaskKind.BEAT, "household")
    assert again is not None
    return again.not_before_ms - device.clock.now_ms()


async def test_device_that_has_said_nothing_for_a_day_says_how_far_it_follows(device: AgeingDevice) -> None:
    assert BEAT_MS - 5_000 < await beat(device) <= BEAT_MS
    (first,) = said(device)
    assert (first.seq, first.entries) == (1, ())
    await beat(device)
    assert len(said(device)) == 1, "it was said a moment ago"
    device.after_days(1.1)
    await beat(device)
    assert len(said(device)) == 1, "what was said last has not left yet"
    leaves(device)
    await beat(device)
    (second,) = said(device)
    assert second.seq == 2


async def test_device_says_nothing_as_long_as_there_is_a_panic(device: AgeingDevice) -> None:
    keep_panic(device.journal, device.clock.now_ms())
    await beat(device)
    assert said(device) == []
    keep_panic(device.journal, None)
    await beat(device)
    assert len(said(device)) == 1


async def test_device_that_is_alone_says_nothing(tmp_path: Path) -> None:
    alone = AgeingDevice(tmp_path)
    await beat(alone)
    assert said(alone) == []
    alone.close()


def own_head(device: AgeingDevice) -> LogHead:
    return next(head for head in device.household.heads() if head.device == device.people.own.device)


async def test_who_lacks_for_a_day_what_was_said_here_is_told_it_again_and_once_a_day(
    device: AgeingDevice,
) -> None:
    await device.household.tell()
    first = said(device)
    leaves(device)
    await hears(device, (), days=0.5)
    assert said(device) == [], "it may be on its way"
    await hears(device, (), seq=2, days=2)
    assert said(device) == first, "the very same, for nothing else fills the gap"
    leaves(device)
    await hears(device, (), seq=3, days=2.5)
    assert said(device) == []
    await hears(device, (), seq=4, days=3.5)
    assert said(device) == first


async def test_who_has_followed_is_left_alone(device: AgeingDevice) -> None:
    await device.household.tell()
    leaves(device)
    await hears(device, (own_head(device),), days=5)
    await hears(device, (own_head(device),), seq=0, days=9)
    assert said(device) == []


async def test_feed_ends_a_gap_and_what_follows_it_is_followed(device: AgeingDevice) -> None:
    other = device.other.device
    await hears(device, ())
    await hears(device, (), seq=5, days=1)
    assert [head.seq for head in device.household.heads() if head.device == other] == [1]
    silent_since = device.household.heard_ms()[other.hex]
    ninth = LogHead(device=other, seq=9, digest=Digest(fixed("log 9")))
    await hears(device, (ninth,), seq=0, days=2)
    await hears(device, (), seq=10, days=3)
    assert [head.seq for head in device.household.heads() if head.device == other] == [10]
    assert device.household.heard_ms()[other.hex] - silent_since > 2 * BEAT_MS
