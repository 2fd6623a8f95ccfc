"""Short tokens, bound to one device of one identity, made and read by this broker alone.

A token opens nothing by itself: the session asks for the device's signature besides. So it may be small and stateless,
a few claims under an HMAC. Each use has a key of its own: a token for one purpose is noise to the other.
"""

import hashlib
import hmac
import os
from enum import StrEnum
from pathlib import Path

from dispatch_broker.core.records import Claim
from dispatch_protocol.encoding import Fields, b64u, dumps, loads, unb64u
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.keys import DeviceId, Genesis
from dispatch_protocol.limits import ADDRESS_CHARS

LOGIN_MS = 10 * 60_000
SESSION_MS = 15 * 60_000
_CLAIMS_BYTES = 2_048
_KEY_BYTES = 32


class TokenKeyError(Exception):
    """The token key cannot be used; the sentence says why and what to do."""


class Use(StrEnum):
    """What a token is for."""

    LOGIN = "login"  # brings a device's chain up to an account, once it has proven its key
    SESSION = "session"  # speaks for a device whose session is open


def load_token_key(path: Path) -> bytes:
    """Read the token key, or make one; the file is the broker's own (0600) and holds hex.

    Raises:
        TokenKeyError: a file that others may read, or that holds no key.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        return _read_key(path)
    except OSError as error:
        raise TokenKeyError(f"the token key {path} cannot be written: {error.strerror}") from error
    key = os.urandom(_KEY_BYTES)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(key.hex() + "\n")
        file.flush()
        os.fsync(file.fileno())
    return key


def _read_key(path: Path) -> bytes:
    try:
        if path.stat().st_mode & 0o077:
            raise TokenKeyError(f"the token key {path} can be read by others; run: chmod 600 {path}")
        key = bytes.fromhex(path.read_text(encoding="ascii"))
    except OSError as error:
        raise TokenKeyError(f"the token key {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise TokenKeyError(f"the token key {path} holds no hex") from error
    if len(key) != _KEY_BYTES:
        raise TokenKeyError(f"the token key {path} holds {len(key)} bytes where {_KEY_BYTES} belong")
    return key


class Tokens:
    """Makes and reads tokens: `b64u(claims) "." b64u(HMAC-SHA256(key of the use, claims))`."""

    def __init__(self, key: bytes) -> None:
        self._keys = {
            use: hmac.digest(key, f"dispatch/v1/broker-token/{use}".encode(), hashlib.sha256) for use in Use
        }

    def make(self, use: Use, claim: Claim, expires_ms: int) -> str:
        """Make a token that says `claim` until `expires_ms`."""
        claims = dumps(
            {
                "address": claim.address,
                "genesis": claim.genesis.hex,
                "device": claim.device.hex,
                "expires": expires_ms,
            }
        )
        return f"{b64u(claims)}.{b64u(self._seal(use, claims))}"

    def read(self, use: Use, token: str, now_ms: int) -> Claim | None:
        """Return what a token says, or None if it is not ours, not for this use, or over."""
        head, _, tail = token.partition(".")
        try:
            claims, seal = unb64u(head), unb64u(tail)
            if not hmac.compare_digest(seal, self._seal(use, claims)):
                return None
            fields = Fields(loads(claims, max_bytes=_CLAIMS_BYTES), "token")
            claim = Claim(
                address=fields.text("address", max_chars=ADDRESS_CHARS),
                genesis=Genesis(fields.hex("genesis", Genesis.LENGTH)),
                device=DeviceId(fields.hex("device", DeviceId.LENGTH)),
            )
            return claim if now_ms < fields.integer("expires") else None
        except MalformedError:
            return None

    def _seal(self, use: Use, claims: bytes) -> bytes:
        return hmac.digest(self._keys[use], claims, hashlib.sha256)
