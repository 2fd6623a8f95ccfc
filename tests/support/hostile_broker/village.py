"""Alice, Bob and Carol with daemons of their own, at a broker whose owner is on nobody's side.

Alice may send to Bob and to Carol. Mallory (`accomplice`) is the owner's friend. People act through their daemons'
doors, and what they would see is asked of the real command line.
"""

import asyncio
import contextlib
import sqlite3
from pathlib import Path
from typing import Any

from tests.support.door_client import Reply
from tests.support.hostile_broker.owner import HostileBroker
from tests.support.lifetime import Door
from tests.support.neighbourhood import Person, make_repository
from tests.support.patience import poll
from tests.support.processes import alive

SCOPES: dict[str, Any] = {
    "tools": ["Read", "Edit"],
    "approval": "manual",
    "returns": "trace",
    "max_per_day": 10_000,
}
_TROUBLE = ("Traceback", "failed to understand", "could not be kept", "Unhandled", "never retrieved")


class Villager(Person):
    """One person, whose daemon's door is reached without a process for each question."""

    def __init__(self, name: str, directory: Path, **environ: str) -> None:
        super().__init__(name, directory, module=environ.pop("module", "tests.support.brisk_daemon"))
        self.daemon.environ = environ
        self.door = Door(self.home / "daemon.sock")

    def ask(self, method: str, target: str, body: Any = None) -> Reply:
        """Ask the door and return the answer, whatever it is."""
        return asyncio.run(self.door.ask(method, target, body))

    def get(self, target: str) -> Any:
        """Ask the door for something that it must grant."""
        return asyncio.run(self.door.do("GET", target))

    def post(self, target: str, **body: Any) -> Any:
        """Tell the door something that it must grant."""
        return asyncio.run(self.door.do("POST", target, body))

    def refused(self, target: str, **body: Any) -> str:
        """Tell the door something that it must refuse; returns the code and the sentence."""
        reply = self.ask("POST", target, body)
        assert 400 <= reply.status < 500, (target, reply.status, reply.body)
        return f"{reply.value['code']}: {reply.value['detail']}"

    def send(self, to: "Villager | str", task: str, **more: Any) -> str:
        """Send a task; returns its id."""
        address = to if isinstance(to, str) else to.address
        dispatch_id: str = self.post("/v1/dispatches", recipient=address, task=task, **more)["dispatch_id"]
        return dispatch_id

    def state(self, dispatch_id: str) -> dict[str, Any]:
        """Return everything this machine knows of a dispatch."""
        value: dict[str, Any] = self.get(f"/v1/dispatches/{dispatch_id}")
        return value

    def shows(self, dispatch_id: str, *words: str) -> dict[str, Any]:
        """Wait until a dispatch shows one of these statuses."""

        def reached() -> dict[str, Any] | None:
            reply = self.ask("GET", f"/v1/dispatches/{dispatch_id}")
            return reply.value if reply.status == 200 and reply.value["status"] in words else None

        return poll(reached, f"{self.name} sees {dispatch_id[:8]} {' or '.join(words)}")

    def box(self, box: str) -> list[dict[str, Any]]:
        """List one box, newest first."""
        return list(self.get(f"/v1/dispatches?box={box}&limit=200")["dispatches"])

    def has(self, dispatch_id: str) -> bool:
        """Say whether a dispatch stands in this machine's journal."""
        return self.ask("GET", f"/v1/dispatches/{dispatch_id}").status == 200

    def edge(self, edge_id: str) -> dict[str, Any] | None:
        """Return one edge as this machine knows it."""
        found = [each for each in self.get("/v1/contacts")["edges"] if each["edge_id"] == edge_id]
        return found[0] if found else None

    def reads(self, *arguments: str) -> str:
        """Type a command as a person and return what stands on the screen."""
        ended = self.try_(*arguments)
        return ended.out + ended.err

    def digest(self, dispatch_id: str) -> str:
        """Return what a dispatch is named by inside."""
        value: str = self.state(dispatch_id)["author"]["digest"]
        return value

    def types(self, dispatch_id: str) -> list[str]:
        """Return, in order, what the recipient has signed about a dispatch."""
        return [each["type"] for each in self.state(dispatch_id)["receipts"]]

    def journal(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Read the daemon's journal from beside it."""
        uri = f"file:{self.home / 'journal.db'}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as database:
            return database.execute(sql, values).fetchall()

    @property
    def log(self) -> str:
        """Everything the daemon has written."""
        return self.daemon.log.read_text()

    def notes(self, words: str, before: int = 0) -> str:
        """Wait until the daemon's log holds these words after a place; returns that line."""
        return poll(
            lambda: next((each for each in self.log[before:].splitlines() if words in each), None),
            f"the log of {self.name} says {words!r}",
        )


class Village:
    """Everybody and the broker; `careless` names a check that every daemon leaves out (`careless_daemon`)."""

    def __init__(self, directory: Path, *, careless: str = "") -> None:
        self.directory = directory
        self.broker = HostileBroker(directory, tls=True)
        self._environ = {"DISPATCH_CA_BUNDLE": str(self.broker.certificates)}
        if careless:
            self._environ |= {"module": "tests.support.careless_daemon", "DISPATCH_TEST_LEAVES_OUT": careless}
        self.alice, self.bob, self.carol = (
            Villager(name, directory, **self._environ) for name in ("alice", "bob", "carol")
        )
        self.moved_in: list[Villager] = []  # the machines of whoever came later
        self.homes: dict[type, object] = {}  # of people with several machines, by what they are here
        self.project = make_repository(directory / "project", {"notes.md": "# Notes\n\nfirst line\n"})
        self.edge = ""

    @property
    def people(self) -> tuple[Villager, ...]:
        return self.alice, self.bob, self.carol, *self.moved_in

    def moves_in(self, name: str, address: str, **environ: str) -> Villager:
        """Start one more machine, which belongs to nobody yet, of somebody with this address."""
        machine = Villager(name, self.directory, **self._environ, **environ)
        machine.address = address
        self.moved_in.append(machine)
        machine.daemon.start()
        return machine

    def open(self) -> None:
        """Start everything, sign everybody in over TLS, and let Alice send to both."""
        url = self.broker.start()
        assert url.startswith("https://")
        for person in (self.alice, self.bob, self.carol):
            person.daemon.start()
            person.post("/v1/login", broker=url, email=person.address, dev=True)
        self.edge = self.befriend(self.alice, self.bob)
        self.befriend(self.alice, self.carol)

    def close(self) -> None:
        """End whatever still runs, daemons first."""
        for person in self.people:
            person.daemon.stop()
        self.broker.stop()

    # -- what people do --------------------------------------------------------------------------------

    def befriend(self, author: Villager, recipient: Villager, **scopes: Any) -> str:
        """Let `recipient` accept an invitation of `author`'s, and wait until both see it in force."""
        token = self.invite(author, recipient.address)
        edge: str = self.accept(recipient, token, **scopes)["edge_id"]
        for person in (author, recipient):
            self.in_force(person, edge)
        return edge

    def invite(self, author: Villager, address: str) -> str:
        """Let somebody invite an address; returns the token."""
        token: str = author.post("/v1/invitations", email=address, link_only=True)["token"]
        return token

    def accept(self, recipient: Villager, token: str, **scopes: Any) -> dict[str, Any]:
        """Let somebody accept an invitation for the project."""
        value: dict[str, Any] = recipient.post("/v1/invitations/accept", **self.granted(token, **scopes))
        return value

    def granted(self, token: str, **scopes: Any) -> dict[str, Any]:
        """Return what an acceptance asks the door."""
        paths = [{"path": str(self.project), "mode": "rw"}]
        return {"token": token, "paths": paths, **SCOPES, **scopes}

    def in_force(self, person: Villager, edge: str) -> None:
        """Wait until somebody sees an edge in force."""
        poll(
            lambda: (found := person.edge(edge)) is not None and found["status"] == "active",
            f"{person.name} sees the edge in force",
        )

    def part(self, author: Villager, recipient: Villager) -> None:
        """Let the recipient end the edge, and wait until the author knows."""
        edge = recipient.post("/v1/contacts/revoke", peer=author.address)["edge_id"]
        poll(
            lambda: (found := author.edge(edge)) is not None and found["status"] == "revoked",
            f"{author.name} sees the edge revoked",
        )

    def arrived(self, task: str, **more: Any) -> str:
        """Let Alice send Bob a task and wait until both know that it is there; returns its id."""
        dispatch_id = self.alice.send(self.bob, task, **more)
        self.alice.shows(dispatch_id, "delivered")
        return dispatch_id

    def run(self, dispatch_id: str) -> None:
        """Let Bob accept a dispatch in the project."""
        self.bob.post(f"/v1/dispatches/{dispatch_id}/accept", cwd=str(self.project))

    # -- what must always be so ------------------------------------------------------------------------

    def honest(self) -> None:
        """See that an honest dispatch goes through beside everything: asked, declined with a reason, and heard."""
        dispatch_id = self.arrived("Water the plants, please")
        self.bob.post(f"/v1/dispatches/{dispatch_id}/decline", reason="I am away")
        state = self.alice.shows(dispatch_id, "declined")
        assert state["decision"]["reason"] == "I am away"
        assert self.alice.types(dispatch_id) == ["delivered", "declined"]

    def works(self) -> None:
        """See that a whole run goes through: read in Bob's project, told to Alice."""
        step = {"tool": "Read", "input": {"file_path": "notes.md"}, "save_as": None, "allow_failure": False}
        dispatch_id = self.arrived("Read the notes", steps=[step])
        self.run(dispatch_id)
        self.bob.approve_all(dispatch_id)
        assert self.alice.shows(dispatch_id, "completed", "failed")["status"] == "completed"

    def well(self) -> None:
        """See that no program died and that none wrote of trouble inside itself."""
        for program in (self.broker, *(person.daemon for person in self.people)):
            assert program.process is not None
            assert program.process.poll() is None, f"{program.arguments} ended:\n{program.log.read_text()}"
            assert alive(program.process.pid)
            text = program.log.read_text()
            for word in _TROUBLE:
                assert word not in text, text[max(0, text.index(word) - 2000) : text.index(word) + 4000]
