"""Chains that hold, and chains that must be refused, each wrong in one respect."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from dispatch_protocol.chain import Chain, write_links
from dispatch_protocol.encoding import JSON, dumps
from dispatch_protocol.keys import DeviceId, Digest, RecoveryKey, SealingKey, SigningKey
from dispatch_protocol.links import (
    LINK_TYPE,
    AddDeviceLink,
    LaterLink,
    RecoverLink,
    RevokeDeviceLink,
    Role,
    RotateSealingLink,
    SetRolesLink,
    genesis_link,
    sign_link,
)
from dispatch_protocol.signing import Document, sign_document
from tests.support.vectors import world
from tests.support.vectors.fixed import fixed

START_MS: Final = 1_767_323_045_678  # 2026-01-02T03:04:05.678Z
LAPTOP, PHONE, TABLET, STRANGER = (
    SigningKey(fixed(f"chains {name}")) for name in ("laptop", "phone", "tablet", "stranger")
)
RECOVERY: Final = RecoveryKey(fixed("chains recovery"))
EVERY, RUNS = frozenset(Role), frozenset({Role.RUNNER})


def sealing(name: str) -> SealingKey:
    """Return the sealing key of this name."""
    return SealingKey(fixed(f"chains {name} sealing"))


def first() -> Document:
    """Return the genesis of the laptop's owner."""
    return genesis_link(
        device=LAPTOP,
        sealing=sealing("laptop").public,
        recovery=RECOVERY,
        created_ms=START_MS,
        nonce=fixed("chains genesis", 16),
    )


ONE: Final = Chain.verify([first()], expect=None)


def add(
    chain: Chain, key: SigningKey, name: str, *signers: SigningKey, roles: frozenset[Role] = EVERY
) -> Document:
    """Add a device; the laptop and the device sign where nobody else is named."""
    link = AddDeviceLink(
        device=key.device, sealing=sealing(name).public, roles=roles, **_place(chain, f"add {name}")
    )
    return sign_link(link, signers or (LAPTOP, key))


def revoke(chain: Chain, device: DeviceId, *signers: SigningKey) -> Document:
    """Revoke a device; the laptop signs where nobody else is named."""
    return sign_link(RevokeDeviceLink(device=device, **_place(chain, "revoke")), signers or (LAPTOP,))


def rotate(chain: Chain, key: SigningKey, name: str, *signers: SigningKey) -> Document:
    """State another sealing key; the device signs where nobody else is named."""
    link = RotateSealingLink(
        device=key.device, sealing=sealing(name).public, **_place(chain, f"rotate {name}")
    )
    return sign_link(link, signers or (key,))


def set_roles(chain: Chain, device: DeviceId, roles: frozenset[Role], *signers: SigningKey) -> Document:
    """Change a device's roles; the laptop signs where nobody else is named."""
    return sign_link(SetRolesLink(device=device, roles=roles, **_place(chain, "roles")), signers or (LAPTOP,))


def recover(
    chain: Chain,
    *signers: SigningKey | RecoveryKey,
    new: SigningKey | None = None,
    survivors: Iterable[SigningKey] = (),
    epoch: int = 1,
    name: str = "new",
) -> Document:
    """Begin anew after a chain; the recovery key and the new device sign where nobody else is named."""
    link = RecoverLink(
        epoch=epoch,
        survivors=frozenset(key.device for key in survivors),
        device=None if new is None else (new.device, sealing(name).public),
        **_place(chain, f"recover {epoch} {name}"),
    )
    return sign_link(link, signers or ((RECOVERY,) if new is None else (RECOVERY, new)))


def _place(chain: Chain, label: str) -> dict[str, object]:
    return {
        "prev": chain.head,
        "created_ms": START_MS + 1000 * len(chain.links),
        "nonce": fixed(f"chains {label} {len(chain.links)}", 16),
    }


TWO: Final = ONE.extend([add(ONE, PHONE, "phone")])
RUNNER: Final = ONE.extend([add(ONE, PHONE, "phone", roles=RUNS)])
GONE: Final = TWO.extend([revoke(TWO, PHONE.device)])


def grown(chain: Chain, *steps: Callable[[Chain], Document]) -> Chain:
    """Return a chain with further links, each made from the chain before it."""
    for step in steps:
        chain = chain.extend([step(chain)])
    return chain


HOLDING: Final[dict[str, Chain]] = {
    "a genesis alone": ONE,
    "a second device": TWO,
    "a device that is revoked": GONE,
    "a device that leaves by itself": grown(RUNNER, lambda chain: revoke(chain, PHONE.device, PHONE)),
    "a sealing key that is rotated": grown(TWO, lambda chain: rotate(chain, PHONE, "phone again")),
    "roles that change hands": grown(
        TWO,
        lambda chain: set_roles(chain, PHONE.device, RUNS),
        lambda chain: set_roles(chain, LAPTOP.device, frozenset({Role.APPROVER})),
    ),
    "a long history": grown(
        TWO,
        lambda chain: add(chain, TABLET, "tablet", PHONE, TABLET),
        lambda chain: revoke(chain, LAPTOP.device, TABLET),
        lambda chain: rotate(chain, TABLET, "tablet again"),
    ),
    "a recovery onto a new device": grown(TWO, lambda chain: recover(chain, new=TABLET, name="tablet")),
    "a recovery that keeps a device": grown(TWO, lambda chain: recover(chain, survivors=[PHONE])),
    "two recoveries, and life after them": grown(
        TWO,
        lambda chain: recover(chain, new=TABLET, survivors=[PHONE], name="tablet"),
        lambda chain: recover(chain, survivors=[TABLET], epoch=7),
        lambda chain: rotate(chain, TABLET, "tablet again"),
    ),
}

# Two tellings of one identity: what the reader holds, what it is told, and which of them it holds then (or a code).
TOLD: Final[dict[str, tuple[Chain, Chain, str]]] = {
    "a telling that goes on": (ONE, TWO, "told"),
    "a telling that stops earlier": (GONE, TWO, "held"),
    "a thief's links, and a recovery from before them": (
        grown(TWO, lambda chain: revoke(chain, LAPTOP.device, PHONE)),
        grown(TWO, lambda chain: recover(chain, survivors=[LAPTOP])),
        "told",
    ),
    "a recovery, and a thief who goes on from before it": (
        grown(TWO, lambda chain: recover(chain, survivors=[LAPTOP])),
        grown(
            TWO,
            lambda chain: revoke(chain, LAPTOP.device, PHONE),
            lambda chain: rotate(chain, PHONE, "phone again"),
        ),
        "held",
    ),
    "a later recovery that voids an earlier one": (
        grown(TWO, lambda chain: recover(chain, survivors=[LAPTOP])),
        grown(ONE, lambda chain: recover(chain, new=TABLET, name="tablet", epoch=2)),
        "told",
    ),
    "two histories in one epoch": (
        TWO,
        grown(ONE, lambda chain: add(chain, TABLET, "tablet")),
        "chain_forked",
    ),
    "two recoveries in one epoch": (
        grown(TWO, lambda chain: recover(chain, survivors=[LAPTOP])),
        grown(TWO, lambda chain: recover(chain, survivors=[PHONE])),
        "chain_forked",
    ),
    "the chain of another identity": (TWO, world.MALLORY.chain, "genesis_mismatch"),
}


def _raw(
    chain: Chain, link: LaterLink, keys: tuple[SigningKey | RecoveryKey, ...], **changes: JSON
) -> Document:
    return sign_document(keys, LINK_TYPE, dumps({**link.write(), "v": 1, **changes}))


def _unknown(chain: Chain) -> Document:
    body = {"v": 1, "type": "merge", "prev": chain.genesis.hex}
    return sign_document((RECOVERY, STRANGER), LINK_TYPE, dumps(body))


def _forged(document: Document) -> Document:
    *others, last = document.signatures
    return replace(document, signatures=(*others, replace(last, value=bytes(64))))


_REVOKE: Final = RevokeDeviceLink(
    device=PHONE.device, prev=TWO.head, created_ms=START_MS, nonce=fixed("chains raw", 16)
)

REFUSED: Final[dict[str, tuple[Chain, Document, str]]] = {
    "a link that does not name the one before it": (TWO, add(ONE, TABLET, "tablet"), "chain_broken"),
    "a device added by itself": (ONE, add(ONE, PHONE, "phone", PHONE), "chain_broken"),
    "a device added without its own signature": (ONE, add(ONE, PHONE, "phone", LAPTOP), "signature_bad"),
    "a device added with a stranger's signature": (
        ONE,
        add(ONE, PHONE, "phone", LAPTOP, STRANGER),
        "signature_bad",
    ),
    "a signature that does not hold": (ONE, _forged(add(ONE, PHONE, "phone")), "signature_bad"),
    "a device that is added twice": (GONE, add(GONE, PHONE, "phone again"), "chain_broken"),
    "a sealing key that is stated twice": (TWO, add(TWO, TABLET, "phone"), "chain_broken"),
    "a device added by one that only runs": (
        RUNNER,
        add(RUNNER, TABLET, "tablet", PHONE, TABLET),
        "chain_broken",
    ),
    "a revocation by a revoked device": (GONE, revoke(GONE, LAPTOP.device, PHONE), "chain_broken"),
    "a revocation by one that only runs": (RUNNER, revoke(RUNNER, LAPTOP.device, PHONE), "chain_broken"),
    "a revocation of the last approver": (RUNNER, revoke(RUNNER, LAPTOP.device), "chain_broken"),
    "a revocation of a stranger": (TWO, revoke(TWO, STRANGER.device), "chain_broken"),
    "a revocation with one signature too many": (
        TWO,
        revoke(TWO, PHONE.device, LAPTOP, STRANGER),
        "signature_bad",
    ),
    "a sealing key that another device rotates": (TWO, rotate(TWO, PHONE, "new", LAPTOP), "chain_broken"),
    "a sealing key that returns": (TWO, rotate(TWO, PHONE, "laptop"), "chain_broken"),
    "a device that raises itself": (RUNNER, set_roles(RUNNER, PHONE.device, EVERY, PHONE), "chain_broken"),
    "the last approver gives up": (ONE, set_roles(ONE, LAPTOP.device, RUNS), "chain_broken"),
    "a device that is the recovery key": (
        ONE,
        add(ONE, SigningKey(RECOVERY.reveal()), "recovery", LAPTOP, SigningKey(RECOVERY.reveal())),
        "chain_broken",
    ),
    "a recovery by a device": (TWO, recover(TWO, LAPTOP, survivors=[LAPTOP]), "signature_bad"),
    "a recovery by another recovery key": (
        TWO,
        recover(TWO, RecoveryKey(fixed("chains another recovery")), survivors=[LAPTOP]),
        "signature_bad",
    ),
    "a recovery with the signature of a device that stays": (
        TWO,
        recover(TWO, RECOVERY, LAPTOP, survivors=[LAPTOP]),
        "signature_bad",
    ),
    "a recovery without its new device's signature": (
        TWO,
        recover(TWO, RECOVERY, new=TABLET, name="tablet"),
        "signature_bad",
    ),
    "a recovery whose epoch does not rise": (
        grown(TWO, lambda chain: recover(chain, survivors=[LAPTOP])),
        recover(grown(TWO, lambda chain: recover(chain, survivors=[LAPTOP])), survivors=[LAPTOP]),
        "chain_broken",
    ),
    "a recovery that keeps a revoked device": (
        GONE,
        recover(GONE, survivors=[LAPTOP, PHONE]),
        "chain_broken",
    ),
    "a recovery that keeps no approver": (RUNNER, recover(RUNNER, survivors=[PHONE]), "chain_broken"),
    "a recovery that brings a device back": (
        GONE,
        recover(GONE, new=PHONE, name="phone again"),
        "chain_broken",
    ),
    "a recovery that brings a sealing key back": (
        TWO,
        recover(TWO, new=TABLET, name="phone"),
        "chain_broken",
    ),
    "a recovery of epoch 0": (
        TWO,
        _raw(
            TWO,
            RecoverLink(epoch=1, survivors=frozenset({LAPTOP.device}), device=None, **_place(TWO, "zero")),
            (RECOVERY,),
            epoch=0,
        ),
        "malformed",
    ),
    "survivors that are not sorted": (
        TWO,
        _raw(
            TWO,
            RecoverLink(epoch=1, survivors=frozenset({LAPTOP.device}), device=None, **_place(TWO, "order")),
            (RECOVERY,),
            survivors=sorted((LAPTOP.device.hex, PHONE.device.hex), reverse=True),
        ),
        "malformed",
    ),
    "a type that is not understood": (TWO, _unknown(TWO), "unsupported"),
    "a version that is not understood": (TWO, _raw(TWO, _REVOKE, (LAPTOP,), v=2), "unsupported"),
    "a field that is not known": (TWO, _raw(TWO, _REVOKE, (LAPTOP,), why="lost"), "malformed"),
    "roles that are not sorted": (
        ONE,
        sign_document(
            (LAPTOP,),
            LINK_TYPE,
            dumps(
                {
                    **SetRolesLink(
                        device=LAPTOP.device,
                        roles=EVERY,
                        prev=ONE.head,
                        created_ms=START_MS,
                        nonce=fixed("chains raw", 16),
                    ).write(),
                    "v": 1,
                    "roles": ["runner", "approver"],
                }
            ),
        ),
        "malformed",
    ),
}


def chain_vectors() -> dict[str, JSON]:
    """Return every case: `links` in DSSE JSON, and what a reader that pinned `genesis` must say."""
    other = Digest(fixed("chains another genesis"))
    unsigned = replace(first(), signatures=first().signatures[:1])
    refused = [
        _case(name, [*chain.links, link], chain.genesis.hex, code)
        for name, (chain, link, code) in REFUSED.items()
    ]
    return {
        "about": "Chains of links, from the first on. `holds` gives the active devices at the end, `told` what is held of two tellings.",
        "holds": [
            {
                "name": name,
                "genesis": chain.genesis.hex,
                "links": write_links(chain.links),
                "head": chain.head.hex,
                "devices": {
                    device.hex: {
                        "seal": entry.seal.hex,
                        "roles": sorted(entry.roles),
                        "sealed": entry.sealed_ms,
                    }
                    for device, entry in sorted(chain.devices.items())
                },
            }
            for name, chain in HOLDING.items()
        ],
        "refused": [
            *refused,
            _case("another genesis than the pinned one", ONE.links, other.hex, "genesis_mismatch"),
            _case(
                "a genesis that the recovery key did not sign", [unsigned], ONE.genesis.hex, "signature_bad"
            ),
            _case("no links", [], ONE.genesis.hex, "malformed"),
        ],
        "told": [
            {
                "name": name,
                "genesis": held.genesis.hex,
                "held": write_links(held.links),
                "told": write_links(told.links),
                "outcome": outcome,
            }
            for name, (held, told, outcome) in TOLD.items()
        ],
    }


def _case(name: str, links: list[Document] | tuple[Document, ...], genesis: str, code: str) -> JSON:
    return {"name": name, "genesis": genesis, "links": write_links(links), "code": code}
