"""Where a run may go: a host by its name and one port, written `host` (443) or `host:port`.

Names only, in one spelling: an address could be any machine, and what stands at it is nobody's promise.
"""

import re
from dataclasses import dataclass
from typing import Self

HTTPS_PORT = 443
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# The last label begins with a letter, so no spelling of an address is a name (RFC 3696, section 2).
_WRITTEN = re.compile(
    rf"(?P<host>(?=[a-z0-9.-]{{1,253}}(?::|\Z))(?:{_LABEL}\.)*(?=[a-z]){_LABEL})(?::(?P<port>[1-9][0-9]{{0,4}}))?"
)


@dataclass(frozen=True, slots=True, order=True)
class Destination:
    """One host and one port of it."""

    host: str
    port: int

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a destination as grants name it.

        Raises:
            ValueError: It is no name in lower case, or its port is none.
        """
        match = _WRITTEN.fullmatch(text)
        port = HTTPS_PORT if match is None or match["port"] is None else int(match["port"])
        if match is None or port > 65_535:
            raise ValueError(f"{text[:80]!r} is no host and port")
        return cls(match["host"], port)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"
