"""Named stories between daemons and a relay that does its worst: each is one promise."""

import pytest

from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.records import Box
from dispatch_protocol.lifecycle import Outcome, RunState
from tests.support.documents import ALICE
from tests.support.world import Member, Mood, World

HOUR_MS = 3_600_000


async def run_to_its_end(member: Member, digest: str) -> None:
    """Let an accepted run succeed."""
    (run,) = member.journal.runs(digest)
    await member.begin(run)
    for state in (RunState.SETTLING, RunState.APPLYING):
        await member.go_on(member.journal.runs(digest)[0], state)
    await member.finish(member.journal.runs(digest)[0], Outcome.SUCCESS)


# -- the good way --------------------------------------------------------------------------------------


async def test_dispatch_is_told_step_by_step_and_in_the_end_nobody_owes_anything(
    world: World, alice: Member, bob: Member
) -> None:
    sent = await alice.send(bob, "tidy up")
    assert alice.status(sent.digest) == "queued"
    await alice.work()
    assert alice.status(sent.digest) == "sent"
    await world.settle()
    assert alice.status(sent.digest) == bob.status(sent.digest) == "delivered"
    await bob.accept(sent.digest)
    await world.settle()
    assert alice.status(sent.digest) == bob.status(sent.digest) == "accepted"
    await run_to_its_end(bob, sent.digest)
    await world.settle()
    assert alice.status(sent.digest) == bob.status(sent.digest) == "completed"
    assert alice.heard(sent.digest) == ["delivered", "accepted", "started", "result"]
    assert (alice.owes(), bob.owes()) == (0, 0)


async def test_both_sides_keep_the_same_signed_bytes(world: World, alice: Member, bob: Member) -> None:
    sent = await alice.send(bob, "tidy up")
    await world.settle()
    await bob.decline(sent.digest)
    await world.settle()
    assert alice.dispatch(sent.digest).signed == bob.dispatch(sent.digest).signed
    theirs = {answer.digest: answer.signed for answer in bob.journal.answers(sent.digest)}
    ours = {answer.digest: answer.signed for answer in alice.journal.answers(sent.digest)}
    assert ours == theirs


async def test_relay_sees_no_word_of_what_is_said(world: World, alice: Member, bob: Member) -> None:
    sent = await alice.send(bob, "the secret garden")
    await world.settle()
    await bob.decline(sent.digest)
    await world.settle()
    assert len(world.post.archive) > 4
    for parcel in world.post.archive:
        for word in (b"garden", b"not now", b"declined", ALICE.email.encode(), b"Bash"):
            assert word not in parcel.raw


# -- never lost ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mood", [Mood.AWAY, Mood.SILENT])
async def test_task_survives_a_relay_that_does_not_answer(
    world: World, alice: Member, bob: Member, mood: Mood
) -> None:
    sent = await alice.send(bob, "tidy up")
    world.post.mood = mood
    await alice.work()
    assert alice.status(sent.digest) == "queued"
    alice.die()
    await world.settle()
    assert alice.status(sent.digest) == bob.status(sent.digest) == "delivered"
    assert [record.digest for record in bob.all(Box.INBOX)] == [sent.digest]


@pytest.mark.parametrize("mood", [Mood.AWAY, Mood.SILENT])
async def test_task_survives_a_daemon_that_dies_while_it_hands_it_over(
    world: World, alice: Member, bob: Member, mood: Mood
) -> None:
    sent = await alice.send(bob, "tidy up")
    world.post.mood = mood
    await alice.die_depositing()
    assert alice.status(sent.digest) == "queued"
    await world.settle()
    assert alice.status(sent.digest) == bob.status(sent.digest) == "delivered"
    assert [record.digest for record in bob.all(Box.INBOX)] == [sent.digest]


async def test_relay_that_lost_everything_is_given_everything_again(
    world: World, alice: Member, bob: Member
) -> None:
    sent = await alice.send(bob, "tidy up")
    await alice.work()
    world.post.forget()
    await world.settle()
    await bob.decline(sent.digest)
    await bob.work()
    world.post.forget()
    await world.settle()
    assert alice.status(sent.digest) == bob.status(sent.digest) == "declined"
    assert (alice.owes(), bob.owes()) == (0, 0)


async def test_relay_that_says_no_to_what_was_sent_before_loses_nothing(
    world: World, alice: Member, bob: Member
) -> None:
    sent = await alice.send(bob, "tidy up")
    await alice.work()
    world.post.forget()
    world.post.mood = Mood.REFUSING
    await alice.work()
    assert alice.status(sent.digest) == "sent"
    await world.settle()
    assert alice.status(sent.digest) == "delivered"


@pytest.mark.parametrize("mood", [Mood.REFUSING, Mood.LYING])
async def test_relay_that_says_no_to_an_answer_loses_nothing(
    world: World, alice: Member, bob: Member, mood: Mood
) -> None:
    sent = await alice.send(bob, "tidy up")
    await world.settle()
    await bob.decline(sent.digest)
    world.post.mood = mood
    await bob.work()
    await world.settle()
    assert alice.status(sent.digest) == "declined"
    assert bob.owes() == 0


async def test_lost_acknowledgement_is_given_again_for_all_answers(
    world: World, alice: Member, bob: Member
) -> None:
    sent = await alice.send(bob, "tidy up")
    await world.settle()
    await bob.accept(sent.digest)
    await run_to_its_end(bob, sent.digest)
    await bob.work()
    while world.post.waiting:
        await world.post.deliver(world.post.waiting[0])
    await alice.work()
    world.post.waiting.clear()  # the acknowledgement is gone
    assert bob.owes() == 4
    world.post.forget()
    await world.settle()
    assert bob.owes() == 0


# -- never twice ---------------------------------------------------------------------------------------


async def test_repeated_task_is_answered_again_and_happens_once(
    world: World, alice: Member, bob: Member
) -> None:
    sent = await alice.send(bob, "tidy up")
    await world.settle()
    await bob.accept(sent.digest)
    await world.settle()
    (task,) = [parcel for parcel in world.post.archive if parcel.header.digest.hex == sent.digest]
    before = bob.journal.answers(sent.digest)
    for _ in range(3):
        await bob.incoming.deliver(task.raw)
    assert bob.journal.answers(sent.digest) == before
    assert len(bob.journal.runs(sent.digest)) == 1
    await world.settle()
    assert alice.status(sent.digest) == "accepted"


async def test_everything_repeated_in_reverse_changes_nothing(
    world: World, alice: Member, bob: Member
) -> None:
    sent = await alice.send(bob, "tidy up")
    await world.settle()
    await bob.decline(sent.digest)
    await world.settle()
    events = len(alice.journal.events(sent.digest)), len(bob.journal.events(sent.digest))
    for parcel in reversed(list(world.post.archive)):
        await world.post.deliver(parcel)
    await world.settle()
    assert alice.status(sent.digest) == bob.status(sent.digest) == "declined"
    assert (len(alice.journal.events(sent.digest)), len(bob.journal.events(sent.digest))) == events


# -- always known --------------------------------------------------------------------------------------


async def test_answers_in_any_order_tell_the_same_story(world: World, alice: Member, bob: Member) -> None:
    sent = await alice.send(bob, "tidy up")
    await alice.work()
    await world.post.deliver(world.post.waiting[0])
    await bob.accept(sent.digest)
    await run_to_its_end(bob, sent.digest)
    await bob.work()
    while world.post.waiting:
        assert alice.status(sent.digest) == "sent"
        await world.post.deliver(world.post.waiting[-1])
    assert alice.status(sent.digest) == "completed"
    assert alice.heard(sent.digest) == bob.said(sent.digest)


async def test_cancel_that_overtakes_its_task_still_counts(world: World, alice: Member, bob: Member) -> None:
    sent = await alice.send(bob, "tidy up")
    await alice.work()
    await alice.cancel(sent.digest)
    assert alice.status(sent.digest) == "sent"
    await alice.work()
    await world.post.deliver(world.post.waiting[-1])
    await world.settle()
    assert alice.status(sent.digest) == bob.status(sent.digest) == "cancelled"
    assert (alice.owes(), bob.owes()) == (0, 0)


async def test_cancel_of_what_had_left_unheard_becomes_true_only_by_receipt(
    world: World, alice: Member, bob: Member
) -> None:
    sent = await alice.send(bob, "tidy up")
    world.post.mood = Mood.SILENT
    await alice.work()
    await alice.cancel(sent.digest)
    assert alice.status(sent.digest) == "cancelled"
    await world.settle()
    assert "cancelled" in alice.heard(sent.digest)
    assert alice.status(sent.digest) == bob.status(sent.digest) == "cancelled"


async def test_work_that_was_done_before_the_cancel_came_is_not_called_cancelled(
    world: World, alice: Member, bob: Member
) -> None:
    sent = await alice.send(bob, "tidy up")
    world.post.mood = Mood.SILENT
    await alice.work()
    await alice.cancel(sent.digest)
    await world.post.deliver(world.post.waiting[0])
    await bob.accept(sent.digest)
    await run_to_its_end(bob, sent.digest)
    await world.settle()
    assert alice.status(sent.digest) == bob.status(sent.digest) == "completed"


async def test_relay_cannot_make_an_author_believe_in_a_refusal(
    world: World, alice: Member, bob: Member
) -> None:
    world.post.mood = Mood.LYING
    with pytest.raises(ServiceError):
        await send_and_work(alice, bob)
    (sent,) = alice.all(Box.SENT)
    assert alice.status(sent.digest) == "refused"
    await world.settle()
    assert alice.status(sent.digest) == bob.status(sent.digest) == "delivered"
    await bob.accept(sent.digest)
    await world.settle()
    assert alice.status(sent.digest) == "accepted"


async def send_and_work(author: Member, recipient: Member) -> None:
    """Send, and say as the door does whether the relay refused it."""
    sent = await author.send(recipient, "tidy up")
    await author.work()
    author.sending._sent(author.dispatch(sent.digest))


async def test_silence_is_taken_for_expiry_and_a_late_answer_corrects_it(
    world: World, alice: Member, bob: Member
) -> None:
    sent = await alice.send(bob, "tidy up")
    await alice.work()
    await world.post.deliver(world.post.waiting[0])
    await bob.accept(sent.digest)
    await alice.wait(2 * HOUR_MS)
    assert alice.status(sent.digest) == "expired"
    await world.settle()
    assert alice.status(sent.digest) == bob.status(sent.digest) == "accepted"


async def test_task_that_comes_too_late_is_not_done_and_its_author_hears_so(
    world: World, alice: Member, bob: Member
) -> None:
    sent = await alice.send(bob, "tidy up")
    await alice.work()
    await bob.wait(2 * HOUR_MS)
    await world.settle()
    assert alice.status(sent.digest) == bob.status(sent.digest) == "expired"
    assert bob.journal.runs(sent.digest) == []
