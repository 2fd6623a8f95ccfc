"""Attacks with words of others: an accomplice with real keys and real edges, and the broker's own frames.

The accomplice is a contact of the one who is lied to. Her signature is good; only it is not the one that counts.
"""

from typing import Any
from uuid import uuid4

from dispatch_protocol.grant import GrantDocument, Version
from dispatch_protocol.head import Head, Party
from dispatch_protocol.keys import DeviceId, Digest, EdgeId
from dispatch_protocol.lifecycle import Outcome as RunOutcome
from dispatch_protocol.messages.answers import Decision, Mode, Receipt, ReceiptType, Verdict
from dispatch_protocol.messages.follow_on import Ack, Cancel
from dispatch_protocol.messages.registry import Message
from dispatch_protocol.messages.result import Result
from dispatch_protocol.scopes import Returns, Scopes
from tests.support.device import now_ms
from tests.support.hostile_broker.accomplice import Accomplice, chain_of
from tests.support.hostile_broker.attacks.table import Attack, Outcome, attack
from tests.support.hostile_broker.owner import ANSWER, FOLLOW_ON
from tests.support.hostile_broker.village import Village, Villager
from tests.support.patience import poll
from tests.support.speaker import relabelled

CHAPTER: list[Attack] = []


def party_of(village: Village, person: Villager) -> Party:
    """Return a person's device as documents name it."""
    chain = chain_of(village, person)
    return Party(chain.genesis, next(iter(chain.devices)), chain.head)


def answers(head: Head, seq: int = 1, prev: Digest = Digest.ZERO) -> list[Message]:
    """Return one of every answer that a recipient could give, each for the same place in its chain."""
    first: dict[str, Any] = {"head": head, "seq": seq, "prev": prev}
    ran = {"run_id": uuid4(), "started_ms": now_ms(), "ended_ms": now_ms(), "agent": "steps"}
    return [
        Receipt(**first, type=ReceiptType.REFUSED, code="busy"),
        Receipt(**first, type=ReceiptType.CANCELLED, code="cancelled"),
        Decision(**first, decision=Verdict.ACCEPTED, mode=Mode.AUTO, run_id=uuid4()),
        Decision(**first, decision=Verdict.DECLINED, reason="no"),
        Result(**first, outcome=RunOutcome.SUCCESS, summary="All done", returns=Returns.RESULT, **ran),
    ]


@attack(
    CHAPTER,
    "decisions and results of a third device",
    does="delivers to Alice a refusal, a yes, a no, an end and a result about Bob's dispatch, signed by her contact Mallory",
    outcome=Outcome.DETECTED,
    seen="Alice's log names answers `which was not sent there`; she keeps reading what Bob said",
)
def third_device(village: Village) -> None:
    alice, bob, broker = village.alice, village.bob, village.broker
    mallory = Accomplice("meddler", village, alice)
    own_edge = mallory.may_be_sent()
    dispatch_id = village.arrived("Bob, and nobody else")
    about, log = Digest.from_hex(alice.digest(dispatch_id)), len(alice.log)
    for edge in (own_edge, EdgeId.from_uuid(village.edge)):
        for message in answers(mallory.head(re=about, edge=edge)):
            mallory.say(message)
    assert alice.state(dispatch_id)["status"] == "delivered"
    assert alice.types(dispatch_id) == ["delivered"]
    alice.notes("which was not sent there", log)
    alice.notes("signer_unknown", log)
    bob.post(f"/v1/dispatches/{dispatch_id}/decline", reason="me, at last")
    alice.shows(dispatch_id, "declined")
    assert broker.deeds


@attack(
    CHAPTER,
    "answers in Bob's name",
    does="delivers the same five answers as the next ones of Bob's own device, signed by a key that is not his",
    outcome=Outcome.DETECTED,
    seen="Alice's log: `signature_bad`; she keeps reading what Bob said",
)
def in_his_name(village: Village) -> None:
    alice, bob = village.alice, village.bob
    mallory = Accomplice("mallory", village, alice)
    dispatch_id = village.arrived("Signed by Bob?")
    about, log = Digest.from_hex(alice.digest(dispatch_id)), len(alice.log)
    bobs = party_of(village, bob)
    head = mallory.head(re=about, edge=EdgeId.from_uuid(village.edge), sender=bobs)
    (said,) = village.broker.archive(klass=ANSWER, re=about.hex)  # its digest stands in the clear header
    for message in answers(head, 2, Digest.from_hex(said.digest)):
        raw = mallory.enveloped(mallory.signed(message), head, from_device=bobs.device)
        village.broker.deliver(alice.address, raw)
    assert (alice.state(dispatch_id)["status"], alice.types(dispatch_id)) == ("delivered", ["delivered"])
    alice.notes("signature_bad", log)


@attack(
    CHAPTER,
    "a cancel of a third device",
    does="delivers to Bob cancels of Alice's task: by Mallory over her own edge, over Alice's, and in Alice's name",
    outcome=Outcome.DETECTED,
    seen="Bob's log names each; the task keeps waiting for him",
)
def third_cancel(village: Village) -> None:
    alice, bob, broker = village.alice, village.bob, village.broker
    mallory = Accomplice("moriarty", village, bob)
    own_edge = mallory.may_dispatch()
    dispatch_id = village.arrived("Keep at it")
    about, log = Digest.from_hex(alice.digest(dispatch_id)), len(bob.log)
    edge = EdgeId.from_uuid(village.edge)
    mallory.say(Cancel(head=mallory.head(re=about, edge=own_edge)))
    mallory.say(Cancel(head=mallory.head(re=about, edge=edge)))
    alices = party_of(village, alice)
    head = mallory.head(re=about, edge=edge, sender=alices)
    raw = mallory.enveloped(mallory.signed(Cancel(head=head)), head, from_device=alices.device)
    broker.deliver(bob.address, raw)
    for words in ("which did not come from there", "signer_unknown", "signature_bad"):
        bob.notes(words, log)
    assert bob.state(dispatch_id)["status"] == "delivered"
    assert not bob.state(dispatch_id)["cancel_requested"]
    bob.post("/v1/contacts/revoke", peer=mallory.device.address)


@attack(
    CHAPTER,
    "an answer moved to another dispatch",
    does="delivers Bob's signed no to one task as an answer to another, with the label rewritten and as it is",
    outcome=Outcome.DETECTED,
    seen="Alice's log refuses it; the other task keeps waiting for Bob",
)
def moved(village: Village) -> None:
    alice, bob, broker = village.alice, village.bob, village.broker
    first, second = village.arrived("First"), village.arrived("Second")
    bob.post(f"/v1/dispatches/{first}/decline", reason="not the first")
    alice.shows(first, "declined")
    other, log = Digest.from_hex(alice.digest(second)), len(alice.log)
    for parcel in broker.archive(klass=ANSWER, re=alice.digest(first)):
        broker.deliver(alice.address, relabelled(parcel.raw, re=other), parcel.raw)
    alice.notes("unwrap_failed", log)
    assert (alice.state(second)["status"], alice.types(second)) == ("delivered", ["delivered"])
    assert alice.types(first) == ["delivered", "declined"]


@attack(
    CHAPTER,
    "an acknowledgement by somebody else",
    does="withholds Alice's acknowledgement and delivers one of Mallory's instead, so that Bob stops telling",
    outcome=Outcome.DETECTED,
    seen="Bob's log names it; his daemon still owes his answer and gives it again",
)
def third_ack(village: Village) -> None:
    alice, bob, broker = village.alice, village.bob, village.broker
    mallory = Accomplice("moriarty", village, bob)
    own_edge = mallory.may_dispatch()
    with broker.doing("hold", "Deliver", bob.address, klass=FOLLOW_ON) as held:
        dispatch_id = village.arrived("Did you hear?")
        bob.post(f"/v1/dispatches/{dispatch_id}/decline", reason="no")
        held.holds(1)
        digest, log = alice.digest(dispatch_id), len(bob.log)
        owed = bob.journal("SELECT count(*) FROM outbox WHERE about = ?", digest)
        ack = Ack(
            head=mallory.head(re=Digest.from_hex(digest), edge=own_edge),
            device=party_of(village, bob).device,
            seq=99,
        )
        mallory.say(ack)
        bob.notes("which did not come from there", log)
        assert bob.journal("SELECT count(*) FROM outbox WHERE about = ?", digest) == owed != [(0,)]
        held.release()
    poll(
        lambda: bob.journal("SELECT count(*) FROM outbox WHERE about = ?", digest) == [(0,)],
        "Bob owes nothing",
    )
    bob.post("/v1/contacts/revoke", peer=mallory.device.address)


@attack(
    CHAPTER,
    "wider scopes",
    does="delivers to Alice a newer grant of Bob's with a shell and no end to it, and to Bob the same, signed by Mallory",
    outcome=Outcome.DETECTED,
    seen="both logs refuse it; `dispatch contacts` shows the scopes that Bob chose, and Bob's own copy decides",
)
def wider(village: Village) -> None:
    alice, bob, broker = village.alice, village.bob, village.broker
    edge = EdgeId.from_uuid(village.edge)
    scopes = Scopes(tools=("Bash", "Edit", "Read", "Write"))
    before = [(person.edge(village.edge) or {})["scopes"] for person in (alice, bob)]
    for reader, author in ((alice, bob), (bob, alice)):
        mallory = Accomplice("mallory", village, reader)
        log, named = len(reader.log), party_of(village, author)
        for sender in (mallory.party, named):
            head = mallory.head(edge=edge, sender=sender)
            version = Version(9, sender.device)
            parents = (Version(1, DeviceId(bob_device(village))),)
            grant = GrantDocument(head=head, version=version, parents=parents, scopes=scopes)
            raw = mallory.enveloped(mallory.signed(grant), head, from_device=sender.device)
            broker.deliver(reader.address, raw)
        reader.notes("signer_unknown", log)
        reader.notes("signature_bad", log)
    assert [(person.edge(village.edge) or {})["scopes"] for person in (alice, bob)] == before
    assert "Bash" not in alice.reads("contacts")


def bob_device(village: Village) -> bytes:
    """Return Bob's device."""
    return party_of(village, village.bob).device.raw


@attack(
    CHAPTER,
    "statuses by notice",
    does="tells both, in notices of every kind, that the dispatch was accepted, approved, completed and refused",
    outcome=Outcome.HARMLESS,
    seen="nothing moves: `delivered` on both sides",
)
def notices(village: Village) -> None:
    alice, bob, broker = village.alice, village.bob, village.broker
    dispatch_id = village.arrived("Where are we?")
    for person in (alice, bob):
        for kind in ("dispatch", "decision", "approval", "receipt", "snapshot", "edges", "result", "drain"):
            for status in ("accepted", "completed", "refused"):
                news = {"dispatch_id": dispatch_id, "status": status, "decision": "allow", "grant": "always"}
                broker.notify(person.address, kind, news)
        broker.heard_by(person.address)
        assert person.state(dispatch_id)["status"] == "delivered"


@attack(
    CHAPTER,
    "approved by the broker",
    does="while Bob is asked about a call, says by notice and by answers to nothing that he allowed it",
    outcome=Outcome.HARMLESS,
    seen="the question stays open until Bob himself answers it; after his no nothing was changed",
)
def approved(village: Village) -> None:
    alice, bob, broker = village.alice, village.bob, village.broker
    notes = village.project / "notes.md"
    before = notes.read_text()
    change = {"file_path": "notes.md", "old_string": "first", "new_string": "hijacked"}
    step = {"tool": "Edit", "input": change, "save_as": None, "allow_failure": False}
    dispatch_id = village.arrived("Change the notes", steps=[step])
    village.run(dispatch_id)
    request = bob.question(dispatch_id)["request_id"]
    for kind in ("approval", "approval_decided", "decision"):
        broker.notify(bob.address, kind, {"request_id": request, "decision": "allow", "grant": "always"})
    broker.heard_by(bob.address)
    assert [each["state"] for each in bob.get("/v1/approvals")["approvals"]] == ["open"]
    bob.do("deny", request)
    alice.shows(dispatch_id, "failed", "completed")
    assert notes.read_text() == before
