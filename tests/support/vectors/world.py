"""The people of the vectors: Alice who dispatches, Bob who granted, and Mallory who should get nowhere.

Alice has lost a tablet (added, then revoked). Bob has three devices and a revoked fourth, and his laptop has rotated
its sealing key once, so that chains with a history are the normal case here and not the exception.
"""

from dataclasses import dataclass, field
from uuid import UUID

from dispatch_protocol.chain import Chain
from dispatch_protocol.grant import Version
from dispatch_protocol.head import Head, Party, Recipient
from dispatch_protocol.invitation import InvitationDocument, MacRule
from dispatch_protocol.keys import (
    DeviceId,
    Digest,
    EdgeId,
    Genesis,
    RecoveryKey,
    SealingKey,
    SealingPublic,
    SigningKey,
)
from dispatch_protocol.links import (
    AddDeviceLink,
    LaterLink,
    RevokeDeviceLink,
    Role,
    RotateSealingLink,
    genesis_link,
    sign_link,
)
from dispatch_protocol.messages.task import Task
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.signing import Document, edge_id, sign_document
from tests.support.vectors.fixed import fixed

NOW_MS = 1_767_323_045_678  # 2026-01-02T03:04:05.678Z
HOUR_MS = 3_600_000
YEAR_AGO_MS = NOW_MS - 365 * 24 * HOUR_MS


@dataclass(frozen=True)
class Machine:
    """One device with its private keys; `sealing` is newest first."""

    name: str
    sign: SigningKey
    sealing: tuple[SealingKey, ...]

    @property
    def device(self) -> DeviceId:
        return self.sign.device

    @property
    def recipient(self) -> tuple[DeviceId, SealingPublic]:
        return self.device, self.sealing[0].public


def machine(name: str, sealing_keys: int = 1) -> Machine:
    """Make a device of this name; `sealing_keys` says how many it has had."""
    seals = tuple(SealingKey(fixed(f"{name} sealing {index}")) for index in reversed(range(sealing_keys)))
    return Machine(name, SigningKey(fixed(f"{name} signing")), seals)


@dataclass
class Identity:
    """One person: a chain that grows, and the machines behind it."""

    name: str
    first: Machine
    chain: Chain = field(init=False)

    def __post_init__(self) -> None:
        link = genesis_link(
            device=self.first.sign,
            sealing=self.first.sealing[-1].public,
            recovery=RecoveryKey(fixed(f"{self.name} recovery")),
            created_ms=YEAR_AGO_MS,
            nonce=fixed(f"{self.name} genesis", 16),
        )
        self.chain = Chain.verify([link], expect=None)

    @property
    def genesis(self) -> Genesis:
        return self.chain.genesis

    def add(self, new: Machine) -> None:
        """Add a device, signed by the first one and by itself."""
        link = AddDeviceLink(
            device=new.device,
            sealing=new.sealing[-1].public,
            roles=frozenset(Role),
            **self._place(f"add {new.name}"),
        )
        self._grow(link, (self.first.sign, new.sign))

    def revoke(self, old: Machine) -> None:
        """Revoke a device, signed by the first one."""
        self._grow(
            RevokeDeviceLink(device=old.device, **self._place(f"revoke {old.name}")), (self.first.sign,)
        )

    def rotate(self, device: Machine) -> None:
        """State a device's newest sealing key, signed by that device."""
        link = RotateSealingLink(
            device=device.device, sealing=device.sealing[0].public, **self._place(f"rotate {device.name}")
        )
        self._grow(link, (device.sign,))

    def _place(self, what: str) -> dict[str, object]:
        return {
            "prev": self.chain.head,
            "created_ms": YEAR_AGO_MS + len(self.chain.links) * HOUR_MS,
            "nonce": fixed(f"{self.name} {what}", 16),
        }

    def _grow(self, link: LaterLink, keys: tuple[SigningKey, ...]) -> None:
        self.chain = self.chain.extend([sign_link(link, keys)])


ALICE_LAPTOP = machine("alice laptop")
ALICE_TABLET = machine("alice tablet")
BOB_LAPTOP = machine("bob laptop", sealing_keys=2)
BOB_DESKTOP = machine("bob desktop")
BOB_PHONE = machine("bob phone")
BOB_LOST = machine("bob lost")
MALLORY_LAPTOP = machine("mallory laptop")
MACHINES = (ALICE_LAPTOP, ALICE_TABLET, BOB_LAPTOP, BOB_DESKTOP, BOB_PHONE, BOB_LOST, MALLORY_LAPTOP)

ALICE = Identity("alice", ALICE_LAPTOP)
ALICE.add(ALICE_TABLET)
ALICE_WITH_TABLET = ALICE.chain.head
ALICE.revoke(ALICE_TABLET)

BOB = Identity("bob", BOB_LAPTOP)
BOB.add(BOB_DESKTOP)
BOB.add(BOB_PHONE)
BOB.add(BOB_LOST)
BOB_BEFORE_LOSS = BOB.chain.head
BOB.revoke(BOB_LOST)
BOB_BEFORE_ROTATION = BOB.chain.head
BOB.rotate(BOB_LAPTOP)

MALLORY = Identity("mallory", MALLORY_LAPTOP)
IDENTITIES = (ALICE, BOB, MALLORY)

SECRET = fixed("invitation secret", 16)
INVITATION: Document = sign_document(
    [ALICE_LAPTOP.sign],
    payload_type(Kind.INVITATION),
    InvitationDocument(
        nonce=fixed("invitation nonce", 16),
        sender=Party(ALICE.genesis, ALICE_LAPTOP.device, ALICE.chain.head),
        from_email="alice@example.org",
        to_email="bob@example.org",
        broker="http://127.0.0.1:8000",
        mac=MacRule.REQUIRED,
        created_ms=NOW_MS - HOUR_MS,
        expires_ms=NOW_MS + HOUR_MS,
    ).encode(),
)
EDGE: EdgeId = edge_id(INVITATION.digest)


def head(
    label: str,
    sender: Identity,
    device: Machine,
    recipient: Identity,
    *,
    sender_head: Digest | None = None,
    recipient_head: Digest | None = None,
    edge: EdgeId = EDGE,
    re: Digest = Digest.ZERO,
    created_ms: int = NOW_MS,
    expires_ms: int = 0,
) -> Head:
    """Make the head of a message; chains stand at their present heads unless said otherwise."""
    return Head(
        nonce=fixed(f"{label} nonce", 16),
        sender=Party(sender.genesis, device.device, sender_head or sender.chain.head),
        recipient=Recipient(recipient.genesis, recipient_head or recipient.chain.head),
        edge=edge,
        re=re,
        created_ms=created_ms,
        expires_ms=expires_ms,
    )


def task(label: str, of: Head, **fields: object) -> Task:
    """Make a small task under this head."""
    own = of.edge == EdgeId.SELF
    return Task(
        head=of,
        principal=of.sender,
        owner_device=BOB_LAPTOP.device if not own else of.sender.device,
        grant_version=None if own else Version(1, BOB_LAPTOP.device),
        thread=UUID(bytes=fixed(f"{label} thread", 16)),
        **{"task": "Read notes.md and say what is missing – bitte auf Deutsch. 🎈", **fields},
    )
