"""Somebody who holds real keys and keeps no rules, on a relay that belongs to them, before a real daemon.

The daemon is a process of its own; the relay in front of it and the contact behind that relay live in the test. So a
test can sign, seal, deliver, repeat and withhold whatever it likes, and look at what the daemon's door then says.
"""

import asyncio
import contextlib
import json
import secrets
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dispatch_daemon.adapters.journal import Journal
from dispatch_protocol.chain import Chain, read_links, write_links
from dispatch_protocol.encoding import JSON
from dispatch_protocol.envelope import Envelope, Header
from dispatch_protocol.first_contact import Accepted, Secret, verify_acceptance, with_mac
from dispatch_protocol.frames import Answer, Call, Deposit, Deposited, Frame
from dispatch_protocol.invitation import Confirmation
from dispatch_protocol.invitation_token import InvitationToken
from dispatch_protocol.keys import EdgeId
from dispatch_protocol.messages.answers import Receipt
from dispatch_protocol.messages.registry import Message, decode_body
from dispatch_protocol.payloads import Kind
from dispatch_protocol.payloads import kind_of as kind_named
from dispatch_protocol.signing import Document, Signed, edge_id
from dispatch_protocol.unseal import unseal
from tests.support.device import now_ms
from tests.support.door_client import Reply
from tests.support.lifetime import Door, Lifetime
from tests.support.patience import eventually
from tests.support.scripted_relay import ScriptedRelay
from tests.support.speaker import HOUR_MS, Speaker


@dataclass
class Relayed:
    """What the stranger's relay tells when it is asked; a test replaces an answer to lie."""

    received: list[JSON] = field(default_factory=list)
    chains: dict[str, JSON] = field(default_factory=dict)
    lies: dict[str, Callable[[Mapping[str, JSON]], Mapping[str, JSON]]] = field(default_factory=dict)
    swallows: bool = False  # takes deposits and never answers

    def answer(self, frame: Deposit | Call) -> Iterable[Frame]:
        """Answer one request of the daemon."""
        if isinstance(frame, Deposit):
            return [] if self.swallows else [Deposited(frame.ref)]
        if frame.op in self.lies:
            return [Answer(frame.ref, self.lies[frame.op](frame.args))]
        match frame.op:
            case "invitations":
                return [Answer(frame.ref, {"sent": [], "received": list(self.received)})]
            case "invite":
                return [Answer(frame.ref, {"invitation_id": "", "link": "http://127.0.0.1/i/x"})]
            case "chain":
                return [Answer(frame.ref, {"links": self.chains.get(str(frame.args["genesis"]), [])})]
            case "edges":
                return [Answer(frame.ref, {"edges": []})]
            case _:
                return [Answer(frame.ref, {})]


class Victim:
    """A real daemon of one person, signed in at a relay that is not on its side; it lives in the test's own loop."""

    def __init__(self, directory: Path, relay: ScriptedRelay) -> None:
        self.home = directory / "victim"
        self.home.mkdir(mode=0o700)
        self.address = "victim@example.org"
        self.relay = relay
        self.relayed = Relayed()
        relay.answers = self.relayed.answer
        self.life = Lifetime(self.home)

    async def sign_in(self) -> None:
        """Write a sign-in into the journal as if it had happened in an earlier life."""
        journal = Journal(self.home / "journal.db", boot="")
        journal.remember("account", {"email": self.address, "broker": self.relay.url})
        await journal.database.committed()
        journal.database.close()

    async def start(self) -> None:
        """Start the daemon and wait until its session with the relay is open."""
        await self.life.start()
        await eventually(lambda: self.relay.sessions == 1)

    async def stop(self) -> None:
        """End the daemon in order."""
        await self.life.stop()

    @property
    def door(self) -> Door:
        """The daemon's door."""
        return self.life.door

    async def ask(self, method: str, target: str, body: Any = None) -> Reply:
        """Ask the door and return the answer, whatever it is."""
        return await self.door.ask(method, target, body)

    async def do(self, method: str, target: str, body: Any = None) -> Any:
        """Ask the door for something that it must grant."""
        return await self.door.do(method, target, body)

    async def shows(self, dispatch_id: str, *words: str) -> dict[str, Any]:
        """Wait until a dispatch shows one of these statuses."""
        while True:
            reply = await self.ask("GET", f"/v1/dispatches/{dispatch_id}")
            if reply.status == 200 and reply.value["status"] in words:
                value: dict[str, Any] = reply.value
                return value
            await asyncio.sleep(0.02)

    async def question(self, dispatch_id: str) -> dict[str, Any]:
        """Wait for the next open question of a dispatch."""
        while True:
            for each in (await self.do("GET", "/v1/approvals"))["approvals"]:
                if each["dispatch_id"] == dispatch_id:
                    asked: dict[str, Any] = each
                    return asked
            await asyncio.sleep(0.02)

    @property
    def chain(self) -> Chain:
        """The victim's identity, as any relay sees it in a hello."""
        ((text,),) = self.journal("SELECT value FROM meta WHERE key = 'chain'")
        return Chain.verify(read_links(json.loads(text)), expect=None)

    def journal(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Read the daemon's journal from beside it."""
        uri = f"file:{self.home / 'journal.db'}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as database:
            return database.execute(sql, parameters).fetchall()


class Stranger(Speaker):
    """A contact of the victim with real keys; `edge` is the one over which the last befriending went."""

    def __init__(self, name: str, victim: Victim) -> None:
        super().__init__(name)
        self.victim = victim
        self.relayed = victim.relayed
        self.relay = victim.relay
        self._secret: Secret | None = None
        self.acceptance: bytes = b""
        self.relayed.chains[self.device.genesis.hex] = write_links(self.device.chain.links)

    # -- making friends --------------------------------------------------------------------------------

    async def may_dispatch(self, **scopes: Any) -> EdgeId:
        """Invite the victim, let them accept with these scopes, and confirm: this contact may send tasks then."""
        document = self.device.invitation(self.victim.address, self.relay.url)
        self.edge = edge_id(document.digest)
        self._secret = Secret(secrets.token_bytes(16))
        self.relayed.received.append(self.listing(document))
        token = InvitationToken(self.relay.url, self.edge, self.device.genesis, self._secret).format()
        await self.victim.do("POST", "/v1/invitations/accept", {"token": token, **scopes})
        signed = await self.deposited(Kind.ACCEPTANCE)
        accepted: Accepted = verify_acceptance(
            signed, invitation=document, secret=self._secret, now_ms=now_ms()
        )
        self.their, self.version = accepted.chain, accepted.grant.version
        confirmation = Confirmation(
            head=self.head(), invitation=document.digest, acceptance=signed.digest, mac=None
        )
        await self.say(with_mac(self._secret, confirmation))
        await self._in_force()
        return self.edge

    async def may_be_sent(self, **scopes: Any) -> EdgeId:
        """Let the victim invite this contact, and accept: the victim may send tasks then."""
        known = len(self.relay.deposits)
        asked: list[Mapping[str, JSON]] = []

        def invite(args: Mapping[str, JSON]) -> Mapping[str, JSON]:
            asked.append(args)
            return {"invitation_id": "", "link": "http://127.0.0.1/i/x"}

        self.relayed.lies["invite"] = invite
        shown = await self.victim.do("POST", "/v1/invitations", {"email": self.device.address})
        token = InvitationToken.parse(shown["token"])
        document = Document.from_json(asked[-1]["document"])
        self.edge, self._secret = token.edge, token.secret
        if self.their is None:
            self.their = self.victim.chain
        message = self.acceptance_of(document, **scopes)
        self.acceptance = self.sealed(with_mac(token.secret, message))
        await self.relay.deliver(self.acceptance)
        await eventually(lambda: len(self.relay.deposits) > known)
        await self._in_force()
        return self.edge

    def listing(self, document: Document) -> JSON:
        """Return an invitation as a relay lists it."""
        return {
            "invitation_id": edge_id(document.digest).uuid,
            "document": document.to_json(),
            "from_email": self.device.address,
            "to_email": self.victim.address,
            "status": "pending",
            "created_ms": now_ms(),
            "expires_ms": now_ms() + HOUR_MS,
        }

    async def _in_force(self) -> None:
        while True:
            for each in (await self.victim.do("GET", "/v1/contacts"))["edges"]:
                if each["edge_id"] == self.edge.uuid and each["status"] == "active":
                    return
            await asyncio.sleep(0.01)

    async def say(self, message: Message) -> str:
        """Deliver a message; returns its digest."""
        signed = self.signed(message)
        await self.relay.deliver(self.enveloped(signed, message.head))
        return signed.digest.hex

    # -- listening -------------------------------------------------------------------------------------

    def heard(self, raw: bytes) -> tuple[Header, Signed] | None:
        """Open what was deposited for this contact; None for what is for another."""
        header = Envelope.decode(raw).header
        if header.to_genesis != self.device.genesis:
            return None
        return header, unseal(raw, device=self.device.id, sealing=[self.device.sealing]).signed

    def all_heard(self, *kinds: Kind) -> list[Signed]:
        """Return everything of these kinds that was deposited for this contact, oldest first."""
        opened = [self.heard(raw) for raw in self.relay.deposits]
        return [each[1] for each in opened if each and kind_named(each[1].payload_type) in kinds]

    async def deposited(self, kind: Kind, about: str | None = None) -> Signed:
        """Wait for a document of one kind."""
        found: list[Signed] = []

        def arrived() -> bool:
            found[:] = [
                signed
                for signed in self.all_heard(kind)
                if about is None or decode_body(kind, signed.body).head.re.hex == about
            ]
            return bool(found)

        await eventually(arrived)
        return found[-1]

    async def receipts(self, about: str, *, at_least: int = 1) -> list[Receipt]:
        """Wait for so many receipts about one of this contact's documents, and return them."""
        found: list[Receipt] = []

        def arrived() -> bool:
            bodies = [decode_body(Kind.RECEIPT, signed.body) for signed in self.all_heard(Kind.RECEIPT)]
            found[:] = [body for body in bodies if isinstance(body, Receipt) and body.head.re.hex == about]
            return len(found) >= at_least

        await eventually(arrived)
        return found


@contextlib.asynccontextmanager
async def besieged(directory: Path) -> AsyncIterator[Victim]:
    """Start a real daemon, signed in at a relay that the test owns."""
    relay = ScriptedRelay()
    await relay.start()
    victim = Victim(directory, relay)
    try:
        await victim.sign_in()
        await victim.start()
        yield victim
    finally:
        await relay.stop()
        await victim.stop()
