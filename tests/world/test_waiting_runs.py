"""More was accepted than runs at once, and what waits for room is ended before there is any."""

import logging
from pathlib import Path

import pytest

from dispatch_daemon.core.requests import ScopeChoice
from tests.support.documents import BOB
from tests.support.far_author import FarAuthor
from tests.support.fate import Fate
from tests.support.own_machine import OwnMachine
from tests.support.sibling_post import SiblingPost

MORE = 6  # than the four that run at once


async def busy(machine: OwnMachine, post: SiblingPost, alice: FarAuthor) -> None:
    """Let a machine be asked for more than it runs at once, accept all of it, and begin what it can."""
    await machine.wake()
    token, document, secret = alice.invites()
    choice = ScopeChoice(tools=("Bash",), approval="manual", max_per_day=100)
    await machine.accepting.accept_invitation(token=token, choice=choice)
    await machine.work()
    edge = alice.confirms(document, secret)
    assert edge is not None
    for _ in range(MORE):
        post.take(alice.says(alice.first, alice.chain, edge, None).raw)
    for raw in post.waiting[machine.id]:
        await machine.heard(raw)
    for record in reversed(machine.inbox()):  # the oldest runs, and is the first to be ended
        await machine.accept(record, here=False)
    await machine.run()


async def test_what_waits_for_room_and_is_ended_does_not_begin(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    post, fate, begun = SiblingPost(BOB.chain), Fate("waiting"), list[str]()
    alice = FarAuthor(post, fate)
    machine = OwnMachine(
        BOB, BOB.chain, post, tmp_path / "bob", fate, lambda _, spec: begun.append(spec.run_id)
    )
    await busy(machine, post, alice)
    assert len(machine.stage.going) == len(begun) < MORE
    first = [*begun]
    await machine.contacts.revoke(peer=alice.first.address, outgoing=False)
    await machine.idle()
    assert (begun, machine.journal.runs_unfinished()) == (first, [])
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR], caplog.text
    await machine.close()
