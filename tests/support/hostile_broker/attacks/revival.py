"""Attacks that raise what is over: cancelled and declined work, revoked edges, first contacts of long ago."""

from tests.support.hostile_broker.attacks.table import Attack, Outcome, attack
from tests.support.hostile_broker.owner import ANSWER, TASK, TRUST
from tests.support.hostile_broker.village import Village
from tests.support.patience import poll

CHAPTER: list[Attack] = []


@attack(
    CHAPTER,
    "cancelled work revived",
    does="delivers a task again after it was cancelled",
    outcome=Outcome.HARMLESS,
    seen="it stays `cancelled`; who tries to accept it reads that nothing is pending on it",
)
def cancelled(village: Village) -> None:
    alice, bob, broker = village.alice, village.bob, village.broker
    dispatch_id = village.arrived("Never mind")
    alice.post(f"/v1/dispatches/{dispatch_id}/cancel", reason="never mind")
    alice.shows(dispatch_id, "cancelled")
    raw = broker.archive(klass=TASK, digest=alice.digest(dispatch_id))[0].raw
    broker.deliver(bob.address, *[raw] * 5)
    refused = bob.refused(f"/v1/dispatches/{dispatch_id}/accept", cwd=str(village.project))
    assert "nothing is pending on this dispatch: it is cancelled" in refused
    assert bob.state(dispatch_id)["runs"] == []
    broker.heard_by(alice.address)
    assert alice.state(dispatch_id)["status"] == bob.state(dispatch_id)["status"] == "cancelled"


@attack(
    CHAPTER,
    "a no taken back",
    does="delivers a declined task again, and the `delivered` that Bob had said before his no",
    outcome=Outcome.HARMLESS,
    seen="both keep reading `declined`",
)
def declined(village: Village) -> None:
    alice, bob, broker = village.alice, village.bob, village.broker
    dispatch_id = village.arrived("Would you?")
    bob.post(f"/v1/dispatches/{dispatch_id}/decline", reason="no")
    alice.shows(dispatch_id, "declined")
    digest = alice.digest(dispatch_id)
    broker.deliver(bob.address, broker.archive(klass=TASK, digest=digest)[0].raw)
    for parcel in broker.archive(klass=ANSWER, re=digest):
        broker.deliver(alice.address, parcel.raw)
    assert alice.state(dispatch_id)["status"] == bob.state(dispatch_id)["status"] == "declined"
    assert alice.types(dispatch_id) == ["delivered", "declined"]
    assert "not_pending" in bob.refused(f"/v1/dispatches/{dispatch_id}/accept", cwd=str(village.project))


@attack(
    CHAPTER,
    "a revoked edge kept open",
    does="swallows Alice's revocation, keeps the edge active in its books, and carries what Bob sends over it",
    outcome=Outcome.DETECTED,
    seen="Bob reads `refused` and `edge_revoked`, signed by Alice's device; her inbox marks it refused",
)
def revoked(village: Village) -> None:
    author, trustor, broker = village.bob, village.alice, village.broker
    edge = village.befriend(author, trustor)
    with (
        broker.doing("claim", "Deposit", trustor.address, klass=TRUST) as swallowed,
        broker.doing("answer", "Call", trustor.address, give={"status": "revoked"}, op="revoke_edge") as told,
    ):
        trustor.post("/v1/contacts/revoke", peer=author.address)
        swallowed.done()
        told.done()
    try:
        assert broker.sql("SELECT status FROM edges WHERE edge_id = ?", edge_bytes(edge)) == [["active"]]
        dispatch_id = author.send(trustor, "As ever")
        state = author.shows(dispatch_id, "refused", "delivered")
        assert (state["status"], (state["error"] or {}).get("code")) == ("refused", "edge_revoked")
        assert author.types(dispatch_id) == ["refused"]
        assert "refused" in author.reads("status", dispatch_id)
        assert [trustor.state(dispatch_id)["status"], trustor.state(dispatch_id)["runs"]] == ["refused", []]
    finally:
        told_late(village, edge)


def told_late(village: Village, edge: str) -> None:
    """Let Bob hear at last that the edge is over, and the database too."""
    village.broker.rewrite("UPDATE edges SET status = 'revoked' WHERE edge_id = ?", edge_bytes(edge))
    for parcel in village.broker.archive(klass=TRUST, edge=edge, to=village.bob.address):
        village.broker.deliver(village.bob.address, parcel.raw)
    poll(lambda: (village.bob.edge(edge) or {}).get("status") == "revoked", "Bob sees the edge revoked")


def edge_bytes(edge: str) -> bytes:
    """Return an edge's id as the database holds it."""
    return bytes.fromhex(edge.replace("-", ""))


@attack(
    CHAPTER,
    "an old friendship replayed",
    does="after a revocation sets the edge active again and delivers the whole first contact once more",
    outcome=Outcome.HARMLESS,
    seen="both keep reading `revoked`; sending over it is refused on the author's own machine",
)
def befriended_again(village: Village) -> None:
    author, trustor, broker = village.bob, village.alice, village.broker
    edge = village.befriend(author, trustor)
    contact = broker.archive(klass=TRUST, edge=edge)
    village.part(author, trustor)
    broker.rewrite("UPDATE edges SET status = 'active' WHERE edge_id = ?", edge_bytes(edge))
    for parcel in contact:
        broker.deliver(parcel.to, parcel.raw)
    broker.notify(author.address, "edges", {})
    broker.heard_by(author.address)
    for person in (author, trustor):
        assert (person.edge(edge) or {})["status"] == "revoked"
    assert "edge_revoked" in author.refused("/v1/dispatches", recipient=trustor.address, task="Again?")
    broker.rewrite("UPDATE edges SET status = 'revoked' WHERE edge_id = ?", edge_bytes(edge))
