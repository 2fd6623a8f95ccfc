"""The tree is that of RFC 6962: against its own recursive definition, and whichever way a log was written."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from dispatch_protocol.keys import Digest
from dispatch_protocol.merkle import EMPTY, Tree
from tests.support.documents import digest


def defined(entries: list[Digest]) -> bytes:
    """The Merkle tree hash as section 2.1 of RFC 6962 words it."""
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0].raw).digest()
    split = 1
    while split * 2 < len(entries):
        split *= 2
    return hashlib.sha256(b"\x01" + defined(entries[:split]) + defined(entries[split:])).digest()


def test_it_is_the_tree_of_the_rfc_at_every_size() -> None:
    entries = [digest(f"entry {number}") for number in range(70)]
    tree = EMPTY
    for size in range(len(entries) + 1):
        assert (tree.size, tree.root.raw) == (size, defined(entries[:size]))
        tree = tree.grown(entries[size : size + 1])


@given(st.lists(st.integers(0, 255), max_size=40), st.integers(0, 40))
def test_a_log_that_grew_in_steps_is_the_log_that_was_written_at_once(numbers: list[int], at: int) -> None:
    entries = [Digest(bytes([number]) * 32) for number in numbers]
    assert EMPTY.grown(entries[:at]).grown(entries[at:]) == Tree().grown(entries)
