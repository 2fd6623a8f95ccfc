"""Calling somebody ends in order, whatever became of it before: the daemon that ends has more to do than that."""

import logging
from pathlib import Path

import pytest

from dispatch_daemon.adapters.notifier import notifier
from dispatch_daemon.app.notifying import Notifying
from dispatch_daemon.app.watchers import Watchers
from dispatch_daemon.core import threads
from dispatch_daemon.core.effects import Effect, Put, Send
from dispatch_daemon.core.records import DispatchRecord
from dispatch_protocol.lifecycle import DispatchState
from dispatch_protocol.messages.follow_on import Message
from tests.support.besieged_desk import Desk
from tests.support.desk import ALICE_PEER, BOB_OWN, at, received, sent, signed
from tests.support.documents import NOW_MS, THREAD, digest, head
from tests.support.patience import eventually


async def test_a_journal_that_cannot_be_read_ends_the_calls_and_not_the_daemon(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    desk, watchers = Desk(tmp_path), Watchers()
    telling = notifier("/bin/true", tmp_path)
    assert telling is not None
    notifying = Notifying(desk.journal, watchers, telling, lambda: NOW_MS)
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
    notifying = Notifying(desk.journal, watchers, telling, lambda: NOW_MS)
    notifying.start()
    await eventually(lambda: watchers)
    await notifying.stop()
    assert not watchers
    assert telling.failure is None
    desk.journal.database.close()


def words(record: DispatchRecord, seq: int, at_ms: int) -> list[Effect]:
    """Return what is written when words arrive, without the answer to them."""
    said = Message(head=head(re=digest("dispatch")), thread=THREAD, seq=seq, text="a secret")
    arrived = threads.arrived(record, said, signed(said), BOB_OWN, ALICE_PEER, at(at_ms), theirs=0)
    return [effect for effect in arrived if not isinstance(effect, Send)]


@pytest.mark.parametrize("record", [sent(DispatchState.FINISHED), received(DispatchState.FINISHED)])
async def test_words_about_what_ended_in_an_earlier_life_call_and_the_old_result_does_not(
    tmp_path: Path, record: DispatchRecord
) -> None:
    desk, watchers = Desk(tmp_path), Watchers()
    out, hook = tmp_path / "told", tmp_path / "hook"
    hook.write_text(f'#!/bin/sh\necho "$DISPATCH_NOTICE_KIND $DISPATCH_NOTICE_COUNT" >> {out}\n')
    hook.chmod(0o700)
    telling = notifier(str(hook), tmp_path)
    assert telling is not None
    began_ms = NOW_MS + 10
    before: list[Effect] = [Put(record), *words(record, 1, NOW_MS)]
    desk.journal.write(before, now_ms=NOW_MS, signatures={})
    notifying = Notifying(desk.journal, watchers, telling, lambda: began_ms, gather_s=0, quiet_s=0)
    notifying.start()
    await eventually(lambda: watchers)
    desk.journal.write(words(record, 2, began_ms), now_ms=began_ms, signatures={})
    watchers.publish(record.dispatch_id, {"type": "dispatch", "dispatch_id": record.dispatch_id})
    await eventually(lambda: out.exists() and out.read_text())
    await notifying.stop()
    assert out.read_text() == "message 1\n"
    desk.journal.database.close()
