"""Links of this device that another own device has come before: which of them may be made anew behind the other's.

Two devices of one person may each add a link to the same head while they do not hear each other. The relay takes the one
that comes first. The other was seen by nobody who was told of the first, so its maker states it again, behind that one.
"""

from collections.abc import Sequence

from dispatch_protocol.chain import Chain
from dispatch_protocol.keys import DeviceId, Digest
from dispatch_protocol.links import (
    AddDeviceLink,
    OrdinaryLink,
    RecoverLink,
    RevokeDeviceLink,
    RotateSealingLink,
    read_link,
)
from dispatch_protocol.signing import Document


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
