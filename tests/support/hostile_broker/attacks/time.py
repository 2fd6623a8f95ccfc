"""Lies about time, about who is connected, and about which storage this is."""

from tests.support.hostile_broker.accomplice import chain_of
from tests.support.hostile_broker.attacks.sequence import lose_and_find
from tests.support.hostile_broker.attacks.table import Attack, Outcome, attack
from tests.support.hostile_broker.owner import TASK
from tests.support.hostile_broker.village import Village
from tests.support.patience import poll

CHAPTER: list[Attack] = []


@attack(
    CHAPTER,
    "ten years ahead, ten years behind",
    does="states another decade in every challenge and every welcome",
    outcome=Outcome.DETECTED,
    seen="`dispatch doctor` says how far the clocks differ; tasks arrive, live and end by the people's own clocks",
)
def clocks(village: Village) -> None:
    alice, bob, broker = village.alice, village.bob, village.broker
    for time_ms in (2_100_000_000_000, 1_000):
        with (
            broker.doing("set", "Challenge", give={"time_ms": time_ms}),
            broker.doing("set", "Welcome", give={"time_ms": time_ms, "expires_ms": time_ms}) as lied,
        ):
            broker.cut([alice.address, bob.address])
            lied.done(2)
        assert "clock and the broker's differ" in alice.reads("doctor")
        dispatch_id = village.arrived("What time is it?")
        assert bob.state(dispatch_id)["status"] == "delivered"
        bob.post(f"/v1/dispatches/{dispatch_id}/decline", reason="now")
        alice.shows(dispatch_id, "declined")
    broker.cut([alice.address, bob.address])


@attack(
    CHAPTER,
    "who is there",
    does="says that everybody is away, that strangers are here, and that Bob came and went a hundred times",
    outcome=Outcome.HARMLESS,
    seen="the dot in `dispatch contacts` is the broker's word and decides nothing: the task goes out and arrives",
)
def presence(village: Village) -> None:
    alice, bob, broker = village.alice, village.bob, village.broker
    bobs = chain_of(village, bob).genesis.hex
    for number in range(100):
        broker.notify(alice.address, "presence", {"genesis": bobs, "online": number % 2 == 0})
    broker.notify(alice.address, "presence", {"genesis": "00" * 32, "online": True, "more": [None] * 100})
    lie = {"edges": [{"edge_id": village.edge, "status": "active", "online": False}]}
    with broker.doing("answer", "Answer", alice.address, give=lie, op="edges") as lied:
        poll(
            lambda: not (alice.edge(village.edge) or {})["online"] and lied.taken,
            "the lie is asked for and shown",
        )
        village.arrived("Are you there?")


@attack(
    CHAPTER,
    "a new epoch at every frame",
    does="names another storage in every challenge and welcome of four sessions, so that everything is given again",
    outcome=Outcome.HARMLESS,
    seen="nothing: only what is still owed comes again, and happens once",
)
def epochs(village: Village) -> None:
    alice, bob, broker = village.alice, village.bob, village.broker
    done = village.arrived("Done long ago")
    bob.post(f"/v1/dispatches/{done}/decline", reason="no")
    alice.shows(done, "declined")
    with broker.doing("hold", "Deliver", bob.address, klass=TASK) as held:
        waits = alice.send(bob, "On its way")
        held.holds(1)
        for _ in range(4):
            lose_and_find(village, alice.address)

        def given(name: str) -> int:
            digest = alice.digest(name)
            return [each.digest for each in broker.archive(klass=TASK, to=bob.address)].count(digest)

        poll(lambda: given(waits) >= 2, "what is still owed is given again")
        assert given(done) == 1
        held.release()
    alice.shows(waits, "delivered")
    assert [each["dispatch_id"] for each in bob.box("inbox")].count(waits) == 1
    assert alice.types(waits) == ["delivered"]
