"""People at the door: invited, accepted, declined, listed, revoked."""

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from dispatch_daemon.adapters.executor import Executor, WallError
from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.first_contact import unsent_refused, waiting_on
from dispatch_daemon.app.online import Online
from dispatch_daemon.app.people import People, grant_of
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.core import decisions, intake, trust, views
from dispatch_daemon.core.composing import Peer, send_of
from dispatch_daemon.core.effects import Effect, Put
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.records import (
    Direction,
    EdgeRecord,
    InvitationRecord,
    InvitationStatus,
    Trust,
)
from dispatch_daemon.core.requests import ScopeChoice
from dispatch_daemon.ports import JsonObject
from dispatch_protocol.encoding import JSON
from dispatch_protocol.errors import DispatchError, MalformedError
from dispatch_protocol.first_contact import Secret, verify_invitation, with_mac
from dispatch_protocol.grant import GrantStatus
from dispatch_protocol.invitation import InvitationDocument, MacRule, is_address
from dispatch_protocol.invitation_token import PREFIX, InvitationToken
from dispatch_protocol.keys import EdgeId
from dispatch_protocol.lifecycle import DispatchState
from dispatch_protocol.paths import contains
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.scopes import Scopes
from dispatch_protocol.signing import Document, edge_id, sign_document
from dispatch_protocol.standing import EdgeStatus

_LINK = re.compile(r"https?://[!-~]{1,2000}")


class TrustDesk:
    """Invitations, contacts and edges of this home."""

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

    # -- inviting --------------------------------------------------------------------------------------

    async def invite(self, *, email: str, link_only: bool) -> JsonObject:  # noqa: ARG002 - see below
        """Ask somebody for permission to send them tasks; the token is for a person to pass on.

        No broker sends mail yet, so every invitation is passed on by hand, with `link_only` or without.
        """
        online = self._online()
        address = _address(email)
        if address == (self._people.own.address or "").lower():
            raise ServiceError("invalid", "you cannot invite yourself; one's own tasks go to `me`")
        moment = self._clock.moment()
        document = trust.invitation(self._people.own, moment, to_email=address, broker=online.url)
        signed = sign_document([self._people.keys.signing], payload_type(Kind.INVITATION), document.encode())
        edge = edge_id(signed.digest)
        secret = Secret(secrets.token_bytes(16))
        answer = await online.call(
            "invite", {"document": signed.to_json(), "to_email": address, "emailed": False}
        )
        record = InvitationRecord(
            invitation_id=edge.hex,
            direction=Direction.OUTGOING,
            address=address,
            document=signed.to_json(),
            status=InvitationStatus.PENDING,
            created_ms=document.created_ms,
            expires_ms=document.expires_ms,
            link=_landing_page(answer.get("link"), online.url, edge),
            mac_required=document.mac is MacRule.REQUIRED,
            secret=secret.reveal(),
        )
        await self._performer.perform([Put(record)])
        token = InvitationToken(
            broker_url=online.url, edge=edge, genesis=self._people.own.chain.genesis, secret=secret
        )
        return {
            "invitation_id": edge.uuid,
            "link": record.link,
            "token": token.format(),
            "emailed": False,
            "peer": address,
            "expires_at": views.time_or_none(record.expires_ms),
        }

    async def invitations(self) -> JsonObject:
        """List what was sent (by this journal) and received (as the relay tells, beside what was accepted)."""
        await self._refresh_received()
        now_ms = self._clock.now_ms()
        shown = [_aged(record, now_ms) for record in self._journal.invitations()]
        return {
            "sent": [
                views.invitation_view(record, None)
                for record in shown
                if record.direction is Direction.OUTGOING
            ],
            "received": [
                views.invitation_view(record, EdgeId.from_hex(record.invitation_id).uuid)
                for record in shown
                if record.direction is Direction.INCOMING
            ],
        }

    async def _refresh_received(self) -> None:
        """Note invitations that the relay holds for this address; they decide nothing until a human accepts."""
        try:
            listing = await self._online().call("invitations", {})
        except ServiceError:
            return  # offline: what is known is shown
        effects: list[Effect] = []
        received = listing.get("received")
        for entry in received if isinstance(received, list) else []:
            record = self._received(entry)
            if record is not None and self._journal.invitation(record.invitation_id) is None:
                effects.append(Put(record))
        await self._performer.perform(effects)

    def _received(self, entry: JSON) -> InvitationRecord | None:
        """Read one invitation as the relay tells it; a listing that cannot be read is left out."""
        try:
            assert isinstance(entry, Mapping)  # noqa: S101 - caught below
            document = Document.from_json(entry["document"])
            invitation = InvitationDocument.decode(document.body)
            status = InvitationStatus(str(entry["status"]))
        except (AssertionError, KeyError, ValueError, DispatchError):
            return None
        if status is not InvitationStatus.PENDING:
            return None
        return InvitationRecord(
            invitation_id=edge_id(document.digest).hex,
            direction=Direction.INCOMING,
            address=invitation.from_email,
            document=document.to_json(),
            status=status,
            created_ms=invitation.created_ms,
            expires_ms=invitation.expires_ms,
            link="",
            mac_required=invitation.mac is MacRule.REQUIRED,
        )

    # -- accepting -------------------------------------------------------------------------------------

    async def accept_invitation(self, *, token: str, choice: ScopeChoice) -> JsonObject:
        """Let the inviter send tasks here, within the scopes that the human chose."""
        trust.chosen_scopes(choice, Trust.TOKEN, self._clock.now_ms())  # a bad choice costs nothing
        edge, parsed = _read_token(token)
        online = self._online()
        if parsed is not None and parsed.broker_url != online.url:
            raise ServiceError(
                "login_needed",
                f"this invitation is at {parsed.broker_url}, and you are signed in at {online.url}",
                hint=f"dispatch login --broker {parsed.broker_url}",
            )
        await self._refresh_received()
        record = self._journal.invitation(edge.hex)
        if record is None or record.direction is not Direction.INCOMING:
            raise ServiceError(
                "not_found", "no such invitation is waiting for your address", hint="dispatch invitations"
            )
        if record.status is not InvitationStatus.PENDING:
            raise ServiceError("not_pending", f"this invitation is {record.status}", hint="dispatch contacts")
        if parsed is None and record.mac_required:
            raise ServiceError(
                "token_needed",
                "this invitation is accepted with its whole token, which the inviter passes on",
                hint="ask the inviter for the line that begins with dispatch1:",
            )
        return await self._accept(online, record, edge, parsed, choice)

    async def _accept(
        self,
        online: Online,
        record: InvitationRecord,
        edge: EdgeId,
        token: InvitationToken | None,
        choice: ScopeChoice,
    ) -> JsonObject:
        document = Document.from_json(record.document)
        named = token.genesis if token else InvitationDocument.decode(document.body).sender.identity
        inviter = await online.chain(named)
        now_ms = self._clock.now_ms()
        invitation = verify_invitation(document, expect=edge, inviter=inviter, now_ms=now_ms)
        if invitation.to_email != (self._people.own.address or "").lower():
            raise ServiceError(
                "invitation_mismatch", f"this invitation is for {invitation.to_email}, and you are not"
            )
        known = Trust.TOKEN if token else Trust.UNVERIFIED
        identities = [self._enrol(path, mode) for path, mode in choice.paths]
        modes = [mode for _, mode in choice.paths]
        paths = [(path, mode) for (path, _, _), mode in zip(identities, modes, strict=True)]
        _refuse_nested(paths)
        scopes = trust.chosen_scopes(replace(choice, paths=paths), known, now_ms)
        await online.call("accept_invitation", _edge_header(edge, scopes))
        if self._journal.invitation(edge.hex) != record:
            raise ServiceError(
                "not_pending", "this invitation was answered meanwhile", hint="dispatch contacts"
            )
        moment = self._clock.moment()
        granted = self._first_grant(Peer(inviter.genesis, inviter.head), edge.hex, scopes)
        message = trust.acceptance(self._people.own, inviter, invitation, document.digest, granted, moment)
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
        await self._performer.perform(effects)
        self._people.forget_cached(inviter.genesis.hex)
        return {
            "edge_id": edge.uuid,
            "peer": record.address,
            "scopes": views.scopes_view(scopes),
            "trust": known,
            "status": EdgeStatus.PENDING,
        }

    def _enrol(self, path: str, mode: str) -> tuple[str, int, int]:
        """Note what stands at a path now, so that a later swap is noticed; refuse what must never be granted."""
        try:
            return self._executor.enrol(path, "rw" if mode == "rw" else "ro")
        except WallError as error:
            raise ServiceError(error.code, error.detail, hint=error.remedy or None) from error

    def _first_grant(self, peer: Peer, edge: str, scopes: Scopes) -> Document:
        """Sign the first version of an edge's grant."""
        grant = trust.grant(
            self._people.own,
            peer,
            edge,
            scopes,
            self._clock.moment(),
            status=GrantStatus.ACTIVE,
            after=None,
        )
        return sign_document([self._people.keys.signing], payload_type(Kind.GRANT), grant.encode())

    async def decline_invitation(self, *, token: str) -> JsonObject:
        """Turn an invitation down; the inviter sees that it was."""
        edge, _ = _read_token(token)
        online = self._online()
        await self._refresh_received()
        record = self._journal.invitation(edge.hex)
        if record is None or record.direction is not Direction.INCOMING:
            raise ServiceError(
                "not_found", "no such invitation is waiting for you", hint="dispatch invitations"
            )
        if record.status is not InvitationStatus.PENDING:
            raise ServiceError(
                "not_pending", f"this invitation is {record.status}", hint="dispatch invitations"
            )
        await online.call("decline_invitation", {"invitation_id": edge.uuid})
        await self._performer.perform([Put(replace(record, status=InvitationStatus.DECLINED))])
        return {"invitation_id": edge.uuid, "peer": record.address, "status": InvitationStatus.DECLINED}

    # -- contacts --------------------------------------------------------------------------------------

    async def contacts(self) -> JsonObject:
        """List every edge with what it allows and how the other side is known."""
        try:
            present = await self._online().presence()
        except ServiceError:
            present = {}
        now_ms = self._clock.now_ms()
        return {
            "edges": [
                views.edge_view(
                    edge,
                    self._journal.contact(edge.peer),
                    grant_of(edge).scopes,
                    online=present.get(EdgeId.from_hex(edge.edge).uuid),
                    now_ms=now_ms,
                )
                for edge in self._journal.edges()
            ]
        }

    async def revoke(self, *, peer: str, outgoing: bool) -> JsonObject:
        """End the incoming edge from a peer, with everything of theirs that has not ended; or give up one's own."""
        direction = Direction.OUTGOING if outgoing else Direction.INCOMING
        edge, _ = self._people.edge_to(peer, direction)
        if edge.status is EdgeStatus.REVOKED:
            raise ServiceError("not_pending", f"the edge with {edge.address} is revoked already")
        now_ms = self._clock.now_ms()
        effects = trust.revoked(edge, now_ms)
        if outgoing:
            effects += unsent_refused(self._journal, edge, now_ms)
        else:
            effects += self._end_received(edge)
            effects.append(self._revocation(edge))
        await self._performer.perform(effects)
        return {
            "edge_id": EdgeId.from_hex(edge.edge).uuid,
            "peer": edge.address,
            "status": EdgeStatus.REVOKED,
        }

    def _revocation(self, edge: EdgeRecord) -> Effect:
        """Tell the other side, signed, that the edge is over."""
        grant = trust.grant(
            self._people.own,
            self._people.peer(edge.peer),
            edge.edge,
            grant_of(edge).scopes,
            self._clock.moment(),
            status=GrantStatus.REVOKED,
            after=grant_of(edge).version,
        )
        return send_of(grant, deliver=True, keep=False)

    def _end_received(self, edge: EdgeRecord) -> list[Effect]:
        effects: list[Effect] = []
        for record in waiting_on(self._journal, edge.edge):
            peer, moment = self._people.peer_of(record), self._clock.moment()
            if record.state is DispatchState.DELIVERED:
                effects += intake.refuse(record, self._people.own, peer, moment, code="edge_revoked")
                continue
            runs = self._journal.runs(record.digest)
            effects += decisions.cancel_received(
                record,
                runs[-1] if runs else None,
                self._journal.approvals_of(record.digest),
                self._people.own,
                peer,
                moment,
                by="edge",
                code="edge_revoked",
            )
        return effects


def _landing_page(link: JSON, broker: str, edge: EdgeId) -> str:
    """Return the page that the relay names for an invitation, or its usual place if what it names is no link."""
    if isinstance(link, str) and _LINK.fullmatch(link):
        return link
    return f"{broker}/i/{edge.uuid}"


def _edge_header(edge: EdgeId, scopes: Scopes) -> JsonObject:
    """Return all that the relay learns of a grant: for how long, and how many a day."""
    return {
        "invitation_id": edge.uuid,
        "edge_id": edge.uuid,
        "max_per_day": scopes.max_per_day,
        "expires_ms": scopes.expires_at_ms or 0,
    }


def _refuse_nested(paths: Sequence[tuple[str, str]]) -> None:
    """Refuse a path below another one with another mode: no wall here can hold both yet."""
    for outer, outer_mode in paths:
        for inner, inner_mode in paths:
            if outer_mode != inner_mode and outer != inner and contains(outer, inner):
                raise ServiceError(
                    "grants_nested",
                    f"{inner} ({inner_mode}) lies in {outer} ({outer_mode}); grant one mode for both",
                )


def _read_token(text: str) -> tuple[EdgeId, InvitationToken | None]:
    """Return the invitation that a token or an id names, with the token's proof if it has one."""
    typed = text.strip()
    try:
        if typed.startswith(PREFIX):
            token = InvitationToken.parse(typed)
            return token.edge, token
        return EdgeId.from_uuid(typed.lower()), None
    except MalformedError as error:
        raise ServiceError(
            "invalid",
            f"this is neither a token nor an invitation id: {error.detail}",
            hint="dispatch invitations",
        ) from None


def _address(email: str) -> str:
    address = email.strip().lower()
    if not is_address(address):
        raise ServiceError("address_invalid", f"{email[:100]!r} is not an address like bob@example.org")
    return address


def _aged(record: InvitationRecord, now_ms: int) -> InvitationRecord:
    if record.status is InvitationStatus.PENDING and now_ms > record.expires_ms:
        return replace(record, status=InvitationStatus.EXPIRED)
    return record
