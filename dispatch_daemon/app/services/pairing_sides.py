"""The two sides of a pairing while it goes on, and in which words it ends.

They live in memory, as long as the two machines stand side by side.
"""

import asyncio
import logging
from dataclasses import dataclass, field

from dispatch_daemon.core.errors import ServiceError
from dispatch_protocol.chain import Chain
from dispatch_protocol.errors import DispatchError
from dispatch_protocol.links import AddDeviceLink, read_link
from dispatch_protocol.pairing import Join, Offer
from dispatch_protocol.pairing_code import PairingCode

log = logging.getLogger("dispatch.household")


@dataclass(slots=True, kw_only=True)
class Older:
    """A pairing as the machine sees it that is in the chain; `agreed` once the new one has, too."""

    code: PairingCode
    offer: Offer
    nonce: bytes
    expires_ms: int
    join: Join | None = None
    number: str | None = None
    failure: ServiceError | None = None
    done: bool = False
    agreed: bool = False
    waiting: "asyncio.Task[None] | None" = field(default=None)

    @property
    def device(self) -> str | None:
        """Return the id of the machine that joins, None while none has come."""
        link = None if self.join is None else read_link(self.join.link)
        return link.device.hex if isinstance(link, AddDeviceLink) else None


@dataclass(slots=True, kw_only=True)
class Newer:
    """A pairing as the machine sees it that joins; `agreed` once its person has said yes."""

    code: PairingCode
    offer: Offer
    join: Join
    chain: Chain
    number: str
    agreed: bool = False
    done: bool = False


def over(error: ServiceError) -> ServiceError:
    """Say of a pairing that the broker knows no more what to do about it; anything else stays what it is."""
    if error.code not in ("not_found", "not_pending"):
        return error
    return ServiceError(
        "pairing_over",
        "no pairing goes on under this code: its ten minutes are over, it was ended, or another machine has used it",
        hint="dispatch devices add, on the machine that you have",
    )


def said_no(signed: str | None = None) -> ServiceError:
    """Say that the pairing was ended at the new machine, before this one has signed or after it."""
    what = "the pairing was ended at the new machine: somebody said there that the numbers differ, or it was stopped"
    if signed is None:
        return ServiceError("numbers_differ", f"{what}. Nothing was paired", hint="dispatch devices add")
    return ServiceError(
        "numbers_differ",
        f"{what}. This machine had said yes before, so that one is in your devices: end it",
        hint=f"dispatch devices revoke {signed[:16]}",
    )


def not_this_code(error: DispatchError) -> ServiceError:
    """Say on the older machine that what came was not from the new one."""
    return ServiceError(
        "pairing_failed",
        f"what came was not from a machine that holds this code ({error.code}); nothing was added",
        hint="dispatch devices add",
    )


def not_theirs(error: DispatchError) -> ServiceError:
    """Say on the new machine that what came was not from the older one."""
    log.warning("a pairing failed: %s", error)
    return ServiceError(
        "pairing_failed",
        f"what came was not from the machine that made this code ({error.code}); nothing was paired",
        hint="dispatch devices add, on the machine that you have",
    )
