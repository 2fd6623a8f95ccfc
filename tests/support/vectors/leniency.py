"""The opening list with one step left out: for every step, the least that lets everything else go on.

A step that only checks is left out by doing nothing. A step that yields something for the next one yields it without
checking: a cipher without its tag, a wrap whoever it is for, a signer's device because the sender says so.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

from dispatch_protocol import first_contact, hpke, unseal
from dispatch_protocol.encoding import dumps, loads
from dispatch_protocol.envelope import Envelope, Header
from dispatch_protocol.keys import DeviceId, SealingKey, SealingPublic
from dispatch_protocol.limits import BODY_BYTES
from dispatch_protocol.messages.registry import Message, decode_body
from dispatch_protocol.payloads import Kind, kind_of
from dispatch_protocol.seal import payload_key, wrap_info
from dispatch_protocol.signing import Signed


def _nothing(*_: object, **__: object) -> None:
    """Check nothing."""


def _unchecked(key: bytes, nonce: bytes, sealed: bytes) -> bytes:
    """Decrypt ChaCha20-Poly1305 without looking at the tag; the first block of the stream is the tag's (RFC 8439)."""
    stream = Cipher(ChaCha20(key, (1).to_bytes(4, "little") + nonce), mode=None).decryptor()
    return stream.update(sealed[:-16])


def _decode_with_tail(raw: bytes) -> Envelope:
    header, wraps_at = Header.read(raw)
    length_at = wraps_at + 80 * len(header.devices)
    wraps = tuple(raw[at : at + 80] for at in range(wraps_at, length_at, 80))
    return Envelope(header, wraps, raw[length_at + 4 : length_at + 4 + header.size])


def _first_wrap(envelope: Envelope, device: DeviceId) -> bytes:
    return envelope.wraps[0]


def _unwrap(wrap: bytes, clear: bytes, device: DeviceId, sealing: Sequence[SealingKey]) -> bytes:
    own = sealing[0].public
    shared = hpke._shared_secret(sealing[0], SealingPublic(wrap[:32]), wrap[:32], own.raw)
    key, nonce = hpke._key_schedule(shared, wrap_info(clear, device, own))
    return _unchecked(key, nonce, wrap[32:])


def _decrypt(ciphertext: bytes, clear: bytes, content_key: bytes) -> bytes:
    return _unchecked(payload_key(content_key, clear), bytes(12), ciphertext)


def _believe(peer: Any, header: Header) -> object:
    return unseal._Author(peer, frozenset(peer.heads))


def _parse_known_fields(signed: Signed) -> tuple[Kind, Message]:
    kind = kind_of(signed.payload_type)
    assert kind is not None
    fields = loads(signed.body, max_bytes=BODY_BYTES)
    assert isinstance(fields, dict)
    return kind, decode_body(
        kind, dumps({name: value for name, value in fields.items() if name != "workflow"})
    )


WITHOUT: Final[Mapping[int, tuple[tuple[object, str, Callable[..., object]], ...]]] = {
    1: ((Envelope, "decode", staticmethod(_decode_with_tail)),),
    2: ((unseal, "_own_wrap", _first_wrap),),
    3: ((unseal, "_unwrap", _unwrap),),
    4: ((unseal, "_check_commitment", _nothing),),
    5: ((unseal, "_decrypt", _decrypt),),
    6: ((unseal, "_strip", lambda plaintext: Signed.read(plaintext)[0]),),
    7: ((unseal, "_find_author", _believe), (first_contact, "_check_mac", _nothing)),
    8: ((unseal, "verify", _nothing),),
    9: ((unseal, "_parse", _parse_known_fields),),
    10: ((unseal, "_check_equal", _nothing),),
    11: ((unseal, "_check_chains", _nothing),),
    12: ((unseal, "_check_grant", _nothing),),
    13: ((unseal, "_check_fresh", _nothing),),
    14: ((unseal, "_check_first", _nothing),),
}


def leave_out(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave one step of the list out, until the test is over."""
    for owner, name, lenient in WITHOUT[step]:
        monkeypatch.setattr(owner, name, lenient)
