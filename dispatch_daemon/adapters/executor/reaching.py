"""The hosts that a grant names: for as long as a run goes on, its way out to them, and what it tells of it."""

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from sandbox.agents.agent import Emit
from sandbox.events import Crossed
from sandbox.gate.dialling import Dialler
from sandbox.gate.hosts import Decision, HostGate, hosts
from sandbox.wall.policy import PROXY_PORT
from sandbox.wall.runner import Box


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the owner of this machine says of names: `private` ones may lie in a private place.

    `doors` are the ports of this daemon's own door; no run is let there, whatever is said of names.
    """

    private: frozenset[str] = frozenset()
    doors: Callable[[], frozenset[int]] = frozenset


def surroundings(private_hosts: str | None, door: Callable[[], int]) -> Surroundings:
    """Return what the setting `private_hosts` says, and how to learn at which port the door is: it opens later."""
    names = (private_hosts or "").replace(",", " ").split()
    return Surroundings(frozenset(names), lambda: frozenset({door()}))


@contextlib.asynccontextmanager
async def reaching(
    named: Sequence[str], box: Box, emit: Emit, surroundings: Surroundings
) -> AsyncIterator[None]:
    """Serve a run's way out to the hosts of its grant until the context is left; without hosts there is none."""
    if not named:
        yield
        return

    async def tell(decision: Decision) -> None:
        await emit(Crossed(decision.allowed, decision.what, decision.code))

    dialler = Dialler(surroundings.private, surroundings.doors)
    async with HostGate(hosts(named), dialler, tell).serve(box.listener(PROXY_PORT)):
        yield
