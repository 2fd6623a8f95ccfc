"""Attacks by order, repetition and silence: what a broker may do to anybody, and what each side then knows."""

from tests.support.hostile_broker.attacks.table import Attack, Outcome, attack
from tests.support.hostile_broker.owner import ANSWER, FOLLOW_ON, TASK
from tests.support.hostile_broker.village import Village
from tests.support.patience import poll

CHAPTER: list[Attack] = []
READ = {"tool": "Read", "input": {"file_path": "notes.md"}, "save_as": None, "allow_failure": False}


def lose_and_find(village: Village, *people: str) -> None:
    """Let the broker admit, by a new epoch, that it has lost something: what is owed comes again."""
    with (
        village.broker.doing("set", "Challenge", give={"epoch": "*"}),
        village.broker.doing("set", "Welcome", give={"epoch": "*"}) as admitted,
    ):
        village.broker.cut(people)
        admitted.done(len(people))


@attack(
    CHAPTER,
    "a task twenty times over",
    does="delivers a task again and again before, while and after Bob runs it",
    outcome=Outcome.HARMLESS,
    seen="one entry in Bob's inbox, one run, one result at Alice",
)
def repeated(village: Village) -> None:
    alice, bob, broker = village.alice, village.bob, village.broker
    dispatch_id = village.arrived("Read the notes", steps=[READ])
    raw = broker.archive(klass=TASK, digest=alice.digest(dispatch_id))[0].raw
    broker.deliver(bob.address, *[raw] * 7)
    village.run(dispatch_id)
    broker.deliver(bob.address, *[raw] * 7)
    bob.approve_all(dispatch_id)
    broker.deliver(bob.address, *[raw] * 7)
    alice.shows(dispatch_id, "completed")
    assert len(bob.state(dispatch_id)["runs"]) == 1
    assert [each["dispatch_id"] for each in bob.box("inbox")].count(dispatch_id) == 1
    assert [each for each in alice.types(dispatch_id) if each in ("accepted", "result")] == [
        "accepted",
        "result",
    ]


@attack(
    CHAPTER,
    "the story told backwards",
    does="keeps back everything that Bob answers, and delivers it in the reverse order",
    outcome=Outcome.HARMLESS,
    seen="Alice sees `sent` until the first answer is there, and then the whole story in its right order",
)
def backwards(village: Village) -> None:
    alice, bob, broker = village.alice, village.bob, village.broker
    with broker.doing("hold", "Deliver", alice.address, klass=ANSWER) as held:
        dispatch_id = alice.send(bob, "Read the notes", steps=[READ])
        bob.receives(dispatch_id)
        village.run(dispatch_id)
        bob.approve_all(dispatch_id)
        said = bob.types(dispatch_id)
        held.holds(len(said))
        assert alice.state(dispatch_id)["status"] == "sent"
        held.release(backwards=True)
    alice.shows(dispatch_id, "completed")
    assert alice.types(dispatch_id) == bob.types(dispatch_id) == said


@attack(
    CHAPTER,
    "kept, it said",
    does="says of a task that it is kept, and throws it away",
    outcome=Outcome.DETECTED,
    seen="Alice sees `sent` with its deadline and never `delivered`; a broker that admits the loss is given it again",
)
def swallowed(village: Village) -> None:
    alice, bob, broker = village.alice, village.bob, village.broker
    with broker.doing("claim", "Deposit", alice.address, klass=TASK) as claimed:
        dispatch_id = alice.send(bob, "Do not lose this")
        claimed.done()
    broker.heard_by(alice.address)
    broker.heard_by(bob.address)
    state = alice.state(dispatch_id)
    assert (state["status"], state["receipts"], bob.has(dispatch_id)) == ("sent", [], False)
    assert "until" in alice.reads("status", dispatch_id)
    lose_and_find(village, alice.address)
    alice.shows(dispatch_id, "delivered")


@attack(
    CHAPTER,
    "an acknowledgement that never was",
    does="forgets a task as if Bob had acknowledged it, by a deletion in its own database",
    outcome=Outcome.DETECTED,
    seen="as above: Alice sees `sent`, never `delivered`, and the task comes again from her",
)
def forgotten(village: Village) -> None:
    alice, bob, broker = village.alice, village.bob, village.broker
    with broker.doing("hold", "Deliver", bob.address, klass=TASK) as held:
        dispatch_id = alice.send(bob, "Do not forget this")
        held.holds(1)
        broker.rewrite("DELETE FROM mailboxes WHERE digest = ?", bytes.fromhex(alice.digest(dispatch_id)))
    broker.cut([bob.address])
    assert (alice.state(dispatch_id)["status"], bob.has(dispatch_id)) == ("sent", False)
    lose_and_find(village, alice.address)
    alice.shows(dispatch_id, "delivered")


@attack(
    CHAPTER,
    "a word left out",
    does="throws away the first of Bob's answers and delivers the second",
    outcome=Outcome.DETECTED,
    seen="Alice keeps seeing `sent`: an answer without its predecessor moves nothing; both arrive once Bob tells again",
)
def gap(village: Village) -> None:
    alice, bob, broker = village.alice, village.bob, village.broker
    with broker.doing("claim", "Deposit", bob.address, klass=ANSWER) as claimed:
        dispatch_id = alice.send(bob, "Will you?")
        broker.waits_for(klass=ANSWER, re=alice.digest(dispatch_id))
        claimed.done()
    bob.post(f"/v1/dispatches/{dispatch_id}/decline", reason="no time")
    broker.waits_for(2, klass=ANSWER, re=alice.digest(dispatch_id))
    poll(
        lambda: alice.journal("SELECT count(*) FROM answers WHERE held")[0][0],
        "Alice holds what came too early",
    )
    assert alice.state(dispatch_id)["status"] == "sent"
    lose_and_find(village, bob.address)
    alice.shows(dispatch_id, "declined")


@attack(
    CHAPTER,
    "the cancel before the task",
    does="keeps a task back until the cancel that follows it has been delivered",
    outcome=Outcome.HARMLESS,
    seen="`cancelled` on both sides, by Bob's receipt",
)
def overtaken(village: Village) -> None:
    alice, bob, broker = village.alice, village.bob, village.broker
    with broker.doing("hold", "Deliver", bob.address, klass=TASK) as held:
        dispatch_id = alice.send(bob, "On second thoughts")
        held.holds(1)
        alice.post(f"/v1/dispatches/{dispatch_id}/cancel", reason="on second thoughts")
        broker.waits_for(klass=FOLLOW_ON, re=alice.digest(dispatch_id))
        broker.heard_by(bob.address)
        held.release()
    alice.shows(dispatch_id, "cancelled")
    bob.shows(dispatch_id, "cancelled")
    assert "cancelled" in alice.types(dispatch_id)


@attack(
    CHAPTER,
    "the cancel withheld",
    does="never delivers Alice's cancel",
    outcome=Outcome.DETECTED,
    seen="Alice reads `cancel requested`, not `cancelled`, and then what Bob really did",
)
def unheard_cancel(village: Village) -> None:
    alice, bob, broker = village.alice, village.bob, village.broker
    dispatch_id = village.arrived("Take your time")
    with broker.doing("hold", "Deliver", bob.address, klass=FOLLOW_ON) as held:
        alice.post(f"/v1/dispatches/{dispatch_id}/cancel", reason="no more")
        held.holds(1)
        assert "cancel requested" in alice.reads("status", dispatch_id)
        assert bob.state(dispatch_id)["status"] == "delivered"
        bob.post(f"/v1/dispatches/{dispatch_id}/decline", reason="no time")
        alice.shows(dispatch_id, "declined")


@attack(
    CHAPTER,
    "deaf to acknowledgements",
    does="ignores what Bob acknowledges and delivers the same again in every session",
    outcome=Outcome.HARMLESS,
    seen="nothing: one entry, one receipt",
)
def deaf(village: Village) -> None:
    alice, bob, broker = village.alice, village.bob, village.broker
    with broker.doing("drop", "Ack", bob.address) as dropped:
        dispatch_id = village.arrived("Once is enough")
        before = dropped.taken
        for _ in range(2):
            broker.cut([bob.address])
        dropped.done(before + 2)
    broker.heard_by(bob.address)
    broker.heard_by(alice.address)
    assert alice.types(dispatch_id) == ["delivered"]
    assert [each["dispatch_id"] for each in bob.box("inbox")].count(dispatch_id) == 1


@attack(
    CHAPTER,
    "no word on a deposit",
    does="carries a task to Bob and never tells Alice that it took it",
    outcome=Outcome.HARMLESS,
    seen="Alice sees `queued` until Bob's signed receipt says `delivered`",
)
def unanswered(village: Village) -> None:
    alice, broker = village.alice, village.broker
    with broker.doing("drop", "Deposited", alice.address, klass=TASK) as dropped:
        dispatch_id = alice.send(village.bob, "Did it go?")
        dropped.done()
        alice.shows(dispatch_id, "delivered")
    broker.cut([alice.address])
    assert village.bob.has(dispatch_id)


@attack(
    CHAPTER,
    "a flood of noise",
    does="delivers two thousand envelopes of noise before an honest one",
    outcome=Outcome.HARMLESS,
    seen="Bob's log counts them; the honest task arrives behind them",
)
def flood(village: Village) -> None:
    alice, bob, broker = village.alice, village.bob, village.broker
    broker.deliver(bob.address, *[b"DSP1" + bytes([number % 256]) * 1200 for number in range(2000)])
    dispatch_id = village.arrived("After the flood")
    assert alice.state(dispatch_id)["status"] == "delivered"
