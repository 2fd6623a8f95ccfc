"""How an invitation is left, answered and taken back; from a valid answer a pending edge is born.

The broker carries the public document and the sealed answers. Whether the acceptor knew the secret is checked by the
inviter's device alone, so nothing here can make an edge active.
"""

from dataclasses import dataclass

from dispatch_broker.core import edges
from dispatch_broker.core.effects import (
    Effects,
    KeepEdge,
    KeepInvitation,
    MoveEdge,
    MoveInvitation,
    OweMail,
    Tell,
    Topic,
)
from dispatch_broker.core.records import (
    INVITATION_MOVES,
    Account,
    Edge,
    EdgeStatus,
    Invitation,
    InvitationStatus,
)
from dispatch_broker.core.refusal import BrokerCode, Refusal
from dispatch_protocol.keys import EdgeId
from dispatch_protocol.limits import EXPIRY_GRACE_MS, INVITATION_S

UNKNOWN = Refusal(BrokerCode.NOT_FOUND, "no such invitation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An invitation as its verified document states it; `from_address` is what the inviter calls itself."""

    invitation: Invitation
    from_address: str
    broker_url: str
    secret_required: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What else decides on a new invitation.

    `known` is what stands under its id, `invitee` the account of the address (None before its first login),
    `connected` whether that account already trusts the inviter, `open_invitations` how many the inviter has out.
    """

    known: Invitation | None
    invitee: Account | None
    connected: bool
    open_invitations: int


def invite(
    draft: Draft,
    around: Surroundings,
    inviter: Account,
    *,
    broker_urls: frozenset[str],
    quota: int,
    mail: bool,
    now_ms: int,
) -> Effects | Refusal:
    """Leave an invitation for an address, told by mail if asked for; leaving the very same one again changes nothing."""
    invitation = draft.invitation
    if invitation.inviter != inviter or draft.from_address != inviter.address:
        return Refusal(BrokerCode.WRONG_PARTY, "the invitation speaks for somebody else")
    if draft.broker_url not in broker_urls:
        return Refusal(BrokerCode.MALFORMED, "the invitation names another broker")
    if not draft.secret_required and not mail:
        return Refusal(
            BrokerCode.NOT_MAILED, "this broker mails it to nobody, so it has to ask for its token"
        )
    if invitation.to_address == inviter.address:
        return Refusal(BrokerCode.MALFORMED, "one's own devices need no invitation")
    if not now_ms < invitation.expires_ms <= now_ms + INVITATION_S * 1000 + EXPIRY_GRACE_MS:
        return Refusal(
            BrokerCode.MALFORMED,
            f"an invitation lives {INVITATION_S // 86_400} days at most, and not in the past",
        )
    if around.known is not None:
        if around.known.document == invitation.document:
            return ()
        return Refusal(BrokerCode.ID_COLLISION, "another invitation has this id")
    if around.connected:
        return Refusal(BrokerCode.EDGE_EXISTS, "this person already accepts dispatches from you")
    if around.open_invitations >= quota:
        return Refusal(
            BrokerCode.QUOTA, f"you have {around.open_invitations} open invitations, as many as you may"
        )
    told = [inviter] if around.invitee is None else [inviter, around.invitee]
    owed = (OweMail(invitation.invitation_id, now_ms),) if mail else ()
    return (
        KeepInvitation(invitation),
        *owed,
        *(Tell(account.genesis, Topic.INVITATIONS) for account in told),
    )


def accept(
    invitation: Invitation | None,
    caller: Account,
    *,
    edge_id: EdgeId,
    edge: Edge | None,
    connected: bool,
    max_per_day: int,
    expires_ms: int,
    now_ms: int,
) -> Effects | Refusal:
    """Answer an invitation with a pending edge; the same answer again changes nothing but the bounds it states."""
    if invitation is None:
        return UNKNOWN
    if caller.address != invitation.to_address:
        return Refusal(BrokerCode.WRONG_PARTY, "this invitation is for another address")
    if edge_id != invitation.invitation_id:
        return Refusal(BrokerCode.MALFORMED, "the edge is not the one that this invitation becomes")
    status = invitation.at(now_ms)
    if edge is not None and status in {InvitationStatus.ACCEPTED, InvitationStatus.CONFIRMED}:
        return edges.bound(edge, caller.genesis, max_per_day=max_per_day, expires_ms=expires_ms)
    if InvitationStatus.ACCEPTED not in INVITATION_MOVES[status]:
        return _over(status)
    if connected:
        return Refusal(BrokerCode.EDGE_EXISTS, "you already accept dispatches from this person")
    born = Edge(
        edge_id=edge_id,
        giver=invitation.inviter,
        trustor=caller,
        status=EdgeStatus.PENDING,
        max_per_day=max_per_day,
        expires_ms=expires_ms,
    )
    return (
        KeepEdge(born),
        MoveInvitation(edge_id, InvitationStatus.ACCEPTED),
        *_tell_both(invitation, caller, Topic.INVITATIONS, Topic.EDGES),
    )


def decline(invitation: Invitation | None, caller: Account, *, now_ms: int) -> Effects | Refusal:
    """Say no to an invitation that is still open; a second no changes nothing."""
    if invitation is None:
        return UNKNOWN
    if caller.address != invitation.to_address:
        return Refusal(BrokerCode.WRONG_PARTY, "this invitation is for another address")
    status = invitation.at(now_ms)
    if status is InvitationStatus.DECLINED:
        return ()
    if status is not InvitationStatus.PENDING:
        return _over(status)
    return (
        MoveInvitation(invitation.invitation_id, InvitationStatus.DECLINED),
        *_tell_both(invitation, caller, Topic.INVITATIONS),
    )


def withdraw(
    invitation: Invitation | None, caller: Account, *, edge: Edge | None, invitee: Account | None, now_ms: int
) -> Effects | Refusal:
    """Take an invitation back, with the pending edge that may have come of it; a second time changes nothing."""
    if invitation is None:
        return UNKNOWN
    if caller != invitation.inviter:
        return Refusal(BrokerCode.WRONG_PARTY, "only the inviter takes an invitation back")
    status = invitation.at(now_ms)
    if status is InvitationStatus.REVOKED:
        return ()
    if InvitationStatus.REVOKED not in INVITATION_MOVES[status]:
        return _over(status)
    told = _tell_both(invitation, invitee, Topic.INVITATIONS)
    moved = MoveInvitation(invitation.invitation_id, InvitationStatus.REVOKED)
    if edge is None:
        return (moved, *told)
    return (
        MoveEdge(edge.edge_id, EdgeStatus.REVOKED),
        moved,
        *told,
        *_tell_both(invitation, invitee, Topic.EDGES),
    )


def _over(status: InvitationStatus) -> Refusal:
    """Say how the invitation ended."""
    return Refusal(BrokerCode.NOT_PENDING, f"this invitation is {status} already")


def _tell_both(invitation: Invitation, invitee: Account | None, *topics: Topic) -> tuple[Tell, ...]:
    """Let both parties know, topic by topic; an invitee without an account hears it at the first login."""
    parties = [invitation.inviter] if invitee is None else [invitation.inviter, invitee]
    return tuple(Tell(party.genesis, topic) for topic in topics for party in parties)
