"""A trust file is brought by anybody: what its chains prove is learnt without the relay, and nothing else of it counts."""

import copy
from typing import Any

from dispatch_protocol.chain import Chain, write_links
from dispatch_protocol.links import RecoverLink, sign_link
from tests.support.grown_chains import added, place, revoked, taken, told
from tests.support.stranger import Stranger, Victim


async def brought(victim: Victim, chain: Chain, links: Any = None) -> dict[str, Any]:
    """Import one chain, as `dispatch trust import` does for each of a file."""
    given = write_links(chain.links) if links is None else links
    learnt: dict[str, Any] = await victim.do("POST", "/v1/trust/import", {"links": given})
    return learnt


async def test_a_revocation_that_the_relay_hides_is_learnt_and_ends_what_that_device_asked_for(
    victim: Victim, mallory: Stranger
) -> None:
    laptop = mallory.device
    await mallory.may_dispatch(tools=["Read"])
    chain, phone = added(mallory, "phone")
    told(mallory, chain)
    mallory.device = phone
    task = await taken(victim, mallory, "Of the thief's")
    laptop.chain = revoked(
        chain, phone, laptop
    )  # and the relay goes on telling the chain with the phone in it
    learnt = await brought(victim, laptop.chain)
    assert (learnt["status"], learnt["devices"], learnt["devices_ended"]) == ("grown", 1, 1)
    assert (learnt["identity"], learnt["peer"]) == (laptop.genesis.hex, laptop.address)
    assert (await victim.shows(task, "refused"))["error"]["code"] == "device_revoked"
    assert (await brought(victim, laptop.chain))["status"] == "unchanged"
    assert (await brought(victim, chain))["status"] == "unchanged", "an older telling takes nothing back"


async def test_a_second_history_stops_the_contact_and_a_recovery_ends_that(
    victim: Victim, mallory: Stranger
) -> None:
    await mallory.may_be_sent()
    laptop, before = mallory.device, mallory.device.chain
    one, _ = added(mallory, "phone")
    other, _ = added(mallory, "tablet")
    assert (await brought(victim, one))["status"] == "grown"
    torn = await brought(victim, other)
    assert (torn["status"], torn["code"]) == ("conflict", "chain_forked")
    reply = await victim.ask("POST", "/v1/dispatches", {"recipient": laptop.address, "task": "Still there?"})
    assert (reply.status, reply.value["code"]) == (409, "chain_forked")
    assert (await brought(victim, other))["status"] == "conflict"
    again = RecoverLink(epoch=1, survivors=frozenset({laptop.id}), device=None, **place(before))
    learnt = await brought(victim, before.extend([sign_link(again, [laptop.recovery])]))
    assert (learnt["status"], learnt["devices_ended"]) == ("recovered", 1)
    assert not any(edge["conflict"] for edge in (await victim.do("GET", "/v1/contacts"))["edges"])


async def test_nobody_becomes_a_contact_by_a_file(victim: Victim, mallory: Stranger) -> None:
    before = await victim.do("POST", "/v1/trust/export", {"contacts": True})
    learnt = await brought(victim, mallory.device.chain)
    assert (learnt["status"], learnt["peer"]) == ("unknown", None)
    assert await victim.do("POST", "/v1/trust/export", {"contacts": True}) == before


async def test_a_chain_that_does_not_hold_teaches_nothing(victim: Victim, mallory: Stranger) -> None:
    await mallory.may_dispatch(tools=["Read"])
    chain, phone = added(mallory, "phone")
    links: Any = write_links(revoked(chain, phone, mallory.device).links)
    forged = copy.deepcopy(links)
    forged[-1]["signatures"] = forged[1]["signatures"]
    known = await victim.do("POST", "/v1/trust/export", {"contacts": True})
    for wrong in (forged, links[1:], [links[0], links[2]], [{}], [1], [None] * 5):
        learnt = await brought(victim, chain, wrong)
        assert learnt["status"] == "refused", wrong
        assert learnt["code"], wrong
    for none in ([], None, {}, "links"):
        assert (await victim.ask("POST", "/v1/trust/import", {"links": none})).status in (400, 422)
    assert await victim.do("POST", "/v1/trust/export", {"contacts": True}) == known


async def test_what_goes_out_names_nobody_else_unless_it_is_asked_to(
    victim: Victim, mallory: Stranger
) -> None:
    await mallory.may_dispatch(tools=["Read"])
    own = (await victim.do("POST", "/v1/trust/export", {}))["chains"]
    everybody = (await victim.do("POST", "/v1/trust/export", {"contacts": True}))["chains"]
    assert [len(own), len(everybody)] == [1, 2]
    assert everybody[0] == own[0]
    assert everybody[1]["address"] == mallory.device.address
    assert everybody[1]["links"] == write_links(mallory.device.chain.links)
