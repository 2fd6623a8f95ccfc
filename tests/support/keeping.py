"""Programs that are started again whenever they die, and people who go on asking until they are answered.

It is what an operator and two patient persons do. A person who was not answered asks the same again; what an earlier
life of their daemon has done already is as good as an answer.
"""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable
from typing import Any

from tests.support.door_client import DoorClient, Reply
from tests.support.lifetime import Door
from tests.support.neighbourhood import Person, Program
from tests.support.patience import eventually, eventually_so

_LOOK_S = 0.01
_ASK_S = 0.05  # a look that costs the broker a call
# Nobody is there for the moment: ask again.
_AWAY = frozenset({"broker_unreachable", "unavailable", "draining", "rate_limited", "files_arriving"})


class Keeper:
    """Starts one program again whenever it was killed; any other end is an error."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.deaths = 0
        self._keeping: asyncio.Task[None] | None = None

    async def open(self, group: asyncio.TaskGroup) -> None:
        """Start the program; what ends the keeping of it ends everything in the group."""
        await self._start()
        self._keeping = group.create_task(self._keep())

    async def close(self) -> None:
        """Keep it no longer, and end it."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        await asyncio.to_thread(self.program.kill)

    @property
    def is_there(self) -> bool:
        """Say that there is always something to kill: what is not there is about to be."""
        return True

    def kill(self) -> None:
        """Kill the program as it stands; it will be started again."""
        process = self.program.process
        if process is not None:
            process.kill()

    async def _keep(self) -> None:
        while True:
            process = self.program.process
            assert process is not None
            await eventually(lambda process=process: process.poll() is not None)
            code = process.returncode
            assert code == -signal.SIGKILL, (
                f"it ended by itself, {code}: {self.program.log.read_text()[-3000:]}"
            )
            self.deaths += 1
            await asyncio.to_thread(self.program.kill)
            await self._start()

    async def _start(self) -> None:
        """Start it, however often it dies before it is ready."""
        while True:
            try:
                await asyncio.to_thread(self.program.start)
            except AssertionError:
                process = self.program.process
                if process is None or await asyncio.to_thread(process.wait, 30) != -signal.SIGKILL:
                    raise
                self.deaths += 1
                await asyncio.to_thread(self.program.kill)
            else:
                return


class Machine:
    """One person at the door of a daemon that may die at any time."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.keeper = Keeper(person.daemon)
        self._client = DoorClient(Door(person.home / "daemon.sock"), None)

    async def ask(self, method: str, target: str, body: Any = None, **headers: str) -> Reply:
        """Ask until somebody answers, whatever the answer is."""
        while True:
            try:
                return await self._client.ask(method, target, body, unix=True, **headers)
            except (OSError, EOFError):
                await asyncio.sleep(_LOOK_S)

    async def do(
        self, method: str, target: str, body: Any = None, *, already: tuple[str, ...] = (), **headers: str
    ) -> Any:
        """Ask until it is granted; the codes in `already` say that an earlier life has done it."""
        while True:
            reply = await self.ask(method, target, body, **headers)
            if reply.status < 300:
                return reply.value
            if reply.code in already:
                return None
            assert reply.code in _AWAY, (
                f"{self.person.name}: {method} {target}: {reply.status} {reply.body!r}"
            )
            await asyncio.sleep(_ASK_S)

    async def hand_over(self, data: bytes) -> str:
        """Hand over a file to be sent; returns what stands for it."""
        kept = await self.do("POST", "/v1/files", data, Content_Type="application/octet-stream")
        return str(kept["file_id"])

    async def until(self, target: str, condition: Callable[[Any], Any]) -> Any:
        """Look at something again and again until it fulfils a condition; the test's own time limit ends this."""
        found: Any = None

        async def fulfilled() -> bool:
            nonlocal found
            found = condition(await self.do("GET", target))
            return bool(found)

        await eventually_so(fulfilled, _ASK_S)
        return found

    async def listed(self, box: str) -> list[dict[str, Any]]:
        """Return everything that a box lists."""
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = await self.do("GET", f"/v1/dispatches?box={box}&limit=200{cursor}")
            found += page["dispatches"]
            if page["next"] is None:
                return found
            cursor = f"&cursor={page['next']}"


@contextlib.asynccontextmanager
async def kept(*keepers: Keeper) -> AsyncIterator[None]:
    """Keep programs, the first one started first, and end them all."""
    async with asyncio.TaskGroup() as group:
        opened: list[Keeper] = []
        try:
            for keeper in keepers:
                opened.append(keeper)
                await keeper.open(group)
            yield
        finally:
            for keeper in reversed(opened):
                await keeper.close()
