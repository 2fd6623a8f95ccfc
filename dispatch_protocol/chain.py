"""An identity: a chain of signed links, verified from its fingerprint up, and the devices that it leaves active.

Nothing about a person's keys is believed because a broker says so: every link is signed by keys that the links before
it name, and the first is known by its digest. A contact pins that digest, and holds on to the longest chain it has seen.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from dispatch_protocol.encoding import JSON
from dispatch_protocol.errors import MalformedError, RefusalCode, RefusedError
from dispatch_protocol.keys import DeviceId, Digest, Genesis, RecoveryPublic, SealingPublic
from dispatch_protocol.limits import CHAIN_LINKS, DEVICES
from dispatch_protocol.links import (
    ALL_ROLES,
    AddDeviceLink,
    IdentityKind,
    LaterLink,
    RevokeDeviceLink,
    Role,
    RotateSealingLink,
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
    """A verified identity. `states` holds the active devices after each link; the last are the present ones."""

    genesis: Genesis
    kind: IdentityKind
    recovery: RecoveryPublic
    links: tuple[Document, ...]
    heads: tuple[Digest, ...]
    states: tuple[Devices, ...]

    @property
    def head(self) -> Digest:
        """The digest of the newest link."""
        return self.heads[-1]

    @property
    def devices(self) -> Devices:
        """The devices that are active now."""
        return self.states[-1]

    @property
    def recipients(self) -> tuple[tuple[DeviceId, SealingPublic], ...]:
        """Every active device with the key to seal to, sorted by device."""
        return tuple((device, self.devices[device].seal) for device in sorted(self.devices))

    def at(self, head: Digest) -> "Chain | None":
        """Return the chain as it stood at a link, or None if it has no such link."""
        if head not in self.heads:
            return None
        end = self.heads.index(head) + 1
        return replace(self, links=self.links[:end], heads=self.heads[:end], states=self.states[:end])

    def extend(self, links: Iterable[Document]) -> "Chain":
        """Return the chain with further links, each verified where it stands.

        Raises:
            MalformedError: a link that cannot be read, or a chain that grows too long.
            RefusedError: `chain_broken`, `signature_bad` or `unsupported`.
        """
        heads, states, all_links = list(self.heads), list(self.states), list(self.links)
        for document in links:
            if len(all_links) >= CHAIN_LINKS:
                raise MalformedError(f"a chain of more than {CHAIN_LINKS} links")
            states.append(_follow(states, heads[-1], document))
            heads.append(document.digest)
            all_links.append(document)
        return replace(self, links=tuple(all_links), heads=tuple(heads), states=tuple(states))

    def update(self, links: Sequence[Document]) -> "Chain":
        """Return the longer of this chain and another telling of it from its first link.

        A shorter telling changes nothing: whoever serves it may be late, or hiding a link.

        Raises:
            RefusedError: `chain_forked` if the two differ anywhere, and whatever `extend` raises.
        """
        told = [document.digest for document in links]
        shared = min(len(told), len(self.heads))
        if tuple(told[:shared]) != self.heads[:shared]:
            raise RefusedError(RefusalCode.CHAIN_FORKED, f"two histories of the identity {self.genesis.hex}")
        return self.extend(links[shared:])

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
        )
        return chain.extend(links[1:])


def _follow(states: Sequence[Devices], head: Digest, document: Document) -> Devices:
    """Return the active devices after one more link, having checked that it may stand there."""
    link = read_link(document)
    if link.prev != head:
        raise _broken("it does not name the link before it")
    before = states[-1]
    signers = _signers(link, document, before)
    verify_document(signers, document)
    after = _apply(states, link)
    if not any(Role.APPROVER in device.roles for device in after.values()):
        raise _broken("it would leave no device that may change the chain")
    return MappingProxyType(after)


def _apply(states: Sequence[Devices], link: LaterLink) -> dict[DeviceId, Device]:
    """Return what a link of a device that may sign it makes of the present devices."""
    after = dict(states[-1])
    match link:
        case AddDeviceLink():
            _check_new_device(states, link)
            after[link.device] = Device(link.device, link.sealing, link.roles, link.created_ms)
        case RevokeDeviceLink():
            del after[link.device]
        case RotateSealingLink():
            _check_new_sealing(states, link.sealing)
            after[link.device] = replace(after[link.device], seal=link.sealing, sealed_ms=link.created_ms)
        case _:  # SetRolesLink, the last of the types
            after[link.device] = replace(after[link.device], roles=link.roles)
    return after


def _signers(link: LaterLink, document: Document, before: Devices) -> tuple[DeviceId, ...]:
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


def _check_new_device(states: Sequence[Devices], link: AddDeviceLink) -> None:
    if any(link.device in state for state in states):
        raise _broken("a device is added a second time")
    if len(states[-1]) >= DEVICES:
        raise _broken(f"it would make more than {DEVICES} devices")
    _check_new_sealing(states, link.sealing)


def _check_new_sealing(states: Sequence[Devices], sealing: SealingPublic) -> None:
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
