"""Vectors with a middle: what one device takes in and refuses, envelope after envelope, while what it knows changes.

A relay cannot forge, but it can wait. So each story lets something honest be kept until it should not count any more: until
its device was revoked, until a recovery left that device out or voided the head that it states.
"""

from dataclasses import replace
from uuid import UUID

from dispatch_protocol.encoding import JSON, b64u
from dispatch_protocol.head import Head
from dispatch_protocol.keys import DeviceId, Digest, RecoveryKey, SealingPublic
from dispatch_protocol.links import RecoverLink, sign_link
from dispatch_protocol.messages.answers import Decision, Mode, Receipt, ReceiptType, Verdict
from dispatch_protocol.messages.follow_on import Cancel, Message
from dispatch_protocol.messages.registry import Message as AnyMessage
from dispatch_protocol.messages.task import Task
from dispatch_protocol.standing import Standing
from tests.support.vectors import world
from tests.support.vectors.cases import alice_knows, bob_knows, write_identity, write_machine, write_standing
from tests.support.vectors.fixed import fixed
from tests.support.vectors.forge import HOUR_LATER_MS, forge, signed_by
from tests.support.vectors.world import (
    ALICE,
    ALICE_LAPTOP,
    ALICE_TABLET,
    ALICE_WITH_TABLET,
    BOB,
    BOB_LAPTOP,
    Identity,
    Machine,
    machine,
)

ALICE_NEW = machine("alice new laptop")


def _recovered(
    name: str, identity: Identity, survivors: frozenset[DeviceId], new: Machine | None
) -> Identity:
    """Return an identity that begins anew after its newest link."""
    device: tuple[DeviceId, SealingPublic] | None = None if new is None else new.recipient
    link = RecoverLink(
        prev=identity.chain.head,
        epoch=1,
        survivors=survivors,
        device=device,
        created_ms=world.YEAR_AGO_MS + 24 * world.HOUR_MS,
        nonce=fixed(f"{name} recovery", 16),
    )
    keys = (RecoveryKey(fixed("alice recovery")), *(() if new is None else (new.sign,)))
    identity.chain, identity.name = identity.chain.extend([sign_link(link, keys)]), name
    return identity


def _with_tablet() -> Identity:
    """Return Alice as she was before her tablet was lost."""
    alice = Identity("alice", ALICE_LAPTOP)
    alice.add(ALICE_TABLET)
    return alice


TAKEN_BACK = _recovered(
    "alice, taken back from before the tablet",
    Identity("alice", ALICE_LAPTOP),
    frozenset({ALICE_LAPTOP.device}),
    None,
)
MOVED = _recovered("alice, moved to a new laptop", _with_tablet(), frozenset(), ALICE_NEW)


class _Story:
    """One recipient, from a fresh memory on; `sent` is what it has sent itself."""

    def __init__(self, name: str, device: Machine, standing: Standing, sent: Task | None = None) -> None:
        self._name = name
        self._device = device
        self._standing = standing
        self._sent = sent
        self._steps: list[JSON] = []
        self._envelopes: dict[str, bytes] = {}

    def comes(self, label: str, author: Machine, message: AnyMessage, outcome: str) -> Digest:
        """Let the relay deliver an honest envelope; returns the D of what is inside."""
        signed = signed_by(author, message)
        raw = forge(f"{self._name}: {label}", signed, message, [self._device.recipient])
        self._envelopes[label] = raw
        self._steps.append({"name": label, "envelope": b64u(raw), "outcome": outcome})
        return signed.digest

    def task(self, label: str, author: Machine, at: Digest, outcome: str) -> None:
        """Let a task of Alice's come, signed by a device of hers at a head."""
        self.comes(label, author, _task(f"{self._name}: {label}", author, at), outcome)

    def again(self, label: str) -> None:
        """Let the relay deliver what it has delivered before."""
        raw = self._envelopes[label]
        self._steps.append({"name": f"{label}, once more", "envelope": b64u(raw), "outcome": "refused"})

    def told(self, name: str, identity: Identity, links: int | None = None) -> None:
        """Let the other side's chain be told as this."""
        count = len(identity.chain.links) if links is None else links
        self._steps.append({"name": name, "know": {"peer": {"identity": identity.name, "links": count}}})

    def write(self) -> dict[str, JSON]:
        """Return it as JSON."""
        sent = [] if self._sent is None else [signed_by(self._device, self._sent).encode().hex()]
        return {
            "name": self._name,
            "device": self._device.name,
            "standing": write_standing(self._standing),
            "sent": sent,
            "steps": self._steps,
        }


def _task(label: str, author: Machine, at: Digest) -> Task:
    head = world.head(label, ALICE, author, BOB, sender_head=at, expires_ms=HOUR_LATER_MS)
    return world.task(label, head)


def _revoked() -> _Story:
    """A device signs two tasks; the relay keeps the second until the device was revoked."""
    story = _Story("kept until its device was revoked", BOB_LAPTOP, bob_knows(peer=_with_tablet().chain))
    story.task("a task of the tablet", ALICE_TABLET, ALICE_WITH_TABLET, "taken")
    story.told("the tablet is revoked", ALICE)
    story.task("the tablet's next, signed before", ALICE_TABLET, ALICE_WITH_TABLET, "refused")
    story.again("a task of the tablet")
    story.told("the chain is told without the revocation", ALICE, 2)
    story.task("one more of the tablet", ALICE_TABLET, ALICE_WITH_TABLET, "refused")
    story.task("one of the laptop, signed before the revocation", ALICE_LAPTOP, ALICE_WITH_TABLET, "taken")
    story.task("one of the laptop, signed after it", ALICE_LAPTOP, ALICE.chain.head, "taken")
    return story


def _voided() -> _Story:
    """A recovery from before a device was added: neither the device nor the head that it made counts any more."""
    story = _Story("kept until a recovery", BOB_LAPTOP, bob_knows(peer=_with_tablet().chain))
    story.task("a task of the tablet", ALICE_TABLET, ALICE_WITH_TABLET, "taken")
    story.told("the identity is taken back", TAKEN_BACK)
    story.task("the tablet's next, signed before", ALICE_TABLET, ALICE_WITH_TABLET, "refused")
    story.task("one of the laptop, at a head that is void", ALICE_LAPTOP, ALICE_WITH_TABLET, "refused")
    story.again("a task of the tablet")
    story.told("the void links are told again", ALICE)
    story.task("one more of the tablet", ALICE_TABLET, ALICE_WITH_TABLET, "refused")
    story.task("one of the laptop, after the recovery", ALICE_LAPTOP, TAKEN_BACK.chain.head, "taken")
    return story


def _left_out() -> _Story:
    """A recovery that keeps every link and no device: what a stolen laptop signed at a head that still counts does not."""
    story = _Story(
        "kept until a recovery left its device out", BOB_LAPTOP, bob_knows(peer=_with_tablet().chain)
    )
    story.task("a task of the laptop", ALICE_LAPTOP, ALICE_WITH_TABLET, "taken")
    story.told("the identity is recovered on another laptop", MOVED)
    story.task("the laptop's next, signed before", ALICE_LAPTOP, ALICE_WITH_TABLET, "refused")
    story.again("a task of the laptop")
    story.task("one of the new laptop", ALICE_NEW, MOVED.chain.head, "taken")
    return story


def _about_a_task() -> _Story:
    """What its author says after a task: each is taken in once, and never before the task."""
    story = _Story("a task and what follows it", BOB_LAPTOP, bob_knows())
    task = _task("followed", ALICE_LAPTOP, ALICE.chain.head)
    re = signed_by(ALICE_LAPTOP, task).digest

    def head(label: str) -> Head:
        return world.head(label, ALICE, ALICE_LAPTOP, BOB, re=re)

    words = Message(head=head("followed by words"), thread=task.thread, seq=1, text="Please hurry.")
    story.comes("words before their task", ALICE_LAPTOP, words, "refused")
    story.comes("the task", ALICE_LAPTOP, task, "taken")
    story.comes("words about it", ALICE_LAPTOP, words, "taken")
    story.comes("its cancel", ALICE_LAPTOP, Cancel(head=head("followed by a cancel")), "taken")
    for label in ("its cancel", "words about it", "the task"):
        story.again(label)
    return story


def _answers() -> _Story:
    """What comes back to the author of a task."""
    task = _task("answered", ALICE_LAPTOP, ALICE.chain.head)
    story = _Story("the answers to a task", ALICE_LAPTOP, alice_knows(), task)
    re = signed_by(ALICE_LAPTOP, task).digest

    def head(label: str) -> Head:
        return world.head(label, BOB, BOB_LAPTOP, ALICE, re=re)

    delivered = Receipt(head=head("answered, delivered"), seq=1, prev=Digest.ZERO, type=ReceiptType.DELIVERED)
    first = story.comes("that it was delivered", BOB_LAPTOP, delivered, "taken")
    story.again("that it was delivered")
    accepted = Decision(
        head=head("answered, accepted"),
        seq=2,
        prev=first,
        decision=Verdict.ACCEPTED,
        mode=Mode.MANUAL,
        run_id=UUID(bytes=fixed("answered, run", 16)),
    )
    story.comes("that it was accepted", BOB_LAPTOP, accepted, "taken")
    words = Message(head=head("answered in words"), thread=task.thread, seq=1, text="I am at it.")
    story.comes("words about it", BOB_LAPTOP, words, "taken")
    other = replace(words, head=replace(words.head, re=Digest(fixed("another dispatch"))))
    story.comes("words about another task", BOB_LAPTOP, other, "refused")
    for label in ("words about it", "that it was accepted", "that it was delivered"):
        story.again(label)
    return story


def story_vectors() -> dict[str, JSON]:
    """Return the stories together with the people and devices that they speak of."""
    about = (
        "What one device takes in and refuses, in this order. `sent` is S, in hex, of what it has sent itself; `know` is what is "
        "known from there on, and a chain that is told must follow from what is held. Envelopes are base64url."
    )
    identities = (*world.IDENTITIES, TAKEN_BACK, MOVED)
    stories = (_revoked(), _voided(), _left_out(), _about_a_task(), _answers())
    return {
        "about": about,
        "invitation": world.INVITATION.to_json(),
        "identities": [write_identity(identity) for identity in identities],
        "devices": [write_machine(each) for each in (*world.MACHINES, ALICE_NEW)],
        "stories": [story.write() for story in stories],
    }
