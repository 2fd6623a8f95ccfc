"""Alice, Bob and Carol at a relay whose owner attacks them: real daemons in homes that are thrown away.

Carol's daemon leaves its checks out. Everything is played on Bob and on her, so each attack has its control beside it.
Each of the two may send to Alice, and Alice to them.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from dispatch_cli.client import Client, target
from dispatch_cli.errors import CliError
from dispatch_cli.home import Home
from dispatch_cli.proving.owner import Owner
from dispatch_cli.proving.programs import Programs, wait_for

LEFT_OUT = "edge,signature,code,replay,seal"
_SCOPES = {"tools": ["Read"], "approval": "manual", "returns": "result", "max_per_day": 1_000}


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a daemon, asked over its door."""

    name: str
    home: Path
    log: Path

    @property
    def address(self) -> str:
        """Where the relay knows this person."""
        return f"{self.name}@example.org"

    def ask(self, method: str, where: str, body: dict[str, Any] | None = None) -> Any:
        """Ask the door for something that it grants."""
        return Client(Home(self.home).socket_path()).call(method, where, body)

    def send(self, to: "Person", task: str) -> str:
        """Send a task; returns its id."""
        return str(self.ask("POST", "/v1/dispatches", {"recipient": to.address, "task": task})["dispatch_id"])

    def state(self, dispatch_id: str) -> dict[str, Any] | None:
        """Return what this machine knows of a dispatch; None if it knows nothing."""
        try:
            found: dict[str, Any] = self.ask("GET", f"/v1/dispatches/{dispatch_id}")
        except CliError as error:
            if error.code == "not_found":
                return None
            raise
        return found

    def shows(self, dispatch_id: str, *words: str) -> str:
        """Wait until a dispatch shows one of these statuses, and return which."""

        def reached() -> str | None:
            status = (self.state(dispatch_id) or {}).get("status")
            return status if status in words else None

        return wait_for(reached, f"{self.name} sees {' or '.join(words)}")

    def digest(self, dispatch_id: str) -> str:
        """Return the name of a dispatch inside the protocol."""
        state = self.state(dispatch_id) or {}
        return str(state["author"]["digest"])

    def inbox(self) -> list[dict[str, Any]]:
        """Return what was sent to this person."""
        found = self.ask("GET", target("/v1/dispatches", {"box": "inbox", "limit": 200}))
        return list(found["dispatches"])

    def edges(self) -> list[dict[str, Any]]:
        """Return whom this person trusts."""
        return list(self.ask("GET", "/v1/contacts")["edges"])

    def trusts(self, edge: str) -> bool:
        """Say whether an edge is in force here."""
        return any(each["edge_id"] == edge and each["status"] == "active" for each in self.edges())

    def written(self) -> int:
        """Return how much the daemon has written so far."""
        return self.log.stat().st_size

    def notes(self, word: str, after: int) -> bool:
        """Say whether the daemon has written a word since then."""
        return word.encode() in self.log.read_bytes()[after:]


class Town:
    """The relay, its owner and the three."""

    def __init__(self, programs: Programs) -> None:
        self.programs = programs
        self.relay = programs.directory / "relay"
        self.owner = Owner(self.relay / "owner.sock")
        self.alice, self.bob, self.carol = (self._person(name) for name in ("alice", "bob", "carol"))
        self.edges: dict[str, str] = {}  # by the address of the other one: over which Alice sends

    def _person(self, name: str) -> Person:
        return Person(name, self.programs.directory / name, self.programs.log(name))

    def open(self, *, careless: str = "carol") -> None:
        """Start everybody, sign them in, and let them trust each other; `careless` is who leaves the checks out."""
        self.relay.mkdir()
        url = self.programs.start("relay.owner", "dispatch_broker.hostile", str(self.relay))
        people = (self.alice, self.bob, self.carol)
        for person in people:
            left_out = (
                ("dispatch_daemon.careless", LEFT_OUT) if person.name == careless else ("dispatch_daemon",)
            )
            self._start(person, *left_out)
        for person in people:
            person.ask("POST", "/v1/login", {"broker": url, "email": person.address, "dev": True})
        for person in (self.bob, self.carol):
            self.edges[person.address] = self.befriend(self.alice, person)
            self.befriend(person, self.alice)

    def _start(self, person: Person, module: str, *before: str) -> None:
        person.home.mkdir(mode=0o700)
        self.programs.start(
            person.name, module, *before, "run", "--home", str(person.home), "--local-port", "0"
        )

    def befriend(self, author: Person, recipient: Person) -> str:
        """Let one send to the other, as people do it; returns the edge when both see it in force."""
        asked = {"email": recipient.address, "link_only": True}
        token = author.ask("POST", "/v1/invitations", asked)["token"]
        edge = str(recipient.ask("POST", "/v1/invitations/accept", {"token": token, **_SCOPES})["edge_id"])
        for person in (author, recipient):
            wait_for(partial(person.trusts, edge), f"{person.name} sees the edge in force")
        return edge
