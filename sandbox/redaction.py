"""Redaction: a key that its endpoint says back is shown to nobody, and gets into no wall.

What an endpoint says of a refusal often names the key that it was given. Whoever reads that already has the key or must never
have it, so it is replaced where the answer comes in, before anything is kept, told or passed on.
"""

from collections.abc import AsyncIterator
from typing import Final

MARK: Final = "…"
# What is given where no key is needed ("ollama", "none", "EMPTY") is an ordinary word, which an answer may well hold.
SHORTEST: Final = 16


def redacted(text: str, secret: str | None) -> str:
    """Return a text with each occurrence of the secret replaced by `…`."""
    return text.replace(secret, MARK) if secret else text


class Redactor:
    """Replaces a secret in a stream of bytes, also where it lies across pieces; holds back only what may be its beginning.

    A secret of fewer than 16 characters is left as it is: it would be an ordinary word, and no secret.
    """

    def __init__(self, secret: str | None) -> None:
        self._secret = secret.encode() if secret is not None and len(secret) >= SHORTEST else b""
        self._held = b""

    def take(self, piece: bytes) -> bytes:
        """Return what may be passed on once this piece has come."""
        if not self._secret:
            return piece
        seen = (self._held + piece).replace(self._secret, MARK.encode())
        begun = next(
            (
                length
                for length in range(min(len(self._secret) - 1, len(seen)), 0, -1)
                if seen.endswith(self._secret[:length])
            ),
            0,
        )
        self._held = seen[len(seen) - begun :]
        return seen[: len(seen) - begun]

    def end(self) -> bytes:
        """Return what was held back, when nothing more comes."""
        held, self._held = self._held, b""
        return held


async def redacting(pieces: AsyncIterator[bytes], secret: str | None) -> AsyncIterator[bytes]:
    """Give the pieces of an answer on without the secret."""
    redactor = Redactor(secret)
    async for piece in pieces:
        if passed := redactor.take(piece):
            yield passed
    if rest := redactor.end():
        yield rest
