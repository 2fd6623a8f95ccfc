"""Pairing, from chapter 6 of docs/PROTOCOL.md alone: the code, the four messages as both sides hear them, the digits and the verdict."""

import base64
import hashlib
import hmac
import json
from typing import Any

from tests.support.independent_bytes import Json, canonical, derive
from tests.support.independent_evidence import body, digest, follow_chain, need, signers
from tests.support.independent_session import strict
from tests.support.independent_shapes import ID, decoded, document, encoded, exactly, listed, text

BODIES = {
    "offer": {
        "genesis": ID,
        "head": ID,
        "device": ID,
        "email": text(254, 3),
        "roles": listed(lambda role: role in ("approver", "runner"), 2),
        "commit": encoded(32),
    },
    "join": {"link": document, "nonce": encoded(32)},
    "reveal": {"nonce": encoded(32)},
    "welcome": {"link": document},
    "verdict": {"same": lambda value: isinstance(value, bool)},
}


def secret_of(code: str) -> bytes:
    """The secret of a code in its one spelling."""
    broker, sharp, secret = code.removeprefix("dispatch-pair1:").partition("#")
    raw = decoded(secret)
    need(code.startswith("dispatch-pair1:") and sharp == "#" and broker == broker.lower(), "malformed")
    need(raw is not None and len(raw) == 16 and "://" not in broker and broker != "", "malformed")
    return raw or b""


def place(code: str) -> str:
    return derive(secret_of(code), b"", b"dispatch/v1/pairing/place").hex()


def key(code: str, step: str) -> bytes:
    return derive(secret_of(code), b"", b"dispatch/v1/pairing/" + step.encode())


def hear(code: str, step: str, message: str) -> Json:
    """The body of one step's message."""
    said = strict(message.encode())
    need(exactly({"body": text(), "mac": encoded(32)})({**said, "body": ""}), "malformed")
    raw, mac = decoded(said["body"]), decoded(said["mac"])
    need(raw is not None and len(raw) <= 8_192, "malformed")
    need(hmac.compare_digest(mac or b"", hmac.digest(key(code, step), raw or b"", "sha256")), "mac_bad")
    fields = strict(raw or b"")
    need(canonical(fields) == raw and fields.get("v") == 1, "malformed")
    rest: Json = {name: value for name, value in fields.items() if name != "v"}
    need(exactly(BODIES[step])(rest), "malformed")
    return rest


def said_again(code: str, step: str, fields: Json) -> str:
    """The message that says this."""
    raw = canonical({**fields, "v": 1})
    mac = hmac.digest(key(code, step), raw, "sha256")
    return json.dumps({"body": unpadded(raw), "mac": unpadded(mac)}, separators=(",", ":"), sort_keys=True)


def unpadded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def pair(code: str, links: list[Json], genesis: str, messages: list[str]) -> Json:
    """What comes of these messages, in order: the digits after the third, the new head after the fourth."""
    _, states, heads = follow_chain(links, genesis)
    said: dict[str, Any] = {}
    for step, message in zip(BODIES, messages, strict=False):
        said[step] = hear(code, step, message)
        if step == "join":
            check_join(said, states, heads)
        elif step == "reveal":
            need(commits(said["offer"]["commit"], said["reveal"]["nonce"]), "mac_bad")
        elif step == "welcome":
            need(digest(said["welcome"]["link"]) == digest(said["join"]["link"]), "chain_broken")
            heads = follow_chain([*links, said["welcome"]["link"]], genesis)[2]
    found: Json = {"head": heads[-1]}
    return {**found, "digits": digits(said)} if "reveal" in said else found


def verdict(code: str, message: str) -> Json:
    """What the person at the new machine has found."""
    return hear(code, "verdict", message)


def commits(commitment: str, nonce: str) -> bool:
    drawn = b"dispatch/v1/pairing/commit" + (decoded(nonce) or b"")
    return decoded(commitment) == hashlib.sha256(drawn).digest()


def check_join(said: Json, states: list[Json], heads: list[str]) -> None:
    link = said["join"]["link"]
    new = body(link)
    need(new.get("type") == "add_device", "chain_broken")
    offered = (said["offer"]["head"], said["offer"]["roles"])
    need((new["prev"], new["roles"]) == offered and new["prev"] in heads, "chain_broken")
    device = new["device"]["sign"]
    need(not any(device in state for state in states), "chain_broken")
    need([each["keyid"] for each in link["signatures"]] == [device], "signature_bad")
    need(signers(link) == {device}, "signature_bad")


def digits(said: Json) -> str:
    both = canonical({"offer": said["offer"], "join": said["join"]})
    nonces = (decoded(said["reveal"]["nonce"]) or b"") + (decoded(said["join"]["nonce"]) or b"")
    drawn = derive(nonces, b"", b"dispatch/v1/pairing/compare" + hashlib.sha256(both).digest())
    return f"{int.from_bytes(drawn, 'big') % 10**6:06}"
