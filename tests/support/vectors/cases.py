"""What a vector for opening is: an envelope, who opens it with which knowledge, and what must come of it."""

from dataclasses import dataclass, replace

from dispatch_protocol.chain import Chain
from dispatch_protocol.encoding import JSON, b64u
from dispatch_protocol.standing import AcceptanceExpected, EdgeStanding, EdgeStatus, FirstContact, Standing
from tests.support.vectors import world
from tests.support.vectors.world import Identity, Machine


@dataclass(frozen=True, kw_only=True)
class Case:
    """One vector. `outcome` is `opened` or a code; `step` is the step of the list that refuses; `name` is unique."""

    name: str
    envelope: bytes
    machine: Machine = world.BOB_LAPTOP
    standing: Standing
    outcome: str = "opened"
    step: int | None = None
    made_from: dict[str, JSON] | None = None
    expected: FirstContact | None = None

    def write(self) -> dict[str, JSON]:
        """Return the case as JSON."""
        return {
            "name": self.name,
            "device": self.machine.name,
            "standing": write_standing(self.standing),
            "first_contact": None if self.expected is None else write_expected(self.expected),
            "outcome": self.outcome,
            "step": self.step,
            "made_from": self.made_from,
            "envelope": b64u(self.envelope),
        }


EDGE = EdgeStanding(world.EDGE, EdgeStatus.ACTIVE, world.ALICE.genesis, world.BOB.genesis)


def edge(**changes: object) -> EdgeStanding:
    """Return the edge from Alice to Bob as both of them hold it, active unless said otherwise."""
    return replace(EDGE, **changes)


def bob_knows(**changes: object) -> Standing:
    """Return what Bob knows when something of Alice's comes: her chain, the active edge, the time, nothing seen."""
    standing = Standing(
        own=world.BOB.chain,
        peer=world.ALICE.chain,
        edge=EDGE,
        now_ms=world.NOW_MS + 1_000,
        floor_ms=world.NOW_MS,
        seen=False,
    )
    return replace(standing, **changes)


def alice_knows(**changes: object) -> Standing:
    """Return what Alice knows when something of Bob's comes."""
    return replace(bob_knows(own=world.ALICE.chain, peer=world.BOB.chain), **changes)


def write_identity(identity: Identity) -> dict[str, JSON]:
    """Return an identity as JSON: its links, and what they add up to for readers without a chain verifier."""
    chain = identity.chain
    return {
        "name": identity.name,
        "genesis": chain.genesis.hex,
        "links": [link.to_json() for link in chain.links],
        "states": [
            {"head": state_head.hex, "devices": [device.hex for device in sorted(devices)]}
            for state_head, devices in zip(chain.heads, chain.states, strict=True)
        ],
    }


def write_machine(machine: Machine) -> dict[str, JSON]:
    """Return a device with its private keys as JSON: these are published keys, of nobody."""
    return {
        "name": machine.name,
        "device": machine.device.hex,
        "signing_seed": machine.sign.reveal().hex(),
        "sealing_keys": [key.reveal().hex() for key in machine.sealing],
    }


def write_standing(standing: Standing) -> dict[str, JSON]:
    """Return a standing as JSON; a chain is a name and how many of its links are known."""
    edge = standing.edge
    return {
        "own": _write_known(standing.own),
        "peer": None if standing.peer is None else _write_known(standing.peer),
        "edge": None
        if edge is None
        else {
            "edge": edge.edge.hex,
            "status": edge.status.value,
            "dispatcher": edge.dispatcher.hex,
            "trustor": edge.trustor.hex,
            "expires": edge.expires_ms,
        },
        "now": standing.now_ms,
        "floor": standing.floor_ms,
        "seen": standing.seen,
        "id_taken": standing.id_taken,
    }


def write_expected(expected: FirstContact) -> dict[str, JSON]:
    """Return what is known of the answer to the one invitation of these vectors as JSON."""
    secret = None if expected.secret is None else expected.secret.reveal().hex()
    if isinstance(expected, AcceptanceExpected):
        return {"kind": "acceptance", "secret": secret}
    return {
        "kind": "confirmation",
        "secret": secret,
        "acceptance": expected.acceptance.hex,
        "inviter": _write_known(expected.inviter),
    }


def _write_known(chain: Chain) -> dict[str, JSON]:
    name = next(identity.name for identity in world.IDENTITIES if identity.genesis == chain.genesis)
    return {"identity": name, "links": len(chain.links)}
