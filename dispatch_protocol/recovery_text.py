"""The recovery key as it stands on paper: the seed, and enough of the fingerprint to find the identity again.

    dispatch-recovery-<base64url of 32 bytes of seed and 8 of the genesis>

Whoever has lost every machine knows no fingerprint. Eight bytes find the chain at a broker; the chain then proves itself,
because its first link names this very key.
"""

from dataclasses import dataclass
from typing import Final

from dispatch_protocol.encoding import b64u, unb64u
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.keys import Genesis, RecoveryKey

PREFIX: Final = "dispatch-recovery-"
SEED_BYTES: Final = 32
HINT_BYTES: Final = 8


@dataclass(frozen=True, slots=True, eq=False)
class RecoveryText:
    """A recovery key and the beginning of the genesis that it belongs to."""

    key: RecoveryKey
    hint: bytes

    @classmethod
    def of(cls, key: RecoveryKey, genesis: Genesis) -> "RecoveryText":
        """Return the text of an identity's recovery key."""
        return cls(key, genesis.raw[:HINT_BYTES])

    def format(self) -> str:
        """Return what is written down."""
        return f"{PREFIX}{b64u(self.key.reveal() + self.hint)}"

    @classmethod
    def parse(cls, text: str) -> "RecoveryText":
        """Read what was typed, without minding spaces; raises MalformedError, which never repeats it."""
        bare = "".join(text.split())
        if not bare.startswith(PREFIX):
            raise MalformedError(f"not a recovery key: {PREFIX}…")
        raw = unb64u(bare.removeprefix(PREFIX), length=SEED_BYTES + HINT_BYTES)
        return cls(RecoveryKey(raw[:SEED_BYTES]), raw[SEED_BYTES:])
