"""Several daemons' rooms and one relay in one process: real journals, real keys, real envelopes, and no socket.

The relay obeys the test: it holds, drops, repeats, reorders and mixes up what it is given, and it answers deposits
truthfully, falsely or not at all. Nothing happens by itself: a test says who works off what is owed, which envelope
comes next, and how much time passes. Time and dice are the test's too, so a story told again is the same story.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from dispatch_daemon.adapters.agents import Agents
from dispatch_daemon.adapters.blobs import BlobStore
from dispatch_daemon.adapters.executor import Executor
from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.adapters.keystore import Keys
from dispatch_daemon.adapters.projects import ProjectIndex
from dispatch_daemon.adapters.relay import RelayRejectedError, RelayUnreachableError
from dispatch_daemon.app.chains import Chains
from dispatch_daemon.app.depositing import Depositor
from dispatch_daemon.app.edges import Edges
from dispatch_daemon.app.first_contact import FirstContact
from dispatch_daemon.app.household import Household
from dispatch_daemon.app.incoming import Incoming
from dispatch_daemon.app.online import Online
from dispatch_daemon.app.own_chain import OwnChain
from dispatch_daemon.app.people import People
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.app.services.accepting import Accepting
from dispatch_daemon.app.services.contacts import Contacts
from dispatch_daemon.app.services.dispatches import Dispatches
from dispatch_daemon.app.services.invitations import Invitations
from dispatch_daemon.app.services.sending import Sending
from dispatch_daemon.app.watchers import Watchers
from dispatch_daemon.core import decisions, expiry, runs
from dispatch_daemon.core.effects import Effect, TaskKind
from dispatch_daemon.core.records import Box, DispatchRecord, RunRecord
from dispatch_daemon.core.requests import ScopeChoice, SendRequest
from dispatch_daemon.core.rundir import RunDirectory
from dispatch_daemon.core.siblings import ALONE, status_word
from dispatch_protocol.chain import write_links
from dispatch_protocol.encoding import JSON
from dispatch_protocol.envelope import Envelope, EnvelopeClass, Header
from dispatch_protocol.lifecycle import Outcome, RunState
from dispatch_protocol.limits import ATTACHMENT_BYTES
from dispatch_protocol.messages.trace import Usage
from dispatch_protocol.scopes import Returns
from tests.support.documents import Person
from tests.support.fate import Fate, FatedClock

SOON_MS = 3_600_000  # farther away than any pause between two attempts
_OWED = (TaskKind.DEPOSIT, TaskKind.RELAY_CALL)


class Mood(StrEnum):
    """How the relay treats the next deposits."""

    HONEST = "keeps what it is given and says so"
    SILENT = "keeps what it is given and says nothing"
    AWAY = "keeps nothing and says nothing"
    LYING = "keeps what it is given and says that it did not"
    REFUSING = "keeps nothing and says so"


@dataclass(frozen=True)
class Parcel:
    """One envelope in the relay's hands."""

    to: str
    raw: bytes = field(repr=False)
    header: Header = field(repr=False)


class Post:
    """The relay: every envelope it was given, and those that have not been delivered."""

    url = "http://127.0.0.1:8000"

    def __init__(self) -> None:
        self.members: dict[str, Member] = {}
        self.waiting: list[Parcel] = []
        self.archive: list[Parcel] = []
        self.closed: set[str] = set()
        self.invitations: list[Mapping[str, JSON]] = []
        self.mood = Mood.HONEST

    def take(self, raw: bytes) -> None:
        """Treat one deposit by the relay's mood; an honest one lets no task pass over a closed edge."""
        header = Envelope.decode(raw).header
        if self.mood is Mood.AWAY:
            raise RelayUnreachableError("nobody is there")
        closed = header.klass is EnvelopeClass.TASK and header.edge.uuid in self.closed
        if self.mood is Mood.REFUSING or (self.mood is not Mood.LYING and closed):
            raise RelayRejectedError("edge_revoked", 403, "this edge was revoked")
        parcel = Parcel(header.to_genesis.hex, raw, header)
        self.waiting.append(parcel)
        self.archive.append(parcel)
        if self.mood is Mood.SILENT:
            raise RelayUnreachableError("the session ended before the relay answered")
        if self.mood is Mood.LYING:
            raise RelayRejectedError("edge_revoked", 403, "this edge was revoked")

    async def deliver(self, parcel: Parcel) -> None:
        """Hand an envelope to the one it is for."""
        if parcel in self.waiting:
            self.waiting.remove(parcel)
        await self.members[parcel.to].incoming.deliver(parcel.raw)

    def forget(self) -> None:
        """Lose everything that waits, as a relay that was restored from a backup; the daemons see its new epoch."""
        self.waiting.clear()
        for member in self.members.values():
            member.journal.outbox.owe_all_again(member.clock.now_ms())


@dataclass(frozen=True)
class Line:
    """One daemon's link to the relay (`app.depositing.Relay`, and what `app.online.Online` needs)."""

    post: Post

    @property
    def url(self) -> str:
        return self.post.url

    async def deposit(self, envelope: bytes) -> None:
        self.post.take(envelope)

    async def call(self, op: str, args: Mapping[str, Any]) -> Mapping[str, JSON]:
        match op:
            case "invite":
                self.post.invitations.append({"document": args["document"], "status": "pending"})
                return {"invitation_id": "", "link": f"{self.url}/i/x"}
            case "invitations":
                return {"sent": [], "received": self.post.invitations}
            case "chain":
                return {"links": write_links(self.post.members[args["genesis"]].person.chain.links)}
            case "revoke_edge":
                self.post.closed.add(args["edge_id"])
        return {}


class Member:
    """One person's daemon without its door, its scheduler and its sandbox: the test decides when each would act."""

    def __init__(self, person: Person, post: Post, home: Path, fate: Fate) -> None:
        self.fate = fate
        self.person = person
        self.post = post
        self.home = home
        self.lives = 0
        home.mkdir(parents=True, exist_ok=True)
        self.live()
        self.journal.remember("account", {"email": person.email, "broker": post.url})
        self.journal.database.commit()
        post.members[person.chain.genesis.hex] = self

    @property
    def name(self) -> str:
        return self.person.name

    @property
    def genesis(self) -> str:
        return self.person.chain.genesis.hex

    def live(self) -> None:
        """Begin a life of this daemon over whatever its journal holds."""
        self.lives += 1
        self.journal = Journal(self.home / "journal.db", boot=f"life {self.lives}")
        self.journal.database.read("PRAGMA synchronous = OFF")  # nobody cuts the power here
        keys = Keys(
            signing=self.person.sign,
            sealing=(self.person.seal,),
            recovery=None,
            genesis=self.person.chain.genesis,
        )
        self.people = People(self.journal, keys, self.person.chain)
        self.clock = FatedClock(self.journal, self.fate)
        self.performer = Performer(self.journal, self.clock, Watchers(), keys.signing)
        first_contact = FirstContact(self.journal, self.people, self.clock, self.performer)
        edges = Edges(self.journal, self.clock, self.performer)
        line = Line(self.post)
        desk = (self.journal, self.people, self.clock, self.performer)
        chains = Chains(*desk, lambda: line, OwnChain(*desk))
        self.incoming = Incoming(*desk, first_contact, edges, chains, Household(*desk))
        self.depositor = Depositor(*desk, lambda: line, chains)
        executor, agents = Executor(self.home), Agents(self.home, {})
        self.invitations = Invitations(*desk, executor, lambda: Online(line))
        self.accepting = Accepting(*desk, executor, lambda: Online(line))
        self.contacts = Contacts(*desk, executor, lambda: Online(line))
        blobs = BlobStore(self.home, file_bytes=ATTACHMENT_BYTES)
        projects = ProjectIndex(self.home, list)
        self.sending = Sending(*desk, lambda _: _done(), blobs)
        self.dispatches = Dispatches(self.home, *desk, executor, agents, blobs, projects)
        for orphan in self.journal.tasks.adopt_orphans():
            self.journal.tasks.release(orphan)

    def die(self) -> None:
        """End this life without a word, and begin the next."""
        self.close()
        self.live()

    def close(self) -> None:
        """Close the journal; what no turn of the loop has committed yet is lost."""
        self.journal.database._connection.close()

    # -- what is owed ----------------------------------------------------------------------------------

    async def work(self) -> None:
        """Try once everything that is owed to the relay, however long its pause was meant to be."""
        for task in self.journal.tasks.due(_OWED, self.clock.now_ms() + SOON_MS):
            if self.journal.tasks.take(task, self.clock.now_ms()):
                handler = self.depositor.deposit if task.kind is TaskKind.DEPOSIT else self.depositor.call
                await handler(task)

    async def die_depositing(self) -> None:
        """Hand everything owed to the relay, and die before its answers are heard."""
        for task in self.journal.tasks.due([TaskKind.DEPOSIT], self.clock.now_ms() + SOON_MS):
            self.journal.tasks.take(task, self.clock.now_ms())
            row = self.journal.outbox.row(task.key)
            with contextlib.suppress(RelayUnreachableError, RelayRejectedError):
                self.post.take(self.depositor._sealed(row))
        await self.journal.database.committed()
        self.die()

    async def wait(self, span_ms: int) -> None:
        """Let time pass, and end what has run out of it."""
        self.journal.write([], now_ms=self.clock.now_ms() + span_ms, signatures={})
        for task in self.journal.tasks.due([TaskKind.EXPIRE], self.clock.now_ms()):
            record = self.journal.dispatch(task.key)
            assert record is not None
            effects = expiry.look(record, *self._parties(record), self.clock.moment())
            await self.performer.perform(effects)

    # -- what a person does ----------------------------------------------------------------------------

    async def send(self, to: "Member", words: str) -> DispatchRecord:
        """Send a task; it is in the journal, and not yet at the relay."""
        request = SendRequest(recipient=to.person.email, task=words)
        sent = await self.sending.send(request=request, idempotency_key=None)
        record = self.journal.dispatch_named(str(sent["dispatch_id"]))
        assert record is not None
        return record

    async def cancel(self, digest: str) -> None:
        await self.dispatches.cancel(dispatch_id=self.dispatch(digest).dispatch_id, reason="enough")

    async def decline(self, digest: str) -> None:
        await self.dispatches.decline(dispatch_id=self.dispatch(digest).dispatch_id, reason="not now")

    async def revoke(self, peer: "Member", *, outgoing: bool = False) -> None:
        await self.contacts.revoke(peer=peer.person.email, outgoing=outgoing)

    async def accept(self, digest: str) -> None:
        """Accept as `Dispatches.accept` does once the wall was tried."""
        record = self.dispatch(digest)
        _, effects = decisions.accept(
            record,
            *self._parties(record),
            self.clock.moment(),
            scopes=self.people.scopes_of(record.edge),
            place=RunDirectory("/src", (("/src", "rw"),)),
            agent="steps",
            shared=ALONE,
        )
        await self.performer.perform(effects)

    # -- what a run does -------------------------------------------------------------------------------

    async def begin(self, run: RunRecord) -> None:
        record = self.dispatch(run.digest)
        confined: dict[str, JSON] = {"layers": [], "limits_by": "nobody", "warnings": []}
        parties = self._parties(record)
        await self.performer.perform(
            runs.started(record, run, *parties, self.clock.moment(), confinement=confined)
        )

    async def go_on(self, run: RunRecord, to: RunState) -> None:
        await self.performer.perform(runs.move(run, to, self.clock.now_ms())[1])

    async def heartbeat(self, run: RunRecord) -> None:
        record = self.dispatch(run.digest)
        await self.performer.perform(runs.heartbeat(record, run, *self._parties(record), self.clock.moment()))

    async def finish(self, run: RunRecord, outcome: Outcome) -> None:
        record = self.dispatch(run.digest)
        code = None if outcome is Outcome.SUCCESS else "step_failed"
        effects: list[Effect] = runs.ended(
            record,
            run,
            *self._parties(record),
            self.clock.moment(),
            ending=runs.Ending(outcome=outcome, summary="what was done", code=code),
            returns=Returns.TRACE,
            usage=Usage(),
            events=self.journal.events(record.digest),
            approvals=(),
        )
        await self.performer.perform(effects)

    # -- what is known ---------------------------------------------------------------------------------

    def dispatch(self, digest: str) -> DispatchRecord:
        record = self.journal.dispatch(digest)
        assert record is not None
        return record

    def all(self, box: Box) -> list[DispatchRecord]:
        return self.journal.page(box, before=None, limit=1000)

    def status(self, digest: str) -> str:
        """Return the one word that this person sees."""
        return status_word(self.dispatch(digest), self.journal.runs(digest), ALONE)

    def heard(self, digest: str) -> list[str]:
        """Return, in words and in order, what the recipient has told about a dispatch."""
        return [answer.type for answer in self.journal.answers(digest) if answer.seq and not answer.held]

    said = heard

    def owes(self) -> int:
        """Count the documents whose arrival nobody has confirmed."""
        ((count,),) = self.journal.database.read("SELECT count(*) FROM outbox")
        return int(count)

    def _parties(self, record: DispatchRecord) -> tuple[Any, Any]:
        return self.people.own, self.people.peer_of(record)


def _done() -> "asyncio.Future[None]":
    future = asyncio.get_running_loop().create_future()
    future.set_result(None)
    return future


class World:
    """People, the relay between them, and the edges that they made by real first contacts."""

    def __init__(
        self,
        directory: Path,
        people: Sequence[Person],
        word: str = "once upon a time",
        member: type[Member] = Member,
    ) -> None:
        self.post = Post()
        fate = Fate(word)
        self.members = [member(person, self.post, directory / person.name, fate) for person in people]

    async def introduce(self, author: Member, recipient: Member) -> None:
        """Let `author` invite `recipient`, who accepts with the token; nothing is confirmed yet."""
        invited = await author.invitations.invite(email=recipient.person.email, link_only=False, offer=None)
        choice = ScopeChoice(tools=("Read", "Edit", "Bash"), approval="manual", max_per_day=10_000)
        await recipient.accepting.accept_invitation(token=str(invited["token"]), choice=choice)

    async def befriend(self, author: Member, recipient: Member) -> None:
        """Let `author` send to `recipient`: invited, accepted with the token, confirmed."""
        await self.introduce(author, recipient)
        await self.settle()

    async def carry(self) -> None:
        """Let an honest relay carry what is owed now; what is said in answer is owed afterwards."""
        self.post.mood = Mood.HONEST
        for member in self.members:
            await member.work()
        while self.post.waiting:
            await self.post.deliver(self.post.waiting[0])

    async def settle(self) -> None:
        """Let an honest relay carry everything that it takes, until nobody has anything more to say."""
        moving = True
        while moving:
            handed, waited = len(self.post.archive), len(self.post.waiting)
            await self.carry()
            moving = waited > 0 or len(self.post.archive) > handed

    def knows(self, parcel: Parcel) -> bool:
        """Say whether the one that an envelope is for has taken it in."""
        journal, digest = self.post.members[parcel.to].journal, parcel.header.digest.hex
        return journal.dispatch(digest) is not None or journal.answer(digest) is not None

    def close(self) -> None:
        for member in self.members:
            member.close()


def damaged(parcel: Parcel, at: int) -> Parcel:
    """Return an envelope with one bit changed."""
    raw = bytearray(parcel.raw)
    raw[at % len(raw)] ^= 1
    return replace(parcel, raw=bytes(raw))
