"""A daemon of the world in memory that dies at one numbered moment: before a commit, after it, or after a decision.

Nothing is killed there: a dead one keeps nothing that it had not committed, answers nobody, and begins its next life
by mending what the last one left, as the daemon does.
"""

import contextlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from dispatch_daemon.adapters.agents import Agents
from dispatch_daemon.adapters.ballast import Ballast
from dispatch_daemon.adapters.blobs import BlobStore
from dispatch_daemon.adapters.executor import Executor
from dispatch_daemon.app.supervising import Supervisor
from dispatch_daemon.core.effects import Effect
from dispatch_protocol.limits import ATTACHMENT_BYTES
from tests.support.world import Member


class DeathError(BaseException):
    """What a caller sees of a daemon that died: no answer. No handler of ordinary errors may catch it."""


@dataclass
class Doom:
    """Counts the moments at which a daemon may die, and is the end at one of them."""

    at: int | None = None
    passed: int = 0
    seen: set[str] = field(default_factory=set)

    def falls(self) -> bool:
        """Pass one moment; says whether it is the fatal one."""
        self.passed += 1
        return self.passed - 1 == self.at


class MortalMember(Member):
    """A member who may die; `doom` is set once everybody is there."""

    doom: Doom | None = None
    dead = False

    def live(self) -> None:
        super().live()
        self.dead = False
        database, write, perform = self.journal.database, self.journal.write, self.performer.perform
        commit = database.commit

        def writing(effects: Iterable[Effect], **how: Any) -> None:
            todo = tuple(effects)
            if self.doom is not None:
                self.doom.seen |= {type(effect).__name__ for effect in todo}
            write(todo, **how)

        def committing() -> None:
            gone = database is not self.journal.database or self.dead
            if not gone and (self.doom is None or not database._connection.in_transaction):
                commit()
                return
            waiters, database._waiters = database._waiters, []
            if not gone and self.doom is not None:
                gone = self.dead = self.doom.falls()
                if not gone:
                    commit()
                    gone = self.dead = self.doom.falls()
            for waiter in waiters:
                if gone and not waiter.done():
                    waiter.set_exception(DeathError())
                elif not waiter.done():
                    waiter.set_result(None)

        async def performing(effects: Iterable[Effect]) -> None:
            await perform(effects)
            if self.doom is not None and self.doom.falls():
                self.dead = True
                raise DeathError

        database.commit = committing
        self.journal.write = writing
        self.performer.perform = performing

    async def bury(self) -> bool:
        """Begin the next life if this one is over; says whether it was."""
        if not self.dead:
            return False
        self.die()
        desk = (self.journal, self.people, self.clock, self.performer)
        blobs = BlobStore(self.home, file_bytes=ATTACHMENT_BYTES)
        mender = Supervisor(*desk, Executor(self.home), Agents(self.home, {}), Ballast(self.home), blobs)
        await mender.mend()
        return True


async def insist(members: Iterable[MortalMember], act: Callable[[], Awaitable[object]]) -> None:
    """Do something, and again if somebody died of it: whoever asks for it was not answered."""
    while True:
        with contextlib.suppress(DeathError):
            await act()
        buried = [await member.bury() for member in members]
        if not any(buried):
            return
