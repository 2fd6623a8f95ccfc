"""Calling somebody ends in order, whatever became of it before: the daemon that ends has more to do than that."""

import logging
from pathlib import Path

import pytest

from dispatch_daemon.adapters.notifier import notifier
from dispatch_daemon.app.notifying import Notifying
from dispatch_daemon.app.watchers import Watchers
from tests.support.besieged_desk import Desk
from tests.support.patience import eventually


async def test_a_journal_that_cannot_be_read_ends_the_calls_and_not_the_daemon(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    desk, watchers = Desk(tmp_path), Watchers()
    telling = notifier("/bin/true", tmp_path)
    assert telling is not None
    notifying = Notifying(desk.journal, watchers, telling)
    notifying.start()
    await eventually(lambda: watchers)
    desk.journal.database.close()
    with caplog.at_level(logging.ERROR):
        watchers.publish(None, {"type": "dispatch", "dispatch_id": "00000000-0000-8000-8000-000000000000"})
        await eventually(lambda: telling.failure)
    assert "nobody is called any more" in caplog.text
    assert "stopped" in str(telling.failure)
    await notifying.stop()


async def test_it_ends_at_once_while_all_is_well(tmp_path: Path) -> None:
    desk, watchers = Desk(tmp_path), Watchers()
    telling = notifier("/bin/true", tmp_path)
    assert telling is not None
    notifying = Notifying(desk.journal, watchers, telling)
    notifying.start()
    await eventually(lambda: watchers)
    await notifying.stop()
    assert not watchers
    assert telling.failure is None
    desk.journal.database.close()
