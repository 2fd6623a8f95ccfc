"""Stories of trust: what an edge lets in before, during and after its life, and what strangers get."""

from dataclasses import replace
from pathlib import Path

import pytest

from dispatch_daemon.core import grants
from dispatch_daemon.core.effects import Put
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.records import Box
from dispatch_daemon.core.requests import ScopeChoice
from dispatch_daemon.core.trust_records import Direction, InvitationStatus
from dispatch_protocol.grant import Version
from dispatch_protocol.keys import EdgeId
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


# -- several edges in a row ------------------------------------------------------------------------------


def standing(member: Member, direction: Direction) -> list[EdgeStatus]:
    return [edge.status for edge in member.journal.edges(direction)]


async def grant_another(world: World, alice: Member, bob: Member) -> None:
    """Leave Bob with two open edges from Alice, as when two devices of his have each said yes before they met."""
    (first,) = bob.journal.edges(Direction.INCOMING)
    await world.befriend(alice, bob)
    await bob.performer.perform([Put(first)])


async def test_an_older_edge_of_the_same_contact_is_not_left_open(
    world: World, alice: Member, bob: Member
) -> None:
    (theirs,) = alice.journal.edges(Direction.OUTGOING)
    waits = await alice.send(bob, "asked under the first yes")
    await world.settle()
    await bob.accept(waits.digest)
    await world.befriend(alice, bob)
    assert bob.status(waits.digest) == "cancelled"
    assert standing(bob, Direction.INCOMING) == [EdgeStatus.REVOKED, EdgeStatus.ACTIVE]
    assert standing(alice, Direction.OUTGOING) == [EdgeStatus.REVOKED, EdgeStatus.ACTIVE]
    # A contact that goes on over the first one, with the help of a relay that carries what it must not, is refused.
    world.post.closed.clear()
    await alice.performer.perform([Put(theirs)])
    _, newest = alice.journal.edges(Direction.OUTGOING)
    await alice.performer.perform([Put(replace(newest, status=EdgeStatus.REVOKED))])
    late = await alice.send(bob, "asked under the first yes once more")
    assert late.edge == theirs.edge
    await world.settle()
    assert alice.dispatch(late.digest).ended_code == "edge_revoked"
    assert bob.dispatch(late.digest).state is DispatchState.REFUSED


async def test_whoever_gave_the_edge_and_lost_it_is_believed_about_the_new_one(
    world: World, alice: Member, bob: Member
) -> None:
    """Bob's home is gone with what it granted; what he says now takes the place of what Alice holds of then."""
    (lost,) = bob.journal.edges(Direction.INCOMING)
    bob.journal.database.write("DELETE FROM edges WHERE edge = ?", (lost.edge,))
    await world.befriend(alice, bob)
    assert standing(bob, Direction.INCOMING) == [EdgeStatus.ACTIVE]
    assert standing(alice, Direction.OUTGOING) == [EdgeStatus.REVOKED, EdgeStatus.ACTIVE]


async def test_an_older_yes_that_comes_late_ends_no_newer_one(
    world: World, bob: Member, carol: Member
) -> None:
    await world.introduce(bob, carol)
    await carol.work()
    (late,) = [parcel for parcel in world.post.waiting if parcel.to == bob.genesis]
    world.post.waiting.clear()
    await carol.wait(1000)
    await world.befriend(bob, carol)
    newest = bob.journal.edges(Direction.OUTGOING)[-1]
    await world.post.deliver(late)
    kept = bob.journal.edge(newest.edge)
    assert kept is not None
    assert kept.status is EdgeStatus.ACTIVE
    sent = await bob.send(carol, "hello")
    await world.settle()
    assert carol.status(sent.digest) == "delivered"


async def test_revoking_ends_every_edge_that_is_open_and_names_them(
    world: World, alice: Member, bob: Member
) -> None:
    await grant_another(world, alice, bob)
    assert standing(bob, Direction.INCOMING) == [EdgeStatus.ACTIVE, EdgeStatus.ACTIVE]
    answer = await bob.contacts.revoke(peer=alice.person.email, outgoing=False)
    await world.settle()
    assert len(set(answer["edges"])) == 2  # type: ignore[arg-type]  # a list of the answer's JSON
    assert standing(bob, Direction.INCOMING) == [EdgeStatus.REVOKED, EdgeStatus.REVOKED]
    assert standing(alice, Direction.OUTGOING) == [EdgeStatus.REVOKED, EdgeStatus.REVOKED]
    with pytest.raises(ServiceError) as raised:
        await bob.revoke(alice)
    assert raised.value.code == "not_pending"


async def test_an_edit_leaves_one_edge_and_what_only_shows_it_leaves_all(
    world: World, alice: Member, bob: Member
) -> None:
    await grant_another(world, alice, bob)
    shown = await bob.contacts.edit_edge(peer=alice.person.email, choice=ScopeChoice())
    assert (shown["edges_open"], shown["edges_ended"]) == (2, 0)
    edited = await bob.contacts.edit_edge(peer=alice.person.email, choice=ScopeChoice(tools=("Read",)))
    assert (edited["edges_open"], edited["edges_ended"]) == (1, 1)
    assert standing(bob, Direction.INCOMING) == [EdgeStatus.REVOKED, EdgeStatus.ACTIVE]


async def test_two_identities_under_one_address_are_two_people(
    world: World, alice: Member, bob: Member, carol: Member
) -> None:
    await world.befriend(carol, bob)
    for edge in bob.journal.edges(Direction.INCOMING):
        await bob.performer.perform([Put(replace(edge, address=alice.person.email))])
    for name in (alice.person.email, "alice"):
        with pytest.raises(ServiceError) as raised:
            bob.people.edge_to(name, Direction.INCOMING)
        assert raised.value.code == "ambiguous"
        assert raised.value.candidates == tuple(sorted(each.genesis[:16] for each in (alice, carol)))
        with pytest.raises(ServiceError, match="two identities have one address"):
            bob.people.known(name)
    # Each is named by its fingerprint, and with one of them gone the address means the other again.
    await bob.contacts.revoke(peer=carol.genesis[:16], outgoing=False)
    assert bob.people.edge_to(alice.person.email, Direction.INCOMING)[0].peer == alice.genesis
    assert bob.people.known(alice.person.email)[1].genesis == alice.genesis
    with pytest.raises(ServiceError) as raised:
        bob.people.edge_to(carol.genesis[:7], Direction.INCOMING)
    assert raised.value.code == "no_edge"


async def test_whoever_gives_up_an_edge_gives_up_all_of_them(
    world: World, alice: Member, bob: Member
) -> None:
    (first,) = alice.journal.edges(Direction.OUTGOING)
    await world.befriend(alice, bob)
    await alice.performer.perform([Put(first)])
    waits = await alice.send(bob, "never left")
    answer = await alice.contacts.revoke(peer=bob.person.email, outgoing=True)
    assert len(set(answer["edges"])) == 2  # type: ignore[arg-type]  # a list of the answer's JSON
    assert standing(alice, Direction.OUTGOING) == [EdgeStatus.REVOKED, EdgeStatus.REVOKED]
    assert alice.status(waits.digest) == "refused"
    assert standing(bob, Direction.INCOMING) == [EdgeStatus.REVOKED, EdgeStatus.ACTIVE]  # nobody tells him


async def test_a_way_back_is_not_opened_beside_an_edge_that_waits_to_be_checked(
    world: World, bob: Member, carol: Member
) -> None:
    await world.introduce(carol, bob)
    offer = ScopeChoice(profile="full", approval="auto", network=())
    invited = await bob.invitations.invite(email=carol.person.email, link_only=True, offer=offer)
    choice = ScopeChoice(tools=("Read",))
    await carol.accepting.accept_invitation(token=str(invited["token"]), choice=choice)
    await carol.work()
    for parcel in [each for each in world.post.waiting if each.to == bob.genesis]:
        await world.post.deliver(parcel)
    await world.settle()
    theirs = [edge for edge in bob.journal.edges(Direction.INCOMING) if edge.peer == carol.genesis]
    assert [edge.status for edge in theirs] == [EdgeStatus.ACTIVE]


# -- editing at the machine at hand ------------------------------------------------------------------------


async def test_an_edit_needs_no_place_that_it_does_not_name(
    world: World, alice: Member, bob: Member, tmp_path: Path
) -> None:
    """The directory was granted on another machine of Bob's; here there is none, and the edge is narrowed all the same."""
    place = tmp_path / "granted"
    place.mkdir()
    paths = ScopeChoice(paths=((str(place), "ro"),))
    await bob.contacts.edit_edge(peer=alice.person.email, choice=paths)
    (edge,) = bob.journal.edges(Direction.INCOMING)
    assert [path for path, _, _ in edge.path_identities] == [str(place)]
    await bob.performer.perform([Put(replace(edge, path_identities=()))])
    place.rmdir()
    edited = await bob.contacts.edit_edge(peer=alice.person.email, choice=ScopeChoice(max_per_day=5))
    (edge,) = bob.journal.edges(Direction.INCOMING)
    scopes = grants.binding(edge).scopes
    assert (scopes.max_per_day, [grant.path for grant in scopes.paths]) == (5, [str(place)])
    assert edge.path_identities == ()
    assert edited["runs_ended"] == 0
    with pytest.raises(ServiceError) as raised:
        await bob.contacts.edit_edge(peer=alice.person.email, choice=paths)
    assert raised.value.code == "path_missing"


# -- taking an invitation back -----------------------------------------------------------------------------


async def test_an_invitation_that_was_taken_back_makes_no_edge(
    world: World, bob: Member, carol: Member
) -> None:
    """The relay carries the answer all the same: here its secret opens nothing any more."""
    invited = await bob.invitations.invite(email=carol.person.email, link_only=True, offer=None)
    name = str(invited["invitation_id"])[:8]
    answer = await bob.accepting.decline_invitation(token=name)
    assert (answer["status"], answer["peer"]) == ("revoked", carol.person.email)
    record = bob.journal.invitation(EdgeId.from_uuid(str(invited["invitation_id"])).hex)
    assert record is not None
    assert (record.status, record.secret) == (InvitationStatus.REVOKED, None)
    choice = ScopeChoice(tools=("Read",))
    await carol.accepting.accept_invitation(token=str(invited["token"]), choice=choice)
    await world.settle()
    assert bob.journal.edges(Direction.OUTGOING) == []
    assert standing(carol, Direction.INCOMING) == [EdgeStatus.PENDING]
    for again in (name, str(invited["token"])):
        with pytest.raises(ServiceError) as raised:
            await bob.accepting.decline_invitation(token=again)
        assert raised.value.code == "not_pending"


async def test_what_was_accepted_is_given_up_and_not_taken_back(
    world: World, alice: Member, bob: Member
) -> None:
    (invitation,) = alice.journal.invitations()
    with pytest.raises(ServiceError) as raised:
        await alice.accepting.decline_invitation(token=EdgeId.from_hex(invitation.invitation_id).uuid)
    assert (raised.value.code, raised.value.hint) == (
        "not_pending",
        f"dispatch revoke {bob.person.email} --outgoing",
    )
