"""The devices of one identity as their owner sees and changes them: who they are, and the links that change them."""

from collections import Counter
from collections.abc import Collection, Mapping

from dispatch_daemon.core.errors import ServiceError
from dispatch_protocol.chain import Chain
from dispatch_protocol.encoding import JSON
from dispatch_protocol.keys import DeviceId, SealingPublic
from dispatch_protocol.limits import CHAIN_BYTES, CHAIN_LINKS
from dispatch_protocol.links import (
    AddDeviceLink,
    RecoverLink,
    RevokeDeviceLink,
    Role,
    SetRolesLink,
    read_genesis,
    read_link,
)
from dispatch_protocol.loopback import short_id
from dispatch_protocol.timestamps import format_time

Names = Mapping[str, tuple[str, int]]  # by device in hex: what it is called, and since when
SHORTEST_PREFIX = 4
_ROOM = CHAIN_LINKS // 2  # links before a recovery, as far as it may choose
SPARE_LINKS, SPARE_BYTES = 20, 16 * 1024  # of a chain are left for ending devices


def listed(chain: Chain, own: DeviceId, names: Names, heard_ms: Mapping[str, int]) -> list[dict[str, JSON]]:
    """Return the active devices, the one that joined first at the top."""
    since = joined_ms(chain)
    names = told_apart(names, {device.hex for device in chain.devices})
    return [
        {
            "id": device.hex,
            "name": name_of(device, names),
            "roles": sorted(chain.devices[device].roles),
            "owner": device == chain.owner,
            "this": device == own,
            "since": format_time(joined),
            "key_since": format_time(chain.devices[device].sealed_ms),
            "last_seen": None if device == own else _time(heard_ms.get(device.hex)),
        }
        for device, joined in sorted(since.items(), key=lambda pair: (pair[1], pair[0]))
        if device in chain.devices
    ]


def _time(at_ms: int | None) -> str | None:
    return None if at_ms is None else format_time(at_ms)


def name_of(device: DeviceId, names: Names) -> str:
    """Return what a device is called: by its person, else by the beginning of its id."""
    return names.get(device.hex, (short_id(device.hex), 0))[0]


def told_apart(names: Names, active: Collection[str]) -> Names:
    """Return names by which no active device is taken for another: where two are called the same, with the begin of their ids.

    Machines of one person often have the same host name, and each chooses its name before it knows the others.
    """
    often = Counter(name.casefold() for device, (name, _) in names.items() if device in active)
    return {
        device: (f"{name} ({short_id(device)})", at_ms)
        if often[name.casefold()] > (device in active)
        else (name, at_ms)
        for device, (name, at_ms) in names.items()
    }


def joined_ms(chain: Chain) -> dict[DeviceId, int]:
    """Return when each device of a chain joined it, as the links say; those that have left too."""
    genesis = read_genesis(chain.links[0])
    joined = {genesis.device: genesis.created_ms}
    for document in chain.links[1:]:
        match read_link(document):
            case AddDeviceLink(device=device, created_ms=at_ms):
                joined[device] = at_ms
            case RecoverLink(device=(device, _), created_ms=at_ms):
                joined[device] = at_ms
            case _:
                pass
    return joined


def recovery_holder(chain: Chain) -> DeviceId | None:
    """Return the device that has kept the recovery key since it made the identity, None once that key was used.

    Whether it was shown there, and is on paper by now, nobody else can know. The device may have left.
    """
    return None if chain.epoch else read_genesis(chain.links[0]).device


def no_recovery_key(chain: Chain, own: DeviceId, names: Names) -> ServiceError:
    """Say why the recovery key is not on this device, and where it may be."""
    holder = recovery_holder(chain)
    if holder is None or holder == own:
        return ServiceError("recovery_shown", "the recovery key was shown already and is not kept here")
    if holder in chain.devices:
        name = name_of(holder, names)
        return ServiceError(
            "recovery_elsewhere",
            f"{name} made this identity: it keeps the recovery key, if that was not shown there",
            hint=f"on {name}: dispatch devices recovery-key",
        )
    return ServiceError(
        "recovery_shown",
        "the machine that made this identity kept the recovery key, and is yours no more: if it was not shown there and "
        "written down, there is none any more",
    )


def find(chain: Chain, names: Names, wanted: str) -> DeviceId:
    """Return the one active device that a name, an id or the beginning of an id means.

    Raises:
        ServiceError: `not_found`, or `ambiguous` with the candidates.
    """
    text = wanted.strip().casefold()
    shown = told_apart(names, {device.hex for device in chain.devices})
    named = [
        device
        for device in chain.devices
        if text in (name_of(device, names).casefold(), name_of(device, shown).casefold())
    ]
    begun = [
        device for device in chain.devices if len(text) >= SHORTEST_PREFIX and device.hex.startswith(text)
    ]
    found = named or begun
    if not found:
        raise ServiceError("not_found", f"no device of yours is called {wanted!r}", hint="dispatch devices")
    if len(found) > 1:
        candidates = sorted(f"{name_of(device, names)} ({device.hex[:16]})" for device in found)
        raise ServiceError(
            "ambiguous",
            f"{wanted!r} could be {len(found)} devices of yours",
            hint="dispatch devices rename ID NAME",
            candidates=candidates,
        )
    return found[0]


def revocation(
    chain: Chain, own: DeviceId, device: DeviceId, *, now_ms: int, nonce: bytes
) -> RevokeDeviceLink:
    """Return the link that ends a device, signed by nobody yet.

    Raises:
        ServiceError: `last_signer` where no other device could change the chain, `not_approver` where this one may not.
    """
    others = (held for each, held in chain.devices.items() if each != device)
    if not any(Role.APPROVER in held.roles for held in others):
        raise ServiceError(
            "last_signer",
            "it is the last device that may change your devices; without it only the recovery key could",
            hint="dispatch devices add",
        )
    if own != device:
        require_approver(chain, own)
    return RevokeDeviceLink(prev=chain.head, device=device, created_ms=now_ms, nonce=nonce)


def change_of_roles(
    chain: Chain,
    own: DeviceId,
    device: DeviceId,
    roles: frozenset[Role] | None,
    *,
    owner: bool,
    now_ms: int,
    nonce: bytes,
) -> SetRolesLink:
    """Return the link that states a device's roles, signed by nobody yet; without `roles` they stay what they are.

    Whoever's roles were stated last, and runs, is the owner: so an owner is a runner.

    Raises:
        ServiceError: `invalid` for an owner that shall not run, `last_signer`, `not_approver`.
    """
    require_approver(chain, own)
    require_room(chain)
    stated = chain.devices[device].roles if roles is None else roles
    if owner and Role.RUNNER not in stated:
        if roles is not None:
            raise ServiceError("invalid", "the owner is the device that runs, so its roles hold runner")
        stated |= {Role.RUNNER}
    others = (held for each, held in chain.devices.items() if each != device)
    if Role.APPROVER not in stated and not any(Role.APPROVER in held.roles for held in others):
        raise ServiceError(
            "last_signer",
            "no other device of yours may change your devices, so this one has to stay an approver",
            hint="dispatch devices add",
        )
    return SetRolesLink(prev=chain.head, device=device, roles=stated, created_ms=now_ms, nonce=nonce)


def states_nothing(chain: Chain, link: SetRolesLink, *, owner: bool) -> bool:
    """Say whether all that a link would state of a device is so already."""
    same = chain.devices[link.device].roles == link.roles
    stated = (read_link(document) for document in reversed(chain.links[1:]))
    last = next((each.device for each in stated if isinstance(each, SetRolesLink)), None)
    return same and (not owner or last == link.device == chain.owner)


def owner_restated(before: Chain, after: Chain, *, now_ms: int, nonce: bytes) -> SetRolesLink | None:
    """Return the link that lets the owner stay who it was `before`, where stating another's roles has made that one the owner.

    None where nothing has to be stated: it is the owner still, or does not run any more.

    Raises:
        ServiceError: `chain_full`.
    """
    owner = before.owner
    roles = after.devices[owner].roles
    if after.owner == owner or Role.RUNNER not in roles:
        return None
    require_room(after)
    return SetRolesLink(prev=after.head, device=owner, roles=roles, created_ms=now_ms, nonce=nonce)


def require_room(chain: Chain) -> None:
    """Refuse what can wait where a chain is almost full: what is left is for ending devices, and a recovery makes it short again.

    Raises:
        ServiceError: `chain_full`.
    """
    if len(chain.links) > CHAIN_LINKS - SPARE_LINKS or chain.size_bytes > CHAIN_BYTES - SPARE_BYTES:
        raise ServiceError(
            "chain_full",
            f"the chain of your devices has {len(chain.links)} links of {chain.size_bytes} bytes, and nobody reads a longer one "
            "than it may become; a device can still be revoked, and a recovery begins it anew",
            hint="dispatch login --recover  (in an empty home)",
        )


def recovery(
    chain: Chain,
    survivors: frozenset[DeviceId],
    device: tuple[DeviceId, SealingPublic],
    *,
    now_ms: int,
    nonce: bytes,
) -> tuple[Chain, RecoverLink]:
    """Return where a chain begins anew and the link that does it, signed by nobody yet.

    That is after its newest link at which everybody who shall survive was active: whoever was revoked by a thief is
    taken back as they were before. Nobody survives who is not named. Where a thief has filled the chain with links, it
    begins anew early enough to leave room.

    Raises:
        ServiceError: `not_found`, there was no time at which all of them were active; `home_in_use`, the device is no
            new one.
    """
    if any(device[0] in state for state in chain.states):
        raise ServiceError(
            "home_in_use",
            "this machine is or was a device of this identity; a recovery needs an empty home",
            hint="DISPATCH_HOME=DIR dispatch login --recover",
        )
    places = [number for number, state in enumerate(chain.states) if survivors <= state.keys()]
    if not places:
        raise ServiceError("not_found", "these devices were never active together in this identity")
    sizes = chain.sizes_bytes
    early = [number for number in places if number < _ROOM and sizes[number] <= CHAIN_BYTES // 2]
    place = early[-1] if early else places[0]
    base = chain.at(chain.heads[place])
    assert base is not None  # noqa: S101 - it is one of its heads
    if sizes[place] > CHAIN_BYTES - SPARE_BYTES:
        raise ServiceError(
            "chain_full",
            "these devices joined when the chain was almost full, so keeping them would leave no room",
            hint="dispatch login --recover, without --keep",
        )
    return base, RecoverLink(
        prev=base.head,
        epoch=chain.epoch + 1,
        survivors=survivors,
        device=device,
        created_ms=now_ms,
        nonce=nonce,
    )


def ever(chain: Chain, wanted: str) -> DeviceId:
    """Return the one device that was ever in a chain and whose id begins like this.

    Raises:
        ServiceError: `not_found`, or `ambiguous` with the candidates.
    """
    text = wanted.strip().casefold()
    known = {device for state in chain.states for device in state}
    found = sorted(device for device in known if device.hex.startswith(text))
    if len(text) < SHORTEST_PREFIX or not found:
        raise ServiceError("not_found", f"no device of this identity has an id that begins with {wanted!r}")
    if len(found) > 1:
        candidates = [device.hex[:16] for device in found]
        raise ServiceError("ambiguous", f"{wanted!r} could be {len(found)} devices", candidates=candidates)
    return found[0]


def require_approver(chain: Chain, own: DeviceId, what: str = "change your devices") -> None:
    """Refuse to decide for the identity on a device that may not: its others would not believe it.

    Raises:
        ServiceError: `not_approver`.
    """
    held = chain.devices.get(own)
    if held is None or Role.APPROVER not in held.roles:
        raise ServiceError("not_approver", f"this device may not {what}; do it on one that is an approver")
