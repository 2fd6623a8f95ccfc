"""Somebody who has a machine of a household in their hands: signs with its keys whatever these keys let them sign.

What comes out is sealed to as many of the other machines as the thief likes, so each of them may be told something else.
"""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from dispatch_protocol.chain import Chain
from dispatch_protocol.envelope import EnvelopeClass
from dispatch_protocol.grant import GrantDocument, GrantStatus, Version
from dispatch_protocol.head import Head, Party, Recipient
from dispatch_protocol.keys import DeviceId, Digest, EdgeId, Genesis, SigningKey
from dispatch_protocol.lifecycle import Outcome
from dispatch_protocol.links import ALL_ROLES, AddDeviceLink, RevokeDeviceLink, Role, SetRolesLink, sign_link
from dispatch_protocol.messages.household import Entry, Log, NameEntry, PanicEntry
from dispatch_protocol.messages.registry import encode_body
from dispatch_protocol.messages.shared_trust import EdgeEntry, PinEntry
from dispatch_protocol.messages.shared_work import Deed, DeedEntry, HandoverEntry
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.scopes import Approval, Scopes
from dispatch_protocol.seal import seal
from dispatch_protocol.signing import sign, sign_document
from tests.support.documents import Person
from tests.support.fate import Fate

TOOLS = ("Read", "Edit", "Bash", "Write")


class Burglar:
    """A thief of one machine; `chain` is the household's as the thief tells it."""

    def __init__(self, person: Person, chain: Chain, fate: Fate) -> None:
        self.person, self.chain, self.fate = person, chain, fate
        self.seq, self.prev = 0, Digest.ZERO

    @property
    def id(self) -> DeviceId:
        return self.person.device

    def learns(self, chain: Chain) -> None:
        """Tell the chain as it is, as long as this machine stands in it."""
        if self.id in chain.devices:
            self.chain = chain

    # -- documents ---------------------------------------------------------------------------------------

    def head(self, to: Genesis, head: Digest, edge: EdgeId, name: DeviceId | None = None) -> Head:
        return Head(
            nonce=self.fate.random(16),
            sender=Party(self.chain.genesis, name or self.id, self.chain.head),
            recipient=Recipient(to, head),
            edge=edge,
            re=Digest.ZERO,
            created_ms=self.fate.now_ms(),
            expires_ms=0,
        )

    def says(
        self,
        entries: Sequence[Entry],
        to: Callable[[DeviceId], bool],
        *,
        place: str,
        name: DeviceId | None = None,
    ) -> bytes | None:
        """Seal a document of a log to some of the others: the next one, the same place once more, a leap or a base.

        With a `name` it is one of that device's log, as far as it says itself, and signed by this one.
        """
        recipients = [
            pair for pair in self.chain.recipients if pair[0] not in (self.id, name) and to(pair[0])
        ]
        if not recipients:
            return None
        head = self.head(self.chain.genesis, self.chain.head, EdgeId.SELF, name)
        match place:
            case "base":
                seq, prev = 0, Digest.ZERO
            case "again" if self.seq > 0:
                seq, prev = self.seq, Digest.ZERO if self.seq == 1 else Digest(self.fate.random(32))
            case "leap":
                seq, prev = self.seq + 7, Digest(self.fate.random(32))
            case _:
                seq, prev = self.seq + 1, self.prev
        log = Log(head=head, seq=seq, prev=prev, heads=(), entries=tuple(entries))
        signed = sign(self.person.sign, payload_type(Kind.LOG), encode_body(log))
        if place == "next" and name is None:
            self.seq, self.prev = seq, signed.digest
        return seal(
            signed,
            klass=EnvelopeClass.TRUST,
            re=Digest.ZERO,
            from_device=name or self.id,
            to_genesis=self.chain.genesis,
            edge=EdgeId.SELF,
            created_ms=head.created_ms,
            expires_ms=0,
            recipients=recipients,
            content_key=self.fate.random(32),
            ephemerals=[self.fate.random(32) for _ in recipients],
        )

    # -- entries -----------------------------------------------------------------------------------------

    def hands(self, task: Digest, turn: int, to: DeviceId) -> HandoverEntry:
        return HandoverEntry(dispatch=task, turn=turn, to=to, handed_ms=self.fate.now_ms())

    def did(self, task: Digest, device: DeviceId, deed: Deed) -> DeedEntry:
        ran = deed in (Deed.ACCEPTED, Deed.FINISHED)
        return DeedEntry(
            dispatch=task,
            device=device,
            deed=deed,
            run_id=UUID(bytes=self.fate.random(16), version=4) if ran else None,
            outcome=Outcome.SUCCESS if deed is Deed.FINISHED else None,
            done_ms=self.fate.now_ms(),
        )

    def panics(self, device: DeviceId) -> PanicEntry:
        return PanicEntry(device=device, called_ms=self.fate.now_ms())

    def names(self, device: DeviceId) -> NameEntry:
        return NameEntry(device=device, name="stolen", named_ms=self.fate.now_ms())

    def pins(self, chain: Chain, conflict: Chain | None = None) -> PinEntry:
        return PinEntry(
            genesis=chain.genesis,
            address="alice-afar@example.org",
            alias=None,
            trust="token",
            links=chain.links,
            conflict=None if conflict is None else conflict.links,
            pinned_ms=self.fate.now_ms(),
        )

    def grants(
        self, edge: EdgeId, peer: Chain, n: int, *, status: str = "active", by: SigningKey | None = None
    ) -> EdgeEntry:
        """Tell an edge with every tool, by a grant that goes on from all before it, signed here or `by` a key of somebody else's."""
        parents = [Version(n - 1, device) for device in self.chain.devices] if n > 1 else []
        grant = GrantDocument(
            head=self.head(peer.genesis, peer.head, edge),
            version=Version(n, self.id),
            parents=tuple(sorted(parents)),
            scopes=Scopes(tools=TOOLS, approval=Approval.AUTO),
            status=GrantStatus.REVOKED if status == "revoked" else GrantStatus.ACTIVE,
        )
        signed = sign_document([by or self.person.sign], payload_type(Kind.GRANT), grant.encode())
        return EdgeEntry(
            edge=edge,
            direction="incoming",
            peer=peer.genesis,
            address="alice-afar@example.org",
            status=status,
            grant=signed,
            created_ms=self.fate.now_ms(),
            expires_ms=0,
        )

    # -- links -------------------------------------------------------------------------------------------

    def adds(self, new: Person) -> Chain:
        """Return the chain with a machine of the thief's."""
        link = AddDeviceLink(device=new.device, sealing=new.seal.public, roles=ALL_ROLES, **self._place())
        return self.chain.extend([sign_link(link, (self.person.sign, new.sign))])

    def revokes(self, device: DeviceId) -> Chain:
        """Return the chain without a machine."""
        link = RevokeDeviceLink(device=device, **self._place())
        return self.chain.extend([sign_link(link, (self.person.sign,))])

    def states(self, device: DeviceId, roles: frozenset[Role]) -> Chain:
        """Return the chain with other roles of a machine."""
        link = SetRolesLink(device=device, roles=roles, **self._place())
        return self.chain.extend([sign_link(link, (self.person.sign,))])

    def _place(self) -> dict[str, Any]:
        return {
            "prev": self.chain.head,
            "created_ms": self.fate.now_ms(),
            "nonce": self.fate.random(16),
        }
