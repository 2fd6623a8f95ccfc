"""Trust edges as they live on: new versions of a grant, and what becomes of dispatches when an edge ends."""

from dataclasses import replace

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.people import grant_of
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.core import decisions
from dispatch_daemon.core.effects import Effect, Put
from dispatch_daemon.core.records import Box, Direction, DispatchRecord, EdgeRecord
from dispatch_protocol.grant import GrantDocument, GrantStatus
from dispatch_protocol.lifecycle import DispatchState
from dispatch_protocol.signing import Document, Signature
from dispatch_protocol.standing import EdgeStatus
from dispatch_protocol.unseal import Opened


class Edges:
    """Takes in what a trustor changes about an edge of ours."""

    def __init__(self, journal: Journal, clock: Clock, performer: Performer) -> None:
        self._journal = journal
        self._clock = clock
        self._performer = performer

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
