"""One of several machines of one person: the rooms of a real daemon over a real home, without a door and a session.

A test decides when it works off what it owes, what it is handed and when, and whether a human says something at it. What it
would run stops at the wall: `Stage` builds none, tells what was to run inside, and ends a run when the test says so.
"""

import asyncio
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from dispatch_daemon.adapters.agents import Agents
from dispatch_daemon.adapters.ballast import Ballast
from dispatch_daemon.adapters.blobs import BlobStore
from dispatch_daemon.adapters.executor import Executor, Observer, RunSpec, Settlement
from dispatch_daemon.adapters.home import HomeError
from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.adapters.keystore import Keys, open_keystore
from dispatch_daemon.adapters.projects import ProjectIndex
from dispatch_daemon.adapters.relay import NotYetError, RelayLink
from dispatch_daemon.app.chains import Chains
from dispatch_daemon.app.depositing import Depositor
from dispatch_daemon.app.edges import Edges
from dispatch_daemon.app.first_contact import FirstContact
from dispatch_daemon.app.household import Household
from dispatch_daemon.app.identity import open_identity
from dispatch_daemon.app.incoming import Incoming
from dispatch_daemon.app.leaving import Leaving
from dispatch_daemon.app.linking import Linking
from dispatch_daemon.app.online import Online
from dispatch_daemon.app.own_chain import OwnChain
from dispatch_daemon.app.panicking import Panic
from dispatch_daemon.app.people import People
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.app.rotating import Rotating
from dispatch_daemon.app.services.accepting import Accepting
from dispatch_daemon.app.services.contacts import Contacts
from dispatch_daemon.app.services.devices import Devices
from dispatch_daemon.app.services.dispatches import Dispatches
from dispatch_daemon.app.services.handing_over import HandingOver
from dispatch_daemon.app.sharing import is_elsewhere, shared
from dispatch_daemon.app.supervising import Supervisor
from dispatch_daemon.app.watchers import Watchers
from dispatch_daemon.core import expiry
from dispatch_daemon.core.effects import TaskKind
from dispatch_daemon.core.records import Box, DispatchRecord
from dispatch_daemon.core.siblings import status_word
from dispatch_protocol.chain import Chain, write_links
from dispatch_protocol.limits import ATTACHMENT_BYTES
from sandbox.job import Frozen
from sandbox.wall.runner import Probe
from tests.support.documents import Person
from tests.support.fate import Fate, FatedClock
from tests.support.sibling_post import Line, SiblingPost

SOON_MS = 3_600_000  # farther away than any pause between two attempts
_OWED = (TaskKind.DEPOSIT, TaskKind.RELAY_CALL)
_TIMED = (TaskKind.EXPIRE, TaskKind.BEAT, TaskKind.ROTATE)
_TURNS = 16  # of the loop, in which what was begun in the background goes on as far as it can


class Stage(Executor):
    """Where a run would begin: `begun` is told what, once the journal says that it has begun, and `going` ends it."""

    def __init__(self, home: Path, begun: Callable[[RunSpec], None]) -> None:
        super().__init__(home)
        self._begun = begun
        self.going: dict[str, asyncio.Future[None]] = {}

    async def probe(self) -> Probe:
        return Probe(True, "", "", ())

    async def execute(self, spec: RunSpec, observer: Observer) -> Settlement:
        await observer.started({"layers": [], "limits_by": "nobody", "warnings": []})
        self._begun(spec)
        ended = self.going[spec.run_id] = asyncio.get_running_loop().create_future()
        try:
            await ended
        finally:
            del self.going[spec.run_id]
        frozen = Frozen((), self._home, ())
        return Settlement(outcome="success", code="", detail="", frozen=frozen, changeset=None)


class Unplugged(Linking):
    """A daemon's link that opens no session: what comes is handed to it."""

    def start(self, url: str) -> None:
        self.link = None

    async def take(self, raw: bytes) -> bool:
        """Take a delivery in as from a session; returns whether the relay may forget it."""
        try:
            await self._take(raw)
        except NotYetError:
            return False
        return True


class OwnMachine:
    """One machine; `begun` is told of every run that begins on it."""

    def __init__(
        self,
        person: Person,
        chain: Chain,
        post: SiblingPost,
        home: Path,
        fate: Fate,
        begun: Callable[["OwnMachine", RunSpec], None],
    ) -> None:
        self.name, self.person, self.post, self.home, self.fate = person.name, person, post, home, fate
        self.begun, self.left, self.lives = begun, False, 0
        home.mkdir(mode=0o700, parents=True)
        keys = Keys(signing=person.sign, sealing=(person.seal,), recovery=None, genesis=chain.genesis)
        self.keystore = open_keystore(home, "file")
        self.keystore.store(keys)
        shutil.copyfile(_empty_journal(home.parent), home / "journal.db")
        journal = Journal(home / "journal.db", boot="made")
        journal.remember("chain", write_links(chain.links))
        journal.remember("account", {"email": "bob@example.org", "broker": post.url})
        journal.database.commit()
        journal.database._connection.close()
        self.live()

    @property
    def id(self) -> str:
        return self.person.device.hex

    @property
    def chain(self) -> Chain:
        return self.people.own.chain

    # -- its lives ---------------------------------------------------------------------------------------

    def live(self) -> None:
        """Begin a life over whatever the home holds."""
        self.lives += 1
        self.journal = Journal(self.home / "journal.db", boot=f"life {self.lives}")
        self.journal.database.read("PRAGMA synchronous = OFF")  # nobody cuts the power here
        keys, chain = open_identity(self.journal, self.keystore)
        self.people = People(self.journal, keys, chain)
        self.clock = FatedClock(self.journal, self.fate)
        self.performer = Performer(self.journal, self.clock, Watchers(), keys.signing)
        self.line = Line(self.post)
        self._hear()
        self._work()
        self._serve()

    def _hear(self) -> None:
        """Make what takes in what arrives."""
        desk = (self.journal, self.people, self.clock, self.performer)
        self.own_chain = OwnChain(*desk)
        self.household = Household(*desk)
        self.chains = Chains(*desk, lambda: self.line, self.own_chain)
        edges = Edges(self.journal, self.clock, self.performer)
        first = FirstContact(self.journal, self.people, self.clock, self.performer)
        self.incoming = Incoming(*desk, first, edges, self.chains, self.household)
        self.own_chain.on_recovered = self.household.feed_recovered
        self.linking = Unplugged(
            *(self.journal, self.people, self.clock, self.incoming, Watchers()),
            ca_bundle=None,
            on_open=lambda: None,
        )

    def _work(self) -> None:
        """Make what runs, tells and ends something."""
        desk = (self.journal, self.people, self.clock, self.performer)
        self.stage = Stage(self.home, lambda spec: self.begun(self, spec))
        self.blobs = BlobStore(self.home, file_bytes=ATTACHMENT_BYTES)
        agents, ballast = Agents(self.home, {}), Ballast(self.home)
        self.supervisor = Supervisor(*desk, self.stage, agents, ballast, self.blobs)
        self.depositor = Depositor(*desk, lambda: self.line, self.chains)
        self.rotating = Rotating(*desk, self.own_chain, self.keystore, lambda: self.line)
        self.leaving = Leaving(
            *(self.journal, self.people, self.keystore, self.supervisor, self.own_chain),
            ca_bundle=None,
            stop=self._stop,
        )
        self.panic = Panic(
            *(*desk, self.household, self.linking),
            drain=_nothing,
            end_pages=lambda: None,
            look=self.leaving.look,
        )
        self.depositor.on_answered = self.panic.answered

    def _serve(self) -> None:
        """Make what a human asks of it."""
        desk = (self.journal, self.people, self.clock, self.performer)
        agents, projects = Agents(self.home, {}), ProjectIndex(self.home, list)
        self.accepting = Accepting(*desk, self.stage, self._online)
        self.contacts = Contacts(*desk, self.stage, self._online)
        self.dispatches = Dispatches(self.home, *desk, self.stage, agents, self.blobs, projects)
        about = (self.journal, self.people, self.clock)
        self.devices = Devices(*about, self.own_chain, self.household, default_name=self.name)
        self.handing = HandingOver(*desk, self.dispatches, self.devices)

    def _online(self) -> Online:
        return Online(cast(RelayLink, self.line))

    def _stop(self) -> None:
        self.left = True

    async def wake(self) -> None:
        """Do what a daemon does at its start."""
        for orphan in self.journal.tasks.adopt_orphans():
            self.journal.tasks.release(orphan)
        await self.supervisor.mend()
        beat = self.household.plan(self.clock.now_ms() + 60_000)
        await self.performer.perform([self.rotating.plan(), beat])
        self.panic.resume(None)
        await self.own_chain.obey()

    async def die(self) -> None:
        """End this life without a word, and begin the next, unless it has erased its keys."""
        await self.close()
        try:
            self.live()
        except HomeError as error:
            assert error.code == "device_revoked"  # noqa: PT017 - any other is raised
            self.left = True
        else:
            await self.wake()

    async def close(self) -> None:
        """Let go of everything, and close the journal; what no turn of the loop has committed yet is lost."""
        going = [*self.supervisor._running.values()]
        for task in going:
            task.cancel()
        await asyncio.gather(*going, return_exceptions=True)
        await self.panic.stop()
        self.journal.database._connection.close()

    # -- what it does by itself --------------------------------------------------------------------------

    async def work(self) -> None:
        """Do once everything that is owed, however long its pause was meant to be, and everything that is due."""
        handlers: dict[TaskKind, Any] = {
            TaskKind.DEPOSIT: self.depositor.deposit,
            TaskKind.RELAY_CALL: self.depositor.call,
            TaskKind.EXPIRE: self._expire,
            TaskKind.BEAT: self.household.beat,
            TaskKind.ROTATE: self.rotating.rotate,
        }
        now_ms = self.clock.now_ms()
        for task in (
            *self.journal.tasks.due(_TIMED, now_ms),
            *self.journal.tasks.due(_OWED, now_ms + SOON_MS),
        ):
            if not self.left and self.journal.tasks.take(task, self.clock.now_ms()):
                self.chains._fruitless.clear()  # whoever waits for a relay would wait in vain for this clock
                await handlers[task.kind](task)
        await self.idle()

    async def run(self) -> None:
        """Begin every run that is due."""
        for task in self.journal.tasks.due((TaskKind.RUN,), self.clock.now_ms()):
            if not self.left and self.journal.tasks.take(task, self.clock.now_ms()):
                await self.supervisor.start(task)
        await self.idle()

    async def idle(self) -> None:
        """Let what was begun in the background go on, until it waits for somebody else."""
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        if not self.left:
            self.journal.database.commit()  # what was to be committed at leisure, which is measured by another clock

    async def _expire(self, task: Any) -> None:
        record = self.journal.dispatch(task.key)
        assert record is not None
        elsewhere = is_elsewhere(self.journal, self.people.own, record)
        own, peer = self.people.own, self.people.peer_of(record)
        await self.performer.perform(expiry.look(record, own, peer, self.clock.moment(), elsewhere=elsewhere))

    async def heard(self, raw: bytes) -> bool:
        """Be handed an envelope; returns whether the relay may forget it."""
        self.chains._fruitless.clear()
        taken = await self.linking.take(raw)
        await self.idle()
        return taken

    # -- what a human does at it -------------------------------------------------------------------------

    async def accept(self, record: DispatchRecord, *, here: bool) -> str:
        """Accept as at the door; returns the run."""
        accepted = await self.dispatches.accept(
            dispatch_id=record.dispatch_id,
            cwd="/usr",
            caller_cwd=None,
            by_hand=False,
            here=here,
            headless=False,
        )
        return str(accepted["run_id"])

    async def finish(self, run_id: str) -> None:
        """Let a run end well."""
        self.stage.going[run_id].set_result(None)
        await self.idle()

    async def call_panic(self) -> None:
        """Call a panic, and tell the others before this returns."""
        calling = asyncio.create_task(self.panic.panic_machine(off=False))
        while not calling.done():
            await self.idle()
            await self.work()
        await calling

    # -- what is known ------------------------------------------------------------------------------------

    def inbox(self) -> list[DispatchRecord]:
        return self.journal.page(Box.INBOX, before=None, limit=1000)

    def status(self, record: DispatchRecord) -> str:
        """Return the one word that its person sees."""
        known = shared(self.journal, self.people.own, record.digest)
        return status_word(record, self.journal.runs(record.digest), known)

    def owed(self) -> list[bytes]:
        """Return every document that it has signed and owes to somebody."""
        return [
            signed for (signed,) in self.journal.database.read("SELECT signed FROM outbox ORDER BY rowid")
        ]

    def links(self) -> list[dict[str, Any]]:
        """Return the links of its own chain as JSON."""
        return [json.loads(json.dumps(link)) for link in write_links(self.chain.links)]


def _empty_journal(place: Path) -> Path:
    """Return a journal that nobody has written in, made once for a history."""
    path = place / "empty.db"
    if not path.exists():
        Journal(path, boot="empty").database.close()
    return path


async def _nothing() -> None:
    """Owe nobody anything."""
