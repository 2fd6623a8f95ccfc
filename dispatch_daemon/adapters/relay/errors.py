"""How a relay fails us: it cannot be reached, which passes, or it said no, which it means. And one way in which we fail it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from dispatch_protocol.encoding import JSON
from dispatch_protocol.errors import RelayError

UNREACHABLE: Final = "broker_unreachable"


class RelayUnreachableError(RelayError):
    """Nobody answered: whatever was asked may or may not have happened, and is asked again later."""

    def __init__(self, detail: str) -> None:
        """Say what happened on the way."""
        super().__init__(UNREACHABLE, detail)


class RelayRejectedError(RelayError):
    """The relay answered no: `code` is its word for why, `status` the HTTP status of that word.

    `members` is what else stood in its problem document: where `pair_needed`, the `genesis` of that address.
    """

    def __init__(
        self, code: str, status: int, detail: str, members: Mapping[str, JSON] = MappingProxyType({})
    ) -> None:
        """Keep the relay's own words; they are its claim, not our finding."""
        super().__init__(code, detail)
        self.status = status
        self.members = members


class NotYetError(Exception):
    """Raised by whoever takes deliveries: this one stays at the relay, which offers it again in a later session."""
