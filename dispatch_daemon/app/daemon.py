"""The wiring: every room of the daemon built once, started in order and stopped in the reverse order."""

import asyncio
import logging
import os
import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path

from dispatch_daemon.adapters.agents import Agents
from dispatch_daemon.adapters.ballast import Ballast
from dispatch_daemon.adapters.blobs import BlobStore
from dispatch_daemon.adapters.executor import Executor, surroundings
from dispatch_daemon.adapters.home import write_private
from dispatch_daemon.adapters.journal import Journal, Task
from dispatch_daemon.adapters.keystore import Keystore
from dispatch_daemon.adapters.loopback.server import Door
from dispatch_daemon.adapters.notifier import Notifier, notifier
from dispatch_daemon.adapters.projects import ProjectIndex, usual_roots
from dispatch_daemon.adapters.relay import Transfers
from dispatch_daemon.adapters.settings import Settings
from dispatch_daemon.app.acting import changed_settings
from dispatch_daemon.app.carrying import Carrier
from dispatch_daemon.app.chain_news import ChainNews
from dispatch_daemon.app.chains import Chains
from dispatch_daemon.app.clock import Clock, life_name
from dispatch_daemon.app.depositing import Depositor
from dispatch_daemon.app.edges import Edges
from dispatch_daemon.app.first_contact import FirstContact
from dispatch_daemon.app.household import Household
from dispatch_daemon.app.identity import open_identity
from dispatch_daemon.app.incoming import Incoming
from dispatch_daemon.app.leaving import Leaving
from dispatch_daemon.app.linking import Linking
from dispatch_daemon.app.notifying import Notifying
from dispatch_daemon.app.online import Online
from dispatch_daemon.app.own_chain import OwnChain
from dispatch_daemon.app.panicking import Panic
from dispatch_daemon.app.people import People
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.app.rotating import Rotating
from dispatch_daemon.app.scheduler import Handler, Scheduler
from dispatch_daemon.app.services.accepting import Accepting
from dispatch_daemon.app.services.account import Account
from dispatch_daemon.app.services.approvals import Approvals
from dispatch_daemon.app.services.choosing import Choosing
from dispatch_daemon.app.services.contacts import Contacts
from dispatch_daemon.app.services.continuing import Continuing
from dispatch_daemon.app.services.devices import Devices
from dispatch_daemon.app.services.dispatches import Dispatches
from dispatch_daemon.app.services.facade import Service
from dispatch_daemon.app.services.handing_over import HandingOver
from dispatch_daemon.app.services.invitations import Invitations
from dispatch_daemon.app.services.logs import Logs
from dispatch_daemon.app.services.machine import Machine
from dispatch_daemon.app.services.pairing import Pairing
from dispatch_daemon.app.services.pausing import Pausing
from dispatch_daemon.app.services.recovering import Recovering
from dispatch_daemon.app.services.sending import Sending
from dispatch_daemon.app.services.signing_in import SigningIn
from dispatch_daemon.app.services.threads import Threads
from dispatch_daemon.app.services.tool_servers import ToolServers
from dispatch_daemon.app.services.trust_files import TrustFiles
from dispatch_daemon.app.services.undoing import Undoing
from dispatch_daemon.app.sharing import asked_here, is_elsewhere
from dispatch_daemon.app.supervising import Supervisor
from dispatch_daemon.app.undoing import Undoer
from dispatch_daemon.app.watchers import Watchers
from dispatch_daemon.core import expiry, threads
from dispatch_daemon.core.effects import TaskKind, Unplan
from dispatch_daemon.core.grants import binding
from dispatch_daemon.core.trust_records import Direction
from dispatch_daemon.core.trust_views import edge_status
from dispatch_protocol.standing import EdgeStatus

_DRAIN_S = 3.0  # how long a stopping daemon still tells others what it has to tell
_SETTLED_MS = 60_000  # what waited at the relay has come by then, as far as it can
TOKEN_NAME = "local.token"
log = logging.getLogger("dispatch.daemon")


class Daemon:
    """One daemon of one home; `run` serves until `stop` is called.

    The caller holds the home's lock. `port` is the wanted TCP port of the door, 0 for any.
    """

    def __init__(self, home: Path, settings: Settings, keystore: Keystore) -> None:
        self._home = home
        self._settings = settings
        self._journal = Journal(home / "journal.db", boot=life_name())
        keys, chain = open_identity(self._journal, keystore)
        self._people = People(self._journal, keys, chain)
        self._clock = Clock(self._journal)
        self._watchers = Watchers()
        self._performer = Performer(self._journal, self._clock, self._watchers, keys.signing)
        self._executor = Executor(home, surroundings(settings.private_hosts, lambda: self._door.port))
        self._agents = Agents(home)
        self._projects = ProjectIndex(home, self._project_roots)
        desk = (self._journal, self._people, self._clock, self._performer)
        self._blobs = blobs = BlobStore(home, file_bytes=settings.file_bytes)
        self._supervisor = Supervisor(*desk, self._executor, self._agents, Ballast(home), blobs)
        self._undoer = Undoer(self._journal, self._clock, self._performer, self._executor.originals)
        edges = Edges(self._journal, self._clock, self._performer)
        self._household, self._own_chain = Household(*desk), OwnChain(*desk)
        self._chains = chains = Chains(*desk, lambda: self._linking.link, self._own_chain)
        first = FirstContact(*desk, lambda: self._linking.link)
        incoming = Incoming(*desk, first, edges, chains, self._household, file_bytes=settings.file_bytes)
        self._auditing = incoming.auditing
        self._linking = Linking(
            self._journal,
            self._people,
            self._clock,
            incoming,
            self._watchers,
            ca_bundle=settings.ca_bundle,
            on_open=self._wake,
        )
        self._depositor = Depositor(*desk, lambda: self._linking.link, chains)
        self._rotating = Rotating(*desk, self._own_chain, keystore, lambda: self._linking.link)
        self._carrier = Carrier(
            *desk,
            self._depositor,
            Transfers(lambda: self._linking.link, ca_bundle=settings.ca_bundle),
            self._blobs,
        )
        self._notifier, self._notifying = self._notices()
        self._leaving = self._leave(keystore)
        self._panic = self._panicking()
        self._news = ChainNews(self._journal, self._people, chains)
        self._listen()
        self._scheduler = Scheduler(self._journal, self._clock, self._handlers())
        self._performer.on_planned = self._scheduler.wake
        self._stopping = asyncio.Event()
        self._door = Door(
            self._service(keystore), home=home, port=settings.local_port, token=self._door_token()
        )

    def _listen(self) -> None:
        """Let the link say when a session has opened, a chain has grown, or the relay has forgotten what it had."""
        self._linking.on_online, self._linking.on_chain = self._news.opened, self._news.heard
        self._linking.on_lost_memory = self._carrier.leave_again
        self._own_chain.on_settled = self._linking.dial

    def _handlers(self) -> dict[TaskKind, Handler]:
        """Name who settles each kind of task."""
        return {
            TaskKind.DEPOSIT: self._depositor.deposit,
            TaskKind.RELAY_CALL: self._depositor.call,
            TaskKind.UPLOAD: self._carrier.upload,
            TaskKind.FETCH: self._carrier.fetch,
            TaskKind.EXPIRE: self._expire,
            TaskKind.RUN: self._supervisor.start,
            TaskKind.HEARTBEAT: self._supervisor.heartbeat,
            TaskKind.ANSWER_DEADLINE: self._supervisor.silence,
            TaskKind.RETENTION: self._supervisor.retain,
            TaskKind.ROTATE: self._rotating.rotate,
            TaskKind.BEAT: self._household.beat,
            TaskKind.UNDO: self._undoer.undo,
            TaskKind.ORIGINALS: self._undoer.forget,
        }

    def _service(self, keystore: Keystore) -> Service:
        machine = self._machine(keystore)
        self._account = Account(
            *(self._home, self._settings, self._journal, self._people, keystore, machine),
            link=lambda: self._linking.link,
            connect=self._linking.connect,
            disconnect=self._linking.sign_out,
            names=self._household.names,
        )
        signing_in = SigningIn(self._account, self._people, self._settings, self._clock.now_ms)
        online = self._linking.online
        desk = (self._journal, self._people, self._clock, self._performer)
        invitations = Invitations(*desk, self._executor, online)
        accepting = Accepting(*desk, self._executor, online)
        contacts = Contacts(*desk, self._executor, online)
        sending = Sending(*desk, self._depositor.settled, self._blobs)
        dispatches = Dispatches(self._home, *desk, self._executor, self._agents, self._blobs, self._projects)
        continuing = Continuing(*desk, self._executor, self._blobs, dispatches)
        undoing = Undoing(self._journal, self._clock, self._executor.originals, self._undoer, dispatches)
        talking = Threads(*desk, dispatches)
        choosing, approvals = Choosing(self._agents, self._executor), Approvals(*desk)
        devices, self._pairing = self._devices(keystore, online)
        return Service(
            self._journal,
            self._watchers,
            self._account,
            signing_in,
            machine,
            *(
                invitations,
                accepting,
                contacts,
                sending,
                dispatches,
                approvals,
                choosing,
                continuing,
                undoing,
                talking,
                HandingOver(*desk, dispatches, devices),
            ),
            *(devices, self._pairing, self._recovering(keystore), self._pausing(), self._panic),
            TrustFiles(self._journal, self._people, self._chains),
            Logs(self._people, self._auditing, self._household),
            ToolServers(self._journal, self._clock, self._executor),
        )

    def _machine(self, keystore: Keystore) -> Machine:
        """Make what people ask about this machine."""
        return Machine(
            self._home,
            self._settings,
            self._journal,
            keystore,
            self._executor,
            self._projects,
            self._notifier,
            door=lambda: (self._door.url, str(self._door.socket)),
            link=lambda: self._linking.link,
            stop=self.stop,
            now_ms=self._clock.now_ms,
            people=self._people,
            agent=Choosing(self._agents, self._executor).check,
        )

    def _notices(self) -> tuple[Notifier | None, Notifying | None]:
        """Make what calls a person who is not looking, if anything shall."""
        chosen = notifier(self._settings.notify, self._home)
        if chosen is None:
            return None, None
        return chosen, Notifying(
            self._journal,
            self._watchers,
            chosen,
            self._clock.now_ms,
            elsewhere=lambda record: is_elsewhere(self._journal, self._people.own, record),
            asked=lambda record: asked_here(self._journal, self._people.own, record, self._clock.now_ms()),
        )

    def _devices(self, keystore: Keystore, online: Callable[[], Online]) -> tuple[Devices, Pairing]:
        """Make what people ask about their own machines."""
        devices = Devices(
            self._journal,
            self._people,
            self._clock,
            self._own_chain,
            self._household,
            default_name=self._settings.device_name,
        )
        pairing = Pairing(
            self._home,
            self._settings,
            self._journal,
            self._people,
            keystore,
            self._clock,
            self._own_chain,
            self._household,
            online=online,
            connect=self._linking.connect,
            on_joined=self._account.record,
        )
        return devices, pairing

    def _recovering(self, keystore: Keystore) -> Recovering:
        """Make what takes an identity back, and let it tidy up once a session is open."""
        recovering = Recovering(
            self._settings,
            *(self._journal, self._people, keystore, self._clock, self._performer, self._account),
            unused=self._pairing.require_unused,
            relay=lambda: self._linking.link,
        )
        self._news.also = (self._household.feed_recovered, recovering.settle)
        self._own_chain.on_recovered = self._household.feed_recovered
        return recovering

    def _panicking(self) -> Panic:
        """Make what stops everything of this person at once; the door does not exist yet when it is made."""
        panic = Panic(
            *(self._journal, self._people, self._clock, self._performer, self._household, self._linking),
            drain=lambda: self._scheduler.drain((TaskKind.DEPOSIT, TaskKind.RELAY_CALL), _DRAIN_S),
            end_pages=self._end_pages,
            look=self._leaving.look,
        )
        self._depositor.on_answered = panic.answered
        return panic

    def _end_pages(self) -> None:
        self._door.end_pages()

    def _pausing(self) -> Pausing:
        tell = partial(self._watchers.publish, None, {"type": "machine"})
        desk = (self._journal, self._people, self._clock, self._performer)
        return Pausing(*desk, self._wake, tell)

    def _leave(self, keystore: Keystore) -> Leaving:
        """Make what ends this device once another one has revoked it, and let the link call for it."""
        leaving = Leaving(
            self._journal,
            self._people,
            keystore,
            self._supervisor,
            self._own_chain,
            ca_bundle=self._settings.ca_bundle,
            stop=self.stop,
        )
        self._linking.on_revoked = leaving.doubt
        return leaving

    def _project_roots(self) -> list[str]:
        """Name where projects are looked for: what was set, or the usual places of a home, and what edges grant."""
        chosen = self._settings.project_roots
        roots = chosen.split(os.pathsep) if chosen is not None else usual_roots(Path.home())
        now_ms = self._clock.now_ms()
        granted = [
            grant.path
            for edge in self._journal.edges(Direction.INCOMING)
            if edge_status(edge, now_ms) is EdgeStatus.ACTIVE
            for grant in binding(edge).scopes.paths
        ]
        return [*(os.path.expanduser(root) for root in roots if root), *granted]

    def _door_token(self) -> str:
        """Make the token of this life for callers over TCP; it is new at every start."""
        token = secrets.token_urlsafe(32)
        write_private(self._home / TOKEN_NAME, token.encode())
        return token

    async def run(self) -> None:
        """Mend what an earlier life left, open the door, and serve until told to stop."""
        for orphan in self._journal.tasks.adopt_orphans():
            self._journal.tasks.release(orphan)
        await self._supervisor.mend()
        self._carrier.sweep()
        beat = self._household.plan(self._clock.now_ms() + _SETTLED_MS)
        changed = changed_settings(self._journal, self._settings)
        await self._performer.perform([self._rotating.plan(), beat, *changed])
        scheduling = asyncio.create_task(self._scheduler.run(), name="scheduler")
        await self._door.start()
        self._projects.start()
        if self._notifying is not None:
            self._notifying.start()
        self._account.record()
        account = self._people.account
        self._panic.resume(None if account is None else account["broker"])
        await self._own_chain.obey()
        print(f"listening on {self._door.url}", flush=True)  # noqa: T201 - the one line that starters wait for
        try:
            await self._stopping.wait()
        finally:
            await self._close(scheduling)

    async def _close(self, scheduling: "asyncio.Task[None]") -> None:
        log.info("stopping")
        if self._notifying is not None:
            await self._notifying.stop()
        self._watchers.close()
        await self._door.stop()
        await self._pairing.end()
        await self._panic.stop()
        await self._news.stop()
        await self._leaving.stop()
        await self._projects.stop()
        await self._supervisor.stop()
        await self._scheduler.drain((TaskKind.DEPOSIT, TaskKind.RELAY_CALL), _DRAIN_S)
        await self._scheduler.stop()
        await scheduling
        await self._linking.stop()
        self._journal.database.close()

    def _wake(self) -> None:
        """Look at what is owed again: the relay can be reached."""
        self._scheduler.wake()

    def stop(self) -> None:
        """Ask the daemon to end; it finishes what it is answering."""
        self._stopping.set()

    async def _expire(self, task: Task) -> None:
        """End a dispatch whose time is over, as whichever side of it we are, or give up words that nobody took in."""
        record = self._journal.dispatch(task.key)
        message = self._journal.messages.message(task.key)
        if message is not None:
            await self._performer.perform(threads.overdue(message, self._clock.now_ms()))
            return
        if record is None:
            await self._performer.perform([Unplan(TaskKind.EXPIRE, task.key)])
            return
        peer = self._people.peer_of(record)
        elsewhere = is_elsewhere(self._journal, self._people.own, record)
        await self._performer.perform(
            expiry.look(record, self._people.own, peer, self._clock.moment(), elsewhere=elsewhere)
        )
