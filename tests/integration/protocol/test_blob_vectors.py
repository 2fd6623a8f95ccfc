"""Sealed files: the product and a second implementation with another library agree on every vector."""

import pytest

from dispatch_protocol.blob import Sealing, check_sealed, open_blob, sealed_size
from dispatch_protocol.errors import RefusedError
from dispatch_protocol.keys import Digest
from dispatch_protocol.messages.files import Blob
from tests.support import independent_blob
from tests.support.independent_bytes import RefusalError
from tests.support.vectors.files import load

BLOBS = load("blobs.json")


def opened_by_product(case, raw):
    blob = Blob(Digest.from_hex(case["address"]), bytes.fromhex(case["key"]))
    check_sealed(blob, case["size"], [raw])
    return b"".join(open_blob(blob, case["size"], Digest.from_hex(case["sha256"]), [raw]))


@pytest.mark.parametrize("case", BLOBS["opened"], ids=lambda case: str(case["size"]))
def test_both_seal_to_the_same_bytes_and_open_them(case):
    key, clear = bytes.fromhex(case["key"]), independent_blob.content(case["size"])
    sealing = Sealing(key)
    raw = sealing.feed(clear) + sealing.finish()

    assert raw == independent_blob.seal(key, clear)
    assert len(raw) == case["sealed_size"] == sealed_size(case["size"])
    assert (raw[:32].hex(), raw[-32:].hex()) == (case["head"], case["tail"])
    assert opened_by_product(case, raw) == independent_blob.unseal(case, raw) == clear


@pytest.mark.parametrize("case", BLOBS["damaged"], ids=lambda case: case["name"])
def test_both_refuse_the_same_damage_at_the_same_step(case):
    raw = independent_blob.seal(bytes.fromhex(case["sealed_with"]), independent_blob.content(case["size"]))
    full = independent_blob.FULL
    damaged = b"".join(raw[full * number :][:full] for number in case["chunks"])
    damaged = damaged[: len(damaged) - case["cut"]] + bytes.fromhex(case["more"])

    with pytest.raises(RefusedError) as refused:
        opened_by_product(case, damaged)
    assert refused.value.code == case["code"]
    with pytest.raises(RefusalError) as independent:
        independent_blob.unseal(case, damaged)
    assert (independent.value.step, independent.value.code) == (case["step"], case["code"])
