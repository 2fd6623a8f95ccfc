"""One person whose machines come and go, as real programs that may die: the story of a household, round after round.

In a round a new machine is paired, both replace their sealing keys and destroy the old ones, a panic is called and taken back on
each, the new machine is revoked, and the identity is taken back from paper on another one, which is revoked too. So
whatever is kept of a household is kept in it, and a round may be lived again as often as somebody has to die in one.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

from tests.support.keeping import Keeper, Machine, kept
from tests.support.mortality import Mortality
from tests.support.moved_clocks import DAY_MS
from tests.support.neighbourhood import ENDED, Broker, Person, edit
from tests.support.patience import eventually_so

_MODULE = "tests.support.mortal_daemon"
_PAIRING_AGAIN = frozenset(
    {"pairing_over", "pairing_failed", "not_pending", "still_pending", "broker_unreachable", "numbers_differ"}
)


class Leaver(Keeper):
    """Keeps a program until it ends by itself: a machine that was revoked does not come back."""

    left = False

    async def _keep(self) -> None:
        try:
            await super()._keep()
        except AssertionError:
            self.left = True


class OneHousehold:
    """Everything that lives through the story: a broker, the older machine, and the newer ones of each round."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.broker = Keeper(Broker(place))
        self.clock = place / "clock"
        self.older = self._machine("bob", None)
        self.newer_environment: dict[str, str] = {}
        self.paper = ""
        self._days = 0

    def doomed(self, mortality: Mortality, *, newer: bool) -> None:
        """Let the older machine, or all of the newer ones, die at the points of a share."""
        environment = mortality.environment()
        if newer:
            self.newer_environment = environment
        else:
            self.older.person.daemon.environ.update(environment)

    def _machine(self, name: str, environment: dict[str, str] | None) -> Machine:
        person = Person(name, self.place, module=_MODULE)
        person.address = "bob@example.org"
        person.daemon.environ |= {"DISPATCH_TEST_CLOCK": str(self.clock), **(environment or {})}
        machine = Machine(person)
        if environment is not None:
            machine.keeper = Leaver(person.daemon)
        return machine

    async def sign_in(self) -> None:
        """Sign the older machine in, and write its recovery key down."""
        await self.older.do("POST", "/v1/login", self._login)
        self.paper = str((await self.older.do("POST", "/v1/devices/recovery-key", {}))["recovery_key"])

    @property
    def _login(self) -> dict[str, Any]:
        return {"broker": self.broker.program.url, "email": "bob@example.org", "dev": True}

    async def live(self, number: int) -> None:
        """Live through one round of the story."""
        desk = self._machine(f"desk{number}", self.newer_environment)
        async with kept(desk.keeper):
            await self.pair(desk)
            await self.rotate(desk)
            await self.undo(number)
            await self.panic(desk)
            await self.revoke(desk)
        spare = self._machine(f"spare{number}", self.newer_environment)
        async with kept(spare.keeper):
            await self.recover(spare)
            await self.revoke(spare)

    # -- what a person does ----------------------------------------------------------------------------

    async def pair(self, newer: Machine) -> None:
        """Pair until both know both, however often somebody dies who was asked."""
        while not await self._belongs(newer):
            code = await self._said(self.older, "/v1/devices/pairing", {}, "code")
            number = code and await self._said(newer, "/v1/devices/join", {"code": code}, "number")
            if number is None:
                continue
            confirm = ("/v1/devices/pairing/confirm", {"number": number}, "status")
            if await self._said(self.older, *confirm) is not None:
                await self._said(newer, *confirm)
        await self._both_know(newer)

    async def _said(self, machine: Machine, target: str, body: Any, field: str) -> str | None:
        """Ask once more while the other side has not come yet; returns a field of the answer, None if one begins anew."""
        while True:
            reply = await machine.ask("POST", target, body)
            if reply.status < 300:
                return str(reply.value[field])
            if reply.code != "still_pending":
                assert reply.code in _PAIRING_AGAIN or reply.code == "home_in_use", reply.body
                return None
            await asyncio.sleep(0.05)

    async def _belongs(self, newer: Machine) -> bool:
        ours, theirs = [await each.do("GET", "/v1/devices") for each in (self.older, newer)]
        return bool(ours["identity"] == theirs["identity"])

    async def _both_know(self, newer: Machine) -> None:
        async def known() -> bool:
            ours, theirs = [await self._devices(each) for each in (self.older, newer)]
            return len(ours) == 2 and ours.keys() == theirs.keys()

        await eventually_so(known)

    async def _devices(self, machine: Machine) -> dict[str, str]:
        """Return when the key of each device was made, by its id."""
        listed = (await machine.do("GET", "/v1/devices"))["devices"]
        return {each["id"]: each["key_since"] for each in listed}

    async def rotate(self, newer: Machine) -> None:
        """Let a month pass, and the eight days after it."""
        before = await self._devices(self.older)
        self._passes(31)

        async def renewed() -> bool:
            ours, theirs = [await self._devices(each) for each in (self.older, newer)]
            return ours == theirs and not ours.items() & before.items()

        await eventually_so(renewed)
        self._passes(9)

        async def alone() -> bool:
            return all(len(_sealing(each)) == 1 for each in (self.older, newer))

        await eventually_so(alone)

    async def undo(self, number: int) -> None:
        """Let a job of one's own change a file, and take it back; if somebody died meanwhile, nothing may have changed."""
        folder = self.place / f"work{number}"
        folder.mkdir()
        (folder / "notes.txt").write_text("before\n")
        job = {"recipient": "me", "task": "Change it", "steps": [edit("notes.txt", "before", "after")]}
        sent = await self.older.do("POST", "/v1/dispatches", job, Idempotency_Key=f"job-{number}")
        target = f"/v1/dispatches/{sent['dispatch_id']}"
        await self.older.do("POST", f"{target}/accept", {"cwd": str(folder)}, already=("not_pending",))
        while (seen := await self.older.do("GET", target))["status"] not in ENDED:
            for each in (await self.older.do("GET", "/v1/approvals"))["approvals"]:
                yes = {"decision": "approve"}
                over = ("not_pending", "not_found")
                await self.older.do("POST", f"/v1/approvals/{each['request_id']}", yes, already=over)
            await asyncio.sleep(0.01)
        while seen["status"] == "completed" and not seen["runs"][-1]["undone_at"]:
            shown = await self.older.do("GET", f"{target}/undo", already=("not_pending",))
            if shown is not None:
                digest = {"digest": shown["digest"]}
                await self.older.do("POST", f"{target}/undo", digest, already=("not_pending",))
            seen = await self.older.do("GET", target)
        assert (folder / "notes.txt").read_text() == "before\n"

    def _passes(self, days: int) -> None:
        self._days += days
        beside = self.clock.with_suffix(".new")
        beside.write_text(str(self._days * DAY_MS))
        beside.replace(self.clock)

    async def panic(self, newer: Machine) -> None:
        """Call a panic on the older machine, and take it back on both."""
        await self.older.do("POST", "/v1/panic", {"off": False}, already=("panicked",))
        await newer.until("/v1/daemon", lambda seen: seen["panic_at"])
        for machine in (self.older, newer):
            await machine.do("POST", "/v1/panic", {"off": True})
            await machine.until("/v1/daemon", lambda seen: seen["broker"]["state"] == "online")

    async def revoke(self, newer: Machine) -> None:
        """End the newer machine, and wait until it has erased its keys and gone."""
        (other,) = (await self._devices(self.older)).keys() - {await self._id(self.older)}
        await self.older.do("POST", "/v1/devices/revoke", {"device": other}, already=("not_found",))

        async def gone() -> bool:
            keeper = newer.keeper
            return (
                isinstance(keeper, Leaver) and keeper.left and not (newer.person.home / "keys.json").exists()
            )

        await eventually_so(gone)

    async def _id(self, machine: Machine) -> str:
        (own,) = [each["id"] for each in (await machine.do("GET", "/v1/devices"))["devices"] if each["this"]]
        return str(own)

    async def recover(self, newer: Machine) -> None:
        """Take the identity back from paper on a new machine; the older one survives and feeds it."""
        keep = [await self._id(self.older)]
        body = {"broker": self.broker.program.url, "key": self.paper, "keep": keep}
        if not await self._belongs(newer):
            await newer.do("POST", "/v1/devices/recover", body, already=("home_in_use",))
        await newer.do("POST", "/v1/login", self._login)
        await self._both_know(newer)


def _sealing(machine: Machine) -> list[str]:
    keys = json.loads((machine.person.home / "keys.json").read_text())
    return str(keys["sealing"]).split(" ")
