"""The code of a pairing: one line that a person carries from a machine they have to one that shall join it.

    dispatch-pair1:<broker>#<secret>

The secret never reaches the broker. What the broker needs to bring the two together, the name of their meeting place,
is derived from it, and so are the keys of the codes under every message of a pairing.
"""

from dataclasses import dataclass, field
from typing import Final

from dispatch_protocol.broker_url import lengthen, shorten
from dispatch_protocol.encoding import b64u, unb64u
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.hkdf import derive
from dispatch_protocol.limits import URL_CHARS

PREFIX: Final = "dispatch-pair1:"
SECRET_BYTES: Final = 16
_PLACE: Final = b"dispatch/v1/pairing/place"
_KEY: Final = b"dispatch/v1/pairing/"


@dataclass(frozen=True, slots=True, eq=False)
class PairingCode:
    """Where two machines of one person meet, and the 128 random bits that both of them know; never shown by itself."""

    broker_url: str
    _secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self._secret) != SECRET_BYTES:
            raise MalformedError(f"a pairing's secret of {len(self._secret)} bytes, not {SECRET_BYTES}")

    @property
    def place(self) -> str:
        """The name of the meeting place at the broker, in hex: 32 bytes that tell nothing of the secret."""
        return derive(self._secret, info=_PLACE).hex()

    def key(self, step: str) -> bytes:
        """Return the key of the code under one step's message."""
        return derive(self._secret, info=_KEY + step.encode("ascii"))

    def format(self) -> str:
        """Return the code's one spelling; raises MalformedError if the broker's address has none."""
        return f"{PREFIX}{shorten(self.broker_url)}#{b64u(self._secret)}"

    @classmethod
    def parse(cls, text: str) -> "PairingCode":
        """Read a code in its one spelling; raises MalformedError, which never repeats the secret."""
        broker, sharp, secret = text.removeprefix(PREFIX).partition("#")
        if not (text.startswith(PREFIX) and sharp) or len(text) > URL_CHARS:
            raise MalformedError(f"not a pairing code: {PREFIX}BROKER#SECRET")
        code = cls(lengthen(broker), unb64u(secret, length=SECRET_BYTES))
        if code.format() != text:
            raise MalformedError("not a pairing code: its broker is not written in the one way")
        return code
