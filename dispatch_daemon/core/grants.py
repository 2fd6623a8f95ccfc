"""The versions of one edge's grant that a device holds: more than one where two devices have edited at the same time.

A version is a tip as long as none that was ever held goes on from it. Each device's own versions follow each other, so for
every device one number says up to which of its versions others have gone on; a late or repeated one is known by that.
What binds is the meet of the tips, so whoever of two devices narrowed the edge is obeyed until an edit names both.
"""

from collections.abc import Container, Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Final

from dispatch_daemon.core.trust_records import EdgeRecord
from dispatch_protocol.encoding import JSON, unb64u
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.grant import GrantDocument, GrantStatus, Standing, Version, standing
from dispatch_protocol.keys import DeviceId
from dispatch_protocol.limits import SAFE_INTEGER
from dispatch_protocol.signing import Document
from dispatch_protocol.standing import EdgeStatus

_KEPT: Final = 64
LEAP: Final = 65_536  # by so much the next version may be above those that are held; more leaves no room to go on from it


def newest(edge: EdgeRecord) -> GrantDocument:
    """Return the highest version that is held: what a sender names as the one it has seen."""
    return _decoded(str(edge.grant["payload"]))


def binding(edge: EdgeRecord) -> Standing:
    """Return what the versions that are held of an edge's grant add up to; raises as `GrantDocument.decode`."""
    return standing(_held(edge).values())


def edits(edge: EdgeRecord) -> tuple[GrantDocument, ...]:
    """Return what two devices have stated at the same time of an edge that is in force, the older first; else nothing."""
    held = _held(edge)
    if len(held) < 2 or edge.status is not EdgeStatus.ACTIVE:
        return ()
    return tuple(sorted(held.values(), key=lambda grant: (grant.head.created_ms, grant.version)))


def require_near(told: GrantDocument, held: int = 0) -> None:
    """Refuse a version that is far above the highest that is `held`; a revocation is the last one, so it may be any.

    Raises:
        MalformedError: such a one.
    """
    if told.status is GrantStatus.ACTIVE and told.version.n > held + LEAP:
        raise MalformedError(f"a grant's version {told.version.n} is far above {held}, which is held")


def before_last(edge: EdgeRecord) -> tuple[Version, ...]:
    """Return what a revocation goes on from: the tips, but for those after which no number is left."""
    tips = tuple(tip for tip in binding(edge).tips if tip.n < SAFE_INTEGER)
    return tips or newest(edge).parents


def is_by(edge: EdgeRecord, devices: Container[DeviceId]) -> bool:
    """Say whether one of these devices has made a version that binds: with its word it gave what it gave."""
    return any(tip.device in devices for tip in binding(edge).tips)


def joined(edge: EdgeRecord, document: Document) -> EdgeRecord:
    """Return an edge with one more version of its grant, which may be late, repeated or made beside the others.

    Raises:
        MalformedError: it is no grant, or as `require_near`.
        RefusedError: it states scopes that are not understood here.
    """
    told = GrantDocument.decode(document.body)
    require_near(told, newest(edge).version.n)
    held = {told.version: told} | _held(edge)
    written = {told.version: document.to_json()} | _written(edge)
    passed = _passed([*held.values()], dict(edge.passed))
    tips = sorted(version for version in held if version.n > passed.get(version.device.hex, 0))
    implied = _passed([held[tip] for tip in tips], {})
    revoked = told.status is GrantStatus.REVOKED
    return replace(
        edge,
        status=EdgeStatus.REVOKED if revoked else edge.status,
        grant=written[tips[-1]],
        beside=tuple(written[tip] for tip in tips[:-1]),
        passed=tuple(sorted((device, n) for device, n in passed.items() if n > implied.get(device, 0))),
        expires_ms=standing(held[tip] for tip in tips).scopes.expires_at_ms or 0,
    )


def _passed(grants: Iterable[GrantDocument], known: Mapping[str, int]) -> dict[str, int]:
    """Return up to which version of each device some version goes on, by what these name and by what is known."""
    passed = dict(known)
    for grant in grants:
        own = grant.version
        for device, n in [(own.device, own.n - 1), *((parent.device, parent.n) for parent in grant.parents)]:
            if n > passed.get(device.hex, 0):
                passed[device.hex] = n
    return passed


def _held(edge: EdgeRecord) -> dict[Version, GrantDocument]:
    grants = (_decoded(str(document["payload"])) for document in (edge.grant, *edge.beside))
    return {grant.version: grant for grant in grants}


def _written(edge: EdgeRecord) -> dict[Version, dict[str, JSON]]:
    return {_decoded(str(document["payload"])).version: document for document in (edge.grant, *edge.beside)}


@lru_cache(_KEPT)
def _decoded(payload: str) -> GrantDocument:
    """Decode a grant once; it is asked for with every task, and the same bytes always say the same."""
    return GrantDocument.decode(unb64u(payload))
