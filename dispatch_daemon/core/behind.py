"""Own devices that have said nothing for a week, and what this one does not do by itself as long as they are silent.

What another device has revoked, narrowed or stopped binds here once its word has come. A relay that holds the word back, or a
device that never gets to say it, must not let things run on without anybody looking.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from dispatch_daemon.core.devices import Names, joined_ms, name_of
from dispatch_protocol.chain import Chain
from dispatch_protocol.keys import DeviceId
from dispatch_protocol.scopes import Approval, Scopes
from dispatch_protocol.timestamps import format_time

SILENT_MS: Final = 7 * 86_400_000
BEAT_MS: Final = 86_400_000  # so often a device that has nothing to say says how far it follows the others

Silent = Mapping[DeviceId, int]  # which devices, and since when


def silent(chain: Chain, own: DeviceId, heard_ms: Mapping[str, int], now_ms: int) -> Silent:
    """Return the other active devices of which nothing was heard for a week.

    `heard_ms` says when each device, by its id in hex, said the last thing that is known here without a gap. Who has just
    joined, this device or the other, has had no time yet.
    """
    joined = joined_ms(chain)
    last = {
        device: max(heard_ms.get(device.hex, 0), joined[device], joined[own])
        for device in chain.devices
        if device != own
    }
    return {device: at_ms for device, at_ms in sorted(last.items()) if now_ms - at_ms > SILENT_MS}


def bounded(scopes: Scopes, silent: Silent) -> Scopes:
    """Return what a run for somebody else may do: by itself nothing, as long as another device is silent."""
    if not silent or scopes.approval is not Approval.AUTO:
        return scopes
    return replace(scopes, approval=Approval.MANUAL)


def why(silent: Silent, names: Names) -> str:
    """Say who is silent, what that means, and what ends it."""
    who = ", ".join(
        f"{name_of(device, names)} (since {format_time(at_ms)[:10]})" for device, at_ms in silent.items()
    )
    return (
        f"nothing was heard for a week of your {'device' if len(silent) == 1 else 'devices'} {who}, so what was revoked there "
        "may not be known here. Until then what others send asks for each call on this machine, also where its edge is auto"
    )
