"""An identity with a history: devices that join, are stolen, revoked and recovered, and a thief who has the same keys.

It speaks to one daemon, and so does its thief; the relay tells whatever chain of the two it likes. Which of them is right
is not known here: the daemon must find that out from signatures alone.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from dispatch_protocol.chain import Chain
from dispatch_protocol.envelope import Envelope
from dispatch_protocol.first_contact import Secret, verify_acceptance, with_mac
from dispatch_protocol.invitation import Confirmation
from dispatch_protocol.invitation_token import InvitationToken
from dispatch_protocol.keys import EdgeId
from dispatch_protocol.links import (
    ALL_ROLES,
    AddDeviceLink,
    RecoverLink,
    RevokeDeviceLink,
    sign_link,
)
from dispatch_protocol.messages.task import Task
from dispatch_protocol.signing import Document, Signed, edge_id
from dispatch_protocol.unseal import unseal
from tests.support.device import Device
from tests.support.speaker import Speaker
from tests.support.world import Member, Parcel, Post

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


@dataclass
class Sent:
    """One task that was signed: by which device, over which edge, and its bytes."""

    device: Device
    edge: EdgeId
    signed: Signed
    raw: bytes = field(repr=False)


class Hunted(Speaker):
    """The identity; `owners` are the devices in its owner's hands, `stolen` those in the thief's, `thiefs` the thief's own."""

    def __init__(self, name: str, bob: Member, post: Post) -> None:
        super().__init__(name)
        self.bob = bob
        self.post = post
        self.first = self.device
        self.owners: list[Device] = [self.device]
        self.stolen: list[Device] = []
        self.thiefs: list[Device] = []
        self.chain = self.device.chain  # as its owner has it
        self.false = self.chain  # as the thief would have it
        self.told = self.chain  # as the relay tells it
        self.made = 0
        self.sent: list[Sent] = []
        self.their = bob.person.chain
        self.hears()

    def hears(self) -> None:
        """Let the relay tell what is `told`, and throw away what is for this identity."""
        incoming = SimpleNamespace(deliver=_nothing)
        told = SimpleNamespace(person=SimpleNamespace(chain=self.told), incoming=incoming)
        self.post.members[self.first.genesis.hex] = told  # type: ignore[assignment] - all that the relay asks of a member

    def now_ms(self) -> int:
        return self.bob.clock.wall_ms()

    def new(self) -> Device:
        """Return a device that nobody has seen."""
        self.made += 1
        return Device(f"{self.first.name}'s {self.made}")

    # -- the history -----------------------------------------------------------------------------------

    def after(self, chain: Chain, kind: Callable[..., Any], signers: list[Device], **fields: Any) -> Chain:
        """Return a chain with one link more."""
        link = kind(prev=chain.head, created_ms=self.now_ms(), nonce=bytes(16), **fields)
        return chain.extend([sign_link(link, [each.signing for each in signers])])

    def adds(self, chain: Chain, by: Device, new: Device) -> Chain:
        """Return a chain with a device more."""
        fields = {"device": new.id, "sealing": new.sealing.public, "roles": ALL_ROLES}
        return self.after(chain, AddDeviceLink, [by, new], **fields)

    def revokes(self, chain: Chain, by: Device, device: Device) -> Chain:
        """Return a chain with a device less."""
        return self.after(chain, RevokeDeviceLink, [by], device=device.id)

    def recovers(self, upto: int) -> None:
        """Begin anew from a link of the owner's chain, with what is the owner's of it and a new device."""
        kept = Chain.verify(self.chain.links[: upto + 1], expect=self.first.genesis)
        new = self.new()
        survivors = frozenset(each.id for each in self.owners if each.id in kept.devices)
        link = RecoverLink(
            prev=kept.head,
            epoch=self.chain.epoch + 1,
            survivors=survivors,
            device=(new.id, new.sealing.public),
            created_ms=self.now_ms(),
            nonce=bytes(16),
        )
        self.chain = kept.extend([sign_link(link, [self.first.recovery, new.signing])])
        self.owners = [each for each in self.owners if each.id in self.chain.devices] + [new]

    # -- what it says ----------------------------------------------------------------------------------

    async def befriended(self, **choice: Any) -> EdgeId:
        """Invite, be accepted with the token, and confirm, as people do it; whoever speaks is the owner."""
        self.device = self.owners[-1]
        self.device.chain, before = self.chain, self.told
        self.told = self.chain
        self.hears()
        now = self.now_ms()
        document = self.device.invitation(
            self.bob.person.email,
            self.post.url,
            from_email=self.first.address,
            created_ms=now,
            expires_ms=now + DAY_MS,
        )
        self.edge, secret = edge_id(document.digest), Secret(bytes(self.edge.raw))
        self.post.invitations = [{"document": document.to_json(), "status": "pending"}]
        token = InvitationToken(self.post.url, self.edge, self.first.genesis, secret)
        await self.bob.accepting.accept_invitation(token=token.format(), **choice)
        await self.bob.work()
        await self._confirms(document, secret)
        self.told = before
        self.hears()
        return self.edge

    async def _confirms(self, document: Document, secret: Secret) -> None:
        raw = next(each.raw for each in reversed(self.post.archive) if each.header.edge == self.edge)
        if self.device.id not in Envelope.decode(raw).header.devices:
            return  # nobody replaces keys here, and to one that is older than sixty days nothing is sealed
        signed = unseal(raw, device=self.device.id, sealing=[self.device.sealing]).signed
        accepted = verify_acceptance(signed, invitation=document, secret=secret, now_ms=self.now_ms())
        self.version = accepted.grant.version
        head = self.head(created_ms=self.now_ms())
        message = Confirmation(head=head, invitation=document.digest, acceptance=signed.digest, mac=None)
        await self.bob.incoming.deliver(self.sealed(with_mac(secret, message)))

    def says(self, device: Device, chain: Chain, edge: EdgeId, age_ms: int, span_ms: int) -> Sent:
        """Sign a task by any device, at any head, over any edge, at any time."""
        self.device, device.chain, self.edge = device, chain, edge
        created = self.now_ms() - age_ms
        head = self.head(created_ms=created, expires_ms=created + span_ms)
        task: Task = self.task(f"task {len(self.sent)}", head=head)
        signed = self.signed(task)
        sent = Sent(device, edge, signed, self.enveloped(signed, head))
        self.sent.append(sent)
        return sent


async def _nothing(parcel: Parcel | bytes) -> None:
    del parcel
