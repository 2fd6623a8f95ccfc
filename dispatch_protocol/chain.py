"""An identity: a chain of signed links, verified from its fingerprint up, and the devices that it leaves active.

Nothing about a person's keys is believed because a broker says so: every link is signed by keys that the links before
it name, and the first is known by its digest. A contact pins that digest, and holds on to the longest chain it has seen.
Only the recovery key can begin another history than that one, and then its epoch is higher.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, takewhile
from types import MappingProxyType

from dispatch_protocol.encoding import JSON, dumps
from dispatch_protocol.errors import MalformedError, RefusalCode, RefusedError
from dispatch_protocol.keys import DeviceId, Digest, Genesis, RecoveryPublic, SealingPublic
from dispatch_protocol.limits import CHAIN_BYTES, CHAIN_LINKS, DEVICES
from dispatch_protocol.links import (
    ALL_ROLES,
    AddDeviceLink,
    IdentityKind,
    OrdinaryLink,
    RecoverLink,
    RevokeDeviceLink,
    Role,
    RotateSealingLink,
    SetRolesLink,
    read_genesis,
    read_link,
)
from dispatch_protocol.signing import Document, verify_document


@dataclass(frozen=True, slots=True)
class Device:
    """An active device: its keys, its roles, and when its present sealing key was stated (ms since 1970)."""

    sign: DeviceId
    seal: SealingPublic
    roles: frozenset[Role]
    sealed_ms: int


Devices = Mapping[DeviceId, Device]


@dataclass(frozen=True, slots=True)
class Chain:
    """A verified identity. `states` holds the active devices after each link; the last are the present ones.

    `epochs` counts recoveries in the same way: of two histories that differ, the one of the higher epoch holds.
    """

    genesis: Genesis
    kind: IdentityKind
    recovery: RecoveryPublic
    links: tuple[Document, ...]
    heads: tuple[Digest, ...]
    states: tuple[Devices, ...]
    epochs: tuple[int, ...]

    @property
    def epoch(self) -> int:
        """The epoch of the last recovery, 0 before the first."""
        return self.epochs[-1]

    @property
    def head(self) -> Digest:
        """The digest of the newest link."""
        return self.heads[-1]

    @property
    def devices(self) -> Devices:
        """The devices that are active now."""
        return self.states[-1]

    @property
    def sizes_bytes(self) -> tuple[int, ...]:
        """How much all links up to each one measure where they are told."""
        return tuple(accumulate(map(_size_bytes, self.links)))

    @property
    def size_bytes(self) -> int:
        """How much all links measure."""
        return self.sizes_bytes[-1]

    @property
    def recipients(self) -> tuple[tuple[DeviceId, SealingPublic], ...]:
        """Every active device with the key to seal to, sorted by device."""
        return tuple((device, self.devices[device].seal) for device in sorted(self.devices))

    @property
    def owner(self) -> DeviceId:
        """The device that runs what its author has addressed to no other: one person's task is nobody's race.

        Of the active runners it is the one whose roles a `set_roles` stated last, else the one that joined first; where
        nobody runs, it is the device that joined first.
        """
        runners = [device for device, held in self.devices.items() if Role.RUNNER in held.roles]
        for document in reversed(self.links[1:]):
            link = read_link(document)
            if isinstance(link, SetRolesLink) and link.device in runners:
                return link.device
        joined = dict.fromkeys(device for state in self.states for device in state)
        return next(device for device in joined if device in (runners or self.devices))

    def runs(self, named: DeviceId) -> DeviceId | None:
        """Return the device that runs what names this one: itself, or the owner once it has left; None if it never was here.

        A task may be signed before its author learns that the device was lost.
        """
        if named in self.devices:
            return named
        return self.owner if any(named in state for state in self.states) else None

    def at(self, head: Digest) -> "Chain | None":
        """Return the chain as it stood at a link, or None if it has no such link."""
        if head not in self.heads:
            return None
        return self._first(self.heads.index(head) + 1)

    def _first(self, count: int) -> "Chain":
        """Return the chain as it stood after so many links, one or more."""
        return replace(
            self,
            links=self.links[:count],
            heads=self.heads[:count],
            states=self.states[:count],
            epochs=self.epochs[:count],
        )

    def extend(self, links: Iterable[Document]) -> "Chain":
        """Return the chain with further links, each verified where it stands.

        Raises:
            MalformedError: a link that cannot be read, or a chain that grows too long.
            RefusedError: `chain_broken`, `signature_bad` or `unsupported`.
        """
        all_links, heads = list(self.links), list(self.heads)
        states, epochs = list(self.states), list(self.epochs)
        size = self.size_bytes
        for document in links:
            size += _size_bytes(document)
            if len(all_links) >= CHAIN_LINKS or size > CHAIN_BYTES:
                raise MalformedError(f"a chain of more than {CHAIN_LINKS} links or {CHAIN_BYTES} bytes")
            after, epoch = _follow(document, heads[-1], states, epochs[-1], self.recovery)
            states.append(after)
            epochs.append(epoch)
            heads.append(document.digest)
            all_links.append(document)
        return replace(
            self, links=tuple(all_links), heads=tuple(heads), states=tuple(states), epochs=tuple(epochs)
        )

    def update(self, links: Sequence[Document]) -> "Chain":
        """Return what holds of this chain and another telling of it, from its first link.

        A telling that goes on is taken. One that stops earlier changes nothing: whoever serves it may be late, or
        hiding a link. Where the two differ, the one with the higher epoch holds, and all else was voided by it.

        Raises:
            RefusedError: `chain_forked` if they differ in one epoch, `genesis_mismatch` for a chain of another identity, and
                whatever `extend` raises.
        """
        shared = self.shared(links)
        if shared == 0 < len(links):  # anybody can tell it, and it says nothing about this one
            raise RefusedError(RefusalCode.GENESIS_MISMATCH, f"another identity than {self.genesis.hex}")
        if shared in (len(links), len(self.links)):
            return self.extend(links[shared:])
        other = self._first(shared).extend(links[shared:])
        if other.epoch == self.epoch:
            raise RefusedError(RefusalCode.CHAIN_FORKED, f"two histories of the identity {self.genesis.hex}")
        return max(self, other, key=lambda chain: chain.epoch)

    def shared(self, links: Sequence[Document]) -> int:
        """Return how many links, from the first on, this chain has in common with another telling."""
        pairs = zip(links, self.heads, strict=False)
        return sum(1 for _ in takewhile(lambda pair: pair[0].digest == pair[1], pairs))

    @classmethod
    def verify(cls, links: Sequence[Document], *, expect: Genesis | None) -> "Chain":
        """Verify a whole chain from its first link; `expect` is the pinned fingerprint, None only for one's own.

        Raises:
            MalformedError: no link at all, or one that cannot be read.
            RefusedError: `genesis_mismatch`, and whatever `extend` raises.
        """
        if not links:
            raise MalformedError("a chain without links")
        first = links[0]
        fingerprint = Genesis(first.digest.raw)
        if expect is not None and fingerprint != expect:
            raise RefusedError(
                RefusalCode.GENESIS_MISMATCH, f"the chain is {fingerprint.hex}, not {expect.hex}"
            )
        genesis = read_genesis(first)
        verify_document((genesis.device, genesis.recovery), first)
        device = Device(genesis.device, genesis.sealing, ALL_ROLES, genesis.created_ms)
        chain = cls(
            genesis=fingerprint,
            kind=genesis.kind,
            recovery=genesis.recovery,
            links=(first,),
            heads=(first.digest,),
            states=(MappingProxyType({device.sign: device}),),
            epochs=(0,),
        )
        return chain.extend(links[1:])


def _size_bytes(link: Document) -> int:
    return len(dumps(link.to_json()))


def _follow(
    document: Document, head: Digest, states: Sequence[Devices], epoch: int, recovery: RecoveryPublic
) -> tuple[Devices, int]:
    """Return the active devices and the epoch after one more link, having checked that it may stand there."""
    link = read_link(document)
    if link.prev != head:
        raise _broken("it does not name the link before it")
    if isinstance(link, RecoverLink):
        verify_document((recovery,) if link.device is None else (recovery, link.device[0]), document)
        after = _recover(link, states, epoch, recovery)
        epoch = link.epoch
    else:
        verify_document(_signers(link, document, states[-1]), document)
        after = _apply(link, states, recovery)
    if not any(Role.APPROVER in device.roles for device in after.values()):
        raise _broken("it would leave no device that may change the chain")
    return MappingProxyType(after), epoch


def _recover(
    link: RecoverLink, states: Sequence[Devices], epoch: int, recovery: RecoveryPublic
) -> dict[DeviceId, Device]:
    """Return the devices that the recovery key keeps, and the new one that it adds."""
    if link.epoch <= epoch:
        raise _broken("its epoch is not higher than that of the links before it")
    if not link.survivors <= states[-1].keys():
        raise _broken("it keeps a device that is not active")
    after = {device: states[-1][device] for device in link.survivors}
    if link.device is not None:
        sign, seal = link.device
        _check_new_device(sign, seal, states, after, recovery)
        after[sign] = Device(sign, seal, ALL_ROLES, link.created_ms)
    return after


def _apply(link: OrdinaryLink, states: Sequence[Devices], recovery: RecoveryPublic) -> dict[DeviceId, Device]:
    """Return what a link of a device that may sign it makes of the present devices."""
    after = dict(states[-1])
    match link:
        case AddDeviceLink():
            _check_new_device(link.device, link.sealing, states, after, recovery)
            after[link.device] = Device(link.device, link.sealing, link.roles, link.created_ms)
        case RevokeDeviceLink():
            del after[link.device]
        case RotateSealingLink():
            _check_new_sealing(link.sealing, states)
            after[link.device] = replace(after[link.device], seal=link.sealing, sealed_ms=link.created_ms)
        case _:  # SetRolesLink, the last of the types
            after[link.device] = replace(after[link.device], roles=link.roles)
    return after


def _signers(link: OrdinaryLink, document: Document, before: Devices) -> tuple[DeviceId, ...]:
    """Return exactly the devices that must have signed a link, by its type and by who claims to have signed."""
    known = [DeviceId(signer) for signer in document.signers if DeviceId(signer) in before]
    if len(known) != 1:
        raise _broken("it is not signed by one device that was active before it")
    signer = known[0]
    itself = isinstance(link, RotateSealingLink | RevokeDeviceLink) and signer == link.device
    if isinstance(link, RotateSealingLink):
        if not itself:
            raise _broken("a device's sealing key is changed by that device alone")
    elif not itself and Role.APPROVER not in before[signer].roles:
        raise _broken("its signer may not change the chain")
    if isinstance(link, AddDeviceLink):
        return signer, link.device
    if link.device not in before:
        raise _broken("it is about a device that is not active")
    return (signer,)


def _check_new_device(
    sign: DeviceId, seal: SealingPublic, states: Sequence[Devices], beside: Devices, recovery: RecoveryPublic
) -> None:
    """Check that a device may join those that it will stand beside."""
    if any(sign in state for state in states):
        raise _broken("a device is added a second time")
    if sign.raw == recovery.raw:
        raise _broken("the recovery key is no device")
    if len(beside) >= DEVICES:
        raise _broken(f"it would make more than {DEVICES} devices")
    _check_new_sealing(seal, states)


def _check_new_sealing(sealing: SealingPublic, states: Sequence[Devices]) -> None:
    if any(device.seal == sealing for state in states for device in state.values()):
        raise _broken("a sealing key is stated a second time")


def _broken(why: str) -> RefusedError:
    return RefusedError(RefusalCode.CHAIN_BROKEN, f"a link does not follow: {why}")


def write_links(links: Iterable[Document]) -> list[JSON]:
    """Return links as JSON, each in its DSSE form."""
    return [document.to_json() for document in links]


def read_links(values: Iterable[JSON]) -> tuple[Document, ...]:
    """Read links from JSON; raises MalformedError. They are read, not verified."""
    return tuple(Document.from_json(value) for value in values)
