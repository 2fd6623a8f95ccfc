"""Contacts at the door: who may send to whom, and the end of that."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from dispatch_daemon.adapters.executor import Executor
from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.edges import Ending
from dispatch_daemon.app.online import Online
from dispatch_daemon.app.people import People
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.app.presence import Presence
from dispatch_daemon.app.services.comparing import Comparing
from dispatch_daemon.app.services.granting import granted
from dispatch_daemon.app.sharing import shown_names
from dispatch_daemon.core import aliases, comparing, editing, trust, trust_views
from dispatch_daemon.core.composing import send_of
from dispatch_daemon.core.devices import require_approver
from dispatch_daemon.core.effects import Put
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.grants import binding
from dispatch_daemon.core.requests import ScopeChoice
from dispatch_daemon.core.trust_records import Direction, EdgeRecord, Trust
from dispatch_daemon.ports import JsonObject
from dispatch_protocol.encoding import JSON
from dispatch_protocol.grant import GrantStatus
from dispatch_protocol.keys import DeviceId, EdgeId
from dispatch_protocol.limits import SAFE_INTEGER
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.scopes import Scopes
from dispatch_protocol.signing import sign_document
from dispatch_protocol.standing import EdgeStatus


class Contacts:
    """Contacts and edges of this home."""

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
        self._presence = Presence(online)
        self._ending = Ending(journal, people, clock)
        self.verify_contact = Comparing(journal, people, clock, performer).verify_contact

    async def contacts(self) -> JsonObject:
        """List every edge with what it allows and how the other side is known."""
        present = await self._presence.told()
        now_ms = self._clock.now_ms()
        return {
            "edges": [
                trust_views.edge_view(
                    edge,
                    self._journal.contact(edge.peer),
                    binding(edge).scopes,
                    online=present.get(EdgeId.from_hex(edge.edge).uuid),
                    now_ms=now_ms,
                    comparison=self._comparison(edge.peer, now_ms),
                    devices=self._devices(edge.peer),
                    edits=self._edits(edge),
                )
                for edge in self._journal.edges()
            ]
        }

    def _devices(self, peer: str) -> list[DeviceId] | None:
        chain = self._people.chain_of(peer)
        return None if chain is None else sorted(chain.devices)

    def _edits(self, edge: EdgeRecord) -> list[dict[str, JSON]]:
        """Return what devices of this person have stated of an edge at the same time."""
        return trust_views.edits_view(edge, shown_names(self._journal, self._people.own))

    def _comparison(self, peer: str, now_ms: int) -> str | None:
        """Return where comparing with a contact stands."""
        chain = self._people.chain_of(peer)
        record = self._journal.comparison(peer)
        return None if chain is None else comparing.state(record, chain.epoch, now_ms)

    async def alias_contact(self, *, peer: str, name: str | None) -> JsonObject:
        """Call a contact by a name of one's own, or by none."""
        _, contact = self._people.known(peer)
        others = [each for each in self._journal.contacts() if each.genesis != contact.genesis]
        now_ms = max(self._clock.now_ms(), contact.named_ms + 1)
        chosen = None if name is None else aliases.alias(name, others)
        named = replace(contact, alias=chosen, named_ms=now_ms)
        await self._performer.perform([Put(named)])
        return {"peer": contact.address, "identity": contact.genesis, "alias": named.alias}

    async def revoke(self, *, peer: str, outgoing: bool) -> JsonObject:
        """End every edge from a peer, with everything of theirs that has not ended; or give up one's own to them."""
        direction = Direction.OUTGOING if outgoing else Direction.INCOMING
        edge = self._edge(peer, direction)
        if edge.status is EdgeStatus.REVOKED:
            raise ServiceError(
                "not_pending", f"the edge with {edge.address} is revoked already", hint="dispatch contacts"
            )
        ended = self._people.standing_edges(direction, edge.peer)
        await self._performer.perform([effect for each in ended for effect in self._ending.over(each)])
        return {
            "edge_id": EdgeId.from_hex(edge.edge).uuid,
            "edges": [EdgeId.from_hex(each.edge).uuid for each in ended],
            "peer": edge.address,
            "status": EdgeStatus.REVOKED,
        }

    async def edit_edge(self, *, peer: str, choice: ScopeChoice) -> JsonObject:
        """Change what a peer's tasks may do here; what is not mentioned stays. Runs that no longer fit into it end."""
        own = self._people.own
        require_approver(own.chain, own.device, "change what others may do")
        edge = self._edge(peer, Direction.INCOMING)
        if edge.status is not EdgeStatus.ACTIVE:
            code = "edge_pending" if edge.status is EdgeStatus.PENDING else "not_pending"
            raise ServiceError(
                code, f"the edge with {edge.address} is {edge.status}", hint="dispatch contacts"
            )
        present, now_ms = binding(edge), self._clock.now_ms()
        scopes, identities = granted(
            choice,
            Trust(self._people.trust_of(edge.peer) or Trust.UNVERIFIED),
            now_ms,
            self._executor,
            present=present.scopes,
            kept=edge.path_identities,
        )
        if any(tip.n == SAFE_INTEGER for tip in present.tips):
            why = f"a device of yours has counted the changes of the edge from {edge.address} to their end"
            raise ServiceError("invalid", why, hint=f"dispatch revoke {edge.address}, and invite them anew")
        ended = 0
        is_open = self._people.standing_edges(Direction.INCOMING, edge.peer)
        mentioned = choice != ScopeChoice()
        others = [each for each in is_open if each.edge != edge.edge and mentioned]
        told: list[JSON] = [*self._edits(edge)]
        changed = (scopes, tuple(identities)) != (present.scopes, edge.path_identities)
        if (
            changed or others or (mentioned and told)
        ):  # an edit ends what two devices have stated, a look does not
            told = []
            ended = await self._put_in_force(edge, scopes, identities, others)
        return {
            "edge_id": EdgeId.from_hex(edge.edge).uuid,
            "peer": edge.address,
            "status": edge.status,
            "scopes": trust_views.scopes_view(scopes),
            "runs_ended": ended,
            "edges_open": len(is_open) - len(others),
            "edges_ended": len(others),
            "edits": told or None,
        }

    async def _put_in_force(
        self,
        edge: EdgeRecord,
        scopes: Scopes,
        identities: Sequence[tuple[str, int, int]],
        others: Sequence[EdgeRecord],
    ) -> int:
        """Sign the next version of a grant, keep it and owe it, and end the other edges; return how many runs it ended."""
        moment = self._clock.moment()
        grant = trust.grant(
            self._people.own,
            self._people.peer(edge.peer),
            edge.edge,
            scopes,
            moment,
            status=GrantStatus.ACTIVE,
            after=binding(edge).tips,
        )
        document = sign_document([self._people.keys.signing], payload_type(Kind.GRANT), grant.encode())
        effects = editing.edited(edge, document, scopes, path_identities=identities, now_ms=moment.now_ms)
        effects.append(send_of(grant, deliver=True, keep=False))
        ending = self._ending.outgrown(edge, scopes)
        effects += [effect for each in ending for effect in each]
        effects += [effect for each in others for effect in self._ending.over(each)]
        await self._performer.perform(effects)
        return len(ending)

    def _edge(self, peer: str, direction: Direction) -> EdgeRecord:
        """Return the edge that is meant; nobody is refused anything here, so none is one that is not there."""
        try:
            return self._people.edge_to(peer, direction)[0]
        except ServiceError as error:
            if error.code != "no_edge":
                raise
            way = "to" if direction is Direction.OUTGOING else "from"
            raise ServiceError("peer_unknown", f"there is no edge {way} {peer}") from None
