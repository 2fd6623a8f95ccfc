"""How trust between two people begins, changes and ends, as this machine's journal sees it.

The relay carries invitations and edges, but nothing here believes it: what counts is what a pinned chain
signed, and for a first contact the code that only the holder of the token can make.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from dispatch_daemon.core import choosing
from dispatch_daemon.core.composing import Moment, Own, Peer, head_of, send_of
from dispatch_daemon.core.effects import Effect, Plan, Put, Settle, TaskKind
from dispatch_daemon.core.pins import pinned
from dispatch_daemon.core.trust_records import (
    ContactRecord,
    Direction,
    EdgeRecord,
    InvitationRecord,
    InvitationStatus,
    Trust,
)
from dispatch_protocol.chain import Chain
from dispatch_protocol.encoding import JSON, Fields
from dispatch_protocol.grant import PARENTS, GrantDocument, GrantStatus, Version
from dispatch_protocol.invitation import Acceptance, Confirmation, InvitationDocument, MacRule
from dispatch_protocol.keys import Digest, EdgeId, Genesis
from dispatch_protocol.limits import INVITATION_S
from dispatch_protocol.scopes import Scopes
from dispatch_protocol.signing import Document, edge_id
from dispatch_protocol.standing import EdgeStatus


def invitation(
    own: Own, moment: Moment, *, to_email: str, broker: str, mac: MacRule = MacRule.REQUIRED
) -> InvitationDocument:
    """Return the invitation of `to_email` by this identity; it lives seven days. Only what is mailed may waive its `mac`."""
    return InvitationDocument(
        nonce=moment.nonce(),
        sender=own.party,
        from_email=(own.address or "").lower(),
        to_email=to_email.lower(),
        broker=broker,
        mac=mac,
        created_ms=moment.now_ms,
        expires_ms=moment.now_ms + INVITATION_S * 1000,
    )


def grant(
    own: Own,
    peer: Peer,
    edge: str,
    scopes: Scopes,
    moment: Moment,
    *,
    status: GrantStatus,
    after: Sequence[Version] = (),
) -> GrantDocument:
    """Return the next version of an edge's grant by this device; `after` are the versions that it goes on from, sorted."""
    return GrantDocument(
        head=head_of(own, peer, edge=edge, about=None, now_ms=moment.now_ms, nonce=moment.nonce(7)),
        version=Version(1 + max((version.n for version in after), default=0), own.device),
        parents=tuple(after[-PARENTS:]),
        status=status,
        scopes=scopes,
    )


def acceptance(
    own: Own,
    inviter: Chain,
    document: InvitationDocument,
    digest: Digest,
    granted: Document,
    moment: Moment,
) -> Acceptance:
    """Return the yes to an invitation (whose digest is `digest`), still without the code that proves the token."""
    peer, edge = Peer(inviter.genesis, inviter.head), edge_id(digest).hex
    return Acceptance(
        head=head_of(own, peer, edge=edge, about=None, now_ms=moment.now_ms, nonce=moment.nonce()),
        invitation=digest,
        from_email=document.to_email,
        to_email=document.from_email,
        links=own.chain.links,
        grant=granted,
        mac=None,
    )


def accepted(
    message: Acceptance,
    inviter: Chain,
    document: Document,
    record: InvitationRecord,
    scopes: Scopes,
    *,
    trust: Trust,
    known: ContactRecord | None,
    path_identities: Sequence[tuple[str, int, int]],
    now_ms: int,
) -> list[Effect]:
    """Keep a yes of this machine: the inviter is pinned at once, the edge waits for the confirmation."""
    send = send_of(message, deliver=True, keep=False)
    edge = EdgeRecord(
        edge=message.head.edge.hex,
        direction=Direction.INCOMING,
        peer=inviter.genesis.hex,
        address=record.address,
        status=EdgeStatus.PENDING,
        grant=message.grant.to_json(),
        created_ms=now_ms,
        expires_ms=scopes.expires_at_ms or 0,
        path_identities=tuple(path_identities),
    )
    return [
        Put(pinned(inviter, record.address, trust, known, now_ms)),
        Put(edge),
        Put(
            replace(
                record, status=InvitationStatus.ACCEPTED, document=document.to_json(), acceptance=send.digest
            )
        ),
        send,
    ]


@dataclass(frozen=True, slots=True)
class Offered:
    """The way back that an inviter's human has chosen, signed for who accepted."""

    edge: EdgeId
    document: Document
    scopes: Scopes
    path_identities: tuple[tuple[str, int, int], ...]


def way_back(record: InvitationRecord, trust: Trust, now_ms: int) -> Scopes | None:
    """Return what an invitation of ours offers to somebody who is known like this; None for nothing, or not any more."""
    if record.offer is None:
        return None
    scopes = choosing.bounded(Scopes.read(Fields(record.offer, "offer")), trust)
    return None if scopes.expires_at_ms and scopes.expires_at_ms <= now_ms else scopes


def welcomed(
    record: InvitationRecord,
    acceptor: Chain,
    message: Acceptance,
    digest: Digest,
    own: Own,
    moment: Moment,
    *,
    scopes: Scopes,
    trust: Trust,
    known: ContactRecord | None,
    offered: Offered | None = None,
) -> tuple[Confirmation, list[Effect]]:
    """Take in a verified yes to one's own invitation: pin, keep the grant, and confirm, with the way back if there is one.

    The confirmation still lacks its code; the caller adds it and owes it.
    """
    edge = EdgeRecord(
        edge=message.head.edge.hex,
        direction=Direction.OUTGOING,
        peer=acceptor.genesis.hex,
        address=record.address,
        status=EdgeStatus.ACTIVE,
        grant=message.grant.to_json(),
        created_ms=moment.now_ms,
        expires_ms=scopes.expires_at_ms or 0,
    )
    peer = Peer(acceptor.genesis, acceptor.head)
    said = confirmation(own, peer, record, digest, moment, None if offered is None else offered.document)
    return said, [
        *([] if offered is None else _offering(offered, edge, moment.now_ms)),
        Put(pinned(acceptor, record.address, trust, known, moment.now_ms)),
        Put(edge),
        Put(
            replace(
                record,
                status=InvitationStatus.CONFIRMED,
                accepted_by=acceptor.genesis.hex,
                acceptance=digest.hex,
            )
        ),
        relay_call("confirm_edge", edge.edge, moment.now_ms),
    ]


def proved_again(record: InvitationRecord, by: Genesis, now_ms: int) -> list[Effect]:
    """Keep that another identity proved the secret of an invitation that was used: its token has leaked.

    The first such proof is kept; the same person saying yes again (from a home that was restored) is no leak.
    """
    if record.also_proved_by is not None or record.accepted_by in (None, by.hex):
        return []
    return [Put(replace(record, also_proved_by=by.hex, also_proved_ms=now_ms))]


def confirmation(
    own: Own,
    peer: Peer,
    record: InvitationRecord,
    acceptance: Digest,
    moment: Moment,
    offer: Document | None = None,
) -> Confirmation:
    """Return the word that this device has checked an acceptance, still without the code that proves the token."""
    return Confirmation(
        head=head_of(
            own, peer, edge=record.invitation_id, about=None, now_ms=moment.now_ms, nonce=moment.nonce()
        ),
        invitation=Document.from_json(record.document).digest,
        acceptance=acceptance,
        mac=None,
        offer=offer,
    )


def _offering(offered: Offered, edge: EdgeRecord, now_ms: int) -> list[Effect]:
    """Put the way back in force here, and owe the relay the news."""
    back = EdgeRecord(
        edge=offered.edge.hex,
        direction=Direction.INCOMING,
        peer=edge.peer,
        address=edge.address,
        status=EdgeStatus.ACTIVE,
        grant=offered.document.to_json(),
        created_ms=now_ms,
        expires_ms=offered.scopes.expires_at_ms or 0,
        path_identities=offered.path_identities,
    )
    return [Put(back), relay_call("offer_edge", edge.edge, now_ms, offer_header(offered))]


def offer_header(offered: Offered) -> dict[str, JSON]:
    """Return all that the relay learns of an offer."""
    return {
        "back_id": offered.edge.uuid,
        "max_per_day": offered.scopes.max_per_day,
        "expires_ms": offered.scopes.expires_at_ms or 0,
    }


def taken_up(edge: EdgeRecord, offer: Document, now_ms: int) -> list[Effect]:
    """Keep what the inviter lets us do in turn; `edge` is the one that our yes made."""
    grant = GrantDocument.decode(offer.body)
    back = EdgeRecord(
        edge=grant.head.edge.hex,
        direction=Direction.OUTGOING,
        peer=edge.peer,
        address=edge.address,
        status=EdgeStatus.ACTIVE,
        grant=offer.to_json(),
        created_ms=now_ms,
        expires_ms=grant.scopes.expires_at_ms or 0,
    )
    return [Put(back)]


def confirmed(edge: EdgeRecord, record: InvitationRecord) -> list[Effect]:
    """Put an edge in force: the inviter's device has checked our yes."""
    return [
        Put(replace(edge, status=EdgeStatus.ACTIVE)),
        Put(replace(record, status=InvitationStatus.CONFIRMED)),
        Settle(record.acceptance or ""),
    ]


def superseded(born: Sequence[Effect], invitations: Sequence[InvitationRecord], now_ms: int) -> list[Effect]:
    """End every other open invitation that asks for what an edge in force among these effects gives already.

    Nobody could accept it any more: of one direction between two people there is one edge. One's own is taken back at the
    relay, which tells the other side; one that was received is over here, whatever the relay still lists.
    """
    edges = [
        effect.record
        for effect in born
        if isinstance(effect, Put)
        and isinstance(effect.record, EdgeRecord)
        and effect.record.status is EdgeStatus.ACTIVE
    ]
    over = [
        record
        for record in invitations
        if record.status is InvitationStatus.PENDING and any(_asks_for(record, edge) for edge in edges)
    ]
    return [effect for record in over for effect in _ended(record, now_ms)]


def _ended(record: InvitationRecord, now_ms: int) -> list[Effect]:
    if record.direction is Direction.OUTGOING:
        return taken_back(record, now_ms)
    return [Put(replace(record, status=InvitationStatus.REVOKED))]


def _asks_for(record: InvitationRecord, edge: EdgeRecord) -> bool:
    """Say whether an invitation asks for the direction of an edge, with the same person, and is not the one it came of."""
    if record.direction is not edge.direction or record.invitation_id == edge.edge:
        return False
    if record.direction is Direction.OUTGOING:
        return record.address.casefold() == edge.address.casefold()
    return (
        InvitationDocument.decode(Document.from_json(record.document).body).sender.identity.hex == edge.peer
    )


def revoked(edge: EdgeRecord, now_ms: int) -> list[Effect]:
    """End an edge here and owe the relay the news, so that it carries no more tasks over it."""
    return [
        Put(replace(edge, status=EdgeStatus.REVOKED)),
        relay_call("revoke_edge", edge.edge, now_ms),
    ]


def taken_back(record: InvitationRecord, now_ms: int) -> list[Effect]:
    """Take one's own invitation back: here its secret opens nothing from now on, and the relay is owed the news."""
    args: dict[str, JSON] = {"invitation_id": EdgeId.from_hex(record.invitation_id).uuid}
    op = "revoke_invitation"
    return [
        Put(replace(record, status=InvitationStatus.REVOKED, secret=None)),
        Plan(
            kind=TaskKind.RELAY_CALL,
            key=f"{op}/{record.invitation_id}",
            not_before_ms=now_ms,
            payload={"op": op, "args": args},
        ),
    ]


def relay_call(op: str, edge: str, now_ms: int, more: Mapping[str, JSON] = MappingProxyType({})) -> Plan:
    """Owe the relay a call about an edge; each of them may be repeated, and a newer one takes an older one's place."""
    args: dict[str, JSON] = {"edge_id": EdgeId.from_hex(edge).uuid, **more}
    return Plan(
        kind=TaskKind.RELAY_CALL, key=f"{op}/{edge}", not_before_ms=now_ms, payload={"op": op, "args": args}
    )
