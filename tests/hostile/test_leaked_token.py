"""A token that leaked: two people prove the secret of one invitation, and its author hears of it and what to do.

The invitation is used up by whoever came first, who may be the thief; so nobody is believed, and a human asks.
"""

import json
from typing import Any

import pytest

from dispatch_protocol.first_contact import with_mac
from dispatch_protocol.signing import Document
from tests.support.stranger import Stranger, Victim


async def accept_too(victim: Victim, first: Stranger, second: Stranger) -> None:
    """Let somebody who holds the token say yes as well, to an invitation that has been accepted."""
    ((document,),) = victim.journal("SELECT document FROM invitations WHERE direction = 'outgoing'")
    second.edge, second.their = first.edge, victim.chain
    message = second.acceptance_of(Document.from_json(json.loads(document)))
    assert first._secret is not None
    await victim.relay.deliver(second.sealed(with_mac(first._secret, message)))
    await victim.relay.kept()


async def shown(victim: Victim) -> tuple[Any, dict[str, Any]]:
    """Return what the list of invitations says of the alarm, and the doctor's check of invitations."""
    (invitation,) = (await victim.do("GET", "/v1/invitations"))["sent"]
    checks = {check["name"]: check for check in (await victim.do("GET", "/v1/doctor"))["checks"]}
    return invitation["also_proved"], checks["invitations"]


async def test_second_proof_of_one_token_is_shown_with_what_to_do(victim: Victim, mallory: Stranger) -> None:
    await mallory.may_be_sent()
    assert (await shown(victim))[0] is None
    eve = Stranger("eve", victim)
    await accept_too(victim, mallory, eve)
    alarm, check = await shown(victim)
    assert alarm["accepted_by"] == mallory.device.genesis.hex
    assert alarm["identity"] == eve.device.genesis.hex
    assert not check["ok"]
    assert mallory.device.address in check["detail"]
    assert check["remedy"] == f"dispatch revoke {mallory.device.address} --outgoing"
    (edge,) = (await victim.do("GET", "/v1/contacts"))["edges"]
    assert (edge["status"], edge["peer"]) == ("active", mallory.device.address)  # the first one stays


async def test_alarm_outlives_the_daemon_and_ends_with_the_edge(victim: Victim, mallory: Stranger) -> None:
    await mallory.may_be_sent()
    await accept_too(victim, mallory, Stranger("eve", victim))
    await victim.stop()
    await victim.start()
    alarm, check = await shown(victim)
    assert alarm is not None
    assert not check["ok"]
    await victim.do("POST", "/v1/contacts/revoke", {"peer": mallory.device.address, "outgoing": True})
    alarm, check = await shown(victim)
    assert alarm is not None  # what happened is not forgotten; nothing is left to be done about it
    assert check["ok"]


@pytest.mark.parametrize("times", [1, 3])
async def test_first_alarm_is_kept_however_many_follow(victim: Victim, mallory: Stranger, times: int) -> None:
    await mallory.may_be_sent()
    await accept_too(victim, mallory, Stranger("eve", victim))
    first, _ = await shown(victim)
    for number in range(times):
        await accept_too(victim, mallory, Stranger(f"eve{number}", victim))
    assert (await shown(victim))[0] == first


async def test_the_same_person_saying_yes_again_is_no_leak(victim: Victim, mallory: Stranger) -> None:
    """A home that was rolled back accepts again: the same identity holds the token, as it should."""
    await mallory.may_be_sent()
    await accept_too(victim, mallory, mallory)
    alarm, check = await shown(victim)
    assert alarm is None
    assert check["ok"]
