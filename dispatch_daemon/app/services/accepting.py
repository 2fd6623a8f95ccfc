"""Answering an invitation at the door: verified from its token, granted within what the human chose, or declined.

One's own is taken back by the same word, for as long as nobody has accepted it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from dispatch_daemon.adapters.executor import Executor
from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.disowned import disowned
from dispatch_daemon.app.edges import Ending
from dispatch_daemon.app.online import Online
from dispatch_daemon.app.people import People
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.app.services.finding import find
from dispatch_daemon.app.services.granting import granted
from dispatch_daemon.app.services.received import pending, uuid_of
from dispatch_daemon.core import choosing, trust, trust_views
from dispatch_daemon.core.composing import Moment, Peer
from dispatch_daemon.core.devices import require_approver
from dispatch_daemon.core.effects import Effect, Put
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.requests import ScopeChoice
from dispatch_daemon.core.trust_records import (
    Direction,
    EdgeRecord,
    InvitationRecord,
    InvitationStatus,
    Trust,
)
from dispatch_daemon.ports import JsonObject
from dispatch_protocol.chain import Chain
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.first_contact import verify_invitation, with_mac
from dispatch_protocol.grant import GrantStatus
from dispatch_protocol.invitation import InvitationDocument
from dispatch_protocol.invitation_token import PREFIX, InvitationToken
from dispatch_protocol.keys import EdgeId, Genesis
from dispatch_protocol.loopback import short_id
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.scopes import Scopes
from dispatch_protocol.signing import Document, sign_document
from dispatch_protocol.standing import EdgeStatus


class Accepting:
    """Says yes or no to the invitations that came to this home."""

    def __init__(
        self,
        journal: Journal,
        people: People,
        clock: Clock,
        performer: Performer,
        executor: Executor,
        online: Callable[[], Online],
    ) -> None:
        self._journal = journal
        self._people = people
        self._clock = clock
        self._performer = performer
        self._executor = executor
        self._online = online
        self._ending = Ending(journal, people, clock)

    async def accept_invitation(self, *, token: str, choice: ScopeChoice) -> JsonObject:
        """Let the inviter send tasks here, within the scopes that the human chose; what they were let before is over."""
        own = self._people.own
        require_approver(own.chain, own.device, "let anybody in")
        choosing.chosen_scopes(choice, Trust.TOKEN, self._clock.now_ms())  # a bad choice costs nothing
        typed, parsed = _read_token(token)
        self._require_others(typed)
        online = self._online()
        if parsed is not None and parsed.broker_url != online.url:
            raise ServiceError(
                "login_needed",
                f"this invitation is at {parsed.broker_url}, and you are signed in at {online.url}",
                hint=f"dispatch login --broker {parsed.broker_url}",
            )
        with _used_by_me(parsed):
            record = await pending(typed, online, self._journal, self._performer)
        if parsed is None and record.mac_required:
            raise ServiceError(
                "token_needed",
                "this invitation is accepted with its whole token, which the inviter passes on",
                hint="ask the inviter for the line that begins with dispatch1:",
            )
        return await self._accept(online, record, parsed, choice)

    async def _accept(
        self,
        online: Online,
        record: InvitationRecord,
        token: InvitationToken | None,
        choice: ScopeChoice,
    ) -> JsonObject:
        edge = EdgeId.from_hex(record.invitation_id)
        document = Document.from_json(record.document)
        inviter = await online.chain(_inviter_named(document, token))
        now_ms = self._clock.now_ms()
        invitation = verify_invitation(document, expect=edge, inviter=inviter, now_ms=now_ms)
        _require_for(invitation, self._people.own.address)
        known = Trust.TOKEN if token else Trust.UNVERIFIED
        scopes, identities = granted(choice, known, now_ms, self._executor)
        with _used_by_me(token):
            await online.call("accept_invitation", _edge_header(edge, scopes))
        if self._journal.invitation(edge.hex) != record:
            raise ServiceError(
                "not_pending", "this invitation was answered meanwhile", hint="dispatch contacts"
            )
        moment = self._clock.moment()
        signed = self._first_grant(Peer(inviter.genesis, inviter.head), edge.hex, scopes)
        message = trust.acceptance(self._people.own, inviter, invitation, document.digest, signed, moment)
        effects = trust.accepted(
            message if token is None else with_mac(token.secret, message),
            inviter,
            document,
            replace(record, secret=token.secret.reveal() if token else None),
            scopes,
            trust=known,
            known=self._journal.contact(inviter.genesis.hex),
            path_identities=identities,
            now_ms=moment.now_ms,
        )
        before = self._people.standing_edges(Direction.INCOMING, inviter.genesis.hex)
        await self._performer.perform([*effects, *self._ended(effects, before, inviter, moment)])
        self._people.forget_cached(inviter.genesis.hex)
        return {
            "edge_id": edge.uuid,
            "peer": record.address,
            "scopes": trust_views.scopes_view(scopes),
            "trust": known,
            "status": EdgeStatus.PENDING,
            "edges_ended": len(before),
        }

    def _ended(
        self, effects: Sequence[Effect], before: Sequence[EdgeRecord], inviter: Chain, moment: Moment
    ) -> list[Effect]:
        """Return what a yes ends: the edges whose place it takes, and what devices asked for that its chain does not have."""
        peer = Peer(inviter.genesis, inviter.head)
        replaced = [effect for each in before for effect in self._ending.over(each, peer)]
        ended = disowned(self._journal, self._people.own, effects, moment, besides=replaced)
        return [*replaced, *ended]

    def _first_grant(self, peer: Peer, edge: str, scopes: Scopes) -> Document:
        """Sign the first version of an edge's grant."""
        grant = trust.grant(
            self._people.own,
            peer,
            edge,
            scopes,
            self._clock.moment(),
            status=GrantStatus.ACTIVE,
        )
        return sign_document([self._people.keys.signing], payload_type(Kind.GRANT), grant.encode())

    async def decline_invitation(self, *, token: str) -> JsonObject:
        """Turn an invitation down, which the inviter sees, or take one's own back."""
        typed, _ = _read_token(token)
        own = self._own(typed)
        if own is not None:
            return await self._take_back(own)
        online = self._online()
        record = await pending(typed, online, self._journal, self._performer)
        edge = EdgeId.from_hex(record.invitation_id)
        await online.call("decline_invitation", {"invitation_id": edge.uuid})
        await self._performer.perform([Put(replace(record, status=InvitationStatus.DECLINED))])
        return {"invitation_id": edge.uuid, "peer": record.address, "status": InvitationStatus.DECLINED}

    def _own(self, typed: str) -> InvitationRecord | None:
        """Return the invitation of one's own that an id means; a beginning that one of somebody else's has too is ambiguous."""

        def like(prefix: str) -> list[InvitationRecord]:
            return [each for each in self._journal.invitations() if uuid_of(each).startswith(prefix)]

        if not any(each.direction is Direction.OUTGOING for each in like(typed.lower())):
            return None
        record = find(typed, "invitation", like, uuid_of, hint="dispatch invitations")
        return record if record.direction is Direction.OUTGOING else None

    def _require_others(self, typed: str) -> None:
        """Refuse an invitation of one's own: nobody has used its token, and only whom it is for can accept it."""
        known = [each for each in self._journal.invitations() if uuid_of(each).startswith(typed.lower())]
        if any(each.direction is Direction.INCOMING for each in known):
            return
        own = self._own(typed)
        if own is None:
            return
        waits = own.status is InvitationStatus.PENDING and self._clock.now_ms() <= own.expires_ms
        raise ServiceError(
            "invitation_mismatch",
            f"this invitation is your own, for {own.address} to accept: pass its token on"
            if waits
            else f"this invitation is your own, to {own.address}, and it is over",
            hint=f"dispatch decline-invitation {short_id(uuid_of(own))}" if waits else "dispatch invitations",
        )

    async def _take_back(self, record: InvitationRecord) -> JsonObject:
        """End an invitation of one's own here, whatever the relay says, and on one's other devices."""
        now_ms = self._clock.now_ms()
        if record.status is not InvitationStatus.PENDING or now_ms > record.expires_ms:
            over = record.status is not InvitationStatus.PENDING
            made = record.status is InvitationStatus.CONFIRMED
            raise ServiceError(
                "not_pending",
                f"this invitation is {record.status if over else InvitationStatus.EXPIRED}",
                hint=f"dispatch revoke {record.address} --outgoing" if made else "dispatch invitations",
            )
        await self._performer.perform(trust.taken_back(record, now_ms))
        return {
            "invitation_id": uuid_of(record),
            "peer": record.address,
            "status": InvitationStatus.REVOKED,
        }


@contextmanager
def _used_by_me(token: InvitationToken | None) -> Iterator[None]:
    """Say beside a no to a token what it means for whoever has not used it: somebody else has."""
    try:
        yield
    except ServiceError as error:
        if token is not None and error.code in {"not_found", "not_pending"}:
            error.detail += "; the token is mistyped, or," if error.code == "not_found" else ";"
            error.detail += (
                " if you have not answered it, somebody else used your token: tell whoever gave it to you"
            )
        raise


def _require_for(invitation: InvitationDocument, address: str | None) -> None:
    """Refuse an invitation for somebody else, and one whose maker claims to have this very address."""
    if invitation.to_email != (address or "").lower():
        why = f"this invitation is for {invitation.to_email}, and you are not"
        raise ServiceError("invitation_mismatch", why)
    if invitation.from_email == invitation.to_email:
        why = f"whoever made this invitation says that they have your address, {invitation.to_email}; nobody else does"
        raise ServiceError("invitation_mismatch", why, hint="dispatch invitations")


def _inviter_named(document: Document, token: InvitationToken | None) -> Genesis:
    """Return whom an invitation names, which its token has to name as well."""
    named = InvitationDocument.decode(document.body).sender.identity
    if token is not None and token.genesis != named:
        raise ServiceError(
            "invitation_mismatch",
            "the token names another identity than its invitation does: it is mistyped or cut (copy it again as a "
            "whole), or not what the inviter gave you",
            hint="dispatch invitations",
        )
    return named


def _edge_header(edge: EdgeId, scopes: Scopes) -> JsonObject:
    """Return all that the relay learns of a grant: for how long, and how many a day."""
    return {
        "invitation_id": edge.uuid,
        "edge_id": edge.uuid,
        "max_per_day": scopes.max_per_day,
        "expires_ms": scopes.expires_at_ms or 0,
    }


def _read_token(text: str) -> tuple[str, InvitationToken | None]:
    """Return the id that was typed, or that a token names; a token comes with it, because it proves something."""
    typed = text.strip()
    if not typed.startswith(PREFIX) and ("#" not in typed or "://" in typed):
        return typed, None
    try:
        token = InvitationToken.parse(typed)
    except MalformedError:
        raise ServiceError(
            "invalid",
            "this token is mistyped or cut: copy it again as a whole",
            hint="dispatch invitations",
        ) from None
    return token.edge.uuid, token
