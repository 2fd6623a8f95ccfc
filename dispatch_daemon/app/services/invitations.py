"""Invitations at the door: made and listed; answering one is `accepting.py`."""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from dispatch_daemon.adapters.executor import Executor
from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.online import Online
from dispatch_daemon.app.people import People
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.app.services.granting import granted
from dispatch_daemon.app.services.received import refresh
from dispatch_daemon.core import trust, trust_views
from dispatch_daemon.core.devices import require_approver
from dispatch_daemon.core.effects import Put
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.requests import ScopeChoice
from dispatch_daemon.core.trust_records import Direction, InvitationRecord, InvitationStatus, Trust
from dispatch_daemon.ports import JsonObject
from dispatch_protocol.encoding import JSON
from dispatch_protocol.first_contact import Secret
from dispatch_protocol.invitation import InvitationDocument, MacRule, is_address
from dispatch_protocol.invitation_token import InvitationToken
from dispatch_protocol.keys import EdgeId
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.signing import Document, edge_id, sign_document
from dispatch_protocol.timestamps import time_or_none

LOOK_S = 1.0  # how long a list waits for the relay: it is worth a look, and no more
_LINK = re.compile(r"https?://[!-~]{1,2000}")


class Invitations:
    """Invitations of this home."""

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

    async def invite(self, *, email: str, link_only: bool, offer: ScopeChoice | None) -> JsonObject:
        """Ask somebody for permission to send them tasks; the token is for a person to pass on.

        Unless `link_only`, a broker that sends mail tells them; the mail holds no token, because the broker must not.
        `offer` is what they may do here in turn, from the moment that they accept.
        """
        own = self._people.own
        require_approver(own.chain, own.device, "invite anybody")
        online = self._online()
        address = _address(email)
        if address == (self._people.own.address or "").lower():
            raise ServiceError("invalid", "you cannot invite yourself; one's own tasks go to `me`")
        moment = self._clock.moment()
        back = None if offer is None else granted(offer, Trust.TOKEN, moment.now_ms, self._executor)
        rule = MacRule.REQUIRED if link_only else MacRule.OPTIONAL
        document, signed, answer = await self._leave(online, address, rule)
        edge = edge_id(signed.digest)
        secret = Secret(self._clock.random(16))
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
            offer=None if back is None else back[0].write(),
            offer_identities=() if back is None else tuple(back[1]),
            offered_on=None if back is None else self._people.own.device.hex,
        )
        await self._performer.perform([Put(record)])
        token = InvitationToken(
            broker_url=online.url, edge=edge, genesis=self._people.own.chain.genesis, secret=secret
        )
        return {
            "invitation_id": edge.uuid,
            "link": record.link,
            "token": token.format(),
            "emailed": answer.get("emailed") is True,
            "peer": address,
            "offer": None if back is None else trust_views.scopes_view(back[0]),
            "expires_at": time_or_none(record.expires_ms),
        }

    async def _leave(
        self, online: Online, address: str, mac: MacRule
    ) -> tuple[InvitationDocument, Document, Mapping[str, JSON]]:
        """Leave an invitation at the relay: one that may be accepted by its id is mailed, or is none.

        A relay that does not say that it mails it gets another one, which asks for its token; nobody answers for the first.
        """
        mailed = mac is MacRule.OPTIONAL
        document = trust.invitation(
            self._people.own, self._clock.moment(), to_email=address, broker=online.url, mac=mac
        )
        signed = sign_document([self._people.keys.signing], payload_type(Kind.INVITATION), document.encode())
        arguments: JsonObject = {"document": signed.to_json(), "to_email": address, "emailed": mailed}
        try:
            answer = await online.call("invite", arguments)
        except ServiceError as error:
            if error.code != "not_mailed" or not mailed:
                raise
            answer = {}
        if mailed and answer.get("emailed") is not True:
            return await self._leave(online, address, MacRule.REQUIRED)
        return document, signed, answer

    async def invitations(self) -> JsonObject:
        """List what was sent (by this journal) and received (as the relay tells, beside what was accepted)."""
        try:
            async with asyncio.timeout(LOOK_S):
                await refresh(self._online(), self._journal, self._performer)
        except (ServiceError, TimeoutError):
            pass  # no word from the relay: what is known is shown
        now_ms = self._clock.now_ms()
        shown = [_aged(record, now_ms) for record in self._journal.invitations()]
        return {
            "sent": [
                trust_views.invitation_view(
                    record, None, self._journal.meta(trust_views.unproved_key(record.invitation_id))
                )
                for record in shown
                if record.direction is Direction.OUTGOING
            ],
            "received": [
                trust_views.invitation_view(record, EdgeId.from_hex(record.invitation_id).uuid)
                for record in shown
                if record.direction is Direction.INCOMING
            ],
        }


def _landing_page(link: JSON, broker: str, edge: EdgeId) -> str:
    """Return the page that the relay names for an invitation, or its usual place if what it names is no link."""
    if isinstance(link, str) and _LINK.fullmatch(link):
        return link
    return f"{broker}/i/{edge.uuid}"


def _address(email: str) -> str:
    address = email.strip().lower()
    if not is_address(address):
        raise ServiceError("address_invalid", f"{email[:100]!r} is not an address like bob@example.org")
    return address


def _aged(record: InvitationRecord, now_ms: int) -> InvitationRecord:
    if record.status is InvitationStatus.PENDING and now_ms > record.expires_ms:
        return replace(record, status=InvitationStatus.EXPIRED)
    return record
