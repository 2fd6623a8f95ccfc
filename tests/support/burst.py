"""A burst of tasks during which one program is killed again and again at moments that a seed decides.

A moment is a count of what has been done so far (asked for, accepted, ended) and a short delay after it, so that the
same seed kills at the same places of the burst on a fast machine and on a slow one, as far as real programs allow.
"""

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tests.support.keeping import Keeper
from tests.support.neighbourhood import ENDED, bash
from tests.support.patience import eventually
from tests.support.processes import command, members
from tests.support.two_people import TwoPeople

_AT_ONCE = 8
_LONGEST_DELAY_S = 0.05
_LOOK_S = 0.05


class Victim(Protocol):
    """Something that can be killed with -9."""

    @property
    def is_there(self) -> bool: ...
    def kill(self) -> None: ...


class Runs:
    """The runs of one daemon as a victim: whichever of their processes the dice name, the first ones included."""

    def __init__(self, keeper: Keeper, seed: int) -> None:
        self._keeper = keeper
        self._dice = random.Random(seed)
        self.killed: list[str] = []

    @property
    def is_there(self) -> bool:
        """Say whether anything runs."""
        return bool(self._members())

    def kill(self) -> None:
        """Kill one process of a run."""
        found = self._members()
        if not found:
            return
        pid = self._dice.choice(found)
        with contextlib.suppress(OSError):  # it has ended by itself meanwhile
            name = os.path.basename(command(pid)[0])
            os.kill(pid, signal.SIGKILL)
            self.killed.append(name)

    def _members(self) -> list[int]:
        process = self._keeper.program.process
        return [] if process is None or process.poll() is not None else members(process.pid)


@dataclass
class Burst:
    """`count` tasks over one edge that asks nothing; `kills` moments are drawn from `seed`, the victims die in turn."""

    people: TwoPeople
    count: int
    victims: Sequence[Victim]
    kills: int
    seed: int
    done: int = 0
    ended: set[str] = field(default_factory=set)

    async def live(self) -> None:
        """Ask for everything, accept everything, and return when everything has ended at the recipient."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._kill())
            group.create_task(self._accept())
            room = asyncio.Semaphore(_AT_ONCE)
            for number in range(self.count):
                group.create_task(self._ask(f"burst-{number:04}", room))

    async def _ask(self, key: str, room: asyncio.Semaphore) -> None:
        async with room:
            await self.people.send(key, [bash(_change(key))])
            self.done += 1

    async def _accept(self) -> None:
        """Accept what arrives, until everything that was asked for is over."""
        accepted: set[str] = set()
        while len(self.ended) < self.count:
            for each in await self.people.bob.listed("inbox"):
                name = each["dispatch_id"]
                if each["status"] == "delivered" and name not in accepted:
                    await self.people.accept(name)
                    accepted.add(name)
                    self.done += 1
                elif each["status"] in ENDED and name not in self.ended:
                    self.ended.add(name)
                    self.done += 1
            await asyncio.sleep(_LOOK_S)

    async def _kill(self) -> None:
        """Kill at the drawn moments; the last ones wait for nothing that cannot come any more."""
        dice = random.Random(self.seed)
        moments = sorted(dice.randrange(3 * self.count) for _ in range(self.kills))
        for number, moment in enumerate(moments):
            victim, delay_s = self.victims[number % len(self.victims)], dice.random() * _LONGEST_DELAY_S
            await eventually(lambda moment=moment: self.done >= moment)
            await asyncio.sleep(delay_s)
            await eventually(lambda victim=victim: victim.is_there or len(self.ended) == self.count)
            victim.kill()


def _change(key: str) -> str:
    """Return the command that changes both files of a task, in place, and leaves a line with its witness."""
    return f"echo after > left/{key}.txt; echo after > right/{key}.txt; echo {key} >> witness/{key}"
