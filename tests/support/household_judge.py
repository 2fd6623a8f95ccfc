"""A judge of what the machines of one person run: what may begin follows from signed bytes alone, and nothing begins twice.

It is told what was signed, what each machine was handed, and what a human typed where; of a run it sees what stands before the wall.
What it finds it keeps in `found`, because whoever runs something must not be able to swallow it.
"""

import json
from dataclasses import dataclass, field
from typing import Any, Protocol

from dispatch_daemon.adapters.executor import RunSpec
from tests.support.household_reading import Reading, split_signed
from tests.support.independent_bytes import Json, pae, signed_by
from tests.support.independent_evidence import digest, follow_chain


class Watched(Protocol):
    """What the judge looks at of a machine: its books, as it keeps them."""

    id: str
    journal: Any
    people: Any

    def links(self) -> list[Json]: ...
    def owed(self) -> list[bytes]: ...


@dataclass(frozen=True)
class Begun:
    """One run that began."""

    device: str
    digest: str
    run_id: str
    here: bool
    states: Json = field(repr=False)


class Judge:
    """Knows the author's first links, and from then on what it is told."""

    def __init__(self, genesis: str, author: list[Json]) -> None:
        self.genesis = genesis
        self.author = author
        self.author_genesis = digest(author[0])
        self.readings: dict[str, Reading] = {}
        self.yes: dict[
            str, tuple[str, str, bool]
        ] = {}  # by run: the machine, the task, was it typed `--here`
        self.begun: list[Begun] = []
        self.confirmed: set[str] = set()
        self.stolen: set[str] = set()
        self.handed: dict[tuple[str, int, str], set[str]] = {}
        self.found: list[str] = []
        self._read: set[tuple[str, bytes]] = set()

    # -- what it is told ---------------------------------------------------------------------------------

    def joins(self, machine: Watched) -> None:
        """Know one machine more."""
        self.readings[machine.id] = Reading(machine.links(), self.genesis, machine.id, self.author)

    def looks(self, machine: Watched) -> None:
        """Read what a machine has signed, and what its own chain has become."""
        reading = self.readings[machine.id]
        reading.grown(machine.links())
        for signed in machine.owed():
            if (machine.id, signed) not in self._read:
                self._read.add((machine.id, signed))
                reading.signed(signed)

    def hands(self, machine: Watched, raw: bytes) -> None:
        """Read what a machine was just handed; its chain may have grown by it."""
        reading = self.readings[machine.id]
        reading.grown(machine.links())
        reading.handed(raw, [key.reveal() for key in machine.people.keys.sealing])

    def accepts(self, machine: Watched, task: str, run_id: str, *, here: bool) -> None:
        """Note a human's yes, and see that nobody had decided it, by all that this machine was told."""
        self.need(run_id not in self.yes, "one run was accepted twice")
        reading = self.readings[machine.id]
        for key, deed in reading.held["deed"].items():
            by = key.removeprefix(task)
            decided = deed != "accepted" or by in reading.states[-1]
            self.need(by in (key, machine.id) or not decided, f"another machine had {deed} it")
        self.yes[run_id] = (machine.id, task, here)

    def need(self, holds: bool, what: str) -> None:
        if not holds:
            self.found.append(what)

    # -- what it judges ----------------------------------------------------------------------------------

    def begins(self, machine: Watched, spec: RunSpec) -> None:
        """Judge a run that has just begun on a machine."""
        run = machine.journal.run(spec.run_id)
        record = machine.journal.dispatch(run.digest)
        yes = self.yes.get(spec.run_id)
        self.need(
            yes is not None and yes[:2] == (machine.id, record.digest), "nobody has said yes to it there"
        )
        here = yes is not None and yes[2]
        self.looks(machine)
        reading = self.readings[machine.id]
        kind, said, signature = split_signed(record.signed)
        asked = json.loads(said)
        self._signed(machine, asked, pae(kind, said), signature)
        self.need(
            [dict(step) for step in spec.steps] == asked["steps"], "it runs other steps than were signed"
        )
        self.need(machine.id in reading.states[-1], "it runs on a machine that is none of this person's")
        self.need(not reading.panicked, "it begins in a panic")
        self._granted(reading, asked["edge"], spec, str(run.scopes["approval"]))
        self.need(here or self._may_run(reading, record.digest, asked), "another machine is to run it")
        begun = Begun(machine.id, record.digest, spec.run_id, here, reading.states[-1])
        self._once(begun)
        self.begun.append(begun)

    def _signed(self, machine: Watched, asked: Json, signed: bytes, signature: bytes) -> None:
        """See that an active device of the author's pinned chain has signed it."""
        contact = machine.journal.contact(self.author_genesis)
        _, states, heads = follow_chain(json.loads(json.dumps(contact.chain)), self.author_genesis)
        device, head = asked["from"]["device"], asked["from"]["head"]
        self.need(signed_by(device, signature, signed), "nobody has signed it")
        self.need(asked["from"]["identity"] == self.author_genesis, "it is somebody else's")
        then = states[heads.index(head)] if head in heads else {}
        self.need(device in then and device in states[-1], "its device is none of its author's")

    def _granted(self, reading: Reading, edge: str, spec: RunSpec, approval: str) -> None:
        allowed = reading.grants(edge)
        self.need(edge in self.confirmed, "its edge was never confirmed")
        self.need(allowed is not None, "its edge is not in force")
        if allowed is not None:
            self.need(spec.tools <= allowed["tools"], f"it may use {set(spec.tools) - allowed['tools']}")
            ranks = ["manual", "review", "auto"]
            self.need(
                ranks.index(approval) <= ranks.index(allowed["approval"]), "it asks less than is granted"
            )

    def may_run(self, machine: str, record: Any) -> bool:
        """Say whether a machine is to run what it holds."""
        return self._may_run(
            self.readings[machine], record.digest, json.loads(split_signed(record.signed)[1])
        )

    def _may_run(self, reading: Reading, task: str, asked: Json) -> bool:
        """Say whether a task is this machine's to run without a word of a human's, by all that it was told."""
        has = reading.last(task, asked["owner_device"])
        if has == reading.device:
            return True
        if has in reading.states[-1] or reading.owner() != reading.device:
            return False
        return not self._in_doubt(reading, asked["to"]["head"])

    def _in_doubt(self, reading: Reading, head: str) -> bool:
        """Say whether, besides the successor, there is a device that may have been given the task by one that has left."""
        sealed_for = (
            reading.states[reading.heads.index(head)] if head in reading.heads else reading.states[-1]
        )
        return any(
            device != reading.device
            and device in sealed_for
            and any("runner" in state.get(device, {"roles": []})["roles"] for state in reading.states)
            for device in reading.states[-1]
        )

    def _once(self, new: Begun) -> None:
        """See that it runs nowhere else in the household, unless a human said that it shall."""
        for old in self.begun:
            if old.digest != new.digest:
                continue
            self.need(old.device != new.device, "it runs twice on one machine")
            both = new.device in self._members(old.device) and old.device in new.states
            self.need(old.here or new.here or not both or self._lied_about(new.digest), "it runs twice")

    def _members(self, device: str) -> Json:
        members: Json = self.readings[device].states[-1]
        return members

    def _lied_about(self, task: str) -> bool:
        """Say whether a stolen device has given this task to two in one place, which nobody can know in time."""
        return any(
            len(to) > 1 and giver in self.stolen
            for (about, _, giver), to in self.handed.items()
            if about == task
        )

    def conflicts(self) -> dict[str, set[str]]:
        """Return the tasks that began on more than one machine, with these machines."""
        on: dict[str, set[str]] = {}
        for each in self.begun:
            on.setdefault(each.digest, set()).add(each.device)
        return {task: devices for task, devices in on.items() if len(devices) > 1}
