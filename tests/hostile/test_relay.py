"""A relay that answers anything: it may delay and drop, and whatever else it does must change nothing."""

import asyncio
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dispatch_protocol.chain import write_links
from dispatch_protocol.encoding import JSON
from dispatch_protocol.first_contact import Secret
from dispatch_protocol.frames import Deposit, Frame, Rejected
from dispatch_protocol.invitation import MacRule
from dispatch_protocol.invitation_token import InvitationToken
from dispatch_protocol.keys import Digest
from dispatch_protocol.messages.answers import ReceiptType
from dispatch_protocol.payloads import Kind
from dispatch_protocol.signing import edge_id
from tests.support.patience import eventually
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


async def test_ever_new_epochs_resubmit_what_is_owed_and_nothing_else(
    victim: Victim, mallory: Stranger
) -> None:
    await mallory.may_be_sent()
    done, about = await sent(victim, mallory, "Done")
    await victim.relay.deliver(mallory.receipt(about, ReceiptType.REFUSED, code="busy"))
    await victim.shows(done, "refused")
    await victim.relay.kept()
    waits, _ = await sent(victim, mallory, "Waits")
    await eventually(lambda: owed(victim) == 1)
    before = len(victim.relay.deposits)
    for number in range(3):
        victim.relay.epoch = f"lie-{number}"
        proofs = len(victim.relay.proofs)
        await victim.relay.hang_up()
        await victim.relay.proven(proofs + 1)
        await eventually(lambda number=number: len(victim.relay.deposits) >= before + number + 1)
    assert len(victim.relay.deposits) == before + 3
    assert owed(victim) == 1
    assert (await victim.do("GET", f"/v1/dispatches/{waits}"))["status"] == "sent"


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
        await victim.do("POST", f"/v1/dispatches/{own['dispatch_id']}/accept", {"cwd": str(repository)})
        await victim.shows(own["dispatch_id"], "failed", "completed", "waiting_input")


# -- lying about people ----------------------------------------------------------------------------------


def invited(victim: Victim, inviter: Stranger, **changes: Any) -> tuple[str, Any]:
    """Make an invitation of this stranger's and list it; returns its token and document."""
    document = inviter.device.invitation(victim.address, victim.relay.url, **changes)
    victim.relayed.received.append(inviter.listing(document))
    secret = Secret(secrets.token_bytes(16))
    token = InvitationToken(victim.relay.url, edge_id(document.digest), inviter.device.genesis, secret)
    return token.format(), document


@pytest.mark.parametrize(
    "lie",
    ["another identity's chain", "no links", "no list", "garbage", "nothing"],
)
async def test_other_chain_for_a_fingerprint_is_refused_in_words(
    victim: Victim, mallory: Stranger, lie: str
) -> None:
    eve = Stranger("eve", victim)
    token, _ = invited(victim, mallory)
    answers: dict[str, Mapping[str, JSON]] = {
        "another identity's chain": {"links": write_links(eve.device.chain.links)},
        "no links": {"links": []},
        "no list": {"links": "yes"},
        "garbage": {"links": [{"payloadType": 3}, None, "x"]},
        "nothing": {},
    }
    victim.relayed.lies["chain"] = lambda _: answers[lie]
    reply = await victim.ask("POST", "/v1/invitations/accept", {"token": token, "tools": ["Read"]})
    assert 400 <= reply.status < 500, reply.body
    assert (await victim.do("GET", "/v1/contacts"))["edges"] == []


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


@pytest.mark.parametrize("link", [None, 7, "x" * 100_000, "javascript:alert(1)", "http://h/\x1b[2J\nhi"])
async def test_invitation_link_that_is_none_is_not_passed_on(victim: Victim, link: JSON) -> None:
    victim.relayed.lies["invite"] = lambda _: {"invitation_id": "x"} if link is None else {"link": link}
    reply = await victim.ask("POST", "/v1/invitations", {"email": "new@example.org"})
    assert reply.status < 500, reply.body
    if reply.status < 300:
        shown = reply.value["link"]
        assert len(shown) < 3000
        assert shown.startswith("http")
        assert shown.isprintable()


async def test_forged_news_and_edges_put_nothing_in_force(victim: Victim, mallory: Stranger) -> None:
    """An edge that only the relay calls active carries nothing."""
    token, document = invited(victim, mallory)
    await victim.do("POST", "/v1/invitations/accept", {"token": token, "tools": ["Read"]})
    edge = edge_id(document.digest)
    victim.relayed.lies["edges"] = lambda _: {
        "edges": [{"edge_id": edge.uuid, "status": "active", "online": True}]
    }
    for kind in ("edges", "invitations", "presence", "drain", "dispatch", "snapshot"):
        await victim.relay.notify(kind, {"edge_id": edge.uuid, "status": "active", "x": "y" * 1000})
    mallory.their, mallory.edge = victim.chain, edge
    await mallory.say(mallory.task("Before the confirmation"))
    await victim.relay.kept()
    (shown,) = (await victim.do("GET", "/v1/contacts"))["edges"]
    assert shown["status"] == "pending"
    listed = (await victim.do("GET", "/v1/dispatches"))["dispatches"]
    assert [each["status"] for each in listed] in ([], ["refused"])


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


@pytest.mark.parametrize("code", ["quota", "no_edge", "made_up", "x" * 60])
async def test_refused_deposits_with_any_code_leave_the_daemon_well(
    victim: Victim, mallory: Stranger, code: str
) -> None:
    await mallory.may_be_sent()

    def refuse(frame: Any) -> list[Frame]:
        if isinstance(frame, Deposit):
            return [Rejected(frame.ref, code, 403, "\x1b[2J" + "d" * 500)]
        return list(victim.relayed.answer(frame))

    victim.relay.answers = refuse
    reply = await victim.ask("POST", "/v1/dispatches", {"recipient": mallory.device.address, "task": "x"})
    assert reply.status < 500
    listed = (await victim.do("GET", "/v1/dispatches?box=sent"))["dispatches"]
    assert [each["status"] for each in listed] == (["queued"] if code == "quota" else ["refused"])


async def test_work_that_the_relay_calls_refused_but_delivers_is_seen(
    victim: Victim, mallory: Stranger
) -> None:
    """The relay says no and delivers all the same: the recipient's signed yes counts, and not the relay's no."""
    await mallory.may_be_sent()
    honest = victim.relay.answers
    victim.relay.answers = lambda frame: (
        [Rejected(frame.ref, "no_edge", 403, "")] if isinstance(frame, Deposit) else honest(frame)
    )
    reply = await victim.ask("POST", "/v1/dispatches", {"recipient": mallory.device.address, "task": "x"})
    assert reply.status in (201, 403)
    ((digest, dispatch_id),) = victim.journal("SELECT digest, dispatch_id FROM dispatches")
    await victim.relay.deliver(mallory.accepted(Digest.from_hex(digest)))
    await victim.relay.kept()
    state = await victim.do("GET", f"/v1/dispatches/{dispatch_id}")
    assert (state["status"], state["error"]) == ("accepted", None)
    assert [each["type"] for each in state["receipts"]] == ["accepted"]


async def test_garbage_instead_of_envelopes_is_dropped(victim: Victim, mallory: Stranger) -> None:
    await mallory.may_dispatch(tools=["Read"])
    good = mallory.sealed(mallory.task("Good"))
    flips = [
        bytes((byte ^ 1 if at == where else byte) for at, byte in enumerate(good))
        for where in range(0, len(good), 97)
    ]
    await victim.relay.deliver(b"x", b"DSP1" * 100, good[:-1], good + b"\0", *flips)
    await victim.relay.kept()
    assert (await victim.do("GET", "/v1/dispatches"))["dispatches"] == []
    await victim.relay.deliver(good)
    await victim.relay.kept()
    assert len((await victim.do("GET", "/v1/dispatches"))["dispatches"]) == 1
    assert len(victim.relay.proofs) == 1
