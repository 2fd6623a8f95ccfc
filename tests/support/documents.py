"""Two people and everything they might sign, made without chance: what a test changes is what it is about."""

import copy
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from dispatch_protocol.chain import Chain
from dispatch_protocol.compare import commitment
from dispatch_protocol.encoding import JSON, Fields, dumps, loads
from dispatch_protocol.grant import GrantDocument, Version
from dispatch_protocol.head import Head, Party, Recipient
from dispatch_protocol.keys import DeviceId, Digest, EdgeId, RecoveryKey, SealingKey, SigningKey
from dispatch_protocol.limits import COMPARISON_S, MESSAGE_BYTES
from dispatch_protocol.links import (
    ALL_ROLES,
    AddDeviceLink,
    IdentityKind,
    Role,
    RotateSealingLink,
    genesis_link,
    sign_link,
)
from dispatch_protocol.messages.comparing import Comparison, Reveal
from dispatch_protocol.messages.task import Task
from dispatch_protocol.scopes import Scopes

T = TypeVar("T")

NOW_MS = 1_767_323_045_678  # 2026-01-02T03:04:05.678Z
HOUR_MS = 3_600_000
EDGE = EdgeId(b"\x80" * 16)
THREAD = UUID(int=7)
RUN = UUID(int=9)


def fixed(name: str, length: int = 32) -> bytes:
    """Return bytes that this name always has."""
    return hashlib.shake_256(name.encode()).digest(length)


def digest(name: str) -> Digest:
    """Return a digest that this name always has."""
    return Digest(fixed(f"digest {name}"))


@dataclass(frozen=True)
class Person:
    """One person with one device and every private key of it."""

    name: str
    sign: SigningKey
    seal: SealingKey
    recovery: RecoveryKey
    chain: Chain

    @property
    def device(self) -> DeviceId:
        return self.sign.device

    @property
    def party(self) -> Party:
        return Party(self.chain.genesis, self.device, self.chain.head)

    @property
    def recipient(self) -> Recipient:
        return Recipient(self.chain.genesis, self.chain.head)

    @property
    def email(self) -> str:
        return f"{self.name}@example.org"


def person(name: str, kind: IdentityKind = IdentityKind.PERSON) -> Person:
    """Make a person of this name."""
    sign, seal = SigningKey(fixed(f"{name} sign")), SealingKey(fixed(f"{name} seal"))
    recovery = RecoveryKey(fixed(f"{name} recovery"))
    link = genesis_link(
        kind=kind,
        device=sign,
        sealing=seal.public,
        recovery=recovery,
        created_ms=NOW_MS,
        nonce=fixed(f"{name} nonce", 16),
    )
    return Person(name, sign, seal, recovery, Chain.verify([link], expect=None))


ALICE = person("alice")
BOB = person("bob")


def with_device(owner: Person, name: str, roles: frozenset[Role] = ALL_ROLES) -> Person:
    """Return a person on a second device of theirs, which has joined their chain."""
    new = person(f"{owner.name}'s {name}")
    link = AddDeviceLink(
        prev=owner.chain.head,
        device=new.device,
        sealing=new.seal.public,
        roles=roles,
        created_ms=NOW_MS,
        nonce=fixed(f"{name} nonce", 16),
    )
    chain = owner.chain.extend([sign_link(link, (owner.sign, new.sign))])
    return Person(new.name, new.sign, new.seal, owner.recovery, chain)


def head(
    sender: Person = ALICE,
    recipient: Person = BOB,
    *,
    edge: EdgeId = EDGE,
    re: Digest = Digest.ZERO,
    created_ms: int = NOW_MS,
    expires_ms: int = 0,
) -> Head:
    """Return a head, from Alice to Bob where nothing else is said."""
    return Head(
        nonce=fixed("nonce", 16),
        sender=sender.party,
        recipient=recipient.recipient,
        edge=edge,
        re=re,
        created_ms=created_ms,
        expires_ms=expires_ms,
    )


def task(**changes: Any) -> Task:
    """Return Alice's task for Bob with these fields changed."""
    fields: dict[str, Any] = {
        "head": head(expires_ms=NOW_MS + HOUR_MS),
        "principal": ALICE.party,
        "owner_device": BOB.device,
        "grant_version": Version(1, BOB.device),
        "task": "Räume auf",
        "thread": THREAD,
    }
    return Task(**(fields | changes))


def grant(**changes: Any) -> GrantDocument:
    """Return Bob's first grant for Alice with these fields changed."""
    fields: dict[str, Any] = {
        "head": head(BOB, ALICE),
        "version": Version(1, BOB.device),
        "scopes": Scopes(tools=("Read",)),
    }
    return GrantDocument(**(fields | changes))


def comparison(sender: Person = ALICE, recipient: Person = BOB, **changes: Any) -> Comparison:
    """Return Alice's wish to compare with Bob, with these fields changed."""
    fields: dict[str, Any] = {
        "head": head(sender, recipient, expires_ms=NOW_MS + COMPARISON_S * 1000),
        "from_email": sender.email,
        "to_email": recipient.email,
        "commitment": commitment(sender.chain.genesis, fixed(f"{sender.name} random")),
    }
    return Comparison(**(fields | changes))


def reveal(sender: Person = ALICE, recipient: Person = BOB, **changes: Any) -> Reveal:
    """Return what Alice was bound to, with these fields changed."""
    fields: dict[str, Any] = {
        "head": head(sender, recipient, expires_ms=NOW_MS + COMPARISON_S * 1000),
        "mine": digest(f"{sender.name} comparison"),
        "yours": digest(f"{recipient.name} comparison"),
        "random": fixed(f"{sender.name} random"),
    }
    return Reveal(**(fields | changes))


def altered(value: JSON, place: str, new: Any) -> Any:
    """Return a copy of a JSON value with one place changed (`steps.0.tool`) to a value, or by a function of the old."""
    result: Any = loads(dumps(value), max_bytes=MESSAGE_BYTES)
    *path, last = [int(part) if part.isdigit() else part for part in place.split(".")]
    at = result
    for part in path:
        at = at[part]
    old = copy.deepcopy(at[last]) if isinstance(at, list) or last in at else None
    at[last] = new(old) if callable(new) else new
    return result


def without(value: JSON, place: str) -> Any:
    """Return a copy of a JSON value with one top-level field left out."""
    return {name: item for name, item in altered(value, place, None).items() if name != place}


def read(reader: Callable[[Fields], T], value: JSON) -> T:
    """Read a JSON value as a whole with one reader, as a body does."""
    fields = Fields(value, "test")
    result = reader(fields)
    fields.done()
    return result


def rotated(chain: Chain, name: str, by: Person = ALICE) -> Chain:
    """Return a chain of Alice's with another sealing key of her device."""
    link = RotateSealingLink(
        prev=chain.head,
        device=by.device,
        sealing=SealingKey(fixed(name)).public,
        created_ms=NOW_MS,
        nonce=fixed(name, 16),
    )
    return chain.extend([sign_link(link, [by.sign])])
