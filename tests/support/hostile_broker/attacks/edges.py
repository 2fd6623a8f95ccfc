"""Attacks on edges' headers and on the broker's own yes and no: what it calls active, unlimited, refused or kept."""

from typing import Any

from tests.support.dispatch_command import Ended
from tests.support.hostile_broker.attacks.revival import edge_bytes
from tests.support.hostile_broker.attacks.table import Attack, Outcome, attack
from tests.support.hostile_broker.owner import TASK, TRUST
from tests.support.hostile_broker.village import Village
from tests.support.patience import poll

CHAPTER: list[Attack] = []
_NO = ["edge_revoked", 403, "this edge was revoked"]


@attack(
    CHAPTER,
    "active before it is confirmed",
    does="calls an edge active and carries a task over it, while it keeps the confirmation back",
    outcome=Outcome.DETECTED,
    seen="the author reads `refused` and `edge_pending`, signed by the recipient's device",
)
def unconfirmed(village: Village) -> None:
    author, trustor, broker = village.bob, village.alice, village.broker
    with broker.doing("hold", "Deliver", trustor.address, klass=TRUST) as held:
        edge = village.accept(trustor, village.invite(author, trustor.address))["edge_id"]
        village.in_force(author, edge)
        held.holds(1)
        broker.rewrite("UPDATE edges SET status = 'active' WHERE edge_id = ?", edge_bytes(edge))
        dispatch_id = author.send(trustor, "Before you know me")
        state = author.shows(dispatch_id, "refused")
        assert (state["error"]["code"], author.types(dispatch_id)) == ("edge_pending", ["refused"])
        assert (trustor.edge(edge) or {})["status"] == "pending"
        held.release()
    village.in_force(trustor, edge)
    village.part(author, trustor)


@attack(
    CHAPTER,
    "no daily limit",
    does="counts ten thousand a day where the recipient granted one",
    outcome=Outcome.DETECTED,
    seen="the author reads `refused` and `daily_limit`, signed by the recipient's device, which counts for itself",
)
def unlimited(village: Village) -> None:
    author, trustor, broker = village.bob, village.alice, village.broker
    edge = village.befriend(author, trustor, max_per_day=1)
    broker.rewrite("UPDATE edges SET max_per_day = 10000 WHERE edge_id = ?", edge_bytes(edge))
    first = author.send(trustor, "One a day")
    author.shows(first, "delivered")
    second = author.send(trustor, "And another")
    state = author.shows(second, "refused", "delivered")
    assert (state["status"], state["error"]["code"]) == ("refused", "daily_limit")
    assert author.types(second) == ["refused"]
    assert trustor.state(second)["status"] == "refused"
    village.part(author, trustor)


@attack(
    CHAPTER,
    "lies about every edge",
    does="answers the question for edges with others' edges, with revoked ones, with noise",
    outcome=Outcome.HARMLESS,
    seen="`dispatch contacts` shows one's own records; only the dot for who is connected is the broker's word",
)
def listings(village: Village) -> None:
    alice, broker = village.alice, village.broker
    before = {
        each["edge_id"]: (each["status"], each["scopes"]) for each in alice.get("/v1/contacts")["edges"]
    }
    row = {
        "edge_id": village.edge,
        "status": "revoked",
        "online": True,
        "max_per_day": 0,
        "to_email": "eve@x",
    }
    lies: list[Any] = [
        {"edges": [row]},
        {"edges": [{**row, "edge_id": "80808080-8080-8080-8080-808080808080", "status": "active"}]},
        {"edges": None},
        {"edges": [1, None, {"edge_id": []}, {"edge_id": {}}]},
        {"edges": {"a": 1}},
        {},
    ]
    for lie in lies:
        with broker.doing("answer", "Answer", alice.address, give=lie, op="edges") as lied:
            shown = poll(
                lambda lied=lied: [edges for edges in [alice.get("/v1/contacts")["edges"]] if lied.taken],
                "the lie is asked for",
            )[0]
        assert {each["edge_id"]: (each["status"], each["scopes"]) for each in shown} == before
    assert "bob@example.org" in alice.reads("contacts")


def typed(village: Village, words: str) -> Ended:
    """Let Alice type a task for Bob."""
    return village.alice.try_("send", village.bob.address, words)


@attack(
    CHAPTER,
    "refused, and delivered all the same",
    does="tells Alice that it refused a task, and carries it to Bob",
    outcome=Outcome.DETECTED,
    seen="Alice reads that the broker refused and that nothing signed says so; Bob's first signed answer takes it back, "
    "with a warning",
)
def lying(village: Village) -> None:
    alice, bob, broker = village.alice, village.bob, village.broker
    with (
        broker.doing("reject", "Deposited", alice.address, give=_NO, klass=TASK) as lied,
        broker.doing("hold", "Deliver", alice.address, klass=3) as held,
    ):
        ended = typed(village, "Do you hear me?")
        lied.done()
        assert ended.code != 0
        assert "revoked" in ended.err
        sent = alice.box("sent")[0]
        assert (sent["status"], sent["presumed"]) == ("refused", True)
        assert "the relay refused it" in ended.err
        assert "Nothing that they signed says so" in alice.reads("status", sent["dispatch_id"])
        bob.receives(sent["dispatch_id"])
        held.holds(1)
        held.release()
    state = alice.shows(sent["dispatch_id"], "delivered")
    assert (state["error"], state["presumed"]) == (None, False)
    warnings = [each["data"]["warning"] for each in state["events"] if each["type"] == "warning"]
    assert warnings == ["taken for refused here, and delivered all the same"]


@attack(
    CHAPTER,
    "refused without a reason that exists",
    does="refuses tasks with made-up codes, with a screen full of escape sequences as its reason",
    outcome=Outcome.DETECTED,
    seen="Alice reads `refused` with the broker's words made harmless; no character of them moves her terminal",
)
def made_up(village: Village) -> None:
    alice, broker = village.alice, village.broker
    for code in ("made_up", "x" * 60):
        give = [code, 403, "\x1b[2J\x1b]0;owned\x07" + "d" * 300]
        with broker.doing("reject", "Deposit", alice.address, give=give, klass=TASK) as refused:
            ended = typed(village, "Anybody?")
            refused.done()
        assert ended.code != 0
        assert "\x1b" not in ended.err + ended.out
        sent = alice.box("sent")[0]
        assert (sent["status"], sent["presumed"]) == ("refused", True)
        assert "\x1b" not in alice.reads("status", sent["dispatch_id"])
