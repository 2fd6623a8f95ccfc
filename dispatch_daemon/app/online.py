"""Asking the relay something for a person who waits: a relay's no, or its silence, becomes a sentence."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from dispatch_daemon.adapters.relay import LinkPhase, RelayLink, RelayRejectedError, RelayUnreachableError
from dispatch_daemon.core.errors import ServiceError
from dispatch_protocol import loopback
from dispatch_protocol.chain import Chain, read_links
from dispatch_protocol.encoding import JSON
from dispatch_protocol.keys import Genesis

_NOT_MINE: Final = {
    "pair_needed": "if none of your machines has it, somebody else signed in as you, perhaps with an invitation"
    " that was yours: tell whoever runs this broker, and whoever invited you"
}


def refused_by_relay(error: RelayRejectedError) -> ServiceError:
    """Return a relay's no in words of ours: one whose code is none that we know is a plain refusal."""
    if error.code in loopback.CODES:
        warning = _NOT_MINE.get(error.code)
        return ServiceError(error.code, error.detail if warning is None else f"{error.detail}; {warning}")
    return ServiceError("refused", f"the relay refused ({error.code}): {error.detail}")


@contextmanager
def relay_words() -> Iterator[None]:
    """Turn a relay's no, or its silence, into a ServiceError."""
    try:
        yield
    except RelayUnreachableError as error:
        raise ServiceError("broker_unreachable", error.detail, hint="dispatch doctor") from error
    except RelayRejectedError as error:
        raise refused_by_relay(error) from error


def _no_session(code: str, words: str) -> tuple[str, str]:
    """Return the code and the words of a session that the relay refuses, or that this home must not open."""
    return (code, words) if code in loopback.CODES else ("refused", f"{words} ({code})")


class Online:
    """The relay link of a signed-in daemon, for requests that a person makes."""

    def __init__(self, link: RelayLink) -> None:
        self._link = link

    @property
    def url(self) -> str:
        return self._link.url

    async def call(self, op: str, args: Mapping[str, JSON]) -> Mapping[str, JSON]:
        """Make a call; raises ServiceError with the relay's code, also that of a session it refuses, or `broker_unreachable`."""
        with relay_words():
            try:
                return await self._link.call(op, args)
            except RelayUnreachableError as error:
                state = self._link.state
                if state.phase is LinkPhase.REFUSED and state.code is not None:
                    raise ServiceError(*_no_session(state.code, state.words)) from error
                raise

    async def chain(self, genesis: Genesis) -> Chain:
        """Fetch an identity's chain and verify it from its fingerprint up; the relay is not believed."""
        answer = await self.call("chain", {"genesis": genesis.hex})
        links = answer.get("links")
        return Chain.verify(read_links(links if isinstance(links, list) else []), expect=genesis)

    async def presence(self) -> dict[str, bool]:
        """Return which edges' other sides the relay says are connected; it decides nothing."""
        answer = await self.call("edges", {})
        edges = answer.get("edges")
        return {
            str(edge.get("edge_id")): bool(edge.get("online"))
            for edge in (edges if isinstance(edges, list) else [])
            if isinstance(edge, Mapping)
        }
