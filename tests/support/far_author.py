"""Somebody who sends to a household: signs tasks by any device of theirs, at any head, for any machine, and invites with a token.

Everything that is drawn is drawn from the world's fate, so that a history told again has the same bytes.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from dispatch_protocol.chain import Chain
from dispatch_protocol.envelope import Envelope
from dispatch_protocol.first_contact import Secret, verify_acceptance, with_mac
from dispatch_protocol.head import Head
from dispatch_protocol.invitation import Confirmation
from dispatch_protocol.invitation_token import InvitationToken
from dispatch_protocol.keys import DeviceId, EdgeId
from dispatch_protocol.links import (
    ALL_ROLES,
    AddDeviceLink,
    IdentityKind,
    RevokeDeviceLink,
    genesis_link,
    sign_link,
)
from dispatch_protocol.signing import Document, Signed, edge_id
from dispatch_protocol.unseal import unseal
from tests.support.device import Device
from tests.support.documents import NOW_MS
from tests.support.fate import Fate
from tests.support.sibling_post import SiblingPost
from tests.support.speaker import Speaker

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
STEP = {"tool": "Bash", "input": {"command": "true"}}


@dataclass
class Sent:
    """One task that was signed, and its bytes."""

    signed: Signed
    raw: bytes = field(repr=False)


class FarAuthor(Speaker):
    """Alice; `owners` are the devices in her hands, `stolen` those in the thief's, `chain` is hers as she has it."""

    def __init__(self, post: SiblingPost, fate: Fate) -> None:
        super().__init__("alice-afar")
        self.post, self.fate = post, fate
        self.their: Chain = post.own
        self.first = _born(self.device)
        self.owners: list[Device] = [self.device]
        self.stolen: list[Device] = []
        self.chain = self.device.chain
        self.sent: list[Sent] = []
        self.edges: list[EdgeId] = []
        self.tells()

    def tells(self) -> None:
        """Let the relay tell her chain as it is."""
        self.post.told[self.first.genesis.hex] = self.chain

    def joins(self) -> None:
        """Have one device more."""
        new = Device(f"alice-afar-{len(self.owners) + len(self.stolen)}")
        link = AddDeviceLink(
            prev=self.chain.head,
            device=new.id,
            sealing=new.sealing.public,
            roles=ALL_ROLES,
            created_ms=self.fate.now_ms(),
            nonce=self.fate.random(16),
        )
        self.chain = self.chain.extend([sign_link(link, [self.first.signing, new.signing])])
        self.owners.append(new)

    def revokes(self, device: Device) -> None:
        """End a device that is a thief's."""
        link = RevokeDeviceLink(
            prev=self.chain.head, device=device.id, created_ms=self.fate.now_ms(), nonce=self.fate.random(16)
        )
        self.chain = self.chain.extend([sign_link(link, [self.first.signing])])

    # -- first contact -----------------------------------------------------------------------------------

    def invites(self) -> tuple[str, Document, Secret]:
        """Return a token for Bob, and what it stands for; the relay lists the invitation."""
        self.device = self.first
        self.device.chain = self.chain
        now = self.fate.now_ms()
        document = self.device.invitation(
            "bob@example.org",
            self.post.url,
            from_email=self.first.address,
            nonce=self.fate.random(16),
            created_ms=now,
            expires_ms=now + DAY_MS,
        )
        edge, secret = edge_id(document.digest), Secret(self.fate.random(16))
        self.post.invitations = [{"document": document.to_json(), "status": "pending"}]
        token = InvitationToken(self.post.url, edge, self.first.genesis, secret)
        return token.format(), document, secret

    def confirms(self, document: Document, secret: Secret) -> EdgeId | None:
        """Confirm the yes to an invitation, to every machine of Bob's, if one has come."""
        self.device, self.edge = self.first, edge_id(document.digest)
        came = [each for each in self.post.kept[self.first.id.hex] if _edge(each) == self.edge]
        if not came:
            return None
        raw = came[0]
        signed = unseal(raw, device=self.first.id, sealing=[self.first.sealing]).signed
        accepted = verify_acceptance(signed, invitation=document, secret=secret, now_ms=self.fate.now_ms())
        self.version = accepted.grant.version
        head = self.head(created_ms=self.fate.now_ms())
        message = Confirmation(head=head, invitation=document.digest, acceptance=signed.digest, mac=None)
        sealed = self.signed(with_mac(secret, message))
        self.post.take(self.enveloped(sealed, head))
        self.edges.append(self.edge)
        return self.edge

    # -- tasks -------------------------------------------------------------------------------------------

    def says(self, device: Device, chain: Chain, edge: EdgeId, to: DeviceId | None, age_ms: int = 0) -> Sent:
        """Sign a task by a device at the head of a chain, for one machine to run, or for their owner."""
        self.device, device.chain, self.edge = device, chain, edge
        created = self.fate.now_ms() - age_ms
        head = self.head(created_ms=created, expires_ms=created + 12 * HOUR_MS)
        task = self.task(
            f"task {len(self.sent)}",
            [STEP],
            head=head,
            owner_device=to or self.their.owner,
            thread=UUID(bytes=self.fate.random(16), version=4),
        )
        signed = self.signed(task)
        sent = Sent(signed, self.enveloped(signed, head))
        self.sent.append(sent)
        return sent

    def head(self, **changes: Any) -> Head:
        return super().head(**{"nonce": self.fate.random(16), **changes})

    def enveloped(self, signed: Signed, head: Head | None, **changes: Any) -> bytes:
        recipients: Sequence[Any] = self.their.recipients
        drawn = {
            "content_key": self.fate.random(32),
            "ephemerals": [self.fate.random(32) for _ in recipients],
        }
        return super().enveloped(signed, head, **{**drawn, **changes})


def _born(device: Device) -> Device:
    """Let a device be as old as the world, and not as the process."""
    link = genesis_link(
        kind=IdentityKind.PERSON,
        device=device.signing,
        sealing=device.sealing.public,
        recovery=device.recovery,
        created_ms=NOW_MS,
        nonce=bytes(16),
    )
    device.chain = Chain.verify([link], expect=None)
    return device


def _edge(raw: bytes) -> EdgeId:
    return Envelope.decode(raw).header.edge


def said(signed: Signed) -> dict[str, Any]:
    """Return a body as plain JSON."""
    value: dict[str, Any] = json.loads(signed.body)
    return value
