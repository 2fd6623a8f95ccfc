"""First contact: acceptances of our invitations, and confirmations of what we accepted.

For an acceptance and a confirmation the signer's key comes from the chain inside, or from the fingerprint in
the token; the code that proves the token stands where "pinned" stands for everything else.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.adapters.relay import RelayRejectedError, RelayUnreachableError
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.disowned import disowned
from dispatch_daemon.app.edges import Ending
from dispatch_daemon.app.people import People
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.core import trust
from dispatch_daemon.core.composing import Moment, Peer, send_of
from dispatch_daemon.core.effects import Effect, Put
from dispatch_daemon.core.grants import newest
from dispatch_daemon.core.trust_records import (
    Direction,
    EdgeRecord,
    InvitationRecord,
    InvitationStatus,
    Trust,
)
from dispatch_daemon.core.trust_views import edge_status, unproved_key
from dispatch_daemon.ports import Relay
from dispatch_protocol.chain import Chain
from dispatch_protocol.envelope import Header
from dispatch_protocol.errors import RefusalCode, RefusedError
from dispatch_protocol.first_contact import Secret, with_mac
from dispatch_protocol.grant import GrantDocument, GrantStatus
from dispatch_protocol.invitation import Acceptance, Confirmation
from dispatch_protocol.keys import Digest, EdgeId, Genesis
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.signing import Document, edge_id, sign_document
from dispatch_protocol.standing import AcceptanceExpected, ConfirmationExpected, EdgeStatus, Standing
from dispatch_protocol.standing import FirstContact as FirstContactExpected
from dispatch_protocol.unseal import Opened, open_first_contact

log = logging.getLogger("dispatch.trust")


class FirstContact:
    """Takes in who may be pinned from now on."""

    def __init__(
        self,
        journal: Journal,
        people: People,
        clock: Clock,
        performer: Performer,
        relay: Callable[[], Relay | None] = lambda: None,
    ) -> None:
        self._relay = relay
        self._journal = journal
        self._people = people
        self._clock = clock
        self._performer = performer
        self._ending = Ending(journal, people, clock)

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

    @contextmanager
    def _noted(self, record: InvitationRecord) -> Iterator[None]:
        """Remember the first yes whose maker did not hold the token's secret: a letter was mistyped, or somebody guesses.

        Only the first: whoever repeats it, or goes on guessing, makes this machine write nothing.
        """
        try:
            yield
        except RefusedError as error:
            key = unproved_key(record.invitation_id)
            if error.reason is RefusalCode.MAC_BAD and self._journal.meta(key) is None:
                self._journal.remember(key, self._clock.now_ms())
            raise

    async def _accepted(self, record: InvitationRecord, header: Header, raw: bytes) -> None:
        if record.secret is None or record.status in (InvitationStatus.REVOKED, InvitationStatus.DECLINED):
            raise RefusedError(RefusalCode.INVITATION_USED, f"this invitation is {record.status}")
        expected = AcceptanceExpected(Document.from_json(record.document), Secret(record.secret))
        if record.acceptance == header.digest.hex:
            await self._confirm_again(record, raw, expected)
            return
        with self._noted(record):
            opened = self._open(raw, expected, seen=False)
        message = opened.body
        if not isinstance(message, Acceptance):
            raise RefusedError(RefusalCode.INVITATION_MISMATCH, "an answer of the wrong side")
        if record.acceptance is not None:
            if message.mac is not None:
                await self._alarm(record, opened.peer.genesis)
            raise RefusedError(RefusalCode.INVITATION_USED, "a second acceptance of one invitation")
        own = self._people.own
        if record.offered_on not in (None, own.device.hex) and record.offered_on in _active(own.chain):
            raise RefusedError(
                RefusalCode.INVITATION_USED, "the device of ours that offered a way back answers"
            )
        moment = self._clock.moment()
        level = Trust.UNVERIFIED if message.mac is None else Trust.TOKEN
        offered = self._offered(record, opened, level, moment)
        if offered is not None:
            await self._announce(record, offered)
        confirmation, effects = trust.welcomed(
            record,
            opened.peer,
            message,
            opened.signed.digest,
            self._people.own,
            moment,
            scopes=GrantDocument.decode(message.grant.body).scopes,
            trust=level,
            known=self._journal.contact(opened.peer.genesis.hex),
            offered=offered,
        )
        proved = confirmation if message.mac is None else with_mac(expected.secret, confirmation)
        effects += self._replaced(effects)
        effects += disowned(self._journal, self._people.own, effects, self._clock.moment())
        effects += trust.superseded(effects, self._journal.invitations(), moment.now_ms)
        await self._performer.perform([*effects, send_of(proved, deliver=True, keep=False)])
        self._people.forget_cached(opened.peer.genesis.hex)
        log.info("%s accepted invitation %s", opened.peer.genesis.hex[:16], record.invitation_id[:16])

    def _replaced(self, effects: Sequence[Effect]) -> list[Effect]:
        """End what an acceptor had let us do before these effects; of an older yes that came late, itself, for it is over there."""
        given = next(
            effect.record
            for effect in effects
            if isinstance(effect, Put) and isinstance(effect.record, EdgeRecord)
            if effect.record.direction is Direction.OUTGOING
        )
        others = self._people.standing_edges(Direction.OUTGOING, given.peer)
        made_ms = newest(given).head.created_ms
        came_late = any(newest(edge).head.created_ms > made_ms for edge in others)
        over = [given] if came_late else others
        return [effect for edge in over for effect in self._ending.over(edge)]

    def _offered(
        self, record: InvitationRecord, opened: Opened, level: Trust, moment: Moment
    ) -> trust.Offered | None:
        """Sign the way back for who accepted, unless they may dispatch here already."""
        scopes = trust.way_back(record, level, moment.now_ms)
        peer = opened.peer
        if scopes is None or self._let_in(peer.genesis.hex):
            return None
        back = edge_id(opened.signed.digest)
        grant = trust.grant(
            self._people.own,
            Peer(peer.genesis, peer.head),
            back.hex,
            scopes,
            moment,
            status=GrantStatus.ACTIVE,
        )
        document = sign_document([self._people.keys.signing], payload_type(Kind.GRANT), grant.encode())
        return trust.Offered(back, document, scopes, record.offer_identities)

    def _let_in(self, peer: str) -> bool:
        """Say whether a contact may dispatch here, or will as soon as their device has checked our yes."""
        return self._live(Direction.INCOMING, peer) or any(
            edge.status is EdgeStatus.PENDING
            for edge in self._people.standing_edges(Direction.INCOMING, peer)
        )

    def _live(self, direction: Direction, peer: str) -> bool:
        """Say whether there is an edge in force between this identity and a contact, in a direction."""
        return any(
            edge.peer == peer and edge_status(edge, self._clock.now_ms()) is EdgeStatus.ACTIVE
            for edge in self._journal.edges(direction)
        )

    async def _announce(self, record: InvitationRecord, offered: trust.Offered) -> None:
        """Let the relay know of the way back before the other side does, or its first task would find no edge.

        It is owed to the relay as well, in case it does not answer now.
        """
        relay = self._relay()
        if relay is None:
            return
        args = {"edge_id": EdgeId.from_hex(record.invitation_id).uuid, **trust.offer_header(offered)}
        try:
            await relay.call("offer_edge", args)
        except (RelayUnreachableError, RelayRejectedError) as error:
            log.warning("the relay has not taken the way back of %s: %s", record.invitation_id[:16], error)
        if self._journal.invitation(record.invitation_id) != record:
            raise RefusedError(RefusalCode.INVITATION_USED, "this invitation was ended meanwhile")

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
        acceptance = Digest.from_hex(record.acceptance or "")
        back = self._journal.edge(edge_id(acceptance).hex)
        first = back is not None and back.status is EdgeStatus.ACTIVE and newest(back).version.n == 1
        offer = Document.from_json(back.grant) if back is not None and first else None
        confirmation = trust.confirmation(
            self._people.own, peer, record, acceptance, self._clock.moment(), offer
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
        message = self._open(raw, expected, seen=False).body
        log.info("the edge %s is confirmed", header.edge.hex[:16])
        if edge.status is not EdgeStatus.PENDING:
            return
        effects = trust.confirmed(edge, record)
        offer = message.offer if isinstance(message, Confirmation) else None
        if offer is not None and not self._live(Direction.OUTGOING, edge.peer):
            effects += trust.taken_up(edge, offer, self._clock.now_ms())
        effects += trust.superseded(effects, self._journal.invitations(), self._clock.now_ms())
        await self._performer.perform(effects)


def _active(chain: Chain) -> set[str]:
    """Return the ids of the devices of a chain, in hex."""
    return {device.hex for device in chain.devices}
