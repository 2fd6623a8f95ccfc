"""First contact: acceptances of our invitations, and confirmations of what we accepted.

For an acceptance and a confirmation the signer's key comes from the chain inside, or from the fingerprint in
the token; the code that proves the token stands where "pinned" stands for everything else.
"""

import logging

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.disowned import disowned
from dispatch_daemon.app.people import People
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.core import trust
from dispatch_daemon.core.composing import send_of
from dispatch_daemon.core.records import (
    Direction,
    InvitationRecord,
    InvitationStatus,
    Trust,
)
from dispatch_protocol.envelope import Header
from dispatch_protocol.errors import RefusalCode, RefusedError
from dispatch_protocol.first_contact import Secret, with_mac
from dispatch_protocol.grant import GrantDocument
from dispatch_protocol.invitation import Acceptance
from dispatch_protocol.keys import Digest, Genesis
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.signing import Document
from dispatch_protocol.standing import AcceptanceExpected, ConfirmationExpected, EdgeStatus, Standing
from dispatch_protocol.standing import FirstContact as FirstContactExpected
from dispatch_protocol.unseal import Opened, open_first_contact

log = logging.getLogger("dispatch.trust")


class FirstContact:
    """Takes in who may be pinned from now on."""

    def __init__(self, journal: Journal, people: People, clock: Clock, performer: Performer) -> None:
        self._journal = journal
        self._people = people
        self._clock = clock
        self._performer = performer

    async def deliver(self, header: Header, raw: bytes) -> None:
        """Take in an acceptance of our invitation, or the confirmation of our acceptance.

        Raises:
            RefusedError: the step of the opening list, or of the first contact's own, that refuses it.
        """
        record = self._journal.invitation(header.edge.hex)
        if record is None:
            raise RefusedError(RefusalCode.INVITATION_USED, "no invitation of that id is open here")
        if record.direction is Direction.OUTGOING:
            await self._accepted(record, header, raw)
        else:
            await self._confirmed(record, header, raw)

    def _open(self, raw: bytes, expected: FirstContactExpected, *, seen: bool) -> Opened:
        keys, own = self._people.keys, self._people.own
        standing = Standing(
            own=own.chain,
            peer=None,
            edge=None,
            now_ms=self._clock.wall_ms(),
            floor_ms=self._journal.floor_ms,
            seen=seen,
        )
        return open_first_contact(
            raw, device=own.device, sealing=keys.sealing, standing=standing, expected=expected
        )

    async def _accepted(self, record: InvitationRecord, header: Header, raw: bytes) -> None:
        if record.secret is None or record.status in (InvitationStatus.REVOKED, InvitationStatus.DECLINED):
            raise RefusedError(RefusalCode.INVITATION_USED, f"this invitation is {record.status}")
        expected = AcceptanceExpected(Document.from_json(record.document), Secret(record.secret))
        if record.acceptance == header.digest.hex:
            await self._confirm_again(record, raw, expected)
            return
        opened = self._open(raw, expected, seen=False)
        message = opened.body
        if not isinstance(message, Acceptance):
            raise RefusedError(RefusalCode.INVITATION_MISMATCH, "an answer of the wrong side")
        if record.acceptance is not None:
            if message.mac is not None:
                await self._alarm(record, opened.peer.genesis)
            raise RefusedError(RefusalCode.INVITATION_USED, "a second acceptance of one invitation")
        confirmation, effects = trust.welcomed(
            record,
            opened.peer,
            message,
            opened.signed.digest,
            self._people.own,
            self._clock.moment(),
            scopes=GrantDocument.decode(message.grant.body).scopes,
            trust=Trust.UNVERIFIED if message.mac is None else Trust.TOKEN,
            known=self._journal.contact(opened.peer.genesis.hex),
        )
        proved = confirmation if message.mac is None else with_mac(expected.secret, confirmation)
        effects += disowned(self._journal, self._people.own, effects, self._clock.moment())
        await self._performer.perform([*effects, send_of(proved, deliver=True, keep=False)])
        self._people.forget_cached(opened.peer.genesis.hex)
        log.info("%s accepted invitation %s", opened.peer.genesis.hex[:16], record.invitation_id[:16])

    async def _alarm(self, record: InvitationRecord, by: Genesis) -> None:
        """Keep for people to see that somebody else proved the secret too: the token has leaked."""
        effects = trust.proved_again(record, by, self._clock.now_ms())
        if effects:
            log.error("invitation %s was accepted twice: its token has leaked", record.invitation_id[:16])
            await self._performer.perform(effects)

    async def _confirm_again(
        self, record: InvitationRecord, raw: bytes, expected: AcceptanceExpected
    ) -> None:
        """Confirm once more what was accepted before: the other side asks again because it has heard nothing."""
        try:
            self._open(raw, expected, seen=True)
        except RefusedError as error:
            if error.reason is not RefusalCode.REPLAYED:
                raise
        if self._journal.outbox.holds_over(record.invitation_id, payload_type(Kind.CONFIRMATION)):
            return  # it is on its way, however often the relay repeats the question
        peer = self._people.peer(record.accepted_by or "")
        confirmation = trust.confirmation(
            self._people.own, peer, record, Digest.from_hex(record.acceptance or ""), self._clock.moment()
        )
        trusted = self._people.trust_of(record.accepted_by or "") != Trust.UNVERIFIED
        proved = with_mac(expected.secret, confirmation) if trusted else confirmation
        await self._performer.perform([send_of(proved, deliver=True, keep=False)])

    async def _confirmed(self, record: InvitationRecord, header: Header, raw: bytes) -> None:
        edge = self._journal.edge(record.invitation_id)
        chain = None if edge is None else self._people.chain_of(edge.peer)
        if edge is None or chain is None or record.acceptance is None:
            detail = "a confirmation of nothing that was accepted here"
            raise RefusedError(RefusalCode.INVITATION_USED, detail)
        expected = ConfirmationExpected(
            invitation=Document.from_json(record.document),
            acceptance=Digest.from_hex(record.acceptance),
            inviter=chain,
            secret=None if record.secret is None else Secret(record.secret),
        )
        self._open(raw, expected, seen=False)
        log.info("the edge %s is confirmed", header.edge.hex[:16])
        if edge.status is EdgeStatus.PENDING:
            await self._performer.perform(trust.confirmed(edge, record))
