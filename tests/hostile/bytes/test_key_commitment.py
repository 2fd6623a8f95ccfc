"""One ciphertext that opens under two keys: the cipher allows it, and the commitment in the header does not.

ChaCha20-Poly1305 binds a ciphertext to no key: whoever knows two keys can solve for a block with which one tag holds
under both. The header's commitment to one key is all that keeps two devices of a person from different texts.
"""

import logging
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from nacl.bindings import crypto_aead_chacha20poly1305_ietf_decrypt

from dispatch_protocol import unseal
from dispatch_protocol.envelope import Envelope
from dispatch_protocol.messages.answers import ReceiptType
from dispatch_protocol.seal import PAYLOAD_NONCE, commitment, payload_key
from tests.support.besieged_desk import codes, desk_of, receipts
from tests.support.vectors import world
from tests.support.vectors.fixed import fixed
from tests.support.vectors.forge import forge, head_to_bob, signed_by
from tests.support.vectors.opened import TO_BOB

P = 2**130 - 5
BLOCK = 16
CLAMP = 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF


def one_time(key: bytes) -> tuple[int, int]:
    """Return Poly1305's r and s for a key (RFC 8439, section 2.6)."""
    stream = Cipher(ChaCha20(key, bytes(4) + PAYLOAD_NONCE), mode=None).encryptor().update(bytes(32))
    return int.from_bytes(stream[:16], "little") & CLAMP, int.from_bytes(stream[16:], "little")


def blocks(aad: bytes, text: bytes) -> list[int]:
    """Return what Poly1305 reads: both padded, then both lengths, each block with the bit above it."""
    whole = aad.ljust(-(-len(aad) // BLOCK) * BLOCK, b"\0") + text
    whole += len(aad).to_bytes(8, "little") + len(text).to_bytes(8, "little")
    return [int.from_bytes(whole[at : at + BLOCK], "little") + 2**128 for at in range(0, len(whole), BLOCK)]


def tag(key: bytes, aad: bytes, text: bytes) -> int:
    r, s = one_time(key)
    total = 0
    for block in blocks(aad, text):
        total = (total + block) * r % P
    return (total + s) % 2**128


def under_both(first: bytes, second: bytes, aad: bytes, size: int) -> bytes:
    """Solve for a ciphertext of `size` bytes whose one tag holds under both keys."""
    (r1, s1), (r2, s2) = one_time(first), one_time(second)
    exponent = (
        size // BLOCK + 1
    )  # of the first block of the ciphertext: those after it, the lengths and itself
    slope = pow((pow(r1, exponent, P) - pow(r2, exponent, P)) % P, -1, P)
    for attempt in range(1000):
        text = bytearray(size)
        text[-8:] = attempt.to_bytes(8, "little")
        spread = 0
        for r, sign in ((r1, 1), (r2, -1)):
            total = 0
            for number, block in enumerate(blocks(aad, bytes(text))):
                free = number == -(-len(aad) // BLOCK)
                total = (total + (0 if free else block)) * r % P
            spread += sign * total
        wanted = (s2 - s1 - spread) * slope % P
        if not 2**128 <= wanted < 2**129:
            continue
        text[:BLOCK] = (wanted - 2**128).to_bytes(BLOCK, "little")
        if tag(first, aad, bytes(text)) == tag(second, aad, bytes(text)):
            return bytes(text) + tag(first, aad, bytes(text)).to_bytes(BLOCK, "little")
    raise AssertionError("no block was found, which has a chance of nothing")


async def test_the_device_that_is_given_the_other_key_sees_it_in_the_header(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = world.task("salamander", head_to_bob("salamander"))
    signed, both = signed_by(world.ALICE_LAPTOP, task), list(TO_BOB[:2])
    honest = Envelope.decode(forge("salamander", signed, task, both))
    first, second = fixed("salamander content key"), fixed("other content key")
    assert honest.header.commit == commitment(first)
    other = Envelope.decode(forge("other", signed, task, both, header=lambda _: honest.header))
    clear = honest.header.encode()
    keys = payload_key(first, clear), payload_key(second, clear)
    text = under_both(*keys, clear, len(honest.ciphertext) - BLOCK)
    opened = [crypto_aead_chacha20poly1305_ietf_decrypt(text, clear, PAYLOAD_NONCE, key) for key in keys]
    assert opened[0] != opened[1]  # the cipher has no objection: one ciphertext, two texts

    at = honest.header.devices.index(world.BOB_DESKTOP.device)
    wraps = tuple(other.wraps[at] if number == at else wrap for number, wrap in enumerate(honest.wraps))
    forged = replace(honest, wraps=wraps, ciphertext=text).encode()
    with (
        caplog.at_level(logging.WARNING),
        desk_of(tmp_path) as laptop,
        desk_of(tmp_path, machine=world.BOB_DESKTOP) as desktop,
    ):
        await laptop.incoming.deliver(forged)
        await desktop.incoming.deliver(forged)
        assert codes(caplog) == ["padding_bad", "commit_mismatch"]
        for desk in (laptop, desktop):
            await desk.incoming.deliver(honest.encode())
            told = receipts(desk, world.ALICE.genesis)
            assert [each.type for each in told] == [ReceiptType.DELIVERED]
        # Without the commitment the second device opens it too: only the padding, which is no lock, is in the way.
        caplog.clear()
        monkeypatch.setattr(unseal, "commitment", lambda _: honest.header.commit)
        await desktop.incoming.deliver(forged)
        assert codes(caplog) == ["padding_bad"]
