"""Attacks with a contact who turned bad: she signs, with keys that count, what the relay's owner then makes the most of.

What she may do by herself (flood, refuse, say nothing) is hers. Here the relay adds what only a relay can: it passes what
it should refuse, keeps back what would set it right, and chooses the order.
"""

from typing import Any
from uuid import uuid4

from dispatch_protocol.encoding import dumps
from dispatch_protocol.head import Party
from dispatch_protocol.keys import Digest
from dispatch_protocol.lifecycle import Outcome as RunOutcome
from dispatch_protocol.messages.answers import Decision, Verdict
from dispatch_protocol.messages.result import Result
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.scopes import Returns
from dispatch_protocol.signing import dispatch_id, sign
from tests.support.device import now_ms
from tests.support.hostile_broker.accomplice import Accomplice
from tests.support.hostile_broker.attacks.table import Attack, Outcome, attack
from tests.support.hostile_broker.owner import FOLLOW_ON, TASK
from tests.support.hostile_broker.village import Village, Villager
from tests.support.speaker import HOUR_MS, relabelled

CHAPTER: list[Attack] = []


def contact(village: Village, person: Villager, **scopes: Any) -> Accomplice:
    """Return a contact who may dispatch to somebody."""
    mallory = Accomplice("turned", village, person)
    mallory.may_dispatch(**scopes)
    return mallory


def said(mallory: Accomplice, words: str, **changes: Any) -> str:
    """Sign a task, have it delivered, and return its id."""
    task = mallory.task(words, **changes)
    mallory.say(task)
    return str(dispatch_id(mallory.signed(task).digest))


def refused(person: Villager, task: str, code: str) -> None:
    """See that a task is not to be decided on: refused for this reason, and nothing of it ran."""
    state = person.state(task)
    assert (state["status"], state["error"]["code"], state["runs"]) == ("refused", code, []), state


def parted(person: Villager, mallory: Accomplice) -> None:
    """Let somebody end what she may do."""
    person.post("/v1/contacts/revoke", peer=mallory.device.address)


@attack(
    CHAPTER,
    "more than a day's worth",
    does="carries three tasks of a contact who may send one a day, and each of them five times",
    outcome=Outcome.DETECTED,
    seen="Alice's inbox marks the second and third refused (`daily_limit`); copies of the first count once",
)
def over_the_limit(village: Village) -> None:
    alice = village.alice
    mallory = contact(village, alice, max_per_day=1)
    tasks = [mallory.task(f"Number {number}") for number in range(3)]
    for task in tasks:
        village.broker.deliver(alice.address, *[mallory.sealed(task)] * 5)
    first, *more = (str(dispatch_id(mallory.signed(task).digest)) for task in tasks)
    assert alice.state(first)["status"] == "delivered"
    for each in more:
        refused(alice, each, "daily_limit")
    assert [each["dispatch_id"] for each in alice.box("inbox")].count(first) == 1
    parted(alice, mallory)


@attack(
    CHAPTER,
    "after the end, dated before it",
    does="carries a task of a contact whose edge Alice has ended, signed with a time before the end",
    outcome=Outcome.DETECTED,
    seen="Alice's inbox marks it refused (`edge_revoked`): the edge counts as it is, not as it was",
)
def after_the_end(village: Village) -> None:
    alice = village.alice
    mallory = contact(village, alice)
    before = now_ms() - HOUR_MS
    parted(alice, mallory)
    head = mallory.head(created_ms=before, expires_ms=before + 2 * HOUR_MS)
    refused(alice, said(mallory, "I wrote this long ago", head=head), "edge_revoked")


@attack(
    CHAPTER,
    "kept until it was over",
    does="carries a contact's task whose time was over an hour ago, and one that is dated tomorrow",
    outcome=Outcome.DETECTED,
    seen="Alice's inbox marks the first expired and the second refused (`expiry_too_far`)",
)
def out_of_time(village: Village) -> None:
    alice = village.alice
    mallory = contact(village, alice)
    long_ago = now_ms() - 2 * HOUR_MS
    old = mallory.head(created_ms=long_ago, expires_ms=long_ago + HOUR_MS)
    late = alice.state(said(mallory, "Too late", head=old))
    assert (late["status"], late["error"]["code"], late["runs"]) == ("expired", "expired", [])
    log = len(alice.log)
    tomorrow = now_ms() + 25 * HOUR_MS
    later = mallory.head(created_ms=tomorrow, expires_ms=tomorrow + HOUR_MS)
    refused(alice, said(mallory, "Still good tomorrow", head=later), "expiry_too_far")
    alice.notes("expiry_too_far", log)
    parted(alice, mallory)


@attack(
    CHAPTER,
    "on behalf of somebody better",
    does="carries a contact's task that names Alice herself as the one it is for, and one that another device is to run",
    outcome=Outcome.DETECTED,
    seen="`mandate_unsupported` in Alice's log; `owner_unknown` in her inbox",
)
def on_behalf(village: Village) -> None:
    alice = village.alice
    mallory = contact(village, alice)
    assert mallory.their is not None
    log, genesis = len(alice.log), mallory.their
    owner = next(iter(genesis.devices))
    as_alice = Party(genesis.genesis, owner, genesis.head)
    honest = mallory.task("In your own name")
    forged = dumps({"v": 1, **honest.write(), "principal": as_alice.write()})
    signed = sign(mallory.device.signing, payload_type(Kind.TASK), forged)
    village.broker.deliver(alice.address, mallory.enveloped(signed, honest.head))
    alice.notes("mandate_unsupported", log)
    elsewhere = said(mallory, "On my machine, not yours", owner_device=mallory.device.id)
    refused(alice, elsewhere, "owner_unknown")
    parted(alice, mallory)


@attack(
    CHAPTER,
    "done before it was agreed to",
    does="keeps a contact's yes back and delivers her result of it, a success, before",
    outcome=Outcome.DETECTED,
    seen="Alice keeps seeing `sent`: a result without what came before it moves nothing",
)
def before_its_yes(village: Village) -> None:
    alice, broker = village.alice, village.broker
    mallory = Accomplice("hasty", village, alice)
    mallory.may_be_sent()
    task = alice.send(mallory.device.address, "Take your time")
    alice.shows(task, "sent")
    about = Digest.from_hex(alice.digest(task))
    held_back = mallory.accepted(about)  # signed, and never delivered
    ran = {"run_id": uuid4(), "started_ms": now_ms(), "ended_ms": now_ms(), "agent": "steps"}
    early = mallory.then(
        about,
        lambda head, seq, prev: Result(
            head=head,
            seq=seq,
            prev=prev,
            outcome=RunOutcome.SUCCESS,
            summary="Done",
            returns=Returns.RESULT,
            **ran,
        ),
    )
    broker.deliver(alice.address, early)
    assert (alice.state(task)["status"], alice.types(task)) == ("sent", [])
    assert held_back


@attack(
    CHAPTER,
    "two answers in one place",
    does="has a contact sign a no and a yes as the same answer of hers, and delivers both, twice, the no first",
    outcome=Outcome.DETECTED,
    seen="Alice reads `declined`; the second is kept as evidence and moves nothing",
)
def two_faced(village: Village) -> None:
    alice, broker = village.alice, village.broker
    mallory = Accomplice("twoface", village, alice)
    mallory.may_be_sent()
    task = alice.send(mallory.device.address, "Yes or no?")
    alice.shows(task, "sent")
    about = Digest.from_hex(alice.digest(task))
    no = mallory.then(
        about,
        lambda head, seq, prev: Decision(
            head=head, seq=seq, prev=prev, decision=Verdict.DECLINED, reason="no"
        ),
    )
    mallory._answers.clear()  # she counts from the beginning again
    yes = mallory.accepted(about)
    broker.deliver(alice.address, no, yes, no, yes)
    assert (alice.state(task)["status"], alice.types(task)) == ("declined", ["declined"])
    warned = [each["data"] for each in alice.state(task)["events"] if each["type"] == "warning"]
    assert warned, "that there was another is told"


@attack(
    CHAPTER,
    "a cancel that only one side hears",
    does="swallows a contact's cancel, tells her that it was cancelled, and lets Alice go on to decide",
    outcome=Outcome.HARMLESS,
    seen="what Alice decides is hers: her signed no is delivered and is what the contact holds",
)
def half_cancelled(village: Village) -> None:
    alice, bob, broker = village.alice, village.bob, village.broker
    edge = village.befriend(bob, alice)
    task = bob.send(alice, "Shall I?")
    bob.shows(task, "delivered")
    with broker.doing("claim", "Deposit", bob.address, klass=FOLLOW_ON) as swallowed:
        bob.post(f"/v1/dispatches/{task}/cancel", reason="no more")
        swallowed.done()
        broker.notify(bob.address, "dispatch", {"dispatch_id": task, "status": "cancelled"})
        broker.heard_by(bob.address)
        assert bob.state(task)["status"] == "delivered"
        assert bob.state(task)["cancel_requested"]
        alice.post(f"/v1/dispatches/{task}/decline", reason="not today")
        assert bob.shows(task, "declined", "cancelled")["status"] == "declined"
    assert alice.edge(edge)
    village.part(bob, alice)


@attack(
    CHAPTER,
    "one number for two tasks",
    does="rewrites the digest in the header of a contact's task to that of Bob's, which waits for Alice",
    outcome=Outcome.DETECTED,
    seen="Alice's log refuses it (`unwrap_failed`); Bob's task waits as it was",
)
def squatted(village: Village) -> None:
    alice, bob, broker = village.alice, village.bob, village.broker
    village.befriend(bob, alice)
    mallory = contact(village, alice)
    task = bob.send(alice, "Mine")
    bob.shows(task, "delivered")
    (raw,) = broker.archive(klass=TASK, digest=bob.digest(task))[:1]
    log = len(alice.log)
    false = mallory.task("Also mine")
    broker.deliver(
        alice.address,
        mallory.enveloped(mallory.signed(false), false.head),
        _with_digest(mallory.sealed(mallory.task("Not mine")), raw.digest),
    )
    alice.notes("unwrap_failed", log)
    assert alice.state(task)["status"] == "delivered"
    assert alice.state(task)["task"] == "Mine"
    parted(alice, mallory)
    village.part(bob, alice)


def _with_digest(raw: bytes, digest: str) -> bytes:
    """Return an envelope that claims to carry another document."""
    return relabelled(raw, digest=Digest.from_hex(digest))
