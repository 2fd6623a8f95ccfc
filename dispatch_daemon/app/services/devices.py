"""The devices of this person, at the door: who they are, what they are called, what they may do, and their end."""

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.household import Household
from dispatch_daemon.app.own_chain import OwnChain
from dispatch_daemon.app.people import People
from dispatch_daemon.core import devices, grants
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.trust_records import Direction, EdgeRecord
from dispatch_daemon.ports import JsonObject
from dispatch_protocol.encoding import JSON
from dispatch_protocol.keys import DeviceId
from dispatch_protocol.links import RevokeDeviceLink, Role, SetRolesLink, sign_link
from dispatch_protocol.signing import Document
from dispatch_protocol.standing import EdgeStatus


class Devices:
    """One person's devices; `default_name` is what this one calls itself until somebody names it."""

    def __init__(
        self,
        journal: Journal,
        people: People,
        clock: Clock,
        own_chain: OwnChain,
        household: Household,
        *,
        default_name: str,
    ) -> None:
        self._journal = journal
        self._people = people
        self._clock = clock
        self._own_chain = own_chain
        self._household = household
        self._default_name = default_name

    def names(self) -> devices.Names:
        """Return what the devices are called; this one by its setting as long as nobody has named it."""
        return {self._people.own.device.hex: (self._default_name, 0)} | self._household.names()

    def _called(self, device: DeviceId) -> str:
        """Return what a device is called, so that it is taken for no other one."""
        active = {each.hex for each in self._people.own.chain.devices} | {device.hex}
        return devices.name_of(device, devices.told_apart(self.names(), active))

    async def devices(self) -> JsonObject:
        own = self._people.own
        listed: list[JSON] = [
            *devices.listed(own.chain, own.device, self.names(), self._household.heard_ms())
        ]
        return {"identity": own.genesis, "devices": listed}

    async def rename_device(self, *, device: str, name: str) -> JsonObject:
        """Call a device something on every device of this person."""
        found = devices.find(self._people.own.chain, self.names(), device)
        taken = [each for each, (held, _) in self.names().items() if held.casefold() == name.casefold()]
        if any(each != found.hex for each in taken):
            raise ServiceError("invalid", f"another device of yours is called {name!r} already")
        await self._household.rename(found, name)
        return {"device": found.hex, "name": name}

    async def revoke_device(self, *, device: str) -> JsonObject:
        """End a device: contacts seal nothing to it any more, and it erases its keys when it hears."""
        async with self._own_chain.changing:
            own, moment = self._people.own, self._clock.moment()
            found = devices.find(own.chain, self.names(), device)
            name, holder = self._called(found), devices.recovery_holder(own.chain)
            link = devices.revocation(
                own.chain, own.device, found, now_ms=moment.now_ms, nonce=moment.nonce()
            )
            await self._sign(link)
        granted = [
            edge.address for edge in self._journal.edges(Direction.INCOMING) if _is_live_by(edge, found)
        ]
        return {
            "device": found.hex,
            "name": name,
            "status": "revoked",
            "granted": sorted(set(granted)),
            "made_identity": found == holder,
        }

    async def set_device(self, *, device: str, roles: list[str] | None, owner: bool) -> JsonObject:
        """State what a device may do: change the chain (approver), run what is sent (runner), or run it first (owner).

        The chain takes whoever's roles were stated last for the owner. So where ownership was not asked for, the present
        owner's are stated once more in the same step, and what is so already is not stated at all.
        """
        async with self._own_chain.changing:
            own, moment = self._people.own, self._clock.moment()
            found = devices.find(own.chain, self.names(), device)
            link = devices.change_of_roles(
                own.chain,
                own.device,
                found,
                None if roles is None else frozenset(map(Role, roles)),
                owner=owner,
                now_ms=moment.now_ms,
                nonce=moment.nonce(),
            )
            if not devices.states_nothing(own.chain, link, owner=owner):
                await self._state(link, keep_owner=not owner)
        chain = self._people.own.chain
        return {
            "device": found.hex,
            "name": self._called(found),
            "roles": sorted(chain.devices[found].roles),
            "owner": found == chain.owner,
            "owner_id": chain.owner.hex,
            "owner_name": self._called(chain.owner),
        }

    async def _state(self, link: SetRolesLink, *, keep_owner: bool) -> None:
        """State a device's roles, and the present owner's behind them if it is to stay the owner."""
        before, moment = self._people.own.chain, self._clock.moment()
        after = before.extend((self._signed(link),))
        kept = (
            devices.owner_restated(before, after, now_ms=moment.now_ms, nonce=moment.nonce())
            if keep_owner
            else None
        )
        await self._own_chain.grow(after if kept is None else after.extend((self._signed(kept),)))

    def _signed(self, link: RevokeDeviceLink | SetRolesLink) -> Document:
        return sign_link(link, (self._people.keys.signing,))

    async def _sign(self, link: RevokeDeviceLink) -> None:
        await self._own_chain.grow(self._people.own.chain.extend((self._signed(link),)))


def _is_live_by(edge: EdgeRecord, device: DeviceId) -> bool:
    """Say whether an edge is in force by the word of this device."""
    return edge.status is EdgeStatus.ACTIVE and grants.is_by(edge, {device})
