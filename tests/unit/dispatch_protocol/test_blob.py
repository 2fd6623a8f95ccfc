import hashlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch_protocol.blob import SEALED_CHUNK_BYTES, Sealing, check_sealed, open_blob, sealed_size
from dispatch_protocol.errors import LocalError, RefusalCode, RefusedError
from dispatch_protocol.keys import Digest
from dispatch_protocol.limits import BLOB_CHUNK_BYTES
from dispatch_protocol.messages.files import Blob

KEY = bytes(range(32))
SIZES = [0, 1, BLOB_CHUNK_BYTES - 1, BLOB_CHUNK_BYTES, BLOB_CHUNK_BYTES + 1, 2 * BLOB_CHUNK_BYTES, 200_000]


def content(size):
    return bytes(number % 251 for number in range(size))


def sealed(clear, key=KEY, piece=100_000):
    sealing = Sealing(key)
    return b"".join(
        [*(sealing.feed(clear[at : at + piece]) for at in range(0, len(clear), piece)), sealing.finish()]
    )


def blob_of(raw, key=KEY):
    return Blob(Digest(hashlib.sha256(raw).digest()), key)


def digest(clear):
    return Digest(hashlib.sha256(clear).digest())


def opened(blob, clear, raw):
    check_sealed(blob, len(clear), [raw])
    return b"".join(open_blob(blob, len(clear), digest(clear), [raw]))


def split(raw):
    return [raw[at : at + SEALED_CHUNK_BYTES] for at in range(0, len(raw), SEALED_CHUNK_BYTES)]


def refusal(call):
    with pytest.raises(RefusedError) as caught:
        call()
    return caught.value.reason


@pytest.mark.parametrize("size", SIZES)
def test_what_is_sealed_opens_and_measures_what_was_said(size):
    clear = content(size)
    raw = sealed(clear)

    assert len(raw) == sealed_size(size)
    assert opened(blob_of(raw), clear, raw) == clear


@given(st.lists(st.integers(0, 150_000), max_size=6), st.integers(1, 200_000))
def test_the_pieces_in_which_bytes_come_make_no_difference(cuts, piece):
    clear = content(150_000)
    raw = sealed(clear, piece=piece)
    places = sorted({0, len(raw), *cuts})
    pieces = [raw[a:b] for a, b in itertools.pairwise(places)]

    assert raw == sealed(clear)
    assert b"".join(open_blob(blob_of(raw), len(clear), digest(clear), pieces)) == clear


def test_a_key_of_another_length_seals_nothing():
    with pytest.raises(LocalError, match="blob_key"):
        Sealing(bytes(31))


class TestBytesThatTheKeeperChanged:
    """What a relay may do to a blob is found before anything is opened."""

    clear = content(3 * BLOB_CHUNK_BYTES)
    raw = sealed(clear)
    chunks = split(raw)

    def said(self, changed):
        return refusal(lambda: check_sealed(blob_of(self.raw), len(self.clear), [changed]))

    @pytest.mark.parametrize("cut", [0, 1, SEALED_CHUNK_BYTES, 2 * SEALED_CHUNK_BYTES])
    def test_truncated(self, cut):
        assert self.said(self.raw[:cut]) is RefusalCode.BLOB_SIZE

    @pytest.mark.parametrize("more", [b"\0", bytes(SEALED_CHUNK_BYTES)])
    def test_extended(self, more):
        assert self.said(self.raw + more) is RefusalCode.BLOB_SIZE

    def test_reordered(self):
        first, second, third = self.chunks
        assert self.said(second + first + third) is RefusalCode.BLOB_ADDRESS

    def test_swapped_for_another_blob_of_the_same_size(self):
        assert self.said(sealed(self.clear, bytes(32))) is RefusalCode.BLOB_ADDRESS

    def test_one_bit(self):
        assert self.said(self.raw[:-1] + bytes((self.raw[-1] ^ 1,))) is RefusalCode.BLOB_ADDRESS


class TestAnAuthorWhoLies:
    """The address holds, because the author made it: the chunks and the digest are what is left."""

    clear = content(3 * BLOB_CHUNK_BYTES)
    raw = sealed(clear)
    chunks = split(raw)

    def said(self, changed, *, key=KEY, size=None, clear=None):
        blob = blob_of(changed, key)
        meant = self.clear if clear is None else clear
        return refusal(
            lambda: list(open_blob(blob, len(meant) if size is None else size, digest(meant), [changed]))
        )

    def test_another_key(self):
        assert self.said(self.raw, key=bytes(32)) is RefusalCode.BLOB_CHUNK

    def test_chunks_in_another_order(self):
        first, second, third = self.chunks
        assert self.said(second + first + third) is RefusalCode.BLOB_CHUNK

    def test_a_chunk_left_out_or_repeated(self):
        first, second, third = self.chunks
        assert self.said(first + third) is RefusalCode.BLOB_CHUNK
        assert self.said(first + second + second + third) is RefusalCode.BLOB_CHUNK

    def test_a_last_chunk_that_is_not_the_last(self):
        assert self.said(self.raw + self.chunks[0]) is RefusalCode.BLOB_CHUNK
        assert self.said(self.chunks[0] + self.chunks[1]) is RefusalCode.BLOB_CHUNK

    @pytest.mark.parametrize("raw", [b"", bytes(15)])
    def test_less_than_a_tag(self, raw):
        assert self.said(raw) is RefusalCode.BLOB_CHUNK

    def test_an_empty_chunk_after_a_full_one(self):
        clear = content(BLOB_CHUNK_BYTES)
        padded = sealed(content(BLOB_CHUNK_BYTES + 1))[:SEALED_CHUNK_BYTES] + bytes(16)
        assert self.said(padded, clear=clear) is RefusalCode.BLOB_CHUNK

    def test_another_file_than_the_one_that_was_signed(self):
        other = bytes(len(self.clear))
        assert self.said(self.raw, clear=other) is RefusalCode.BLOB_DIGEST

    def test_another_size_than_the_one_that_was_signed(self):
        assert self.said(self.raw, size=1) is RefusalCode.BLOB_DIGEST
