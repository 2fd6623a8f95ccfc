"""A contact's device is stolen after it has sent: what it asked for ends when its owner's revocation is learnt."""

from pathlib import Path
from typing import Any

import pytest

from dispatch_protocol.links import RecoverLink, sign_link
from dispatch_protocol.messages.answers import ReceiptType
from tests.support.grown_chains import added, place, revoked, taken, told
from tests.support.stranger import Stranger, Victim

SLOW: tuple[dict[str, Any], ...] = ({"tool": "Bash", "input": {"command": "exec sleep 3600"}},)


async def robbed(victim: Victim, mallory: Stranger, **scopes: Any) -> Stranger:
    """Give a contact whose phone has just been stolen; the phone is what speaks."""
    await mallory.may_dispatch(**({"tools": ["Read"]} | scopes))
    chain, phone = added(mallory, "phone")
    told(mallory, chain)
    mallory.device.chain = chain
    mallory.device = phone
    return mallory


async def revokes(victim: Victim, mallory: Stranger, laptop: Any) -> None:
    """Let the laptop revoke the phone; the victim hears of it by the laptop's next task."""
    phone, mallory.device = mallory.device, laptop
    laptop.chain = revoked(laptop.chain, phone, laptop)
    told(mallory, laptop.chain)
    await taken(victim, mallory, "Of the owner's")


async def test_task_that_waits_is_refused_when_its_device_is_revoked(
    victim: Victim, mallory: Stranger
) -> None:
    laptop = mallory.device
    await robbed(victim, mallory)
    task = await taken(victim, mallory, "Of the thief's")
    await revokes(victim, mallory, laptop)

    state = await victim.shows(task, "refused", "delivered")
    assert (state["status"], state["error"]["code"]) == ("refused", "device_revoked")
    reply = await victim.ask("POST", f"/v1/dispatches/{task}/accept", {})
    assert (reply.status, reply.value["code"]) == (409, "not_pending")
    told_so = [each for each in await mallory.receipts(state["author"]["digest"], at_least=2) if each.code]
    assert [(each.type, each.code) for each in told_so] == [(ReceiptType.REFUSED, "device_revoked")]


async def test_run_of_a_task_ends_when_its_device_is_revoked(
    victim: Victim, mallory: Stranger, repository: Path
) -> None:
    laptop = mallory.device
    paths = [{"path": str(repository), "mode": "rw"}]
    await robbed(victim, mallory, tools=["Bash"], approval="auto", paths=paths)
    task = await taken(victim, mallory, "Of the thief's", steps=SLOW)
    await victim.do("POST", f"/v1/dispatches/{task}/accept", {"cwd": str(repository)})
    await victim.shows(task, "running")
    await revokes(victim, mallory, laptop)

    state = await victim.shows(task, "cancelled", "failed", "completed")
    assert (state["status"], state["error"]["code"]) == ("cancelled", "device_revoked")


async def test_what_the_owner_sent_goes_on(victim: Victim, mallory: Stranger) -> None:
    laptop = mallory.device
    await mallory.may_dispatch(tools=["Read"])
    owners = await taken(victim, mallory, "Of the owner's, before")
    chain, phone = added(mallory, "phone")
    told(mallory, chain)
    laptop.chain, mallory.device = chain, phone
    await taken(victim, mallory, "Of the thief's")
    await revokes(victim, mallory, laptop)
    assert (await victim.do("GET", f"/v1/dispatches/{owners}"))["status"] == "delivered"


async def test_recovery_ends_what_a_device_sent_that_it_leaves_out(victim: Victim, mallory: Stranger) -> None:
    laptop, first = mallory.device, mallory.device.chain
    await robbed(victim, mallory)
    task = await taken(victim, mallory, "Of the thief's")
    again = RecoverLink(epoch=1, survivors=frozenset({laptop.id}), device=None, **place(first))
    laptop.chain = first.extend([sign_link(again, [laptop.recovery])])
    mallory.device = laptop
    told(mallory, laptop.chain)
    await taken(victim, mallory, "Of the owner's")
    assert (await victim.shows(task, "refused", "delivered"))["status"] == "refused"


@pytest.mark.parametrize("road", ["invited again", "inviting in turn"])
async def test_first_contact_that_tells_of_a_revocation_ends_it_too(
    victim: Victim, mallory: Stranger, road: str
) -> None:
    laptop = mallory.device
    await robbed(victim, mallory)
    task = await taken(victim, mallory, "Of the thief's")
    phone, mallory.device = mallory.device, laptop
    laptop.chain = revoked(laptop.chain, phone, laptop)
    told(mallory, laptop.chain)
    victim.relay.deposits.clear()  # what was said at the first contact
    await (mallory.may_dispatch(tools=["Read"]) if road == "invited again" else mallory.may_be_sent())
    assert (await victim.shows(task, "refused", "delivered"))["status"] == "refused"


async def test_nothing_is_accepted_from_a_contact_with_two_histories(
    victim: Victim, mallory: Stranger
) -> None:
    laptop = mallory.device
    await mallory.may_dispatch(tools=["Read"])
    task = await taken(victim, mallory, "Before")
    for name in ("phone", "tablet"):
        mallory.device = laptop
        chain, _ = added(mallory, name)
        told(mallory, chain)
        before, laptop.chain = laptop.chain, chain
        await mallory.say(mallory.task(f"Of the history with the {name}"))
        laptop.chain = before
        while not [
            each
            for each in (await victim.do("GET", "/v1/contacts"))["edges"]
            if each["conflict"] or (name == "phone" and len(each["devices"]) == 2)
        ]:
            await mallory.say(mallory.task("Look again"))
    reply = await victim.ask("POST", f"/v1/dispatches/{task}/accept", {})
    assert (reply.status, reply.value["code"]) == (409, "chain_forked"), reply.value
    assert (await victim.do("GET", f"/v1/dispatches/{task}"))["status"] == "delivered"
