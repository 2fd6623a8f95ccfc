"""First contact and what later changes an edge: acceptances, confirmations and new versions of a grant.

For an acceptance and a confirmation the signer's key comes from the chain inside, or from the fingerprint in
the token; the code that proves the token stands where "pinned" stands for everything else.
"""

import logging
from dataclasses import replace

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.people import People, grant_of
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.core import decisions, trust
from dispatch_daemon.core.composing import send_of
from dispatch_daemon.core.effects import Effect, Put
from dispatch_daemon.core.records import (
    Box,
    Direction,
    DispatchRecord,
    EdgeRecord,
    InvitationRecord,
    InvitationStatus,
    Trust,
)
from dispatch_protocol.envelope import Header
from dispatch_protocol.errors import RefusalCode, RefusedError
from dispatch_protocol.first_contact import Secret, verify_acceptance, verify_confirmation, with_mac
from dispatch_protocol.grant import GrantDocument, GrantStatus
from dispatch_protocol.keys import Digest
from dispatch_protocol.lifecycle import DispatchState
from dispatch_protocol.payloads import Kind, kind_of
from dispatch_protocol.signing import Document, Signature, Signed
from dispatch_protocol.standing import EdgeStatus
from dispatch_protocol.unseal import Opened

log = logging.getLogger("dispatch.trust")


class FirstContact:
    """Takes in what changes whom this daemon trusts."""

    def __init__(self, journal: Journal, people: People, clock: Clock, performer: Performer) -> None:
        self._journal = journal
        self._people = people
        self._clock = clock
        self._performer = performer

    async def deliver(self, header: Header, signed: Signed) -> None:
        """Take in an acceptance or a confirmation; raises RefusedError with the reason otherwise."""
        record = self._journal.invitation(header.edge.hex)
        if record is None:
            raise RefusedError(RefusalCode.INVITATION_MISMATCH, "no invitation of that id is known here")
        if kind_of(signed.payload_type) is Kind.ACCEPTANCE and record.direction is Direction.OUTGOING:
            await self._accepted(record, signed)
        elif kind_of(signed.payload_type) is Kind.CONFIRMATION and record.direction is Direction.INCOMING:
            await self._confirmed(record, signed)
        else:
            raise RefusedError(RefusalCode.INVITATION_MISMATCH, "an answer of the wrong side")

    async def _accepted(self, record: InvitationRecord, signed: Signed) -> None:
        if record.secret is None or record.status in (InvitationStatus.REVOKED, InvitationStatus.DECLINED):
            raise RefusedError(RefusalCode.INVITATION_MISMATCH, f"this invitation is {record.status}")
        secret, moment = Secret(record.secret), self._clock.moment()
        found = verify_acceptance(
            signed,
            invitation=Document.from_json(record.document),
            secret=secret,
            now_ms=record.created_ms if record.acceptance == signed.digest.hex else moment.now_ms,
        )
        if record.acceptance not in (None, signed.digest.hex):
            # Somebody else proved the secret too: the token has leaked, and people should hear of it.
            log.error("invitation %s was accepted twice: its token has leaked", record.invitation_id[:16])
            raise RefusedError(RefusalCode.INVITATION_USED, "a second acceptance of one invitation")
        confirmation, effects = trust.welcomed(
            record,
            found.chain,
            found.acceptance,
            signed.digest,
            self._people.own,
            moment,
            scopes=found.grant.scopes,
            trust=Trust.TOKEN if found.proven else Trust.UNVERIFIED,
            known=self._journal.contact(found.chain.genesis.hex),
        )
        proved = with_mac(secret, confirmation) if found.proven else confirmation
        if record.acceptance is not None:  # a repeat: only the confirmation is owed again
            effects = []
        await self._performer.perform([*effects, send_of(proved, deliver=True, keep=False)])
        self._people.forget_cached(found.chain.genesis.hex)
        log.info("%s accepted invitation %s", found.chain.genesis.hex[:16], record.invitation_id[:16])

    async def _confirmed(self, record: InvitationRecord, signed: Signed) -> None:
        edge = self._journal.edge(record.invitation_id)
        chain = None if edge is None else self._people.chain_of(edge.peer)
        if edge is None or chain is None or record.acceptance is None:
            raise RefusedError(
                RefusalCode.INVITATION_MISMATCH, "a confirmation of nothing that was accepted here"
            )
        verify_confirmation(
            signed,
            invitation=Document.from_json(record.document),
            acceptance=Digest.from_hex(record.acceptance),
            inviter=chain,
            secret=None if record.secret is None else Secret(record.secret),
        )
        if edge.status is EdgeStatus.PENDING:
            await self._performer.perform(trust.confirmed(edge, record))

    async def grant_changed(self, opened: Opened, grant: GrantDocument) -> None:
        """Take in a newer version of a grant that a trustor has signed for us."""
        edge = self._journal.edge(opened.header.edge.hex)
        if (
            edge is None
            or edge.direction is not Direction.OUTGOING
            or grant.version <= grant_of(edge).version
        ):
            return
        signed = opened.signed
        document = Document(
            signed.payload_type, signed.body, (Signature(opened.header.from_device.raw, signed.signature),)
        )
        status = EdgeStatus.REVOKED if grant.status is GrantStatus.REVOKED else edge.status
        changed = replace(
            edge, status=status, grant=document.to_json(), expires_ms=grant.scopes.expires_at_ms or 0
        )
        effects: list[Effect] = [Put(changed)]
        if status is EdgeStatus.REVOKED:
            effects += unsent_refused(self._journal, edge, self._clock.now_ms())
        await self._performer.perform(effects)


def unsent_refused(journal: Journal, edge: EdgeRecord, now_ms: int) -> list[Effect]:
    """Refuse at once what is still queued over an edge that is gone."""
    effects: list[Effect] = []
    for record in journal.on_edge(edge.edge):
        if record.box is Box.SENT and record.state is DispatchState.QUEUED:
            effects += decisions.refuse_unsent(record, now_ms, code="edge_revoked")
    return effects


def waiting_on(journal: Journal, edge: str) -> list[DispatchRecord]:
    """Return the received dispatches of an edge that are not over."""
    return [record for record in journal.on_edge(edge) if record.box is Box.INBOX]
