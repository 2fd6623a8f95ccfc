"""Decoders with a fault that somebody planted: the fuzzer must find each, or it would find nothing anywhere."""

from collections.abc import Mapping
from dataclasses import replace

from tests.support.decoders import catalogue
from tests.support.decoders.decoder import Decoder


def _guarded(data: bytes) -> int:
    """Fail behind five bytes that only somebody who follows the coverage meets one after another."""
    if data[:1] != b"D":
        return 0
    if data[1:2] != b"S":
        return 1
    if data[2:3] != b"P":
        return 2
    if data[3:4] != b"1":
        return 3
    if data[4:5] != b"!":
        return 4
    raise KeyError(data)


def _lenient(data: bytes) -> str:
    """Read hex of any case, so that one value has two spellings."""
    return bytes.fromhex(data.decode("ascii", "replace").replace("�", "00")).hex()


def decoders() -> Mapping[str, Decoder]:
    """Return a decoder with a deep fault, one with two spellings, and one that lets another library's error out."""
    hexes = catalogue.decoders()["dispatch_protocol.encoding:unhex"]
    found = (
        Decoder("planted:deep", _guarded, lambda: [b"nothing"]),
        replace(hexes, name="planted:spelling", read=_lenient, write=str.encode, errors=(ValueError,)),
        replace(hexes, name="planted:error", read=lambda data: bytes.fromhex(data.decode("ascii"))),
    )
    return {decoder.name: decoder for decoder in found}
