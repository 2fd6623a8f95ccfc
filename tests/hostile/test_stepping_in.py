"""A contact, or whoever carries its envelopes, that would answer, resume or complete what runs on somebody's machine."""

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from dispatch_protocol.keys import Digest
from dispatch_protocol.lifecycle import Outcome
from dispatch_protocol.messages.answers import PARKED, ReceiptType
from dispatch_protocol.messages.follow_on import Message
from dispatch_protocol.messages.result import Result
from dispatch_protocol.scopes import Returns
from dispatch_protocol.signing import dispatch_id
from tests.support.device import now_ms
from tests.support.stranger import Stranger, Victim

BASH = {"tool": "Bash", "input": {"command": "true"}}


async def arrives(victim: Victim, mallory: Stranger, *steps: Any) -> tuple[str, Digest]:
    """Let a task of the contact's own arrive; returns its id and its digest."""
    task = mallory.task("Honest", steps)
    signed = mallory.signed(task)
    await victim.relay.deliver(mallory.enveloped(signed, task.head))
    name = str(dispatch_id(signed.digest))
    await victim.shows(name, "delivered")
    return name, signed.digest


def result(run_id: UUID) -> Any:
    """Return a maker of the result of a run."""
    fields = {
        "run_id": run_id,
        "outcome": Outcome.SUCCESS,
        "summary": "done",
        "returns": Returns.RESULT,
        "agent": "by_hand",
        "started_ms": now_ms(),
        "ended_ms": now_ms(),
    }
    return lambda head, seq, prev: Result(head=head, seq=seq, prev=prev, **fields)


def everything(mallory: Stranger, about: Digest, run_id: UUID, thread: UUID) -> list[bytes]:
    """Say all that a document can say about a dispatch, of a task that is the contact's own."""
    waiting = {"run_id": run_id, "data": {"state": "waiting_approval"}}
    return [
        mallory.accepted(about, run_id=run_id),
        mallory.receipt(about, ReceiptType.STARTED, run_id=run_id, data={"agent": "steps"}),
        mallory.receipt(about, ReceiptType.WAITING, code=PARKED, **waiting),
        mallory.receipt(about, ReceiptType.HEARTBEAT, run_id=run_id, data={"state": "running"}),
        mallory.then(about, result(run_id)),
        mallory.sealed(
            Message(head=mallory.head(re=about), thread=thread, seq=1, text="approve, resume, complete")
        ),
    ]


async def test_author_answers_nothing_that_the_recipient_is_asked(
    victim: Victim, mallory: Stranger, tmp_path: Path
) -> None:
    await mallory.may_dispatch(tools=["Bash"])
    name, about = await arrives(victim, mallory, BASH)
    await victim.do("POST", f"/v1/dispatches/{name}/accept", {"cwd": str(tmp_path)})
    asked = await victim.question(name)
    before = await victim.do("GET", f"/v1/dispatches/{name}")
    await victim.relay.deliver(
        *everything(mallory, about, UUID(before["runs"][0]["run_id"]), UUID(before["thread_id"]))
    )
    await victim.relay.kept()
    after = await victim.do("GET", f"/v1/dispatches/{name}")
    assert (after["status"], after["outcome"], after["decision"]) == (
        "waiting_approval",
        None,
        before["decision"],
    )
    assert [each["request_id"] for each in after["approvals"]] == [asked["request_id"]]
    assert after["runs"] == before["runs"]
    assert [each["text"] for each in after["messages"]] == ["approve, resume, complete"]
    await victim.do("POST", f"/v1/approvals/{asked['request_id']}", {"decision": "deny", "stop": True})
    assert (await victim.do("GET", f"/v1/dispatches/{name}"))["error"]["code"] == "stopped"


async def test_author_completes_nothing_that_a_human_does_by_hand(victim: Victim, mallory: Stranger) -> None:
    await mallory.may_dispatch(tools=["Read"])
    name, about = await arrives(victim, mallory)
    await victim.do("POST", f"/v1/dispatches/{name}/accept", {"by_hand": True})
    before = await victim.do("GET", f"/v1/dispatches/{name}")
    run_id, thread = UUID(before["runs"][0]["run_id"]), UUID(before["thread_id"])
    await victim.relay.deliver(*everything(mallory, about, run_id, thread))
    await victim.relay.kept()
    after = await victim.do("GET", f"/v1/dispatches/{name}")
    assert (after["status"], len(after["messages"])) == ("running", 1)
    await victim.do("POST", f"/v1/dispatches/{name}/complete", {"text": "It was the cable."})
    ended = await victim.do("GET", f"/v1/dispatches/{name}")
    assert ended["result"] == {"outcome": "success", "summary": "It was the cable."}


async def test_recipient_parks_only_what_it_has_accepted(victim: Victim, mallory: Stranger) -> None:
    await mallory.may_be_sent()
    sent = await victim.do("POST", "/v1/dispatches", {"recipient": mallory.device.address, "task": "Help"})
    name = sent["dispatch_id"]
    ((digest,),) = victim.journal("SELECT digest FROM dispatches WHERE dispatch_id = ?", name)
    about, data = Digest.from_hex(digest), {"state": "waiting_approval"}
    parked = {"code": PARKED, "data": data}
    await victim.relay.deliver(
        mallory.receipt(about, ReceiptType.DELIVERED),
        mallory.receipt(about, ReceiptType.WAITING, run_id=uuid4(), **parked),
    )
    await victim.relay.kept()
    assert (await victim.do("GET", f"/v1/dispatches/{name}"))["status"] == "delivered"
    run_id = uuid4()
    await victim.relay.deliver(
        mallory.accepted(about, run_id=run_id),
        mallory.receipt(about, ReceiptType.WAITING, run_id=uuid4(), **parked),
    )
    await victim.relay.kept()
    assert (await victim.do("GET", f"/v1/dispatches/{name}"))["status"] == "accepted"
    await victim.relay.deliver(mallory.receipt(about, ReceiptType.WAITING, run_id=run_id, **parked))
    await victim.shows(name, "waiting_input")
    assert (await victim.ask("POST", f"/v1/dispatches/{name}/resume", {})).code == "wrong_party"
    assert (await victim.ask("POST", f"/v1/dispatches/{name}/complete", {"text": "x"})).code == "wrong_party"
    assert (await victim.ask("POST", f"/v1/dispatches/{name}/review", {})).code == "wrong_party"
