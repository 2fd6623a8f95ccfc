"""One device of a household without its daemon: a real home, real keys, a real journal, and what makes it leave."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from dispatch_daemon.adapters.agents import Agents
from dispatch_daemon.adapters.ballast import Ballast
from dispatch_daemon.adapters.blobs import BlobStore
from dispatch_daemon.adapters.executor import Executor
from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.adapters.keystore import open_keystore
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.household import Household
from dispatch_daemon.app.identity import open_identity
from dispatch_daemon.app.leaving import Leaving
from dispatch_daemon.app.own_chain import OwnChain
from dispatch_daemon.app.people import People
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.app.supervising import Supervisor
from dispatch_daemon.app.watchers import Watchers
from dispatch_daemon.core.composing import Own
from dispatch_protocol.chain import Chain
from dispatch_protocol.keys import SealingKey, SigningKey
from dispatch_protocol.limits import ATTACHMENT_BYTES
from dispatch_protocol.links import ALL_ROLES, AddDeviceLink, sign_link
from tests.support.documents import NOW_MS, fixed


class LoneDevice:
    """This device and the key of another one, `other`, which stands in the chain beside it."""

    def __init__(self, home: Path) -> None:
        self.stopped = False
        self.other = SigningKey(fixed("the other device"))
        self.keystore = open_keystore(home, "file")
        self.journal = Journal(home / "journal.db", boot="lone")
        keys, chain = open_identity(self.journal, self.keystore)
        self.people = People(self.journal, keys, chain)
        clock = Clock(self.journal)
        performer = Performer(self.journal, clock, Watchers(), keys.signing)
        desk = (self.journal, self.people, clock, performer)
        blobs = BlobStore(home, file_bytes=ATTACHMENT_BYTES)
        supervisor = Supervisor(*desk, Executor(home), Agents(home, {}), Ballast(home), blobs)
        self.household, self.own_chain = Household(*desk), OwnChain(*desk)
        self.leaving = Leaving(
            self.journal,
            self.people,
            self.keystore,
            supervisor,
            self.own_chain,
            ca_bundle=None,
            stop=self._stop,
        )

    def _stop(self) -> None:
        self.stopped = True

    @property
    def own(self) -> Own:
        return self.people.own

    @property
    def chain(self) -> Chain:
        return self.people.own.chain

    @classmethod
    @asynccontextmanager
    async def paired(cls, home: Path) -> "AsyncIterator[LoneDevice]":
        """Open a home and let the other device stand in its chain."""
        home.chmod(0o700)
        device = cls(home)
        link = AddDeviceLink(
            prev=device.chain.head,
            device=device.other.device,
            sealing=SealingKey(fixed("the other seal")).public,
            roles=ALL_ROLES,
            created_ms=NOW_MS,
            nonce=bytes(16),
        )
        signed = sign_link(link, (device.people.keys.signing, device.other))
        await device.own_chain.grow(device.chain.extend([signed]))
        try:
            yield device
        finally:
            await device.leaving.stop()
            device.journal.database.close()
