"""The links of an identity chain: what each kind says, its strict decoder, and how it is signed.

The first link is a genesis by its place and has no `type`; every other names its type and, in `prev`, the link before
it. What a link may do where it stands is `dispatch_protocol.chain`'s to judge.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from dispatch_protocol.body import read_body, write_body
from dispatch_protocol.encoding import JSON, Fields, b64u
from dispatch_protocol.errors import MalformedError, RefusalCode, RefusedError
from dispatch_protocol.keys import DeviceId, Digest, RecoveryKey, RecoveryPublic, SealingPublic, SigningKey
from dispatch_protocol.limits import DEVICES, DOCUMENT_BYTES
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.signing import Document, sign_document

NONCE_BYTES: Final = 16
LINK_TYPE: Final = payload_type(Kind.LINK)


class IdentityKind(StrEnum):
    """What stands behind an identity."""

    PERSON = "person"
    SERVICE = "service"


class Role(StrEnum):
    """What a device does for its identity: decide and change the chain, or run by itself what is addressed to it."""

    APPROVER = "approver"
    RUNNER = "runner"


ALL_ROLES: Final = frozenset(Role)


@dataclass(frozen=True, slots=True, kw_only=True)
class GenesisLink:
    """The first link: one device with every role, and the recovery key; both sign. Its digest is the fingerprint."""

    kind: IdentityKind
    device: DeviceId
    sealing: SealingPublic
    recovery: RecoveryPublic
    created_ms: int
    nonce: bytes

    def write(self) -> dict[str, JSON]:
        """Return the body as JSON, but for its version."""
        return {
            "kind": self.kind.value,
            "device": {"sign": self.device.hex, "seal": self.sealing.hex},
            "recovery": self.recovery.hex,
            "created": self.created_ms,
            "nonce": b64u(self.nonce),
        }

    @classmethod
    def read(cls, fields: Fields) -> "GenesisLink":
        """Read a genesis strictly; raises MalformedError."""
        device, sealing = _read_keys(fields)
        link = cls(
            kind=fields.choice("kind", IdentityKind),
            device=device,
            sealing=sealing,
            recovery=RecoveryPublic(fields.hex("recovery", RecoveryPublic.LENGTH)),
            created_ms=fields.integer("created"),
            nonce=fields.base64("nonce", length=NONCE_BYTES),
        )
        if link.recovery.raw == link.device.raw:
            raise MalformedError("a genesis whose recovery key is its device's own")
        return link


@dataclass(frozen=True, slots=True, kw_only=True)
class AddDeviceLink:
    """A new device; signed by an approver and by the new device itself."""

    prev: Digest
    device: DeviceId
    sealing: SealingPublic
    roles: frozenset[Role]
    created_ms: int
    nonce: bytes

    def write(self) -> dict[str, JSON]:
        """Return the body as JSON, but for its version."""
        return {
            "type": "add_device",
            "prev": self.prev.hex,
            "device": {"sign": self.device.hex, "seal": self.sealing.hex},
            "roles": write_roles(self.roles),
            "created": self.created_ms,
            "nonce": b64u(self.nonce),
        }

    @classmethod
    def read(cls, fields: Fields) -> "AddDeviceLink":
        """Read what follows the type strictly; raises MalformedError."""
        device, sealing = _read_keys(fields)
        return cls(
            prev=_read_prev(fields),
            device=device,
            sealing=sealing,
            roles=read_roles(fields),
            created_ms=fields.integer("created"),
            nonce=fields.base64("nonce", length=NONCE_BYTES),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeDeviceLink:
    """The end of a device; signed by an approver, or by the device that leaves. Its key never returns."""

    prev: Digest
    device: DeviceId
    created_ms: int
    nonce: bytes

    def write(self) -> dict[str, JSON]:
        """Return the body as JSON, but for its version."""
        return {
            "type": "revoke_device",
            "prev": self.prev.hex,
            "device": self.device.hex,
            "created": self.created_ms,
            "nonce": b64u(self.nonce),
        }

    @classmethod
    def read(cls, fields: Fields) -> "RevokeDeviceLink":
        """Read what follows the type strictly; raises MalformedError."""
        return cls(
            prev=_read_prev(fields),
            device=DeviceId(fields.hex("device", DeviceId.LENGTH)),
            created_ms=fields.integer("created"),
            nonce=fields.base64("nonce", length=NONCE_BYTES),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RotateSealingLink:
    """A device's new sealing key; signed by that device alone."""

    prev: Digest
    device: DeviceId
    sealing: SealingPublic
    created_ms: int
    nonce: bytes

    def write(self) -> dict[str, JSON]:
        """Return the body as JSON, but for its version."""
        return {
            "type": "rotate_sealing",
            "prev": self.prev.hex,
            "device": {"sign": self.device.hex, "seal": self.sealing.hex},
            "created": self.created_ms,
            "nonce": b64u(self.nonce),
        }

    @classmethod
    def read(cls, fields: Fields) -> "RotateSealingLink":
        """Read what follows the type strictly; raises MalformedError."""
        device, sealing = _read_keys(fields)
        return cls(
            prev=_read_prev(fields),
            device=device,
            sealing=sealing,
            created_ms=fields.integer("created"),
            nonce=fields.base64("nonce", length=NONCE_BYTES),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRolesLink:
    """A device's new roles; signed by an approver."""

    prev: Digest
    device: DeviceId
    roles: frozenset[Role]
    created_ms: int
    nonce: bytes

    def write(self) -> dict[str, JSON]:
        """Return the body as JSON, but for its version."""
        return {
            "type": "set_roles",
            "prev": self.prev.hex,
            "device": self.device.hex,
            "roles": write_roles(self.roles),
            "created": self.created_ms,
            "nonce": b64u(self.nonce),
        }

    @classmethod
    def read(cls, fields: Fields) -> "SetRolesLink":
        """Read what follows the type strictly; raises MalformedError."""
        return cls(
            prev=_read_prev(fields),
            device=DeviceId(fields.hex("device", DeviceId.LENGTH)),
            roles=read_roles(fields),
            created_ms=fields.integer("created"),
            nonce=fields.base64("nonce", length=NONCE_BYTES),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoverLink:
    """A new beginning from an earlier link; signed by the recovery key, and by the new device if there is one.

    Every link that once followed `prev` is void. Of the devices that were active at it, the `survivors` stay as they
    were then; `device` is a new one with every role, for whoever has lost them all.
    """

    prev: Digest
    epoch: int
    survivors: frozenset[DeviceId]
    device: tuple[DeviceId, SealingPublic] | None
    created_ms: int
    nonce: bytes

    def write(self) -> dict[str, JSON]:
        """Return the body as JSON, but for its version."""
        device: JSON = None
        if self.device is not None:
            device = {"sign": self.device[0].hex, "seal": self.device[1].hex}
        return {
            "type": "recover",
            "prev": self.prev.hex,
            "epoch": self.epoch,
            "survivors": [survivor.hex for survivor in sorted(self.survivors)],
            "device": device,
            "created": self.created_ms,
            "nonce": b64u(self.nonce),
        }

    @classmethod
    def read(cls, fields: Fields) -> "RecoverLink":
        """Read what follows the type strictly; raises MalformedError."""
        return cls(
            prev=_read_prev(fields),
            epoch=fields.integer("epoch", minimum=1),
            survivors=_read_survivors(fields),
            device=fields.optional(lambda _: _read_keys(fields), "device"),
            created_ms=fields.integer("created"),
            nonce=fields.base64("nonce", length=NONCE_BYTES),
        )


OrdinaryLink = AddDeviceLink | RevokeDeviceLink | RotateSealingLink | SetRolesLink
LaterLink = OrdinaryLink | RecoverLink

_LATER: Final[Mapping[str, Callable[[Fields], LaterLink]]] = MappingProxyType(
    {
        "add_device": AddDeviceLink.read,
        "revoke_device": RevokeDeviceLink.read,
        "rotate_sealing": RotateSealingLink.read,
        "set_roles": SetRolesLink.read,
        "recover": RecoverLink.read,
    }
)


def sign_link(link: GenesisLink | LaterLink, keys: Sequence[SigningKey | RecoveryKey]) -> Document:
    """Sign a link with the keys it needs, in their order; raises LocalError if no reader would take it."""
    read = GenesisLink.read if isinstance(link, GenesisLink) else _read_later
    return sign_document(keys, LINK_TYPE, write_body(link.write(), "link", read, max_bytes=DOCUMENT_BYTES))


def genesis_link(
    *,
    kind: IdentityKind = IdentityKind.PERSON,
    device: SigningKey,
    sealing: SealingPublic,
    recovery: RecoveryKey,
    created_ms: int,
    nonce: bytes,
) -> Document:
    """Make the first link of an identity, signed by its device and its recovery key; `nonce` is 16 random bytes."""
    link = GenesisLink(
        kind=kind,
        device=device.device,
        sealing=sealing,
        recovery=recovery.public,
        created_ms=created_ms,
        nonce=nonce,
    )
    return sign_link(link, (device, recovery))


def read_genesis(document: Document) -> GenesisLink:
    """Read the first link; raises MalformedError, or RefusedError(`unsupported`) for another payload type."""
    return read_body(_link_body(document), "genesis", GenesisLink.read, max_bytes=DOCUMENT_BYTES)


def read_link(document: Document) -> LaterLink:
    """Read any link but the first.

    Raises:
        MalformedError: not the body of a link.
        RefusedError: `unsupported`, a type of link that is not understood here, so its effect cannot be judged.
    """
    return read_body(_link_body(document), "link", _read_later, max_bytes=DOCUMENT_BYTES)


def _link_body(document: Document) -> bytes:
    if document.payload_type != LINK_TYPE:
        raise RefusedError(RefusalCode.UNSUPPORTED, "a document that is no link stands in a chain")
    return document.body


def _read_later(fields: Fields) -> LaterLink:
    name = fields.text("type", max_chars=64)
    read = _LATER.get(name)
    if read is None:
        raise RefusedError(RefusalCode.UNSUPPORTED, f"a link of the type {name!r}")
    return read(fields)


def _read_keys(fields: Fields) -> tuple[DeviceId, SealingPublic]:
    keys = fields.fields("device")
    device = DeviceId(keys.hex("sign", DeviceId.LENGTH))
    sealing = SealingPublic(keys.hex("seal", SealingPublic.LENGTH))
    keys.done()
    return device, sealing


def _read_prev(fields: Fields) -> Digest:
    return Digest(fields.hex("prev", Digest.LENGTH))


def _read_survivors(fields: Fields) -> frozenset[DeviceId]:
    named = [DeviceId(raw) for raw in fields.hexes("survivors", DeviceId.LENGTH, max_items=DEVICES)]
    if named != sorted(set(named)):
        raise MalformedError(f"{fields.where}.survivors is not a sorted list of distinct devices")
    return frozenset(named)


def write_roles(roles: frozenset[Role]) -> list[JSON]:
    """Return roles as JSON: their words, sorted."""
    return [role.value for role in sorted(roles)]


def read_roles(fields: Fields) -> frozenset[Role]:
    """Read the field `roles` strictly; raises MalformedError."""
    names = fields.texts("roles", max_items=len(Role), max_chars=64)
    roles = frozenset(role for role in Role if role.value in names)
    if list(names) != write_roles(roles):
        raise MalformedError(f"{fields.where}.roles is not a sorted list of known roles")
    return roles
