"""The wire contract that daemon, broker and command line share: bytes, signatures, seals, documents and tables.

Everything here is pure: no input or output, no clock, no randomness. Time, ids and random bytes are arguments,
so that every byte this package produces can be rebuilt by `scripts/vectors`. `docs/PROTOCOL.md` is the normative text.
"""
