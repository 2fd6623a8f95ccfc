"""The sealing keys of this device: when a new one is due, what is next on the way there, and when the old one is destroyed.

A key is made and kept before any link states it, so that nothing can be sealed to a key that nobody has; and a replaced one
opens for eight days more what was on its way. What is next follows from the chain and the keys that are held, and from
nothing else: whoever was cut off in between goes on from there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dispatch_protocol.chain import Chain, Device
from dispatch_protocol.keys import DeviceId, SealingPublic
from dispatch_protocol.limits import (
    CHAIN_BYTES,
    CHAIN_LINKS,
    SEALING_KEPT_S,
    SEALING_REFUSED_S,
    SEALING_RENEWED_S,
)

_RENEWED_MS: Final = SEALING_RENEWED_S * 1000
_REFUSED_MS: Final = SEALING_REFUSED_S * 1000
_KEPT_MS: Final = SEALING_KEPT_S * 1000
SPARE_LINKS: Final = 100  # of a chain are left for what people do: whoever has none left cannot revoke
SPARE_BYTES: Final = 64 * 1024


class Step(StrEnum):
    """What a device does next about its sealing keys."""

    MAKE = "make a new key, and keep it beside the present one"
    STATE = "state the new key in the chain"
    FORGET = "destroy every key but the present one"
    WAIT = "nothing, until a time"


@dataclass(frozen=True, slots=True)
class Next:
    """A step, and for WAIT until when."""

    step: Step
    until_ms: int = 0


def next_step(chain: Chain, device: DeviceId, held: Sequence[SealingPublic], now_ms: int) -> Next:
    """Return what this device does next; `held` are its keys, newest first, and it is in the chain.

    A key that is held and was never stated was made for this. A chain that states a key which is not the newest held one comes
    from a recovery, which takes a device back as it was, or the keys come from an older copy: a new one is due.
    """
    present = chain.devices[device]
    if len(held) > 1 and held[0] == present.seal and now_ms >= present.sealed_ms + _KEPT_MS:
        return Next(Step.FORGET)
    if is_full(chain):
        return Next(Step.WAIT, now_ms + _KEPT_MS)
    if all(held[0] != state[device].seal for state in chain.states if device in state):
        return Next(Step.STATE)
    if held[0] != present.seal or not present.sealed_ms <= now_ms < present.sealed_ms + _RENEWED_MS:
        return Next(Step.MAKE)
    return Next(Step.WAIT, present.sealed_ms + (_KEPT_MS if len(held) > 1 else _RENEWED_MS))


def is_full(chain: Chain) -> bool:
    """Say whether so little room is left in a chain that no key is replaced any more: only a recovery makes it short again."""
    return len(chain.links) > CHAIN_LINKS - SPARE_LINKS or chain.size_bytes > CHAIN_BYTES - SPARE_BYTES


def is_due(device: Device, now_ms: int) -> bool:
    """Say whether a device should have replaced this key by now, so that its chain may have grown."""
    return now_ms >= device.sealed_ms + _RENEWED_MS


def is_refused(device: Device, now_ms: int) -> bool:
    """Say whether nothing new is sealed to this key any more."""
    return now_ms > device.sealed_ms + _REFUSED_MS


def came_back(before: Chain, after: Chain) -> bool:
    """Say whether a device has replaced a key that was refused: it was away, and nothing was sealed to it meanwhile."""
    return any(
        device.sealed_ms > before.devices[name].sealed_ms + _REFUSED_MS
        for name, device in after.devices.items()
        if name in before.devices
    )
