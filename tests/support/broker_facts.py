"""Accounts, edges, invitations and envelopes for tests of the broker: distinct, readable, and made without chance."""

import hashlib

from dispatch_broker.core.records import Account, Edge, EdgeStatus, Invitation, InvitationStatus
from dispatch_protocol.envelope import TAG_BYTES, WRAP_BYTES, Envelope, EnvelopeClass, Header, padme
from dispatch_protocol.keys import DeviceId, Digest, EdgeId, Genesis

NOW_MS = 1_800_000_000_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def digest(name: str) -> Digest:
    """Return a digest that this name always has."""
    return Digest(hashlib.sha256(name.encode()).digest())


def device(name: str) -> DeviceId:
    """Return a device id that this name always has."""
    return DeviceId(digest(f"device {name}").raw)


def account(name: str) -> Account:
    """Return the account of a person called `name`."""
    return Account(Genesis(digest(f"genesis {name}").raw), f"{name}@example.org")


ALICE, BOB, CAROL = account("alice"), account("bob"), account("carol")
ALICE_DEVICE, BOB_DEVICE, CAROL_DEVICE = device("alice"), device("bob"), device("carol")
EDGE_ID = EdgeId(digest("edge").raw[:16])


def edge(status: EdgeStatus = EdgeStatus.ACTIVE, *, max_per_day: int = 50, expires_ms: int = 0) -> Edge:
    """Return the edge on which Alice may dispatch to Bob."""
    return Edge(
        edge_id=EDGE_ID,
        giver=ALICE,
        trustor=BOB,
        status=status,
        max_per_day=max_per_day,
        expires_ms=expires_ms,
    )


def invitation(
    status: InvitationStatus = InvitationStatus.PENDING,
    *,
    expires_ms: int = NOW_MS + DAY_MS,
    document: bytes = b"document",
) -> Invitation:
    """Return Alice's invitation for Bob."""
    return Invitation(
        invitation_id=EDGE_ID,
        document=document,
        inviter=ALICE,
        to_address=BOB.address,
        status=status,
        created_ms=NOW_MS,
        expires_ms=expires_ms,
    )


def header(
    name: str = "task",
    *,
    klass: EnvelopeClass = EnvelopeClass.TASK,
    sender: DeviceId = ALICE_DEVICE,
    to: Genesis = BOB.genesis,
    edge_id: EdgeId = EDGE_ID,
    expires_ms: int = NOW_MS + HOUR_MS,
    size: int = padme(1024) + TAG_BYTES,
    devices: tuple[DeviceId, ...] = (BOB_DEVICE,),
) -> Header:
    """Return the header of an envelope that Alice sends to Bob; `name` decides its digest."""
    return Header(
        klass=klass,
        digest=digest(name),
        re=digest("nothing"),
        from_device=sender,
        to_genesis=to,
        edge=edge_id,
        created_ms=NOW_MS,
        expires_ms=expires_ms,
        size=size,
        commit=bytes(32),
        devices=tuple(sorted(devices)),
    )


def envelope(clear: Header) -> bytes:
    """Return an envelope with this header around bytes that mean nothing: the broker cannot tell."""
    wraps = tuple(bytes([number % 256]) * WRAP_BYTES for number, _ in enumerate(clear.devices))
    return Envelope(clear, wraps, bytes(clear.size)).encode()
