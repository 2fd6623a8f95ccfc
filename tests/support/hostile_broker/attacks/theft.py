"""Attacks with a stolen device: its keys are real and were, for a while, its owner's. The relay helps the thief.

Dora has a laptop and a phone, and the phone is stolen. What the relay can do for the thief is to hide that its owner has
revoked it, or to tell a history in which it never was. How long that lasts is what these attacks ask.
"""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from dispatch_protocol.chain import Chain, write_links
from dispatch_protocol.head import Party
from dispatch_protocol.keys import Digest
from dispatch_protocol.links import (
    ALL_ROLES,
    AddDeviceLink,
    RecoverLink,
    RevokeDeviceLink,
    RotateSealingLink,
    sign_link,
)
from dispatch_protocol.messages.registry import Message
from dispatch_protocol.signing import dispatch_id
from tests.support.device import Device, now_ms
from tests.support.hostile_broker.accomplice import Accomplice
from tests.support.hostile_broker.attacks.table import Attack, Outcome, attack
from tests.support.hostile_broker.village import Village, Villager
from tests.support.patience import poll
from tests.support.speaker import HOUR_MS

CHAPTER: list[Attack] = []


class Dora(Accomplice):
    """Somebody with a laptop and a phone that was stolen; `hers` and `thiefs` are the two, `whole` her true chain."""

    def __init__(self, village: Village, person: Villager) -> None:
        super().__init__("dora", village, person)
        self.hers = self.device
        self.thiefs = Device(f"{self.hers.name}'s phone")
        self.joined = self.after(
            AddDeviceLink, self.hers.chain, [self.hers, self.thiefs], **_adding(self.thiefs)
        )
        self.whole = self.joined

    @staticmethod
    def after(kind: Callable[..., Any], chain: Chain, signers: list[Device], **fields: Any) -> Chain:
        """Return a chain with one link more."""
        link = kind(prev=chain.head, created_ms=now_ms(), nonce=secrets.token_bytes(16), **fields)
        return chain.extend([sign_link(link, [each.signing for each in signers])])

    def revokes(self) -> Chain:
        """Let her laptop revoke the phone."""
        self.whole = self.after(RevokeDeviceLink, self.joined, [self.hers], device=self.thiefs.id)
        return self.whole

    def by(self, device: Device, chain: Chain, message: Callable[[], Message]) -> Message:
        """Return what one of the two devices says, at the head of the chain that it states."""
        self.device = device
        device.chain = chain
        self.say(said := message())
        return said

    def sends(self, device: Device, chain: Chain, words: str) -> str:
        """Let one of the two devices send a task; returns its id."""
        task = self.by(device, chain, lambda: self.task(words))
        return str(dispatch_id(self.signed(task).digest))

    @contextmanager
    def told(self, chain: Chain) -> Iterator[Any]:
        """Have the relay tell this chain to the person for the length of a block."""
        links = {"links": write_links(chain.links)}
        with self.broker.doing("answer", "Answer", self.person.address, give=links, op="chain") as deed:
            yield deed

    def taken(self, device: Device, chain: Chain) -> None:
        """Send tasks from a device until one lies in the inbox: a daemon asks for a chain once in a second."""
        poll(lambda: self.status(self.sends(device, chain, "Do it")) == "delivered", "a task is taken in")

    def status(self, task: str) -> str:
        """Return what stands in the person's inbox of a task; nothing if it does not stand there."""
        reply = self.person.ask("GET", f"/v1/dispatches/{task}")
        return str(reply.value["status"]) if reply.status == 200 else ""


def _adding(device: Device) -> dict[str, Any]:
    return {"device": device.id, "sealing": device.sealing.public, "roles": ALL_ROLES}


@contextmanager
def robbed(village: Village) -> Iterator[Dora]:
    """Give a contact of Alice's whose phone, which Alice knows, was stolen; afterwards Alice trusts her no more."""
    dora = Dora(village, village.alice)
    dora.may_dispatch()
    with dora.told(dora.joined):
        dora.taken(dora.thiefs, dora.joined)
    yield dora
    village.alice.post("/v1/contacts/revoke", peer=dora.hers.address)


def not_taken(village: Village, dora: Dora, task: str, code: str, log: int) -> None:
    """See that a task of the thief's is refused by this code, and that nothing of it can be decided."""
    village.alice.notes(code, log)
    assert dora.status(task) in ("", "refused")


@attack(
    CHAPTER,
    "a revocation hidden for the thief",
    does="hides from Alice that the owner revoked a stolen phone, and carries what the thief sends",
    outcome=Outcome.DETECTED,
    seen="as late as the owner's first word, whatever it is, the thief is refused: `device_revoked`",
)
def hidden(village: Village) -> None:
    with robbed(village) as dora:
        dora.revokes()
        with dora.told(
            dora.joined
        ):  # until here the thief can do what the owner could: to no human's yes but Alice's
            dora.sends(dora.thiefs, dora.joined, "In good time")
        with dora.told(dora.whole):
            dora.taken(dora.hers, dora.whole)
        with dora.told(dora.joined):
            log = len(village.alice.log)
            task = dora.sends(dora.thiefs, dora.joined, "As ever")
            not_taken(village, dora, task, "device_revoked", log)


@attack(
    CHAPTER,
    "kept until the thief was found out",
    does="keeps back what the thief has sent, and delivers it after Alice has learnt of the revocation",
    outcome=Outcome.DETECTED,
    seen="Alice's inbox marks it refused: `device_revoked`; what counts is the day it arrives",
)
def late(village: Village) -> None:
    with robbed(village) as dora:
        dora.device, dora.thiefs.chain = dora.thiefs, dora.joined
        signed = dora.task("Signed in time")
        raw = dora.sealed(signed)
        with dora.told(dora.revokes()):
            dora.taken(dora.hers, dora.whole)
        log = len(village.alice.log)
        village.broker.deliver(village.alice.address, raw)
        not_taken(village, dora, str(dispatch_id(dora.signed(signed).digest)), "device_revoked", log)


@attack(
    CHAPTER,
    "a device of the thief's",
    does="tells a history in which the stolen phone, before it was revoked, let in another device of the thief's",
    outcome=Outcome.DETECTED,
    seen="`chain_forked` or `two histories`: `dispatch contacts` says `conflict`, and nothing more is taken in",
)
def backdated(village: Village) -> None:
    with robbed(village) as dora:
        with dora.told(dora.revokes()):
            dora.taken(dora.hers, dora.whole)
        other = Device(f"{dora.thiefs.name}'s own")
        fork = dora.after(AddDeviceLink, dora.joined, [dora.thiefs, other], **_adding(other))
        log = len(village.alice.log)
        with dora.told(fork):
            tasks: list[str] = []

            def torn() -> bool:
                tasks.append(dora.sends(other, fork, "I am Dora, too"))
                return any(each["conflict"] for each in village.alice.get("/v1/contacts")["edges"])

            poll(torn, "Alice is told of two histories")
        assert {dora.status(task) for task in tasks} <= {"", "refused"}
        assert "two histories" in village.alice.log[log:]


@attack(
    CHAPTER,
    "the thief's history against a recovery",
    does="goes on telling the thief's chain, which has grown, after the owner recovered in a higher epoch",
    outcome=Outcome.DETECTED,
    seen="Alice holds the recovery: the thief's devices are refused, and the owner's next task lies in the inbox",
)
def recovered(village: Village) -> None:
    with robbed(village) as dora:
        other = Device(f"{dora.thiefs.name}'s second")
        thiefs = dora.after(RevokeDeviceLink, dora.joined, [dora.thiefs], device=dora.hers.id)
        thiefs = dora.after(AddDeviceLink, thiefs, [dora.thiefs, other], **_adding(other))
        with dora.told(thiefs):
            dora.taken(other, thiefs)  # the thief has taken everything over
        link = RecoverLink(
            prev=dora.joined.links[0].digest,
            epoch=1,
            survivors=frozenset({dora.hers.id}),
            device=None,
            created_ms=now_ms(),
            nonce=secrets.token_bytes(16),
        )
        first = Chain.verify(dora.joined.links[:1], expect=dora.joined.genesis)
        again = first.extend([sign_link(link, [dora.hers.recovery])])
        with dora.told(again):
            dora.taken(dora.hers, again)
        log = len(village.alice.log)
        with dora.told(thiefs):
            task = dora.sends(other, thiefs, "It is me")
            not_taken(village, dora, task, "refused envelope", log)
        with dora.told(again):
            dora.taken(dora.hers, again)


@attack(
    CHAPTER,
    "a revoked device lets itself in again",
    does="tells the owner's chain with one link more, in which the revoked phone adds itself once more",
    outcome=Outcome.DETECTED,
    seen="the chain is broken and not believed: the thief's task is refused",
)
def again(village: Village) -> None:
    with robbed(village) as dora:
        with dora.told(dora.revokes()):
            dora.taken(dora.hers, dora.whole)
        link = AddDeviceLink(
            prev=dora.whole.head, created_ms=now_ms(), nonce=secrets.token_bytes(16), **_adding(dora.thiefs)
        )
        false = [*dora.whole.links, sign_link(link, [dora.thiefs.signing])]
        log = len(village.alice.log)
        lie = {"links": write_links(false)}
        with village.broker.doing("answer", "Answer", village.alice.address, give=lie, op="chain"):
            dora.device, dora.thiefs.chain = dora.thiefs, dora.whole
            thief = _at(dora, false[-1].digest)
            head = dora.head(sender=thief, expires_ms=now_ms() + HOUR_MS)
            task = dora.task("Back again", head=head, principal=thief)
            dora.say(task)
            not_taken(village, dora, str(dispatch_id(dora.signed(task).digest)), "refused envelope", log)


def _at(dora: Dora, head: Digest) -> Party:
    """Return the thief as documents would name it at a head of the thief's choice."""
    return Party(dora.whole.genesis, dora.thiefs.id, head)


@attack(
    CHAPTER,
    "the thief answers",
    does="keeps a task of Alice's from its owner, and delivers a yes to it by the stolen phone, revoked since",
    outcome=Outcome.DETECTED,
    seen="`device_revoked` in Alice's log; she keeps seeing `sent` and waits for the owner",
)
def answers(village: Village) -> None:
    alice = village.alice
    dora = Dora(village, alice)
    dora.may_be_sent()
    first = alice.send(dora.hers.address, "One")
    alice.shows(first, "sent")
    about = Digest.from_hex(alice.digest(first))
    with dora.told(dora.revokes()):
        dora.hers.chain = dora.whole
        village.broker.deliver(alice.address, dora.accepted(about))
        poll(
            lambda: alice.state(first)["status"] != "sent",
            "the owner's yes is believed, and her chain learnt",
        )
    second = alice.send(dora.hers.address, "Two")
    alice.shows(second, "sent")
    log = len(alice.log)
    with dora.told(dora.joined):
        dora.device, dora.thiefs.chain = dora.thiefs, dora.joined
        village.broker.deliver(alice.address, dora.accepted(Digest.from_hex(alice.digest(second))))
    alice.notes("device_revoked", log)
    assert (alice.state(second)["status"], alice.types(second)) == ("sent", [])


@attack(
    CHAPTER,
    "a sealing key put in the owner's place",
    does="tells a chain in which the revoked phone has rotated the laptop's sealing key to one of the relay's",
    outcome=Outcome.DETECTED,
    seen="nobody rotates the key of another: the chain is broken, and Alice seals to the key that she has",
)
def rekeyed(village: Village) -> None:
    alice = village.alice
    dora = Dora(village, alice)
    dora.may_be_sent()
    false = RotateSealingLink(
        prev=dora.joined.head,
        device=dora.hers.id,
        sealing=dora.thiefs.sealing.public,
        created_ms=now_ms(),
        nonce=secrets.token_bytes(16),
    )
    links = [*dora.joined.links, sign_link(false, [dora.thiefs.signing])]
    log = len(alice.log)
    lie = {"links": write_links(links)}
    with village.broker.doing("answer", "Answer", alice.address, give=lie, op="chain"):
        first = alice.send(dora.hers.address, "One")
        alice.shows(first, "sent")
        dora.hers.chain = dora.joined
        village.broker.deliver(alice.address, dora.accepted(Digest.from_hex(alice.digest(first))))
        alice.notes("refused envelope", log)
        second = alice.send(dora.hers.address, "Two")
        alice.shows(second, "sent")
    (parcel,) = village.broker.archive(klass=1, digest=alice.digest(second))
    dora.device = dora.hers
    assert dora.heard(parcel.raw), "it opens with the key that the laptop always had"
