"""Links of this device that another own device has come before: which of them may be made anew behind the other's.

Two devices of one person may each add a link to the same head while they do not hear each other. The relay takes the one
that comes first. The other was seen by nobody who was told of the first, so its maker states it again, behind that one.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from dispatch_daemon.core.effects import Enter
from dispatch_protocol.chain import Chain
from dispatch_protocol.keys import DeviceId, Digest
from dispatch_protocol.links import (
    AddDeviceLink,
    OrdinaryLink,
    RecoverLink,
    RevokeDeviceLink,
    RotateSealingLink,
    SetRolesLink,
    read_link,
)
from dispatch_protocol.signing import Document

_DECIDES: Final[Mapping[type, str]] = MappingProxyType(
    {AddDeviceLink: "device_added", RevokeDeviceLink: "device_revoked", SetRolesLink: "roles_set"}
)


def decided(before: Chain, after: Chain) -> list[Enter]:
    """Return what the links decide that this device has added to its chain; that a key is replaced is decided by nobody."""
    found: list[Enter] = []
    for document in after.links[len(before.links) :]:
        link = read_link(document)
        if isinstance(link, AddDeviceLink | RevokeDeviceLink | SetRolesLink):
            found.append(Enter(_DECIDES[type(link)], link.device.hex, document.digest.hex))
    return found


def untold(
    held: Chain, told: Sequence[Document], device: DeviceId, since: Digest | None
) -> list[OrdinaryLink] | None:
    """Return the links of `held` that go behind `told`, or None if the two are two histories that a person has to judge.

    `since` is the head after which the relay has confirmed nothing. Only this device's own words go behind others; and none goes
    behind what somebody said whom it ends, unless that is no more than a new sealing key.
    """
    shared = held.shared(told)
    if since is None or since not in held.heads or held.heads.index(since) >= shared:
        return None
    mine: list[OrdinaryLink] = []
    for document in held.links[shared:]:
        link = read_link(document)
        if isinstance(link, AddDeviceLink | RecoverLink) or document.signers != {device.raw}:
            return None
        mine.append(link)
    ended = {link.device.raw for link in mine if isinstance(link, RevokeDeviceLink)}
    for document in told[shared:]:
        if ended.intersection(document.signers) and not isinstance(read_link(document), RotateSealingLink):
            return None
    return mine
