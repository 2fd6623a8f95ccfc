"""The product at the other end of the pipe."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from dispatch_protocol.blob import Sealing
from dispatch_protocol.chain import Chain, read_links, write_links
from dispatch_protocol.encoding import b64u, unb64u
from dispatch_protocol.envelope import padme
from dispatch_protocol.errors import DispatchError, RemoteError
from dispatch_protocol.evidence import verify_bundle
from dispatch_protocol.frames import Hello
from dispatch_protocol.framing import decode_frame, decode_message, encode_messages
from dispatch_protocol.keys import DeviceId, Digest, EdgeId, Genesis, SealingPublic, SigningKey
from dispatch_protocol.payloads import class_of, kind_of
from dispatch_protocol.seal import seal
from dispatch_protocol.session import verify_hello
from dispatch_protocol.signing import Signed, dispatch_id, sign
from dispatch_protocol.signing import pae as encoded_of
from dispatch_protocol.signing import verify as verified
from dispatch_protocol.trust_file import TrustFile
from tests.conformance.implementation import serve
from tests.conformance.our_parts import ACTS
from tests.conformance.our_recipient import Recipient
from tests.support.hearing_desk import Hearing
from tests.support.independent_blob import content
from tests.support.paired import pair, verdict
from tests.support.vectors import bodies

Json = dict[str, Any]


def pae(payload_type: str, body: str) -> Json:
    encoded = encoded_of(payload_type, bytes.fromhex(body))
    return {"pae": encoded.hex(), "digest": hashlib.sha256(encoded).hexdigest()}


def verify(payload_type: str, body: str, key: str, signature: str) -> Json:
    try:
        verified(DeviceId.from_hex(key), Signed(payload_type, body.encode(), bytes.fromhex(signature)))
    except RemoteError:
        return {"valid": False}
    return {"valid": True}


def sealed(source: Json, seed: str, to_genesis: str) -> Json:
    signer, said = SigningKey(bytes.fromhex(seed)), json.loads(source["body"])
    signed = sign(signer, source["payload_type"], source["body"].encode())
    kind = kind_of(signed.payload_type)
    assert kind is not None
    envelope = seal(
        signed,
        klass=class_of(kind),
        re=Digest.from_hex(said["re"]),
        from_device=signer.device,
        to_genesis=Genesis.from_hex(to_genesis),
        edge=EdgeId.from_hex(said["edge"]),
        created_ms=said["created"],
        expires_ms=said["expires"],
        recipients=[
            (DeviceId.from_hex(each["device"]), SealingPublic.from_hex(each["sealing"]))
            for each in source["recipients"]
        ],
        content_key=bytes.fromhex(source["content_key"]),
        ephemerals=[bytes.fromhex(each) for each in source["ephemerals"]],
    )
    return {"envelope": b64u(envelope)}


def chain(links: list[Json], genesis: str) -> Json:
    try:
        followed = Chain.verify(read_links(links), expect=Genesis.from_hex(genesis))
    except DispatchError as error:
        return {"refused": error.code}
    devices = {
        device.hex: {"seal": entry.seal.hex, "roles": sorted(entry.roles), "sealed": entry.sealed_ms}
        for device, entry in followed.devices.items()
    }
    return {"head": followed.head.hex, "devices": devices}


def told(held: list[Json], told: list[Json], genesis: str) -> Json:
    try:
        now = Chain.verify(read_links(held), expect=Genesis.from_hex(genesis)).update(read_links(told))
    except DispatchError as error:
        return {"refused": error.code}
    return {"links": write_links(now.links)}


def bundle(bundle: str) -> Json:
    proved = verify_bundle(unb64u(bundle))
    if proved.ok:
        return {"outcome": proved.outcome}
    return {"fails": next(check.name for check in proved.checks if not check.ok)}


def blob(size: int, key: str) -> Json:
    sealing = Sealing(bytes.fromhex(key))
    return {"address": hashlib.sha256(sealing.feed(content(size)) + sealing.finish()).hexdigest()}


def refusing(act: Callable[..., Json]) -> Callable[..., Json]:
    """Return an act that answers with the code of what it refuses."""

    def acting(**asked: Any) -> Json:
        try:
            return act(**asked)
        except DispatchError as error:
            return {"refused": error.code}

    return acting


def frames(message: str) -> Json:
    found = decode_message(bytes.fromhex(message))
    names = [type(frame).__name__ for frame in found]
    return {"frames": names, "again": b"".join(encode_messages(found)).hex()}


def hello(frame: str, url: str, challenge: str, genesis: str) -> Json:
    said = decode_frame(bytes.fromhex(frame))
    assert isinstance(said, Hello)
    expect = Genesis.from_hex(genesis)
    proof, _ = verify_hello(said, url=url, challenge=bytes.fromhex(challenge), expect=expect)
    return {"device": proof.device.hex, "counter": proof.counter}


def trust(file: str) -> Json:
    sides = TrustFile.decode(file.encode()).chains
    chains = [(side.address, Chain.verify(side.links, expect=None)) for side in sides]
    return {
        "chains": [
            {"address": address, "genesis": chain.genesis.hex, "head": chain.head.hex}
            for address, chain in chains
        ]
    }


def body(kind: str, body: str) -> Json:
    said = bodies.outcome(bodies.reader(kind), body.encode())
    return {} if said == "holds" else {"refused": said}


class Sibling:
    """A device that hears the others of its person."""

    heard: Hearing | None = None

    def begin(self, **known: Any) -> Json:
        if self.heard is not None:
            self.heard.close()
        self.heard = Hearing(**known)
        return {}

    def hear(self, by: str, body: str) -> Json:
        assert self.heard is not None
        return self.heard.hear(by, body)

    def torn(self) -> Json:
        assert self.heard is not None
        return {"torn": self.heard.torn}


def acts() -> dict[str, Callable[..., Json]]:
    """Return all that the product can be asked."""
    recipient, sibling = Recipient(), Sibling()
    return {
        **{name: refusing(act) for name, act in ACTS.items()},
        "pae": pae,
        "padme": lambda length: {"padded": padme(length)},
        "id": lambda digest: {"id": str(dispatch_id(Digest.from_hex(digest)))},
        "verify": verify,
        "body": body,
        "seal": sealed,
        "chain": chain,
        "told": told,
        "bundle": bundle,
        "blob": blob,
        "frames": refusing(frames),
        "hello": refusing(hello),
        "pairing": refusing(pair),
        "verdict": refusing(verdict),
        "trust": refusing(trust),
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
