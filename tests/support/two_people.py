"""Alice, Bob and the broker as real programs that may die, and the story that they live through, round after round.

A round is a whole friendship: invited, accepted, tasks that are done, denied, declined, cancelled and left lying, a
standing yes given and taken back, the edge revoked. So every kind of effect is performed in it, and a round may be
lived again as often as somebody has to die in one.
"""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support.history.seen import Asked
from tests.support.keeping import Keeper, Machine
from tests.support.neighbourhood import ENDED, Broker, Person, bash, edit, make_repository
from tests.support.patience import eventually_so

_MAILED = 10  # invitations; a broker mails twenty a day
FILE = b"a file that travels, is read inside, and comes back\n" * 2_000
OVER = {"already": ("not_pending", "not_found", "expired", "edge_revoked")}


class MailingBroker(Broker):
    """A broker whose mail server is never there: a mail that is owed stays owed."""

    def _arguments(self, listen: str) -> list[str]:
        return [
            *super()._arguments(listen),
            "--smtp-url",
            "smtp://127.0.0.1:9",
            "--mail-from",
            "d@example.net",
        ]


class TwoPeople:
    """Everything that lives through a story; `modules` names other programs for some of the three.

    Both daemons are impatient (`tests.support.mortal_daemon`) and die of nothing unless they are told to.
    """

    def __init__(self, place: Path, modules: Mapping[str, str] | None = None) -> None:
        named = modules or {}
        self.broker = Keeper(MailingBroker(place, module=named.get("broker", "dispatch_broker")))
        self.alice, self.bob = (
            Machine(Person(name, place, module=named.get(name, "tests.support.mortal_daemon")))
            for name in ("alice", "bob")
        )
        self.project = make_repository(place / "project", {"README": "a project\n"})
        self.asked: list[Asked] = []
        self._mails = 0

    @property
    def keepers(self) -> list[Keeper]:
        return [self.broker, self.alice.keeper, self.bob.keeper]

    @property
    def deaths(self) -> dict[str, int]:
        """Count how often each program has died."""
        names = ("broker", "sender", "recipient")
        return {name: keeper.deaths for name, keeper in zip(names, self.keepers, strict=True)}

    # -- beginnings and ends ---------------------------------------------------------------------------

    async def sign_in(self) -> None:
        for machine in (self.alice, self.bob):
            login = {"broker": self.broker.program.url, "email": machine.person.address, "dev": True}
            await machine.do("POST", "/v1/login", login)

    async def befriend(self, **scopes: Any) -> None:
        """Let Alice send to Bob, within scopes that he chooses."""
        choice = {"tools": ["Edit", "Bash"], "paths": [{"path": str(self.project), "mode": "rw"}], **scopes}
        while True:
            invite = {"email": self.bob.person.address, "link_only": self._mails >= _MAILED}
            self._mails += 1
            token = (await self.alice.do("POST", "/v1/invitations", invite))["token"]
            again = {"already": ("not_pending",)}
            await self.bob.do("POST", "/v1/invitations/accept", {"token": token, **choice}, **again)
            if await self.bob.do("GET", "/v1/contacts") and await self._friends():
                return

    async def _friends(self) -> bool:
        for machine in (self.alice, self.bob):
            await machine.until(
                "/v1/contacts", lambda seen: [each for each in seen["edges"] if each["status"] == "active"]
            )
        return True

    async def part(self) -> None:
        """Let Bob revoke the edge, and wait until Alice has heard of it."""
        await self.bob.do("POST", "/v1/contacts/revoke", {"peer": self.alice.person.address}, **OVER)
        await self.alice.until(
            "/v1/contacts", lambda seen: all(each["status"] == "revoked" for each in seen["edges"])
        )

    # -- one task --------------------------------------------------------------------------------------

    def prepare(self, key: str) -> Asked:
        """Put the files of one task in their places, as they are before its run."""
        files = {}
        for folder in ("left", "right"):
            path = self.project / folder / f"{key}.txt"
            path.parent.mkdir(exist_ok=True)
            path.write_text("before\n")
            files[str(path)] = ("before\n", "after\n")
        (self.project / "witness").mkdir(exist_ok=True)
        return Asked(key, files, str(self.project / "witness" / key))

    async def send(self, key: str, steps: Sequence[Mapping[str, Any]], *files: bytes) -> str:
        """Let Alice ask for one task, with files; returns its id, and keeps it for the history."""
        asked = self.prepare(key)
        body: dict[str, Any] = {"recipient": self.bob.person.address, "task": key, "steps": list(steps)}
        if files:
            kept = [await self.alice.hand_over(data) for data in files]
            body["files"] = [{"file_id": file_id, "name": "file"} for file_id in kept]
        sent = await self.alice.do("POST", "/v1/dispatches", body, Idempotency_Key=key)
        name = str(sent["dispatch_id"])
        self.asked.append(Asked(asked.key, asked.files, asked.witness, answered=name))
        return name

    async def arrives(self, name: str) -> None:
        """Wait until a dispatch stands in Bob's inbox."""

        async def listed() -> bool:
            return any(each["dispatch_id"] == name for each in await self.bob.listed("inbox"))

        await eventually_so(listed)

    async def accept(self, name: str) -> None:
        await self.bob.do("POST", f"/v1/dispatches/{name}/accept", {"cwd": str(self.project)}, **OVER)

    async def status(self, name: str) -> str:
        return str((await self.bob.do("GET", f"/v1/dispatches/{name}"))["status"])

    async def answer(self, name: str, kind: str, decision: Mapping[str, str]) -> None:
        """Answer every question of one dispatch: this kind as told, any other with yes; until it is over."""
        while await self.status(name) not in ENDED:
            for each in (await self.bob.do("GET", "/v1/approvals"))["approvals"]:
                if each["dispatch_id"] == name:
                    told = decision if each["kind"] == kind else {"decision": "approve"}
                    await self.bob.do("POST", f"/v1/approvals/{each['request_id']}", told, **OVER)
            await asyncio.sleep(0.01)

    async def asks(self, name: str) -> None:
        """Wait until a dispatch waits for an answer, or is over."""
        await self.shows(name, *ENDED, "waiting_approval")

    async def shows(self, name: str, *words: str) -> None:
        """Wait until Bob sees one of these statuses."""

        async def shown() -> bool:
            return await self.status(name) in words

        await eventually_so(shown)

    # -- a round ---------------------------------------------------------------------------------------

    async def live(self, number: int) -> None:
        """Live through one round of the story."""
        await self.befriend()
        names = {
            what: await self.send(
                f"{what}-{number}", change(f"{what}-{number}"), *([FILE] if what == "done" else [])
            )
            for what in ("done", "denied", "declined", "cancelled", "left")
        }
        for name in names.values():
            await self.arrives(name)
        await self.bob.do(
            "POST", f"/v1/dispatches/{names['declined']}/decline", {"reason": "not now"}, **OVER
        )
        await asyncio.gather(*(self.accept(names[what]) for what in ("done", "denied", "cancelled")))
        await asyncio.gather(
            self.answer(names["done"], "tool", {"decision": "approve", "grant": "always"}),
            self.answer(names["denied"], "changeset", {"decision": "deny"}),
            self._cancelled(names["cancelled"]),
        )
        await self._brought(names["done"])
        for rule in (await self.bob.do("GET", "/v1/rules"))["rules"]:
            await self.bob.do("DELETE", f"/v1/rules/{rule['rule_id']}", **OVER)
        await self.part()
        await self.alice.do("POST", "/v1/logout", {}, already=("login_needed",))
        await self.sign_in()

    async def _brought(self, name: str) -> None:
        """Wait until Alice has the file that a run made of the one that she sent, and see that it is whole."""
        await self.alice.until(
            f"/v1/dispatches/{name}",
            lambda seen: seen["status"] in ENDED and not seen["files_arriving"],
        )
        result = await self.alice.do("GET", f"/v1/dispatches/{name}/result")
        if result["outcome"] == "success":
            (place,) = result["files"]
            assert await asyncio.to_thread(Path(place).read_bytes) == FILE

    async def _cancelled(self, name: str) -> None:
        await self.asks(name)
        await self.alice.do("POST", f"/v1/dispatches/{name}/cancel", {}, **OVER)
        await self.shows(name, *ENDED)


def change(key: str) -> list[dict[str, Any]]:
    """Return the steps that change the files of one task and leave a line with its witness."""
    return [
        edit(f"left/{key}.txt", "before", "after"),
        edit(f"right/{key}.txt", "before", "after"),
        bash(f"echo {key} >> witness/{key}; cp $DISPATCH_ATTACHMENTS/* $DISPATCH_ARTIFACTS || true"),
    ]
