"""A trust file, and files that are none."""

import json

from dispatch_protocol.bundle import Side
from dispatch_protocol.encoding import JSON
from dispatch_protocol.trust_file import TrustFile
from tests.support.vectors.world import ALICE, MALLORY


def trust_vectors() -> dict[str, JSON]:
    """Return one file with two chains, and what a reader refuses, each as text."""
    sides = (Side("alice@example.org", ALICE.chain.links), Side(None, MALLORY.chain.links))
    file = TrustFile(sides).encode().decode()
    value = json.loads(file)
    links = value["chains"][0]["links"]
    wrong: dict[str, JSON] = {
        "another format": {**value, "format": "dispatch-trust/2"},
        "a field too many": {**value, "grants": []},
        "a chain without a link": {**value, "chains": [{"address": None, "links": []}]},
        "a chain without an address": {**value, "chains": [{"links": links}]},
        "a chain that is none": {**value, "chains": [links]},
    }
    return {
        "about": "Trust files as text; `chains` is what a reader finds in one: whose, as its writer says, and up to which head.",
        "file": file,
        "chains": [
            {"address": side.address, "genesis": chain.genesis.hex, "head": chain.head.hex}
            for side, chain in zip(sides, (ALICE.chain, MALLORY.chain), strict=True)
        ],
        "refused": [
            *({"name": name, "file": json.dumps(each)} for name, each in wrong.items()),
            {"name": "a key twice", "file": file.replace('"format"', '"format":"x","format"', 1)},
        ],
    }
