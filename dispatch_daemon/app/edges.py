"""Trust edges as they live on: new versions of a grant, and what becomes of dispatches when an edge ends."""

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.people import People
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.app.sharing import is_elsewhere
from dispatch_daemon.core import decisions, editing, grants, intake, trust
from dispatch_daemon.core.composing import Peer, send_of
from dispatch_daemon.core.effects import Effect, Put
from dispatch_daemon.core.grants import before_last, binding
from dispatch_daemon.core.records import Box, DispatchRecord, RunRecord
from dispatch_daemon.core.trust_records import Direction, EdgeRecord
from dispatch_protocol.grant import GrantStatus
from dispatch_protocol.lifecycle import DispatchState
from dispatch_protocol.scopes import Scopes
from dispatch_protocol.signing import Document, Signature
from dispatch_protocol.standing import EdgeStatus
from dispatch_protocol.unseal import Opened


class Edges:
    """Takes in what a trustor changes about an edge of ours."""

    def __init__(self, journal: Journal, clock: Clock, performer: Performer) -> None:
        self._journal = journal
        self._clock = clock
        self._performer = performer

    async def grant_changed(self, opened: Opened) -> None:
        """Take in a version of a grant that a trustor has signed for us; an old or repeated one changes nothing."""
        edge = self._journal.edge(opened.header.edge.hex)
        if edge is None or edge.direction is not Direction.OUTGOING:
            return
        signed = opened.signed
        document = Document(
            signed.payload_type, signed.body, (Signature(opened.header.from_device.raw, signed.signature),)
        )
        changed = grants.joined(edge, document)
        if changed == edge:
            return
        effects: list[Effect] = [Put(changed)]
        if changed.status is EdgeStatus.REVOKED:
            effects += unsent_refused(self._journal, edge, self._clock.now_ms())
        await self._performer.perform(effects)


class Ending:
    """Ends what goes on over an edge that was revoked or narrowed, by whichever of one's own devices."""

    def __init__(self, journal: Journal, people: People, clock: Clock) -> None:
        self._journal = journal
        self._people = people
        self._clock = clock

    def over(self, edge: EdgeRecord, peer: Peer | None = None) -> list[Effect]:
        """Return what ends an edge by this device's word: here, at the relay, and all that waits or goes on over it.

        Its other side hears it, signed, if the edge is one's own to give; `peer` is that side as it is about to be pinned.
        """
        now_ms = self._clock.now_ms()
        effects = trust.revoked(edge, now_ms)
        if edge.direction is Direction.OUTGOING:
            return effects + unsent_refused(self._journal, edge, now_ms)
        told = self._revocation(edge, peer or self._people.peer(edge.peer))
        return [*effects, *self.received(edge), told]

    def _revocation(self, edge: EdgeRecord, peer: Peer) -> Effect:
        """Tell the other side, signed, that the edge is over."""
        grant = trust.grant(
            self._people.own,
            peer,
            edge.edge,
            binding(edge).scopes,
            self._clock.moment(),
            status=GrantStatus.REVOKED,
            after=before_last(edge),
        )
        return send_of(grant, deliver=True, keep=False)

    def all_of(self, edge: EdgeRecord) -> list[Effect]:
        """Return what ends everything that this edge, as it is about to be kept, does not allow any more."""
        if edge.status is EdgeStatus.REVOKED:
            return self.received(edge)
        scopes = binding(edge).scopes
        ended = [effect for each in self.outgrown(edge, scopes) for effect in each]
        if edge.beside:  # two have told the relay what it may know, each of its own version
            ended.append(editing.bounds(edge.edge, scopes, self._clock.now_ms()))
        return ended

    def received(self, edge: EdgeRecord) -> list[Effect]:
        """Refuse what waits over a revoked edge, and end what runs."""
        effects: list[Effect] = []
        for record in waiting_on(self._journal, edge.edge):
            if is_elsewhere(self._journal, self._people.own, record):
                continue  # whoever has it ends it
            if record.state is DispatchState.DELIVERED:
                peer = self._people.peer_of(record)
                effects += intake.refuse(
                    record, self._people.own, peer, self._clock.moment(), code="edge_revoked"
                )
                continue
            runs = self._journal.runs(record.digest)
            effects += self._ended(record, runs[-1] if runs else None, "edge_revoked")
        return effects

    def outgrown(self, edge: EdgeRecord, scopes: Scopes) -> list[list[Effect]]:
        """Return what ends each run that may do more than is granted now."""
        return [
            self._ended(record, run, "edge_narrowed")
            for record in waiting_on(self._journal, edge.edge)
            for run in self._journal.runs(record.digest)[-1:]
            if editing.outgrows(record, run, scopes)
        ]

    def _ended(self, record: DispatchRecord, run: RunRecord | None, code: str) -> list[Effect]:
        return decisions.cancel_received(
            record,
            run,
            self._journal.approvals_of(record.digest),
            self._people.own,
            self._people.peer_of(record),
            self._clock.moment(),
            by="edge",
            code=code,
        )


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
