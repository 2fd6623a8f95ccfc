"""The grant: the trustor's signed statement of what the other side of an edge may do, and which of several stands.

The recipient of a dispatch enforces its own copy. Two devices of the trustor may edit at the same time: a revocation
wins, else the intersection binds, until a version names both as parents.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import reduce
from typing import Final

from dispatch_protocol.body import read_body, write_body
from dispatch_protocol.encoding import JSON, Fields
from dispatch_protocol.errors import LocalError, MalformedError
from dispatch_protocol.head import Head
from dispatch_protocol.keys import DeviceId, Digest, EdgeId
from dispatch_protocol.scopes import (
    Scopes,
    meet,
)

PARENTS: Final = 8  # versions that one edit may bring together


class GrantStatus(StrEnum):
    """Whether the edge may be used."""

    ACTIVE = "active"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A grant's version: a count, and the device that made it, so that two devices never make the same."""

    n: int
    device: DeviceId

    def write(self) -> dict[str, JSON]:
        """Return the version as JSON."""
        return {"n": self.n, "device": self.device.hex}

    @classmethod
    def read(cls, fields: Fields) -> "Version":
        """Read a version strictly; raises MalformedError."""
        version = cls(fields.integer("n", minimum=1), DeviceId(fields.hex("device", 32)))
        fields.done()
        return version


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantDocument:
    """One version of a grant. The head's sender is the trustor, its recipient the side that may dispatch.

    `parents` are the versions this one replaces, sorted; the first version has none. `n` is above every parent's.
    """

    head: Head
    version: Version
    parents: tuple[Version, ...] = ()
    status: GrantStatus = GrantStatus.ACTIVE
    scopes: Scopes

    def write(self) -> dict[str, JSON]:
        """Return the body as JSON, but for its version."""
        return {
            **self.head.write(),
            "version": self.version.write(),
            "parents": [parent.write() for parent in self.parents],
            "status": self.status.value,
            "scopes": self.scopes.write(),
        }

    @classmethod
    def read(cls, fields: Fields) -> "GrantDocument":
        """Read a grant strictly; raises MalformedError, or RefusedError for scopes not understood here."""
        grant = cls(
            head=Head.read(fields),
            version=Version.read(fields.fields("version")),
            parents=tuple(Version.read(entry) for entry in fields.many("parents", max_items=PARENTS)),
            status=fields.choice("status", GrantStatus),
            scopes=Scopes.read(fields.fields("scopes")),
        )
        if grant.version.device != grant.head.sender.device:
            raise MalformedError("a grant's version names another device than its signer")
        if grant.head.edge == EdgeId.SELF or grant.head.re != Digest.ZERO or grant.head.expires_ms:
            raise MalformedError("a grant stands on an edge, concerns no dispatch and expires by its scopes")
        if tuple(sorted(set(grant.parents))) != grant.parents:
            raise MalformedError("a grant's parents are not sorted and distinct")
        if any(parent.n >= grant.version.n for parent in grant.parents) or bool(grant.parents) != (
            grant.version.n > 1
        ):
            raise MalformedError("a grant's version does not follow its parents")
        return grant

    def encode(self) -> bytes:
        """Return the body to sign; raises LocalError if no reader would take it."""
        return write_body(self.write(), "grant", GrantDocument.read)

    @classmethod
    def decode(cls, body: bytes) -> "GrantDocument":
        """Read a signed body; raises MalformedError or RefusedError."""
        return read_body(body, "grant", cls.read)


@dataclass(frozen=True, slots=True)
class Standing:
    """What the versions held of one edge's grant add up to; an edit that brings them together names `tips`."""

    status: GrantStatus
    scopes: Scopes
    tips: tuple[Version, ...]


def standing(grants: Iterable[GrantDocument]) -> Standing:
    """Return what several versions of one edge's grant add up to: revocation wins, else the meet of the tips.

    A tip is a version that no other names as parent. Raises LocalError(`no_grant`) for no versions at all.
    """
    versions = {grant.version: grant for grant in grants}
    if not versions:
        raise LocalError("no_grant", "an edge without any version of its grant")
    replaced = {parent for grant in versions.values() for parent in grant.parents}
    tips = tuple(sorted(versions.keys() - replaced))
    revoked = any(grant.status is GrantStatus.REVOKED for grant in versions.values())
    return Standing(
        status=GrantStatus.REVOKED if revoked else GrantStatus.ACTIVE,
        scopes=reduce(meet, (versions[tip].scopes for tip in tips)),
        tips=tips,
    )
