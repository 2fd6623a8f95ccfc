"""The daemon's link to its broker: started at sign-in or at start, and what the daemon does when it opens.

The session counter is written before it is used, so a home that was copied or set back shows itself to the
relay with a counter that was seen already, and stops.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.adapters.relay import LinkPhase, LinkState, NotYetError, RelayLink
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.incoming import Incoming
from dispatch_daemon.app.online import Online
from dispatch_daemon.app.pausing import may_take
from dispatch_daemon.app.people import People
from dispatch_daemon.app.watchers import Watchers
from dispatch_daemon.core.effects import TaskKind
from dispatch_daemon.core.errors import ServiceError
from dispatch_protocol.encoding import JSON
from dispatch_protocol.frames import Hello
from dispatch_protocol.session import SessionProof

_CONNECT_S = 10.0
_COUNTER = "session_counter"
_EPOCH = "relay_epoch"
_COPIED = "home_copied"
_SIGNED_OUT = "signed_out"
_DOUBTFUL = frozenset({"device_revoked", "chain_forked"})  # whoever says so has to show the chain
_WAITING = (TaskKind.DEPOSIT, TaskKind.RELAY_CALL, TaskKind.UPLOAD, TaskKind.FETCH, TaskKind.ROTATE)
_COPY_CODE = "counter_reused"
_COPY_WORDS = "this home is a copy of one that is in use, or was set back; run only one of them"
log = logging.getLogger("dispatch.link")


class Linking:
    """Owns the one relay link of a daemon; `on_open` is called when a session has opened."""

    def __init__(
        self,
        journal: Journal,
        people: People,
        clock: Clock,
        incoming: Incoming,
        watchers: Watchers,
        *,
        ca_bundle: str | None,
        on_open: Callable[[], None],
    ) -> None:
        self._journal = journal
        self._people = people
        self._clock = clock
        self._incoming = incoming
        self._watchers = watchers
        self._ca_bundle = ca_bundle
        self._on_open = on_open
        self._token: str | None = None
        self._running: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self.link: RelayLink | None = None
        self.on_lost_memory: Callable[[], None] | None = None
        # A session has opened, so any chain may have grown meanwhile; or this one has, the relay says.
        self.on_online: Callable[[], None] | None = None
        self.on_chain: Callable[[str], None] | None = None
        self.on_revoked: Callable[[str], None] | None = None  # the relay says so; it is not believed for that

    def online(self) -> Online:
        """Return the link for a person's request; raises ServiceError `login_needed` before the first sign-in."""
        if self.link is None:
            raise ServiceError(
                "login_needed",
                "you are not signed in at a broker",
                hint="dispatch login --broker URL --email YOU",
            )
        return Online(self.link)

    async def connect(self, url: str, token: str | None) -> LinkState:
        """Link to a broker and wait until the session is open, refused, or clearly not to be had now."""
        await self.stop()
        self._token = token
        self.start(url)
        try:
            async with asyncio.timeout(_CONNECT_S):
                while self._state.phase not in (LinkPhase.ONLINE, LinkPhase.REFUSED):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            log.info("no session with %s within %g s", url, _CONNECT_S)
        state = self._state
        if state.phase is not LinkPhase.ONLINE and self._people.account is None:
            await self.stop()
            self.link = None
        return state

    @property
    def _state(self) -> LinkState:
        assert self.link is not None  # noqa: S101 - started above
        return self.link.state

    def resume(self, url: str) -> None:
        """Keep up the session of an earlier life, unless the relay has shown this home to be a copy.

        A copy that only waited for its counter to pass the other's would take turns with it for ever, and each
        would answer what the other was asked. Signing in again is a human's word that this is the one to keep.
        """
        if self._journal.meta(_SIGNED_OUT) is True:
            return
        if self._journal.meta(_COPIED) is not True:
            self.start(url)
            return
        self.refuse(url, _COPY_WORDS, _COPY_CODE)

    def refuse(self, url: str, words: str, code: str) -> None:
        """Open no session with this broker, and say why whenever somebody asks."""
        self.link = self._link(url)
        self.link.state = replace(self.link.state, phase=LinkPhase.REFUSED, words=words, code=code)

    @property
    def is_kept_up(self) -> bool:
        """Whether there is a session, or one is being sought."""
        return self._running is not None

    async def hang_up(self, words: str, code: str) -> None:
        """End the session, if there is one, and open no other until `resume`."""
        if self.link is not None:
            await self.stop()
            self.refuse(self.link.url, words, code)

    async def sign_out(self) -> None:
        """Hang up for good: no session opens until somebody signs in again, nor after a restart."""
        self._journal.remember(_SIGNED_OUT, value=True)
        await self._journal.database.committed()
        await self.stop()
        self.link = None

    def start(self, url: str) -> None:
        """Begin to keep a session with this broker."""
        self._journal.remember(_SIGNED_OUT, value=False)
        self._journal.remember(_COPIED, value=False)
        self.link = self._link(url)
        self._running = asyncio.create_task(self.link.run(), name="relay-link")

    def dial(self) -> None:
        """Dial at once where there is no session, because something has changed that it was refused for."""
        if self.link is not None:
            self.link.wake()

    def _link(self, url: str) -> RelayLink:
        return RelayLink(
            url,
            prove=self._prove,
            on_deliver=self._take,
            on_notice=self._notice,
            on_state=self._state_changed,
            ca_bundle=self._ca_bundle,
        )

    async def _take(self, raw: bytes) -> None:
        """Take one delivery in; in a panic only what one's own devices tell each other, and the rest waits at the relay."""
        if not may_take(self._journal, raw):
            raise NotYetError
        await self._incoming.deliver(raw)

    async def stop(self) -> None:
        """Acknowledge what has been kept and hang up."""
        if self.link is not None and self._running is not None:
            await self.link.aclose()
            await self._running
            self._running = None

    async def _prove(self, challenge: bytes, url: str) -> Hello:
        """Sign the relay's challenge for the address that was dialled, with a counter never used before."""
        counter = self._counter() + 1
        self._journal.remember(_COUNTER, counter)
        await self._journal.database.committed()
        own = self._people.own
        proof = SessionProof(
            url=url,
            challenge=challenge,
            nonce=secrets.token_bytes(32),
            genesis=own.chain.genesis,
            device=own.device,
            counter=counter,
        )
        return Hello(proof=proof.sign(self._people.keys.signing), links=own.chain.links, token=self._token)

    def _counter(self) -> int:
        value = self._journal.meta(_COUNTER)
        return value if isinstance(value, int) else 0

    def _state_changed(self, state: LinkState) -> None:
        self._changed.set()
        self._watchers.publish(None, {"type": "broker", "state": state.phase, "detail": state.words})
        if state.code == _COPY_CODE:
            self._journal.remember(_COPIED, value=True)
        if state.code in _DOUBTFUL and self.on_revoked is not None and self.link is not None:
            self.on_revoked(self.link.url)
        if state.phase is not LinkPhase.ONLINE:
            return
        self._token = None
        known = self._journal.meta(_EPOCH)
        if state.epoch is not None and known != state.epoch:
            # The relay's storage is another one than before: whatever it had not passed on is owed again.
            self._journal.remember(_EPOCH, state.epoch)
            self._journal.outbox.owe_all_again(self._clock.now_ms())
            if self.on_lost_memory is not None:
                self.on_lost_memory()
        for kind in _WAITING:
            self._journal.tasks.hasten(kind, self._clock.now_ms())
        self._on_open()
        if self.on_online is not None:
            self.on_online()

    def _notice(self, kind: str, data: Mapping[str, JSON]) -> None:
        """Pass a notice on to whoever watches; nothing is decided by one."""
        self._watchers.publish(None, {"type": kind, "data": dict(data)})
        if kind == "chain" and self.on_chain is not None:
            self.on_chain(str(data.get("genesis", self._people.own.genesis)))
