"""What the two parties of a trust edge may do with it: confirm, narrow or widen its daily limit, end it.

The broker keeps only the edge's header. The scopes stand in the signed grant, which only the two devices can read, and
what the recipient's own copy says counts there; so a broker that lies here can delay, never widen.
"""

from dispatch_broker.core.effects import BoundEdge, Effects, KeepEdge, MoveEdge, MoveInvitation, Tell, Topic
from dispatch_broker.core.records import EDGE_MOVES, Edge, EdgeStatus, InvitationStatus
from dispatch_broker.core.refusal import BrokerCode, Refusal
from dispatch_protocol.keys import EdgeId, Genesis

# A stranger is told the same as somebody who asks for what never was.
UNKNOWN = Refusal(BrokerCode.NOT_FOUND, "no such edge among yours")


def confirm(edge: Edge | None, caller: Genesis) -> Effects | Refusal:
    """Make a pending edge active: the inviter's device has checked that the acceptor knew the secret."""
    if edge is None or caller not in {edge.giver.genesis, edge.trustor.genesis}:
        return UNKNOWN
    if caller != edge.giver.genesis:
        return Refusal(BrokerCode.WRONG_PARTY, "only the inviter confirms an edge")
    if edge.status is EdgeStatus.ACTIVE:
        return ()
    if EdgeStatus.ACTIVE not in EDGE_MOVES[edge.status]:
        return Refusal(BrokerCode.NOT_PENDING, "this edge was ended before it was confirmed")
    return (
        MoveEdge(edge.edge_id, EdgeStatus.ACTIVE),
        MoveInvitation(edge.edge_id, InvitationStatus.CONFIRMED),
        *_tell_both(edge, Topic.INVITATIONS, Topic.EDGES),
    )


def offer(
    edge: Edge | None,
    caller: Genesis,
    *,
    back: EdgeId,
    there: Edge | None,
    connected: bool,
    max_per_day: int,
    expires_ms: int,
) -> Effects | Refusal:
    """Make the way back of an edge: the inviter lets the acceptor dispatch too; the same offer again changes nothing."""
    if edge is None or caller not in {edge.giver.genesis, edge.trustor.genesis}:
        return UNKNOWN
    if caller != edge.giver.genesis:
        return Refusal(BrokerCode.WRONG_PARTY, "only the inviter offers a way back")
    if edge.status not in {EdgeStatus.PENDING, EdgeStatus.ACTIVE}:
        return Refusal(BrokerCode.NOT_PENDING, "this edge was ended before anything was offered")
    if there is not None:
        ours = (there.giver, there.trustor) == (edge.trustor, edge.giver)
        return () if ours else Refusal(BrokerCode.ID_COLLISION, "another edge has this id")
    if connected:
        return Refusal(BrokerCode.EDGE_EXISTS, "you already accept dispatches from this person")
    born = Edge(
        edge_id=back,
        giver=edge.trustor,
        trustor=edge.giver,
        status=EdgeStatus.ACTIVE,
        max_per_day=max_per_day,
        expires_ms=expires_ms,
    )
    return (KeepEdge(born), *_tell_both(edge, Topic.EDGES))


def bound(edge: Edge | None, caller: Genesis, *, max_per_day: int, expires_ms: int) -> Effects | Refusal:
    """Set an edge's daily limit and end, as its trustor's newest grant says; 0 is "no end"."""
    if edge is None or caller not in {edge.giver.genesis, edge.trustor.genesis}:
        return UNKNOWN
    if caller != edge.trustor.genesis:
        return Refusal(BrokerCode.WRONG_PARTY, "only the one who grants an edge changes it")
    if edge.status is EdgeStatus.REVOKED:
        return Refusal(BrokerCode.EDGE_REVOKED, "this edge was revoked")
    if (edge.max_per_day, edge.expires_ms) == (max_per_day, expires_ms):
        return ()
    return (BoundEdge(edge.edge_id, max_per_day, expires_ms), *_tell_both(edge, Topic.EDGES))


def revoke(edge: Edge | None, caller: Genesis) -> Effects | Refusal:
    """End an edge; either party may, at any time, and a second time changes nothing."""
    if edge is None or caller not in {edge.giver.genesis, edge.trustor.genesis}:
        return UNKNOWN
    if EdgeStatus.REVOKED not in EDGE_MOVES[edge.status]:
        return ()
    if edge.status is not EdgeStatus.PENDING:
        return (MoveEdge(edge.edge_id, EdgeStatus.REVOKED), *_tell_both(edge, Topic.EDGES))
    ended = InvitationStatus.REVOKED if caller == edge.giver.genesis else InvitationStatus.DECLINED
    return (
        MoveEdge(edge.edge_id, EdgeStatus.REVOKED),
        MoveInvitation(edge.edge_id, ended),
        *_tell_both(edge, Topic.INVITATIONS, Topic.EDGES),
    )


def _tell_both(edge: Edge, *topics: Topic) -> tuple[Tell, ...]:
    """Let both parties know, topic by topic."""
    return tuple(Tell(party.genesis, topic) for topic in topics for party in (edge.giver, edge.trustor))
