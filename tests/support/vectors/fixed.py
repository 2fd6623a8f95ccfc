"""Fixed randomness: every byte that is random in life comes, in a vector, from a label and nothing else."""

import hashlib


def fixed(label: str, length: int = 32) -> bytes:
    """Return `length` bytes, at most 32, that belong to this label for ever."""
    return hashlib.sha256(f"dispatch vectors: {label}".encode()).digest()[:length]
