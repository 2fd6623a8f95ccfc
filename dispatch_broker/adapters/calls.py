"""The calls of a session: what a device asks and tells about invitations, edges, chains and its token.

Each operation reads its arguments strictly, gathers what decides, and asks the core; what it returns is an answer and
the effects that have to be durable before the answer is sent. Ids of edges and invitations are lower-case UUIDs, those
of identities and devices are hex, times are milliseconds since 1970 and 0 means "no end".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from dispatch_broker.adapters.context import Context
from dispatch_broker.adapters.tokens import SESSION_MS, Use
from dispatch_broker.core import edges, invitations
from dispatch_broker.core.accounts import grow, normal_address
from dispatch_broker.core.effects import Effects, OweMail, SignOut
from dispatch_broker.core.invitations import Draft, Surroundings
from dispatch_broker.core.pairings import LIFE_MS, MESSAGE_CHARS
from dispatch_broker.core.records import Account, Claim, Edge, EdgeStatus, Invitation, InvitationStatus
from dispatch_broker.core.refusal import BrokerCode, Refusal
from dispatch_protocol.chain import Chain, read_links
from dispatch_protocol.encoding import JSON, Fields, loads
from dispatch_protocol.errors import MalformedError, RefusedError, RemoteError
from dispatch_protocol.invitation import InvitationDocument, MacRule
from dispatch_protocol.keys import DeviceId, Digest, EdgeId, Genesis
from dispatch_protocol.limits import ADDRESS_CHARS, CHAIN_LINKS, DOCUMENT_BYTES, MAX_PER_DAY_LIMIT
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.signing import Document, edge_id, verify_document

Value = dict[str, JSON]
LISTED = 200  # newest invitations of one list; every answer fits into one frame
_UUID_CHARS = 36
_TOO_MANY_MAILS = Refusal(
    BrokerCode.RATE_LIMITED, "you have had as many mails sent as you may today; pass the token on yourself"
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose session a call came over."""

    account: Account
    device: DeviceId


Operation = Callable[[Context, Caller, Fields], "tuple[Effects, Value] | Refusal"]


def answer(
    context: Context, caller: Caller, op: str, args: Mapping[str, JSON]
) -> tuple[Effects, Value] | Refusal:
    """Carry out one call: what is to be done, and what to answer once that is durable; or why not."""
    operation = OPERATIONS.get(op)
    if operation is None:
        return Refusal(BrokerCode.UNKNOWN_OP, "this broker has no such call")
    try:
        return operation(context, caller, Fields(dict(args), op))
    except MalformedError as error:
        return Refusal(BrokerCode.MALFORMED, error.detail)


def _invite(context: Context, caller: Caller, fields: Fields) -> tuple[Effects, Value] | Refusal:
    document = Document.from_json(fields.raw("document"))
    to_address = _address(fields, "to_email")
    emailed = fields.boolean("emailed") and context.on_mail is not None
    fields.done()
    draft = _draft(context, caller, document)
    if isinstance(draft, Refusal):
        return draft
    if draft.invitation.to_address != to_address:
        return Refusal(BrokerCode.MALFORMED, "the invitation is for another address")
    store, now_ms, genesis = context.store, context.clock(), caller.account.genesis
    invitee = store.accounts.named(to_address)
    around = Surroundings(
        known=store.invitations.invitation(draft.invitation.invitation_id),
        invitee=invitee,
        connected=invitee is not None and store.edges.connected(genesis, invitee.genesis, now_ms),
        open_invitations=store.invitations.open_count(genesis, now_ms),
    )
    decision = invitations.invite(
        draft,
        around,
        caller.account,
        broker_urls=context.urls,
        quota=context.settings.quotas.open_invitations,
        mail=emailed,
        now_ms=now_ms,
    )
    if isinstance(decision, Refusal):
        return decision
    if any(isinstance(effect, OweMail) for effect in decision) and not context.mails.take(
        genesis, context.ticks()
    ):
        return _TOO_MANY_MAILS
    uuid = draft.invitation.invitation_id.uuid
    link = f"{context.public_url}/i/{uuid}"
    return decision, {"invitation_id": uuid, "link": link, "emailed": emailed}


def _draft(context: Context, caller: Caller, document: Document) -> Draft | Refusal:
    """Read an invitation and check that the calling device signed it."""
    if document.payload_type != payload_type(Kind.INVITATION):
        return Refusal(BrokerCode.MALFORMED, "the document is no invitation")
    try:
        verify_document((caller.device,), document)
        stated = InvitationDocument.decode(document.body)
    except MalformedError:
        raise
    except RemoteError as error:
        return Refusal(BrokerCode.SIGNATURE_INVALID, f"the invitation does not hold: {error.code}")
    if stated.sender.identity != caller.account.genesis or stated.sender.device != caller.device:
        return Refusal(BrokerCode.WRONG_PARTY, "the invitation speaks for somebody else")
    return Draft(
        invitation=Invitation(
            invitation_id=edge_id(document.digest),
            document=document.encode(),
            inviter=caller.account,
            to_address=stated.to_email,
            status=InvitationStatus.PENDING,
            created_ms=context.clock(),
            expires_ms=stated.expires_ms,
        ),
        from_address=stated.from_email,
        broker_url=stated.broker,
        secret_required=stated.mac is MacRule.REQUIRED,
    )


def _invitations(context: Context, caller: Caller, fields: Fields) -> tuple[Effects, Value]:
    fields.done()
    store, now_ms = context.store, context.clock()
    sent = store.invitations.sent(caller.account.genesis, LISTED)
    received = store.invitations.received(caller.account.address, LISTED)
    return (), {
        "sent": [_shown_invitation(invitation, now_ms) for invitation in sent],
        "received": [_shown_invitation(invitation, now_ms) for invitation in received],
    }


def _shown_invitation(invitation: Invitation, now_ms: int) -> Value:
    return {
        "invitation_id": invitation.invitation_id.uuid,
        "document": loads(invitation.document, max_bytes=DOCUMENT_BYTES),
        "from_email": invitation.inviter.address,
        "to_email": invitation.to_address,
        "status": invitation.at(now_ms).value,
        "created_ms": invitation.created_ms,
        "expires_ms": invitation.expires_ms,
    }


def _accept_invitation(context: Context, caller: Caller, fields: Fields) -> tuple[Effects, Value] | Refusal:
    invitation_id, edge = _id(fields, "invitation_id"), _id(fields, "edge_id")
    max_per_day, expires_ms = _bounds(fields)
    store, now_ms = context.store, context.clock()
    invitation = store.invitations.invitation(invitation_id)
    decision = invitations.accept(
        invitation,
        caller.account,
        edge_id=edge,
        edge=store.edges.edge(edge),
        connected=invitation is not None
        and store.edges.connected(invitation.inviter.genesis, caller.account.genesis, now_ms),
        max_per_day=max_per_day,
        expires_ms=expires_ms,
        now_ms=now_ms,
    )
    return _done(decision, {"edge_id": edge.uuid, "invitation_id": invitation_id.uuid})


def _decline_invitation(context: Context, caller: Caller, fields: Fields) -> tuple[Effects, Value] | Refusal:
    invitation_id = _id(fields, "invitation_id")
    fields.done()
    invitation = context.store.invitations.invitation(invitation_id)
    decision = invitations.decline(invitation, caller.account, now_ms=context.clock())
    return _done(decision, {"invitation_id": invitation_id.uuid, "status": InvitationStatus.DECLINED.value})


def _revoke_invitation(context: Context, caller: Caller, fields: Fields) -> tuple[Effects, Value] | Refusal:
    invitation_id = _id(fields, "invitation_id")
    fields.done()
    store = context.store
    invitation = store.invitations.invitation(invitation_id)
    decision = invitations.withdraw(
        invitation,
        caller.account,
        edge=store.edges.edge(invitation_id),
        invitee=None if invitation is None else store.accounts.named(invitation.to_address),
        now_ms=context.clock(),
    )
    return _done(decision, {"invitation_id": invitation_id.uuid, "status": InvitationStatus.REVOKED.value})


def _edges(context: Context, caller: Caller, fields: Fields) -> tuple[Effects, Value]:
    fields.done()
    now_ms = context.clock()
    found = context.store.edges.of(caller.account.genesis)
    return (), {"edges": [_shown_edge(context, caller, edge, now_ms) for edge in found]}


def _shown_edge(context: Context, caller: Caller, edge: Edge, now_ms: int) -> Value:
    """Show an edge to one of its two parties; presence only across trust that is alive."""
    status = edge.at(now_ms)
    peer = edge.trustor if edge.giver == caller.account else edge.giver
    return {
        "edge_id": edge.edge_id.uuid,
        "from_genesis": edge.giver.genesis.hex,
        "to_genesis": edge.trustor.genesis.hex,
        "from_email": edge.giver.address,
        "to_email": edge.trustor.address,
        "status": status.value,
        "max_per_day": edge.max_per_day,
        "expires_ms": edge.expires_ms,
        "online": status is EdgeStatus.ACTIVE and context.bus.online(peer.genesis),
    }


def _confirm_edge(context: Context, caller: Caller, fields: Fields) -> tuple[Effects, Value] | Refusal:
    edge_id_ = _id(fields, "edge_id")
    fields.done()
    decision = edges.confirm(context.store.edges.edge(edge_id_), caller.account.genesis)
    return _done(decision, {"edge_id": edge_id_.uuid, "status": EdgeStatus.ACTIVE.value})


def _offer_edge(context: Context, caller: Caller, fields: Fields) -> tuple[Effects, Value] | Refusal:
    edge_id_, back = _id(fields, "edge_id"), _id(fields, "back_id")
    max_per_day, expires_ms = _bounds(fields)
    store, now_ms = context.store, context.clock()
    edge = store.edges.edge(edge_id_)
    decision = edges.offer(
        edge,
        caller.account.genesis,
        back=back,
        there=store.edges.edge(back),
        connected=edge is not None
        and store.edges.connected(edge.trustor.genesis, edge.giver.genesis, now_ms),
        max_per_day=max_per_day,
        expires_ms=expires_ms,
    )
    return _done(decision, {"edge_id": back.uuid})


def _update_edge(context: Context, caller: Caller, fields: Fields) -> tuple[Effects, Value] | Refusal:
    edge_id_ = _id(fields, "edge_id")
    max_per_day, expires_ms = _bounds(fields)
    decision = edges.bound(
        context.store.edges.edge(edge_id_),
        caller.account.genesis,
        max_per_day=max_per_day,
        expires_ms=expires_ms,
    )
    return _done(decision, {"edge_id": edge_id_.uuid, "max_per_day": max_per_day, "expires_ms": expires_ms})


def _revoke_edge(context: Context, caller: Caller, fields: Fields) -> tuple[Effects, Value] | Refusal:
    edge_id_ = _id(fields, "edge_id")
    fields.done()
    decision = edges.revoke(context.store.edges.edge(edge_id_), caller.account.genesis)
    return _done(decision, {"edge_id": edge_id_.uuid, "status": EdgeStatus.REVOKED.value})


def _chain(context: Context, caller: Caller, fields: Fields) -> tuple[Effects, Value] | Refusal:
    del caller  # chains are public
    genesis = Genesis(fields.hex("genesis", Genesis.LENGTH))
    fields.done()
    links = context.store.accounts.links(genesis)
    if not links:
        return Refusal(BrokerCode.NOT_FOUND, "this broker holds no such chain")
    return (), {"links": [loads(link, max_bytes=DOCUMENT_BYTES) for link in links]}


def _links(context: Context, caller: Caller, fields: Fields) -> tuple[Effects, Value] | Refusal:
    """Take in what the caller's own chain has become; it is verified from the links that are held up, like any telling."""
    told = read_links(fields.items("links", max_items=CHAIN_LINKS, min_items=1))
    fields.done()
    accounts, genesis = context.store.accounts, caller.account.genesis
    held = [Document.decode(link) for link in accounts.links(genesis)]
    try:
        known = Chain.verify(held, expect=genesis)
        chain = known.update(told)
    except RefusedError as error:
        return Refusal(BrokerCode.SIGNATURE_INVALID, f"these links do not hold: {error.code}")
    stay = known.shared(chain.links)
    devices = tuple(sorted(chain.devices))
    decision = grow(
        genesis,
        stay,
        tuple(link.encode() for link in chain.links[stay:]),
        devices,
        foreign_devices=any(accounts.owner(device) not in {None, genesis} for device in devices),
    )
    return _done(decision, {"head": chain.head.hex})


def _pairing_open(context: Context, caller: Caller, fields: Fields) -> tuple[Effects, Value] | Refusal:
    place, offer = _pairing(fields)
    genesis, now_ms = caller.account.genesis, context.clock()
    refusal = context.pairings.open(place, genesis, caller.device, offer, now_ms)
    return refusal or ((), {"expires_ms": now_ms + LIFE_MS})


def _pairing_say(context: Context, caller: Caller, fields: Fields) -> tuple[Effects, Value] | Refusal:
    place, message = _pairing(fields)
    return context.pairings.say(place, caller.device, message, context.clock()) or ((), {})


def _pairing_hear(context: Context, caller: Caller, fields: Fields) -> tuple[Effects, Value] | Refusal:
    place = fields.hex("place", Digest.LENGTH).hex()
    fields.done()
    heard = context.pairings.heard(place, caller.device, context.clock())
    return heard if isinstance(heard, Refusal) else ((), {"message": heard[0], "verdict": heard[1]})


def _pairing_close(context: Context, caller: Caller, fields: Fields) -> tuple[Effects, Value]:
    place = fields.hex("place", Digest.LENGTH).hex()
    fields.done()
    context.pairings.close(place, caller.device, context.clock())
    return (), {}


def _pairing(fields: Fields) -> tuple[str, str]:
    place = fields.hex("place", Digest.LENGTH).hex()
    message = fields.text("message", min_chars=1, max_chars=MESSAGE_CHARS)
    fields.done()
    return place, message


def _token(context: Context, caller: Caller, fields: Fields) -> tuple[Effects, Value]:
    fields.done()
    token, expires_ms = session_token(context, caller)
    return (), {"token": token, "expires_ms": expires_ms}


def _logout(context: Context, caller: Caller, fields: Fields) -> tuple[Effects, Value]:
    """Sign this device out: its next session asks for a login, and its short token is worth nothing from now on."""
    del context
    fields.done()
    return (SignOut(caller.device),), {}


def session_token(context: Context, caller: Caller) -> tuple[str, int]:
    """Make a token for a device whose session is open, and say until when it lasts."""
    expires_ms = context.clock() + SESSION_MS
    claim = Claim(caller.account.address, caller.account.genesis, caller.device)
    return context.tokens.make(Use.SESSION, claim, expires_ms), expires_ms


def _done(decision: Effects | Refusal, value: Value) -> tuple[Effects, Value] | Refusal:
    return decision if isinstance(decision, Refusal) else (decision, value)


def _id(fields: Fields, name: str) -> EdgeId:
    return EdgeId.from_uuid(fields.text(name, min_chars=_UUID_CHARS, max_chars=_UUID_CHARS))


def _bounds(fields: Fields) -> tuple[int, int]:
    """Read what a grant lets the broker know: the daily limit (null: the largest) and the end."""
    max_per_day = fields.optional(fields.integer, "max_per_day", minimum=1, maximum=MAX_PER_DAY_LIMIT)
    expires_ms = fields.integer("expires_ms")
    fields.done()
    return MAX_PER_DAY_LIMIT if max_per_day is None else max_per_day, expires_ms


def _address(fields: Fields, name: str) -> str:
    address = normal_address(fields.text(name, max_chars=ADDRESS_CHARS))
    if address is None:
        raise MalformedError(f"{fields.where}.{name} is no e-mail address")
    return address


OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {
        "invite": _invite,
        "invitations": _invitations,
        "accept_invitation": _accept_invitation,
        "decline_invitation": _decline_invitation,
        "revoke_invitation": _revoke_invitation,
        "edges": _edges,
        "confirm_edge": _confirm_edge,
        "offer_edge": _offer_edge,
        "update_edge": _update_edge,
        "revoke_edge": _revoke_edge,
        "chain": _chain,
        "links": _links,
        "pairing_open": _pairing_open,
        "pairing_say": _pairing_say,
        "pairing_hear": _pairing_hear,
        "pairing_close": _pairing_close,
        "token": _token,
        "logout": _logout,
    }
)
