"""A relay that answers anything to a daemon that knows no other; the attacks of a whole broker are in HOSTILE_RELAY.md."""

import asyncio
import secrets
from pathlib import Path
from typing import Any

from dispatch_protocol.encoding import JSON
from dispatch_protocol.first_contact import Secret
from dispatch_protocol.frames import Deposit, Frame, Rejected
from dispatch_protocol.invitation import MacRule
from dispatch_protocol.invitation_token import InvitationToken
from dispatch_protocol.keys import Digest
from dispatch_protocol.messages.answers import ReceiptType
from dispatch_protocol.payloads import Kind
from dispatch_protocol.signing import edge_id
from tests.support.speaker import relabelled
from tests.support.stranger import Stranger, Victim


async def sent(victim: Victim, stranger: Stranger, task: str = "Help me") -> tuple[str, Digest]:
    """Let the victim send a task; returns its id and its digest."""
    answer = await victim.do("POST", "/v1/dispatches", {"recipient": stranger.device.address, "task": task})
    ((digest,),) = victim.journal(
        "SELECT digest FROM dispatches WHERE dispatch_id = ?", answer["dispatch_id"]
    )
    return answer["dispatch_id"], Digest.from_hex(digest)


def owed(victim: Victim) -> int:
    """Return how many documents the victim owes anybody."""
    ((count,),) = victim.journal("SELECT count(*) FROM outbox")
    return int(count)


# -- repeating -------------------------------------------------------------------------------------------


async def test_replayed_end_and_acceptance_owe_one_answer_however_often_they_come(
    victim: Victim, mallory: Stranger
) -> None:
    """The relay repeats what is answered by itself and takes no answer: the journal must not grow with it."""
    await mallory.may_be_sent()
    dispatch_id, about = await sent(victim, mallory)
    declined = mallory.receipt(about, ReceiptType.REFUSED, code="busy")
    await victim.relay.deliver(declined)
    await victim.shows(dispatch_id, "refused")
    victim.relayed.swallows = True
    for _ in range(50):
        await victim.relay.deliver(declined, mallory.acceptance)
    await victim.relay.kept()
    assert owed(victim) <= 3


async def test_deposit_answered_without_storing_is_not_forgotten(victim: Victim, mallory: Stranger) -> None:
    await mallory.may_be_sent()
    dispatch_id, about = await sent(victim, mallory)
    await victim.shows(dispatch_id, "sent")
    assert owed(victim) == 1
    await victim.relay.deliver(mallory.receipt(about, ReceiptType.DELIVERED))
    await victim.shows(dispatch_id, "delivered")
    assert owed(victim) == 0


async def test_relay_that_takes_no_deposit_holds_up_nothing_local(
    victim: Victim, mallory: Stranger, repository: Path
) -> None:
    """Swallowed deposits wait half a minute each; one's own job on this machine waits for none of them."""
    await mallory.may_be_sent()
    victim.relayed.swallows = True
    tasks = [
        victim.ask("POST", "/v1/dispatches", {"recipient": mallory.device.address, "task": f"Task {number}"})
        for number in range(70)
    ]
    await asyncio.gather(*tasks)
    own = await victim.do("POST", "/v1/dispatches", {"recipient": "me", "task": "Mine"})
    async with asyncio.timeout(5):
        await victim.do(
            "POST", f"/v1/dispatches/{own['dispatch_id']}/accept", {"cwd": str(repository), "headless": True}
        )
        await victim.shows(own["dispatch_id"], "failed", "completed", "waiting_input")


# -- lying about people ----------------------------------------------------------------------------------


def invited(victim: Victim, inviter: Stranger, **changes: Any) -> tuple[str, Any]:
    """Make an invitation of this stranger's and list it; returns its token and document."""
    document = inviter.device.invitation(victim.address, victim.relay.url, **changes)
    victim.relayed.received.append(inviter.listing(document))
    secret = Secret(secrets.token_bytes(16))
    token = InvitationToken(victim.relay.url, edge_id(document.digest), inviter.device.genesis, secret)
    return token.format(), document


async def test_invitation_document_of_another_inviter_gets_nothing(victim: Victim, mallory: Stranger) -> None:
    """The token names Mallory; the relay lists an invitation of Eve's under her address instead."""
    eve = Stranger("eve", victim)
    token, _ = invited(victim, mallory)
    document = eve.device.invitation(victim.address, victim.relay.url, from_email=mallory.device.address)
    listed = dict(mallory.listing(document))  # type: ignore[call-overload] - a JSON object
    parsed = InvitationToken.parse(token)
    listed["invitation_id"] = parsed.edge.uuid
    victim.relayed.received[:] = [listed]
    reply = await victim.ask("POST", "/v1/invitations/accept", {"token": token, "tools": ["Read"]})
    assert 400 <= reply.status < 500, reply.body
    other = InvitationToken(victim.relay.url, edge_id(document.digest), parsed.genesis, parsed.secret)
    reply = await victim.ask("POST", "/v1/invitations/accept", {"token": other.format(), "tools": ["Read"]})
    assert 400 <= reply.status < 500, reply.body
    assert (await victim.do("GET", "/v1/contacts"))["edges"] == []


async def test_invitation_for_another_address_is_not_accepted_in_its_name(
    victim: Victim, mallory: Stranger
) -> None:
    document = mallory.device.invitation("somebody.else@example.org", victim.relay.url)
    victim.relayed.received.append(mallory.listing(document))
    secret = Secret(secrets.token_bytes(16))
    token = InvitationToken(victim.relay.url, edge_id(document.digest), mallory.device.genesis, secret)
    reply = await victim.ask("POST", "/v1/invitations/accept", {"token": token.format(), "tools": ["Read"]})
    assert 400 <= reply.status < 500, reply.body
    assert mallory.all_heard(Kind.ACCEPTANCE) == []


async def test_unproven_invitation_earns_no_shell_and_no_automatic_yes(
    victim: Victim, mallory: Stranger, repository: Path
) -> None:
    _, document = invited(victim, mallory, mac=MacRule.OPTIONAL)
    asked = {
        "token": edge_id(document.digest).uuid,
        "tools": ["Read", "Edit", "Bash"],
        "approval": "auto",
        "network": ["example.org"],
        "paths": [{"path": str(repository), "mode": "rw"}],
    }
    given = await victim.do("POST", "/v1/invitations/accept", asked)
    assert given["trust"] == "unverified"
    assert "Bash" not in given["scopes"]["tools"]
    assert (given["scopes"]["approval"], given["scopes"]["network"]) == ("manual", [])


async def test_listings_that_are_no_listings_leave_the_door_standing(
    victim: Victim, mallory: Stranger
) -> None:
    _, document = invited(victim, mallory)
    good = mallory.listing(document)
    assert isinstance(good, dict)
    junk: list[JSON] = [None, 3, "x", [], {}, {"document": None, "status": "pending"}]
    junk += [good | {"document": 1}, good | {"status": "wild"}, good | {"status": None}, good]
    victim.relayed.received[:] = junk
    listed = await victim.do("GET", "/v1/invitations")
    assert len(listed["received"]) == 1
    for lie in ({}, {"received": 3}, {"received": {"a": 1}}):
        victim.relayed.lies["invitations"] = lambda _, lie=lie: lie
        await victim.do("GET", "/v1/invitations")
    for lie in ({}, {"edges": None}, {"edges": [1, None, {"edge_id": []}]}):
        victim.relayed.lies["edges"] = lambda _, lie=lie: lie
        await victim.do("GET", "/v1/contacts")


async def test_second_acceptance_of_one_invitation_changes_nothing(victim: Victim, mallory: Stranger) -> None:
    """A leaked token: somebody else's acceptance comes after the first."""
    await mallory.may_be_sent()
    eve = Stranger("eve", victim)
    eve.their, eve.edge = mallory.their, mallory.edge
    await victim.relay.deliver(mallory.acceptance, relabelled(mallory.acceptance, from_device=eve.device.id))
    await victim.relay.kept()
    (shown,) = (await victim.do("GET", "/v1/contacts"))["edges"]
    assert shown["status"] == "active"
    dispatch_id, about = await sent(victim, mallory)
    await victim.relay.deliver(eve.receipt(about, ReceiptType.DELIVERED))
    await victim.relay.kept()
    assert (await victim.do("GET", f"/v1/dispatches/{dispatch_id}"))["status"] == "sent"


# -- refusing --------------------------------------------------------------------------------------------


async def test_deposit_refused_for_now_stays_queued(victim: Victim, mallory: Stranger) -> None:
    await mallory.may_be_sent()

    def refuse(frame: Any) -> list[Frame]:
        if isinstance(frame, Deposit):
            return [Rejected(frame.ref, "quota", 429, "\x1b[2J" + "d" * 500)]
        return list(victim.relayed.answer(frame))

    victim.relay.answers = refuse
    reply = await victim.ask("POST", "/v1/dispatches", {"recipient": mallory.device.address, "task": "x"})
    assert reply.status < 500
    listed = (await victim.do("GET", "/v1/dispatches?box=sent"))["dispatches"]
    assert [each["status"] for each in listed] == ["queued"]
