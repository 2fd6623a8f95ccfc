"""Invitations at the door: made, listed, accepted, declined."""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from dispatch_daemon.adapters.executor import Executor, WallError
from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.online import Online
from dispatch_daemon.app.people import People
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.app.services.finding import find
from dispatch_daemon.core import trust, views
from dispatch_daemon.core.composing import Peer
from dispatch_daemon.core.effects import Effect, Put
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.records import (
    Direction,
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
from dispatch_protocol.paths import contains
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.scopes import Scopes
from dispatch_protocol.signing import Document, edge_id, sign_document
from dispatch_protocol.standing import EdgeStatus

LOOK_S = 1.0  # how long a list waits for the relay: it is worth a look, and no more
_LINK = re.compile(r"https?://[!-~]{1,2000}")


class Invitations:
    """Invitations of this home, in both directions."""

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
        secret = Secret(self._clock.random(16))
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
        try:
            async with asyncio.timeout(LOOK_S):
                await self._refresh_received()
        except (ServiceError, TimeoutError):
            pass  # no word from the relay: what is known is shown
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
        listing = await self._online().call("invitations", {})
        effects: list[Effect] = []
        received = listing.get("received")
        for entry in received if isinstance(received, list) else []:
            record = _listed(entry)
            if record is not None and self._journal.invitation(record.invitation_id) is None:
                effects.append(Put(record))
        await self._performer.perform(effects)

    # -- accepting -------------------------------------------------------------------------------------

    async def accept_invitation(self, *, token: str, choice: ScopeChoice) -> JsonObject:
        """Let the inviter send tasks here, within the scopes that the human chose."""
        trust.chosen_scopes(choice, Trust.TOKEN, self._clock.now_ms())  # a bad choice costs nothing
        typed, parsed = _read_token(token)
        online = self._online()
        if parsed is not None and parsed.broker_url != online.url:
            raise ServiceError(
                "login_needed",
                f"this invitation is at {parsed.broker_url}, and you are signed in at {online.url}",
                hint=f"dispatch login --broker {parsed.broker_url}",
            )
        record = await self._received(typed)
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
        named = token.genesis if token else InvitationDocument.decode(document.body).sender.identity
        inviter = await online.chain(named)
        now_ms = self._clock.now_ms()
        invitation = verify_invitation(document, expect=edge, inviter=inviter, now_ms=now_ms)
        if invitation.to_email != (self._people.own.address or "").lower():
            raise ServiceError(
                "invitation_mismatch", f"this invitation is for {invitation.to_email}, and you are not"
            )
        known = Trust.TOKEN if token else Trust.UNVERIFIED
        scopes, identities = self._granted(choice, known, now_ms)
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

    def _granted(
        self, choice: ScopeChoice, known: Trust, now_ms: int
    ) -> tuple[Scopes, list[tuple[str, int, int]]]:
        """Return what is granted, and what stands at each of its paths; refuse what no run here could be given."""
        identities = [self._enrol(path, mode) for path, mode in choice.paths]
        modes = [mode for _, mode in choice.paths]
        paths = [(path, mode) for (path, _, _), mode in zip(identities, modes, strict=True)]
        _refuse_nested(paths)
        scopes = trust.chosen_scopes(replace(choice, paths=paths), known, now_ms)
        if scopes.network:
            raise ServiceError(
                "network_unavailable",
                "the wall of this version has no way out, so no task could run under a grant that names hosts",
                hint="leave --network out",
            )
        return scopes, identities

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
        typed, _ = _read_token(token)
        online = self._online()
        record = await self._received(typed)
        edge = EdgeId.from_hex(record.invitation_id)
        await online.call("decline_invitation", {"invitation_id": edge.uuid})
        await self._performer.perform([Put(replace(record, status=InvitationStatus.DECLINED))])
        return {"invitation_id": edge.uuid, "peer": record.address, "status": InvitationStatus.DECLINED}

    async def _received(self, typed: str) -> InvitationRecord:
        """Return the invitation to this address that an id or a prefix of one names, and that can be answered."""
        if not self._received_like(typed.lower()):
            await self._refresh_received()
        record = find(typed, "invitation", self._received_like, _uuid, hint="dispatch invitations")
        if record.status is not InvitationStatus.PENDING:
            raise ServiceError("not_pending", f"this invitation is {record.status}", hint="dispatch contacts")
        return record

    def _received_like(self, prefix: str) -> list[InvitationRecord]:
        return [
            record
            for record in self._journal.invitations()
            if record.direction is Direction.INCOMING and _uuid(record).startswith(prefix)
        ]


def _uuid(record: InvitationRecord) -> str:
    """Return an invitation's id as people see it."""
    return EdgeId.from_hex(record.invitation_id).uuid


def _listed(entry: JSON) -> InvitationRecord | None:
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


def _read_token(text: str) -> tuple[str, InvitationToken | None]:
    """Return the id that was typed, or that a token names; a token comes with it, because it proves something."""
    typed = text.strip()
    if not typed.startswith(PREFIX):
        return typed, None
    try:
        token = InvitationToken.parse(typed)
    except MalformedError as error:
        raise ServiceError(
            "invalid", f"this is no invitation token: {error.detail}", hint="dispatch invitations"
        ) from None
    return token.edge.uuid, token


def _address(email: str) -> str:
    address = email.strip().lower()
    if not is_address(address):
        raise ServiceError("address_invalid", f"{email[:100]!r} is not an address like bob@example.org")
    return address


def _aged(record: InvitationRecord, now_ms: int) -> InvitationRecord:
    if record.status is InvitationStatus.PENDING and now_ms > record.expires_ms:
        return replace(record, status=InvitationStatus.EXPIRED)
    return record
