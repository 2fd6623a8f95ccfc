"""One device through the months: a real home, keystore and journal, a relay that only keeps a chain, and a clock to move."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.adapters.keychain import Keychain
from dispatch_daemon.adapters.keystore import Keystore, open_keystore
from dispatch_daemon.adapters.relay import RelayRejectedError
from dispatch_daemon.app.chains import Chains
from dispatch_daemon.app.clock import Clock, wall_ms
from dispatch_daemon.app.depositing import Depositor
from dispatch_daemon.app.household import Household
from dispatch_daemon.app.identity import open_identity
from dispatch_daemon.app.own_chain import OwnChain
from dispatch_daemon.app.people import People
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.app.rotating import Rotating
from dispatch_daemon.app.watchers import Watchers
from dispatch_daemon.core.effects import TaskKind
from dispatch_protocol.chain import Chain, read_links, write_links
from dispatch_protocol.encoding import JSON
from dispatch_protocol.errors import RefusedError
from dispatch_protocol.keys import SealingKey, SigningKey
from dispatch_protocol.links import (
    ALL_ROLES,
    AddDeviceLink,
    LaterLink,
    RotateSealingLink,
    SetRolesLink,
    sign_link,
)
from tests.support.documents import fixed

DAY_MS = 86_400_000


class Death(BaseException):
    """The end of a life, by a power cut."""


class Notary:
    """The relay as a device's chain sees it: it takes what follows, from whoever comes first, and nothing else.

    `before` is called with each operation before it is done, and `after` when it is done and not answered yet.
    """

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.before: Callable[[str], None] = lambda _: None
        self.after: Callable[[str], None] = lambda _: None

    async def deposit(self, envelope: bytes) -> None:
        raise AssertionError(f"no envelope is given to a notary, not one of {len(envelope)} bytes")

    async def call(self, op: str, args: Mapping[str, JSON]) -> Mapping[str, JSON]:
        self.before(op)
        if op == "links":
            links: Any = args["links"]
            try:
                self.chain = self.chain.update(read_links(links))
            except RefusedError as error:
                raise RelayRejectedError("signature_invalid", 403, error.code) from error
        self.after(op)
        return {"links": write_links(self.chain.links)} if op == "chain" else {}


class _MovedClock(Clock):
    """The machine's clock, so many milliseconds ahead."""

    ahead_ms = 0

    def wall_ms(self) -> int:
        return super().wall_ms() + self.ahead_ms


class AgeingDevice:
    """A device in one of its lives; `other` is the key of a second one, which stands in the chain from `pair` on."""

    other = SigningKey(fixed("the other device"))

    def __init__(self, home: Path, find: Callable[[], Keychain] | None = None) -> None:
        home.chmod(0o700)
        self.home = home
        self.relay: Notary | None = None
        self.find = find
        self._days = 0.0
        self.live()
        self.relay = Notary(self.chain)

    def live(self) -> None:
        """Begin a life over whatever the home holds."""
        self.keystore: Keystore = (
            open_keystore(self.home, "keyring", find=self.find)
            if self.find is not None
            else open_keystore(self.home, "file")
        )
        self.journal = Journal(self.home / "journal.db", boot="ageing")
        keys, chain = open_identity(self.journal, self.keystore)
        self.people = People(self.journal, keys, chain)
        self.clock = _MovedClock(self.journal)
        self.after_days(self._days)
        self.performer = Performer(self.journal, self.clock, Watchers(), keys.signing)
        desk = (self.journal, self.people, self.clock, self.performer)
        self.household, self.own_chain = Household(*desk), OwnChain(*desk)
        self.rotating = Rotating(*desk, self.own_chain, self.keystore, lambda: self.relay)

    def die(self) -> None:
        """End this life without a word, and begin the next."""
        self.close()
        self.live()

    def close(self) -> None:
        self.journal.database._connection.close()

    def after_days(self, days: float) -> None:
        """Let it be so many days after the first life began."""
        self._days = days
        self.clock.ahead_ms = int(days * DAY_MS)

    async def look(self) -> None:
        """Settle the task, as a scheduler would."""
        await self.performer.perform([self.rotating.plan()])
        task = self.journal.tasks.get(TaskKind.ROTATE, "sealing")
        assert task is not None
        self.journal.tasks.take(task, self.clock.now_ms())
        await self.rotating.rotate(task)
        await self.journal.database.committed()

    async def tell_owed(self) -> None:
        """Make the call that tells the relay one's own chain, if it is owed."""
        task = self.journal.tasks.get(TaskKind.RELAY_CALL, "links")
        if task is not None:
            desk = (self.journal, self.people, self.clock, self.performer)
            chains = Chains(*desk, lambda: None, self.own_chain)
            await Depositor(*desk, lambda: self.relay, chains).call(task)

    @property
    def chain(self) -> Chain:
        return self.people.own.chain

    @property
    def held(self) -> list[str]:
        """The public halves of the keys in the keystore, newest first."""
        keys = self.keystore.load()
        assert keys is not None
        assert [key.reveal() for key in keys.sealing] == [key.reveal() for key in self.people.keys.sealing]
        return [key.public.hex for key in keys.sealing]

    @property
    def stated(self) -> str:
        """The key that this device's chain states."""
        return self.chain.devices[self.people.own.device].seal.hex

    async def pair(self) -> None:
        """Let the other device stand in the chain."""
        link = AddDeviceLink(
            device=self.other.device,
            sealing=SealingKey(fixed("the other seal")).public,
            roles=ALL_ROLES,
            **self.place(self.chain),
        )
        await self.own_chain.grow(
            self.chain.extend([sign_link(link, (self.people.keys.signing, self.other))])
        )
        assert self.relay is not None
        self.relay.chain = self.chain
        await self.own_chain.take(self.chain.links)
        for table in ("household", "followed", "acts", "outbox"):  # that it was let in is an old story
            self.journal.database.write(f"DELETE FROM {table}")
        self.journal.remember("acts_told", 0)

    @staticmethod
    def place(chain: Chain) -> dict[str, Any]:
        return {"prev": chain.head, "created_ms": wall_ms(), "nonce": bytes(16)}

    def says(self, chain: Chain, link: LaterLink) -> Chain:
        """Return a chain after a link of this device's."""
        return chain.extend([sign_link(link, (self.people.keys.signing,))])

    def other_rotates(self, chain: Chain, word: str = "next", at_ms: int | None = None) -> Chain:
        """Return a chain in which the other device has replaced its key."""
        place = self.place(chain) | ({} if at_ms is None else {"created_ms": at_ms})
        link = RotateSealingLink(device=self.other.device, sealing=SealingKey(fixed(word)).public, **place)
        return chain.extend([sign_link(link, (self.other,))])

    def other_states_roles(self, chain: Chain) -> Chain:
        """Return a chain in which the other device has stated its roles once more."""
        link = SetRolesLink(device=self.other.device, roles=ALL_ROLES, **self.place(chain))
        return chain.extend([sign_link(link, (self.other,))])
