"""A contact gone bad: real keys, a real trust edge, and whatever those can be made to say."""

from uuid import uuid4

from dispatch_protocol.keys import Digest
from dispatch_protocol.lifecycle import Outcome
from dispatch_protocol.messages.answers import ReceiptType
from dispatch_protocol.messages.follow_on import Ack
from dispatch_protocol.messages.result import Result
from dispatch_protocol.scopes import Returns
from tests.support.device import now_ms
from tests.support.stranger import Stranger, Victim


async def sent(victim: Victim, mallory: Stranger, task: str = "Help me") -> tuple[str, Digest]:
    """Let the victim send the contact a task; returns its id and its digest."""
    answer = await victim.do("POST", "/v1/dispatches", {"recipient": mallory.device.address, "task": task})
    ((digest,),) = victim.journal(
        "SELECT digest FROM dispatches WHERE dispatch_id = ?", answer["dispatch_id"]
    )
    return answer["dispatch_id"], Digest.from_hex(digest)


async def test_more_answers_out_of_order_than_are_held_do_not_end_the_session(
    victim: Victim, mallory: Stranger
) -> None:
    await mallory.may_be_sent()
    dispatch_id, about = await sent(victim, mallory)
    mallory.receipt(about, ReceiptType.DELIVERED)  # the first one is never delivered
    flood = [
        mallory.receipt(about, ReceiptType.HEARTBEAT, run_id=uuid4(), data={"state": "running"})
        for _ in range(300)
    ]
    sessions = len(victim.relay.proofs)
    await victim.relay.deliver(*flood)
    other, about = await sent(victim, mallory, "Another one")
    await victim.relay.deliver(mallory.receipt(about, ReceiptType.DELIVERED))
    await victim.shows(other, "delivered")
    assert len(victim.relay.proofs) == sessions
    assert (await victim.do("GET", f"/v1/dispatches/{dispatch_id}"))["status"] == "sent"


def result(about_run: object, **fields: object):
    """Return a maker of the result of a run."""
    chosen = {
        "run_id": about_run,
        "outcome": Outcome.SUCCESS,
        "summary": "done",
        "returns": Returns.RESULT,
        "agent": "steps",
        "started_ms": now_ms(),
        "ended_ms": now_ms(),
    } | fields
    return lambda head, seq, prev: Result(head=head, seq=seq, prev=prev, **chosen)


async def test_second_result_and_a_result_after_the_end_rewrite_nothing(
    victim: Victim, mallory: Stranger
) -> None:
    await mallory.may_be_sent()
    dispatch_id, about = await sent(victim, mallory)
    run = uuid4()
    await victim.relay.deliver(
        mallory.accepted(about, run_id=run),
        mallory.then(about, result(run, outcome=Outcome.FAILED, summary="broke")),
    )
    first = await victim.shows(dispatch_id, "failed")
    await victim.relay.deliver(mallory.then(about, result(run, summary="all is well")))
    await victim.relay.kept()
    then = await victim.do("GET", f"/v1/dispatches/{dispatch_id}")
    assert (then["status"], then["outcome"]) == ("failed", "failed")
    assert then["runs"][0]["outcome"] == first["runs"][0]["outcome"] == "failed"
    assert any(event["type"] == "warning" for event in then["events"])


async def test_result_before_acceptance_moves_nothing(victim: Victim, mallory: Stranger) -> None:
    await mallory.may_be_sent()
    dispatch_id, about = await sent(victim, mallory)
    await victim.relay.deliver(
        mallory.receipt(about, ReceiptType.DELIVERED), mallory.then(about, result(uuid4()))
    )
    await victim.relay.kept()
    assert (await victim.do("GET", f"/v1/dispatches/{dispatch_id}"))["status"] == "delivered"


async def test_two_accepted_decisions_show_as_a_conflict(victim: Victim, mallory: Stranger) -> None:
    await mallory.may_be_sent()
    dispatch_id, about = await sent(victim, mallory)
    await victim.relay.deliver(mallory.accepted(about), mallory.accepted(about))
    await victim.shows(dispatch_id, "conflict")


async def test_forked_answer_is_noted_once_however_often_it_comes(victim: Victim, mallory: Stranger) -> None:
    await mallory.may_be_sent()
    dispatch_id, about = await sent(victim, mallory)
    await victim.relay.deliver(mallory.receipt(about, ReceiptType.DELIVERED))
    await victim.shows(dispatch_id, "delivered")
    other = Stranger("mallory", victim)
    other.their, other.edge = mallory.their, mallory.edge
    forked = other.receipt(about, ReceiptType.EXPIRED)
    for _ in range(20):
        await victim.relay.deliver(forked)
    await victim.relay.kept()
    state = await victim.do("GET", f"/v1/dispatches/{dispatch_id}")
    assert state["status"] == "delivered"
    assert [event["type"] for event in state["events"]].count("warning") == 1


async def test_answers_of_a_third_party_move_nothing(victim: Victim, mallory: Stranger) -> None:
    eve = Stranger("eve", victim)
    await mallory.may_be_sent()
    dispatch_id, about = await sent(victim, mallory)
    await eve.may_be_sent()
    on_their_edge = eve.receipt(about, ReceiptType.DELIVERED)
    eve.edge = mallory.edge
    await victim.relay.deliver(on_their_edge, eve.receipt(about, ReceiptType.DELIVERED), eve.accepted(about))
    await victim.relay.kept()
    assert (await victim.do("GET", f"/v1/dispatches/{dispatch_id}"))["status"] == "sent"


async def test_what_concerns_a_dispatch_counts_on_its_own_edge_only(
    victim: Victim, mallory: Stranger
) -> None:
    """The same two people, two edges: the other one's dispatcher may not settle what goes this way."""
    await mallory.may_be_sent()
    dispatch_id, about = await sent(victim, mallory)
    await victim.relay.deliver(mallory.receipt(about, ReceiptType.DELIVERED))
    await victim.shows(dispatch_id, "delivered")
    forward = mallory.edge
    await mallory.may_dispatch(tools=["Read"])
    victim.relayed.swallows = True
    await victim.do("POST", f"/v1/dispatches/{dispatch_id}/cancel", {})
    owed = victim.journal("SELECT count(*) FROM outbox WHERE about = ?", about.hex)
    await mallory.say(Ack(head=mallory.head(re=about), device=mallory.device.id, seq=9))
    await victim.relay.kept()
    assert victim.journal("SELECT count(*) FROM outbox WHERE about = ?", about.hex) == owed == [(1,)]
    # And an answer is no answer over another edge of the same trustor.
    await mallory.may_be_sent()
    assert mallory.edge != forward
    await victim.relay.deliver(mallory.accepted(about))
    await victim.relay.kept()
    assert (await victim.do("GET", f"/v1/dispatches/{dispatch_id}"))["status"] == "delivered"
