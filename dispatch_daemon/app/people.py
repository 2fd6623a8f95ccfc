"""Who is who: this daemon's identity, the pinned contacts and the edges between them, read from the journal.

Chains are verified once when they are first needed and kept; they change only through `pin`.
"""

from collections.abc import Sequence
from typing import Final

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.adapters.keystore import Keys
from dispatch_daemon.core import choosing, grants
from dispatch_daemon.core.composing import Own, Peer
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.records import DispatchRecord
from dispatch_daemon.core.trust_records import ContactRecord, Direction, EdgeRecord, Trust
from dispatch_protocol.chain import Chain, read_links
from dispatch_protocol.keys import EdgeId, Genesis
from dispatch_protocol.scopes import OWN_SCOPES, Scopes
from dispatch_protocol.standing import EdgeStatus

ME = "me"
_FINGERPRINT: Final = (
    8  # so many letters of an identity name it where a name is typed; fewer are the beginning of a name
)
_SHOWN: Final = 16


class People:
    """The address book of one daemon."""

    def __init__(self, journal: Journal, keys: Keys, chain: Chain) -> None:
        self.journal = journal
        self.keys = keys
        self._chain = chain
        self._chains: dict[str, Chain] = {}

    def grown(self, chain: Chain) -> None:
        """Know one's own chain as it is from now on."""
        self._chain = chain

    def joined(self, keys: Keys, chain: Chain) -> None:
        """Belong to another identity from now on: this device was paired with one of its."""
        self.keys, self._chain = keys, chain

    def rekeyed(self, keys: Keys) -> None:
        """Have these keys from now on; the device and its identity are the same."""
        self.keys = keys

    @property
    def own(self) -> Own:
        """This identity as documents name it, with the address it has logged in under."""
        account = self.account
        return Own(self._chain, self.keys.signing.device, account["email"] if account else None)

    @property
    def account(self) -> dict[str, str] | None:
        """The broker and the address of this daemon's login, or None before the first one."""
        account = self.journal.meta("account")
        if not isinstance(account, dict):
            return None
        return {key: str(value) for key, value in account.items()}

    def chain_of(self, genesis: str) -> Chain | None:
        """Return the pinned chain of an identity (one's own included), or None for a stranger."""
        if genesis == self._chain.genesis.hex:
            return self._chain
        if genesis not in self._chains:
            contact = self.journal.contact(genesis)
            if contact is None:
                return None
            self._chains[genesis] = Chain.verify(read_links(contact.chain), expect=Genesis.from_hex(genesis))
        return self._chains[genesis]

    def forget_cached(self, genesis: str) -> None:
        """Read this contact's chain anew next time: it was pinned again with more links."""
        self._chains.pop(genesis, None)

    def peer(self, genesis: str) -> Peer:
        """Return the addressee of documents for an identity that is known to be pinned."""
        chain = self.chain_of(genesis)
        if chain is None:
            raise ServiceError("internal", f"no chain is pinned for {genesis[:16]}")
        return Peer(chain.genesis, chain.head)

    def peer_of(self, record: DispatchRecord) -> Peer:
        """Return the other side of a dispatch; oneself for one's own jobs."""
        return self.peer(record.peer)

    def own_contact(self) -> Peer:
        return Peer(self._chain.genesis, self._chain.head)

    # -- grants ----------------------------------------------------------------------------------------

    def scopes_of(self, edge: str) -> Scopes:
        """Return what an edge's grant, as this machine holds it, allows."""
        if edge == EdgeId.SELF.hex:
            return OWN_SCOPES
        record = self.journal.edge(edge)
        if record is None:
            raise ServiceError("no_edge", "there is no such edge")
        contact = self.journal.contact(record.peer)
        return choosing.bounded(
            grants.binding(record).scopes, Trust.UNVERIFIED if contact is None else contact.trust
        )

    def trust_of(self, genesis: str) -> str | None:
        """Return how a contact's key is known; None for a stranger and for oneself."""
        contact = self.journal.contact(genesis)
        return None if contact is None else str(contact.trust)

    def in_conflict(self, genesis: str) -> bool:
        """Say whether two histories of a contact were told, and nothing has voided one of them."""
        contact = self.journal.contact(genesis)
        return contact is not None and contact.conflict is not None

    # -- resolving what people type --------------------------------------------------------------------

    def edge_to(self, recipient: str, direction: Direction) -> tuple[EdgeRecord, ContactRecord]:
        """Find the one edge that an address, an alias or a unique prefix of one means.

        Raises:
            ServiceError: `no_edge` if there is none (or it is over), `ambiguous` with the candidates.
        """
        wanted = recipient.strip().casefold()
        edges = [
            (edge, contact)
            for edge in self.journal.edges(direction)
            if (contact := self.journal.contact(edge.peer)) is not None
        ]
        exact = [pair for pair in edges if wanted in _names(*pair)]
        found = exact or [pair for pair in edges if _begins(wanted, *pair)]
        # A person may have several edges in a row: a revoked one must not hide the one that works.
        live = [pair for pair in found if pair[0].status in (EdgeStatus.ACTIVE, EdgeStatus.PENDING)] or found[
            -1:
        ]
        if not wanted or not live:
            raise _no_edge(recipient, direction)
        _require_one(recipient, [edge for edge, _ in live])
        return live[-1]

    def standing_edges(self, direction: Direction, genesis: str) -> list[EdgeRecord]:
        """Return every edge with an identity that has not been revoked, the oldest first: there may be several in a row."""
        return [
            edge
            for edge in self.journal.edges(direction)
            if edge.peer == genesis and edge.status is not EdgeStatus.REVOKED
        ]

    def known(self, peer: str) -> tuple[EdgeRecord, ContactRecord]:
        """Find the contact that an address, an alias or a unique prefix means, by an edge in either direction.

        Whoever an edge is open with comes before an identity with which all are over.

        Raises:
            ServiceError: `peer_unknown`, or `ambiguous` with the candidates.
        """
        found = []
        for direction in Direction:
            try:
                found.append(self.edge_to(peer, direction))
            except ServiceError as error:
                if error.code != "no_edge":
                    raise
        if not found:
            raise ServiceError("peer_unknown", f"nobody who is called {peer} is known here")
        found = [pair for pair in found if pair[0].status is not EdgeStatus.REVOKED] or found
        _require_one(peer, [edge for edge, _ in found])
        return found[0]

    def is_me(self, recipient: str) -> bool:
        """Return whether a recipient means this very person."""
        own = self.own.address
        wanted = recipient.strip().casefold()
        return wanted == ME or (own is not None and wanted == own.casefold())


def _names(edge: EdgeRecord, contact: ContactRecord) -> list[str]:
    names = [edge.address.casefold()]
    if contact.alias:
        names.append(contact.alias.casefold())
    return names


def _begins(wanted: str, edge: EdgeRecord, contact: ContactRecord) -> bool:
    """Say whether a name, or enough of an identity's fingerprint, begins like this."""
    fingerprint = len(wanted) >= _FINGERPRINT and edge.peer.startswith(wanted)
    return fingerprint or any(name.startswith(wanted) for name in _names(edge, contact))


def _require_one(typed: str, edges: Sequence[EdgeRecord]) -> None:
    """Refuse what may mean several people; of two identities under one address each is named by its fingerprint.

    Raises:
        ServiceError: `ambiguous`.
    """
    people = {edge.peer: edge.address for edge in edges}
    if len(people) == 1:
        return
    addresses = list(people.values())
    shared = len(set(addresses)) < len(addresses)
    raise ServiceError(
        "ambiguous",
        f"{typed} could be {len(people)} people" + ("; two identities have one address" if shared else ""),
        hint="dispatch contacts" if shared else None,
        candidates=sorted(
            genesis[:_SHOWN] if addresses.count(address) > 1 else address
            for genesis, address in people.items()
        ),
    )


def _no_edge(recipient: str, direction: Direction) -> ServiceError:
    if direction is Direction.OUTGOING:
        return ServiceError(
            "no_edge",
            f"{recipient} has not allowed you to send tasks",
            hint=f"dispatch invite {recipient}",
        )
    return ServiceError("no_edge", f"{recipient} has no edge to you", hint="dispatch contacts")
