"""Who is connected, within one process: wakes devices, tells identities, and knows who is online.

It is the embedded form of the bus that a broker of several nodes needs; whoever uses it may not assume that the other
side sits in the same process.
"""

import asyncio
import logging
from collections.abc import Iterable
from typing import Protocol

from dispatch_broker.adapters.log import say, short
from dispatch_broker.core.effects import Topic
from dispatch_broker.core.records import Account
from dispatch_broker.core.refusal import Refusal
from dispatch_protocol.keys import DeviceId, Genesis

_log = logging.getLogger(__name__)


class Member(Protocol):
    """One open session, as the bus sees it; none of its methods waits."""

    account: Account
    device: DeviceId

    def wake(self) -> None:
        """Look into the mailbox."""

    def tell(self, topic: Topic) -> None:
        """Pass on that something changed."""

    def show(self, genesis: Genesis, *, online: bool) -> None:
        """Pass on that somebody came or went."""

    def grown(self, genesis: Genesis) -> None:
        """Pass on that a contact's chain has become another."""

    def replace(self) -> None:
        """Close, because the same device has opened a newer session."""

    def revoke(self) -> None:
        """Close, because the device is not active in its identity's chain any more."""

    def dismiss(self, refusal: Refusal) -> None:
        """Close, because the operator or the person ended this."""

    def drain(self) -> None:
        """Pass on that the broker is about to stop."""


class LocalBus:
    """The open sessions of this process, one for each device."""

    def __init__(self) -> None:
        self._devices: dict[DeviceId, Member] = {}
        self._accounts: dict[Genesis, dict[DeviceId, Member]] = {}
        self._left = asyncio.Event()

    def join(self, member: Member) -> bool:
        """Add a session, in place of an older one of the same device; True if its identity was offline before."""
        older = self._devices.get(member.device)
        if older is not None:
            say(_log, "session_replaced", device=short(member.device))
            older.replace()
        self._devices[member.device] = member
        household = self._accounts.setdefault(member.account.genesis, {})
        household[member.device] = member
        return len(household) == 1 and older is None

    def leave(self, member: Member) -> bool:
        """Remove a session unless a newer one stands in its place; True if its identity is offline now."""
        if self._devices.get(member.device) is not member:
            return False
        del self._devices[member.device]
        self._left.set()
        household = self._accounts[member.account.genesis]
        del household[member.device]
        if not household:
            del self._accounts[member.account.genesis]
        return not household

    def sessions(self, genesis: Genesis, *, without: DeviceId) -> int:
        """Count an identity's sessions besides that of one device."""
        return sum(device != without for device in self._accounts.get(genesis, {}))

    def online(self, genesis: Genesis) -> bool:
        """Whether any device of an identity is connected."""
        return genesis in self._accounts

    def wake(self, device: DeviceId) -> None:
        """Let a device look into its mailbox, if it is connected."""
        member = self._devices.get(device)
        if member is not None:
            member.wake()

    def tell(self, genesis: Genesis, topic: Topic) -> None:
        """Let every session of an identity know that something changed."""
        for member in self._accounts.get(genesis, {}).values():
            member.tell(topic)

    def keep_only(self, genesis: Genesis, devices: Iterable[DeviceId]) -> None:
        """End the sessions of those devices of an identity that are not among the active ones."""
        active = frozenset(devices)
        for device, member in tuple(self._accounts.get(genesis, {}).items()):
            if device not in active:
                say(_log, "session_revoked", device=short(device))
                member.revoke()

    def show(self, genesis: Genesis, to: Iterable[Genesis], *, online: bool) -> None:
        """Let these identities know that another one came or went."""
        for contact in to:
            for member in self._accounts.get(contact, {}).values():
                member.show(genesis, online=online)

    def grown(self, genesis: Genesis, to: Iterable[Genesis]) -> None:
        """Let these identities know that the chain of another one has become another."""
        for contact in to:
            for member in self._accounts.get(contact, {}).values():
                member.grown(genesis)

    async def deserted(self) -> None:
        """Wait until no session is open."""
        while self._devices:
            self._left.clear()
            await self._left.wait()

    def members(self) -> tuple[Member, ...]:
        """Return every open session."""
        return tuple(self._devices.values())
