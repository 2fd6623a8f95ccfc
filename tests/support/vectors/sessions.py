"""How a device opens a session: a Hello that proves it, and those that prove nothing, one for each check of the page."""

from dataclasses import replace
from typing import Any, Final

from dispatch_protocol.encoding import JSON
from dispatch_protocol.frames import Hello
from dispatch_protocol.framing import encode_frame
from dispatch_protocol.session import SessionProof
from dispatch_protocol.signing import sign
from tests.support.vectors.fixed import fixed
from tests.support.vectors.world import (
    ALICE,
    ALICE_LAPTOP,
    ALICE_TABLET,
    MALLORY,
    MALLORY_LAPTOP,
    Machine,
)

URL: Final = "https://courier.example"
CHALLENGE: Final = fixed("challenge")


def hello(by: Machine = ALICE_LAPTOP, **changes: Any) -> Hello:
    """Return the Hello of one of Alice's devices, with another proof where something is changed."""
    fields: dict[str, Any] = {
        "url": URL,
        "challenge": CHALLENGE,
        "nonce": fixed("session nonce"),
        "genesis": ALICE.genesis,
        "device": by.device,
        "counter": 7,
    }
    proof = SessionProof(**(fields | changes)).sign(by.sign)
    return Hello(proof, ALICE.chain.links, "login-token")


def session_vectors() -> dict[str, JSON]:
    """Return Hellos that open a session, and others; each is one frame, without its length, in hex."""
    honest = hello()
    spoiled = replace(honest.proof, signature=bytes(64))
    retyped = sign(ALICE_LAPTOP.sign, "application/vnd.dispatch.task.v1+json", honest.proof.body)
    refused = {
        "a proof of another kind": ("unsupported", replace(honest, proof=retyped)),
        "another identity's chain": (
            "genesis_mismatch",
            replace(hello(MALLORY_LAPTOP), links=MALLORY.chain.links),
        ),
        "a chain with a link too few": (
            "chain_broken",
            replace(honest, links=(ALICE.chain.links[0], ALICE.chain.links[2])),
        ),
        "a device that was revoked": ("device_revoked", hello(ALICE_TABLET)),
        "a signature that does not hold": ("signature_bad", replace(honest, proof=spoiled)),
        "dialled elsewhere": ("proof_mismatch", hello(url="https://relay.example")),
        "another identity in the proof": ("proof_mismatch", hello(genesis=MALLORY.genesis)),
        "the challenge of another session": ("proof_mismatch", hello(challenge=fixed("an older challenge"))),
    }
    return {
        "about": "Hello frames, in hex, as the relay at `url` hears them after `challenge`; `genesis` has the account.",
        "url": URL,
        "challenge": CHALLENGE.hex(),
        "genesis": ALICE.genesis.hex,
        "proved": [
            {
                "name": "a laptop's",
                "frame": encode_frame(honest).hex(),
                "device": ALICE_LAPTOP.device.hex,
                "counter": 7,
            },
        ],
        "refused": [
            {"name": name, "code": code, "frame": encode_frame(frame).hex()}
            for name, (code, frame) in refused.items()
        ],
    }
