"""The implementation that was written from the page alone, at the other end of the pipe."""

import hashlib
from collections.abc import Callable
from typing import Any

from tests.conformance.implementation import serve
from tests.conformance.independent_memory import Memory, handle
from tests.conformance.independent_parts import ACTS, low_order
from tests.support import (
    independent_blob,
    independent_bodies,
    independent_bytes,
    independent_evidence,
    independent_household_log,
    independent_pairing,
    independent_session,
)
from tests.support.independent_bytes import RefusalError, unpadded
from tests.support.independent_evidence import WrongError
from tests.support.independent_sealer import seal

Json = dict[str, Any]


def pae(payload_type: str, body: str) -> Json:
    encoded = independent_bytes.pae(payload_type, bytes.fromhex(body))
    return {"pae": encoded.hex(), "digest": hashlib.sha256(encoded).hexdigest()}


def verify(payload_type: str, body: str, key: str, signature: str) -> Json:
    """Chapter 3, with the table of edges: this library takes what the page refuses."""
    raw = bytes.fromhex(signature)
    if low_order(bytes.fromhex(key)) or low_order(raw[:32]):
        return {"valid": False}
    message = independent_bytes.pae(payload_type, body.encode())
    return {"valid": independent_bytes.signed_by(key, raw, message)}


def chain(links: list[Json], genesis: str) -> Json:
    try:
        _, states, heads = independent_evidence.follow_chain(links, genesis)
    except WrongError as wrong:
        return {"refused": str(wrong)}
    return {"head": heads[-1], "devices": states[-1]}


def told(held: list[Json], told: list[Json], genesis: str) -> Json:
    try:
        return {"links": independent_evidence.hold(held, told, genesis)}
    except WrongError as wrong:
        return {"refused": str(wrong)}


def bundle(bundle: str) -> Json:
    try:
        return {"outcome": independent_evidence.prove(unpadded(bundle))}
    except WrongError as wrong:
        return {"fails": str(wrong)}


def blob(size: int, key: str) -> Json:
    sealed = independent_blob.seal(bytes.fromhex(key), independent_blob.content(size))
    return {"address": hashlib.sha256(sealed).hexdigest()}


def refusing(act: Callable[..., Json]) -> Callable[..., Json]:
    """Return an act that answers with the code of what it refuses."""

    def acting(**asked: Any) -> Json:
        try:
            return act(**asked)
        except (WrongError, RefusalError) as wrong:
            return {"refused": getattr(wrong, "code", str(wrong))}

    return acting


def frames(message: str) -> Json:
    found = independent_session.frames(bytes.fromhex(message))
    return {"frames": [name for name, _, _ in found], "again": independent_session.framed(found).hex()}


def hello(frame: str, url: str, challenge: str, genesis: str) -> Json:
    return independent_session.hello(bytes.fromhex(frame), url, challenge, genesis)


def body(kind: str, body: str) -> Json:
    refused = independent_bodies.code_of(kind, body.encode())
    return {} if refused is None else {"refused": refused}


class Sibling:
    """A device that hears the others of its person."""

    def begin(self, **known: Any) -> Json:
        self.heard = independent_household_log.Household(**known)
        return {}

    def hear(self, by: str, body: str) -> Json:
        return self.heard.hear(by, body)

    def torn(self) -> Json:
        return {"torn": self.heard.torn}


def acts() -> dict[str, Callable[..., Json]]:
    """Return all that this implementation can be asked, with a memory of its own."""
    recipient, sibling = Memory(), Sibling()
    return {
        **{name: refusing(act) for name, act in ACTS.items()},
        "pae": pae,
        "padme": lambda length: {"padded": independent_bytes.padme(length)},
        "id": lambda digest: {"id": handle(digest)},
        "verify": verify,
        "body": body,
        "seal": lambda source, seed, to_genesis: {"envelope": seal(source, seed, to_genesis)},
        "chain": chain,
        "told": told,
        "bundle": bundle,
        "blob": blob,
        "frames": refusing(frames),
        "hello": refusing(hello),
        "pairing": refusing(independent_pairing.pair),
        "verdict": refusing(independent_pairing.verdict),
        "trust": refusing(lambda file: {"chains": independent_session.trust_file(file)}),
        "household": sibling.begin,
        "hear": sibling.hear,
        "torn": sibling.torn,
        "world": recipient.world,
        "open": recipient.open,
        "begin": recipient.begin,
        "know": recipient.know,
        "deliver": recipient.deliver,
    }


if __name__ == "__main__":
    serve(acts())
