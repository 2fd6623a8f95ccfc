"""Stories of trust: what an edge lets in before, during and after its life, and what strangers get."""

from dataclasses import replace

import pytest

from dispatch_daemon.core import grants
from dispatch_daemon.core.effects import Put
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.records import Box
from dispatch_daemon.core.requests import ScopeChoice
from dispatch_daemon.core.trust_records import Direction
from dispatch_protocol.grant import Version
from dispatch_protocol.lifecycle import DispatchState, Outcome, RunState
from dispatch_protocol.limits import SAFE_INTEGER
from dispatch_protocol.messages.trace import EventType
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.signing import sign_document
from dispatch_protocol.standing import EdgeStatus
from tests.support.world import Member, Mood, World

# -- what a revoked edge brings in ---------------------------------------------------------------------


async def test_revoked_edge_ends_what_has_come_and_lets_nothing_more_in(
    world: World, alice: Member, bob: Member
) -> None:
    came = await alice.send(bob, "before")
    await world.settle()
    coming = await alice.send(bob, "on its way")
    await alice.work()
    await bob.revoke(alice)
    assert bob.status(came.digest) == "refused"
    await world.settle()
    assert alice.status(coming.digest) == bob.status(coming.digest) == "refused"
    assert alice.dispatch(coming.digest).ended_code == "edge_revoked"
    with pytest.raises(ServiceError) as raised:
        await alice.send(bob, "after")
    assert raised.value.code == "edge_revoked"


async def test_revoking_kills_what_runs_and_both_sides_hear_why(
    world: World, alice: Member, bob: Member
) -> None:
    sent = await alice.send(bob, "tidy up")
    await world.settle()
    await bob.accept(sent.digest)
    (run,) = bob.journal.runs(sent.digest)
    await bob.begin(run)
    await bob.revoke(alice)
    await world.settle()
    assert alice.status(sent.digest) == bob.status(sent.digest) == "cancelled"
    assert alice.dispatch(sent.digest).ended_code == "edge_revoked"
    discarded = [event for event in bob.journal.events(sent.digest) if event.type is EventType.DISCARDED]
    assert len(discarded) == 1


async def test_apply_that_has_begun_is_finished_although_the_edge_is_gone(
    world: World, alice: Member, bob: Member
) -> None:
    sent = await alice.send(bob, "tidy up")
    await world.settle()
    await bob.accept(sent.digest)
    (run,) = bob.journal.runs(sent.digest)
    await bob.begin(run)
    for state in (RunState.SETTLING, RunState.APPLYING):
        await bob.go_on(bob.journal.runs(sent.digest)[0], state)
    await bob.revoke(alice)
    await bob.finish(bob.journal.runs(sent.digest)[0], Outcome.SUCCESS)
    await world.settle()
    assert alice.status(sent.digest) == bob.status(sent.digest) == "completed"


async def test_relay_cannot_revive_a_revoked_edge(world: World, alice: Member, bob: Member) -> None:
    first_contact = list(world.post.archive)
    await bob.revoke(alice)
    await world.settle()
    for parcel in first_contact:
        await world.post.deliver(parcel)
    for member in (alice, bob):
        (edge,) = member.journal.edges()
        assert edge.status is EdgeStatus.REVOKED


# -- first contact -------------------------------------------------------------------------------------


async def test_edge_carries_nothing_before_its_confirmation_and_everything_after(
    world: World, bob: Member, carol: Member
) -> None:
    await world.befriend(bob, carol)
    (edge,) = carol.journal.edges(Direction.INCOMING)
    assert edge.status is EdgeStatus.ACTIVE
    sent = await bob.send(carol, "hello")
    await world.settle()
    assert carol.status(sent.digest) == "delivered"
    assert bob.people.trust_of(carol.genesis) == "token"


async def test_lost_confirmation_is_given_again(world: World, bob: Member, carol: Member) -> None:
    world.post.mood = Mood.HONEST
    await world.introduce(bob, carol)
    await carol.work()
    await world.post.deliver(world.post.waiting[0])
    await bob.work()
    world.post.waiting.clear()
    (edge,) = carol.journal.edges(Direction.INCOMING)
    assert edge.status is EdgeStatus.PENDING
    world.post.forget()
    await world.settle()
    (edge,) = carol.journal.edges(Direction.INCOMING)
    assert edge.status is EdgeStatus.ACTIVE
    assert (bob.owes(), carol.owes()) == (0, 0)


async def test_task_before_the_confirmation_is_refused_and_said_so(
    world: World, bob: Member, carol: Member
) -> None:
    await world.introduce(bob, carol)
    await carol.work()
    await world.post.deliver(world.post.waiting[0])
    sent = await bob.send(carol, "hello")
    await bob.work()
    await world.post.deliver(world.post.waiting[-1])
    assert carol.dispatch(sent.digest).state is DispatchState.REFUSED
    await world.settle()
    assert bob.dispatch(sent.digest).ended_code == "edge_pending"


# -- strangers -----------------------------------------------------------------------------------------


async def test_envelope_for_another_opens_nowhere_else(
    world: World, alice: Member, bob: Member, carol: Member
) -> None:
    sent = await alice.send(bob, "tidy up")
    await world.settle()
    for parcel in list(world.post.archive):
        await carol.incoming.deliver(parcel.raw)
        await (alice if parcel.to == bob.genesis else bob).incoming.deliver(parcel.raw)
    assert carol.all(Box.INBOX) == carol.journal.edges() == carol.journal.contacts() == []
    assert alice.status(sent.digest) == bob.status(sent.digest) == "delivered"


# -- what a stolen device has left -----------------------------------------------------------------------


async def test_edge_whose_versions_a_thief_has_counted_to_the_end_can_still_be_revoked(
    world: World, alice: Member, bob: Member
) -> None:
    (edge,) = bob.journal.edges(Direction.INCOMING)
    first, sign = grants.newest(edge), bob.people.keys.signing
    last = replace(first, version=Version(SAFE_INTEGER, sign.device), parents=(first.version,))
    document = sign_document([sign], payload_type(Kind.GRANT), last.encode())
    await bob.performer.perform([Put(replace(edge, grant=document.to_json()))])
    with pytest.raises(ServiceError) as raised:
        await bob.contacts.edit_edge(peer=alice.person.email, choice=ScopeChoice(tools=("Read",)))
    assert (raised.value.code, raised.value.hint) == (
        "invalid",
        "dispatch revoke alice@example.org, and invite them anew",
    )
    await bob.revoke(alice)
    await world.settle()
    assert [each.status for each in alice.journal.edges(Direction.OUTGOING)] == [EdgeStatus.REVOKED]
