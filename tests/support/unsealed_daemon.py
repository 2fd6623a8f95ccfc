"""A daemon whose sealing does nothing: envelopes of the right shape with the signed document in clear inside.

It exists to prove that the search for canaries at the relay would find something: run in place of the real
daemon, it must make that test fail.
"""

import sys
from typing import Any

from dispatch_daemon import __main__ as program
from dispatch_daemon.app import depositing
from dispatch_protocol import seal as sealing
from dispatch_protocol.envelope import TAG_BYTES, Envelope
from dispatch_protocol.signing import Signed


def seal(signed: Signed, **how: Any) -> bytes:
    """Make an envelope whose ciphertext is the plaintext."""
    envelope = Envelope.decode(sealing.seal(signed, **how))
    clear = signed.encode().ljust(len(envelope.ciphertext) - TAG_BYTES, b"\0") + bytes(TAG_BYTES)
    return Envelope(envelope.header, envelope.wraps, clear).encode()


if __name__ == "__main__":
    depositing.seal = seal
    sys.exit(program.main())
