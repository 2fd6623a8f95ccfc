"""Dialling a granted host: its name is looked up here, outside, once; what was judged is what is dialled.

Nothing inside is told an address, and none is looked up twice, so a name that leads elsewhere from one moment to the next
leads nowhere. A lookup is a blocking call of the system's resolver and gets a thread of its own, few at a time: a name
server that never answers must cost nobody else the threads they share.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from sandbox.gate.addresses import is_loopback, why_not
from sandbox.gate.destinations import Destination
from sandbox.gate.refusal import GateRefusalError

LOOKUP_S = 15.0
CONNECT_S = 10.0
LOOKUPS = 4  # at a time, for one run
ADDRESSES = 4  # that are tried, one after another
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


async def look_up(host: str, port: int) -> Sequence[str]:
    """Ask the resolver of this machine for the addresses of a name.

    Raises:
        OSError: There is none, or it cannot be asked.
    """
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[Sequence[str]] = loop.create_future()

    def settle(found: Sequence[str], error: OSError | None) -> None:
        if answered.done():
            return  # nobody waits any more
        if error is None:
            answered.set_result(found)
        else:
            answered.set_exception(error)

    def ask() -> None:
        found: Sequence[str] = ()
        failed = None
        try:
            rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found = tuple(dict.fromkeys(str(row[4][0]) for row in rows))
        except OSError as error:
            failed = error
        with contextlib.suppress(RuntimeError):  # the daemon has ended meanwhile
            loop.call_soon_threadsafe(settle, found, failed)

    threading.Thread(target=ask, name="look up", daemon=True).start()
    return await answered


@dataclass(frozen=True, slots=True)
class Dialler:
    """Finds the way to granted hosts.

    `private` are the names of which the owner of this machine said that they may lie in a private place; `closed` says at
    which ports of this machine nobody is dialled even so. `lookup_s` is how long a name may take to be found.
    """

    private: frozenset[str] = frozenset()
    closed: Callable[[], frozenset[int]] = frozenset
    resolve: Resolve = look_up
    lookup_s: float = LOOKUP_S
    _room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(LOOKUPS))

    async def find(self, destination: Destination) -> Sequence[str]:
        """Return the addresses at which a destination may be dialled.

        Raises:
            GateRefusalError: `gate_unknown`: nobody knows the name; `gate_address`: it leads where nobody may be dialled.
        """
        try:
            async with asyncio.timeout(self.lookup_s), self._room:
                found = await self.resolve(destination.host, destination.port)
        except (OSError, TimeoutError):
            raise GateRefusalError("gate_unknown", f"nobody knows the name {destination.host}", 502) from None
        private = destination.host in self.private
        reasons = {address: why_not(address, private=private) for address in found}
        able = [address for address, reason in reasons.items() if not reason]
        if not able:
            said = "; ".join(f"{address}: {reason}" for address, reason in reasons.items()) or "no address"
            raise GateRefusalError(
                "gate_address", f"{destination} leads nowhere that may be dialled ({said})"
            )
        return able[:ADDRESSES]

    async def dial(self, destination: Destination, addresses: Sequence[str]) -> socket.socket:
        """Connect to the first of these addresses that answers.

        Raises:
            GateRefusalError: `gate_unreachable`: none does; `gate_address`: it is this machine, and was not opened.
        """
        for address in addresses:
            connection = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
            connection.setblocking(False)
            try:
                self._refuse_own(destination, address, is_own=is_loopback(address))
                async with asyncio.timeout(CONNECT_S):
                    await asyncio.get_running_loop().sock_connect(connection, (address, destination.port))
                here, there = connection.getsockname()[0], connection.getpeername()[0]
                self._refuse_own(destination, address, is_own=here == there)
            except (OSError, TimeoutError):
                connection.close()
            except BaseException:
                connection.close()
                raise
            else:
                return connection
        raise GateRefusalError("gate_unreachable", f"{destination} does not answer", 502)

    def _refuse_own(self, destination: Destination, address: str, *, is_own: bool) -> None:
        """Refuse this very machine, by whichever of its addresses, as far as its owner has not opened it.

        A connection to oneself has one address at both ends, whatever network it is of.
        """
        if is_own and (destination.host not in self.private or destination.port in self.closed()):
            raise GateRefusalError(
                "gate_address",
                f"{destination} is this very machine ({address}), and this door of it is closed",
            )
