"""A contact's chain grows: its new links are learnt and pinned, hidden ones are missed, and two histories stop everything."""

from collections.abc import Iterable, Mapping
from typing import Any

from dispatch_daemon.app.chains import BURST, QUIET_MS
from dispatch_protocol.chain import write_links
from dispatch_protocol.encoding import JSON
from dispatch_protocol.envelope import Envelope, EnvelopeClass
from dispatch_protocol.frames import Call, Deposit, Frame, Rejected
from dispatch_protocol.keys import Digest
from dispatch_protocol.links import RecoverLink, sign_link
from dispatch_protocol.messages.answers import ReceiptType
from dispatch_protocol.signing import dispatch_id
from tests.support.device import now_ms
from tests.support.grown_chains import added, place, revoked, taken, told
from tests.support.patience import eventually
from tests.support.stranger import Stranger, Victim


async def the_edge(victim: Victim) -> Mapping[str, Any]:
    edges: list[Mapping[str, Any]] = (await victim.do("GET", "/v1/contacts"))["edges"]
    return edges[-1]


async def test_task_of_a_contacts_new_device_is_taken_in(victim: Victim, mallory: Stranger) -> None:
    await mallory.may_dispatch(tools=["Read"])
    chain, phone = added(mallory, "phone")
    told(mallory, chain)
    mallory.device = phone
    await taken(victim, mallory)
    assert (await the_edge(victim))["conflict"] is False


async def test_what_is_sent_from_then_on_is_sealed_to_every_device(victim: Victim, mallory: Stranger) -> None:
    await mallory.may_be_sent()
    laptop = mallory.device
    chain, phone = added(mallory, "phone")
    told(mallory, chain)
    sent = await victim.do("POST", "/v1/dispatches", {"recipient": laptop.address, "task": "one"})
    ((digest,),) = victim.journal("SELECT digest FROM dispatches WHERE dispatch_id = ?", sent["dispatch_id"])
    laptop.chain = chain
    await victim.relay.deliver(mallory.receipt(Digest.from_hex(digest), ReceiptType.DELIVERED))
    await victim.shows(sent["dispatch_id"], "delivered")
    before = len(victim.relay.deposits)
    await victim.do("POST", "/v1/dispatches", {"recipient": laptop.address, "task": "two"})

    def sealed_to_both() -> bool:
        heard = [mallory.heard(raw) for raw in victim.relay.deposits[before:]]
        return any(set(each[0].devices) == {laptop.id, phone.id} for each in heard if each)

    await eventually(sealed_to_both)


async def test_relay_that_hides_a_link_makes_a_task_refused_and_nothing_worse(
    victim: Victim, mallory: Stranger
) -> None:
    await mallory.may_dispatch(tools=["Read"])
    chain, _ = added(mallory, "phone")
    mallory.device.chain = chain  # and the relay goes on telling the short one
    about = await mallory.say(mallory.task())
    (receipt,) = await mallory.receipts(about)
    assert (receipt.type, receipt.code) == (ReceiptType.REFUSED, "chain_unknown")
    told(mallory, chain)
    await taken(victim, mallory, "Once more")


async def test_receipt_that_calls_a_chain_stale_carries_the_links_past_a_relay_that_hides_them(
    victim: Victim, mallory: Stranger
) -> None:
    await mallory.may_be_sent()
    sent = await victim.do("POST", "/v1/dispatches", {"recipient": mallory.device.address, "task": "one"})
    ((digest,),) = victim.journal("SELECT digest FROM dispatches WHERE dispatch_id = ?", sent["dispatch_id"])
    mallory.device.chain, _ = added(mallory, "phone")
    links: dict[str, JSON] = {"links": write_links(mallory.device.chain.links)}
    await victim.relay.deliver(
        mallory.receipt(Digest.from_hex(digest), ReceiptType.STALE_CHAIN, code="stale_chain", data=links)
    )
    await victim.shows(sent["dispatch_id"], "refused")


async def test_revoked_device_is_refused_whatever_head_it_states(victim: Victim, mallory: Stranger) -> None:
    """The thief of a phone states the head at which it was active still."""
    await mallory.may_dispatch(tools=["Read"])
    laptop = mallory.device
    chain, phone = added(mallory, "phone")
    laptop.chain = revoked(chain, phone, laptop)
    told(mallory, laptop.chain)
    await taken(victim, mallory)
    mallory.device = phone
    about = await mallory.say(mallory.task("Of the thief's"))
    mallory.device = laptop
    (receipt,) = await mallory.receipts(about)
    assert (receipt.type, receipt.code) == (ReceiptType.REFUSED, "device_revoked")


async def test_what_was_signed_before_a_device_joined_is_sealed_to_the_others(
    victim: Victim, mallory: Stranger
) -> None:
    """The head that it states does not have the new device, which would refuse it."""
    await mallory.may_be_sent()
    laptop = mallory.device
    sent = await victim.do("POST", "/v1/dispatches", {"recipient": laptop.address, "task": "one"})
    ((digest,),) = victim.journal("SELECT digest FROM dispatches WHERE dispatch_id = ?", sent["dispatch_id"])
    await victim.shows(sent["dispatch_id"], "sent")

    def away(frame: Deposit | Call) -> Iterable[Frame]:
        if isinstance(frame, Deposit):
            return [Rejected(frame.ref, "unavailable", 503, "not now")]
        return victim.relayed.answer(frame)

    victim.relay.answers = away
    before = len(victim.relay.deposits)
    waits = await victim.do("POST", "/v1/dispatches", {"recipient": laptop.address, "task": "two"})
    laptop.chain, _ = added(mallory, "phone")
    told(mallory, laptop.chain)
    await victim.relay.deliver(mallory.receipt(Digest.from_hex(digest), ReceiptType.DELIVERED))
    await victim.shows(sent["dispatch_id"], "delivered")
    victim.relay.answers = victim.relayed.answer
    await victim.shows(waits["dispatch_id"], "sent")
    heard = [mallory.heard(raw) for raw in victim.relay.deposits[before:]]
    tasks = [each[0] for each in heard if each and each[0].klass is EnvelopeClass.TASK]
    assert tasks
    assert all(header.devices == (laptop.id,) for header in tasks)


async def test_task_for_a_device_that_was_revoked_unheard_of_goes_to_the_others(
    victim: Victim, mallory: Stranger
) -> None:
    """The relay knows of the revocation first, and takes nothing for that device."""
    await mallory.may_be_sent()
    laptop = mallory.device
    laptop.chain, phone = added(mallory, "phone")
    told(mallory, laptop.chain)
    sent = await victim.do("POST", "/v1/dispatches", {"recipient": laptop.address, "task": "one"})
    ((digest,),) = victim.journal("SELECT digest FROM dispatches WHERE dispatch_id = ?", sent["dispatch_id"])
    await victim.relay.deliver(mallory.receipt(Digest.from_hex(digest), ReceiptType.DELIVERED))
    await victim.shows(sent["dispatch_id"], "delivered")
    told(mallory, revoked(laptop.chain, phone, laptop))
    refused: list[bytes] = []

    def honest(frame: Deposit | Call) -> Iterable[Frame]:
        if isinstance(frame, Deposit) and phone.id in Envelope.decode(frame.envelope).header.devices:
            refused.append(frame.envelope)
            return [Rejected(frame.ref, "device_unknown", 409, "sealed to a device that nobody has")]
        return victim.relayed.answer(frame)

    victim.relay.answers = honest
    sent = await victim.do("POST", "/v1/dispatches", {"recipient": laptop.address, "task": "two"})
    await victim.shows(sent["dispatch_id"], "sent")
    assert refused


async def test_two_histories_stop_the_contact_until_a_recovery_voids_one(
    victim: Victim, mallory: Stranger
) -> None:
    await mallory.may_be_sent()
    await mallory.may_dispatch(tools=["Read"])
    laptop, before = mallory.device, mallory.device.chain
    one, _ = added(mallory, "phone")
    other, _ = added(mallory, "tablet")
    told(mallory, one)
    laptop.chain = one
    await taken(victim, mallory)
    told(mallory, other)
    laptop.chain = other
    await mallory.say(mallory.task("Of another history"))

    async def in_conflict() -> bool:
        return all(each["conflict"] for each in (await victim.do("GET", "/v1/contacts"))["edges"])

    while not await in_conflict():
        pass
    reply = await victim.ask("POST", "/v1/dispatches", {"recipient": laptop.address, "task": "Still there?"})
    assert (reply.status, reply.value["code"]) == (409, "chain_forked")
    laptop.chain = one
    task = mallory.task("Of the first history")
    signed = mallory.signed(task)
    await victim.relay.deliver(mallory.enveloped(signed, task.head))
    await victim.relay.kept()
    assert (await victim.ask("GET", f"/v1/dispatches/{dispatch_id(signed.digest)}")).status == 404
    again = RecoverLink(epoch=1, survivors=frozenset({laptop.id}), device=None, **place(before))
    laptop.chain = before.extend([sign_link(again, [laptop.recovery])])
    told(mallory, laptop.chain)
    await taken(victim, mallory, "All is well again")
    assert not await in_conflict()


async def test_flood_of_unknown_heads_asks_the_relay_a_few_times(victim: Victim, mallory: Stranger) -> None:
    await mallory.may_dispatch(tools=["Read"])
    asked: list[JSON] = []

    def hide(args: Mapping[str, JSON]) -> Mapping[str, JSON]:
        asked.append(args["genesis"])
        return {"links": write_links(before.links)}

    before = mallory.device.chain
    mallory.relayed.lies["chain"] = hide
    mallory.device.chain, _ = added(mallory, "phone")
    tasks = [mallory.task(f"task {number}") for number in range(60)]
    began_ms = now_ms()
    await victim.relay.deliver(*(mallory.sealed(task) for task in tasks[:30]))
    for task in tasks[30:]:
        await victim.relay.deliver(mallory.sealed(task))
        await victim.relay.kept()
    assert 1 <= len(asked) <= BURST + 1 + (now_ms() - began_ms) // QUIET_MS
