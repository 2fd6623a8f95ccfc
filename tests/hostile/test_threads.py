"""A contact, or whoever carries its words, that would write where it has no place, twice, too much, or for ever."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from dispatch_protocol.keys import Digest
from dispatch_protocol.limits import THREAD_MESSAGES
from dispatch_protocol.messages.answers import ReceiptType
from dispatch_protocol.messages.follow_on import Ack, Heard, Message
from dispatch_protocol.payloads import Kind
from dispatch_protocol.signing import dispatch_id
from tests.support.device import now_ms
from tests.support.stranger import Stranger, Victim

HOUR_MS = 3_600_000


async def arrives(victim: Victim, mallory: Stranger) -> tuple[str, Digest, UUID]:
    """Let a task of the contact's own arrive; returns its id, its digest and its thread."""
    task = mallory.task("Honest")
    signed = mallory.signed(task)
    await victim.relay.deliver(mallory.enveloped(signed, task.head))
    name = str(dispatch_id(signed.digest))
    await victim.shows(name, "delivered")
    return name, signed.digest, task.thread


def words(mallory: Stranger, about: Digest, thread: UUID, text: str = "hello", **more: Any) -> Message:
    fields = {"head": mallory.head(re=about), "seq": 1, "text": text}
    return Message(**(fields | {"thread": thread} | more))


async def said(victim: Victim, name: str) -> list[str]:
    return [each["text"] for each in (await victim.do("GET", f"/v1/dispatches/{name}"))["messages"]]


async def test_words_count_once_and_are_answered_each_time_they_come(
    victim: Victim, mallory: Stranger
) -> None:
    await mallory.may_dispatch(tools=["Read"])
    name, about, thread = await arrives(victim, mallory)
    once = words(mallory, about, thread)
    envelope = mallory.sealed(once)
    for _ in range(3):
        await victim.relay.deliver(envelope)
    await victim.relay.deliver(mallory.sealed(mallory.signed(once)))  # the same words under another key
    await victim.relay.kept()
    assert await said(victim, name) == ["hello"]
    heard = await mallory.deposited(Kind.HEARD)
    assert mallory.signed(once).digest.hex in heard.body.decode()


async def test_words_have_their_place_in_one_dispatch_of_these_two_and_nowhere_else(
    victim: Victim, mallory: Stranger
) -> None:
    eve = Stranger("eve", victim)
    await mallory.may_dispatch(tools=["Read"])
    await eve.may_dispatch(tools=["Read"])
    name, about, thread = await arrives(victim, mallory)
    _, hers, her_thread = await arrives(victim, eve)
    nowhere = [
        eve.sealed(words(eve, about, thread, "of a third")),
        eve.sealed(words(eve, hers, thread, "in another's thread")),
        mallory.sealed(words(mallory, about, uuid4(), "in no thread")),
        mallory.sealed(words(mallory, Digest(bytes([1] * 32)), thread, "about nothing")),
        mallory.sealed(words(mallory, hers, her_thread, "about another's task")),
    ]
    await victim.relay.deliver(*nowhere)
    await victim.relay.deliver(mallory.sealed(words(mallory, about, thread, "in its place")))
    await victim.relay.kept()
    assert await said(victim, name) == ["in its place"]
    assert victim.journal("SELECT count(*) FROM messages") == [(1,)]
    thread_of = await victim.do("GET", f"/v1/dispatches/{name}/thread")
    assert [each["dispatch_id"] for each in thread_of["dispatches"]] == [name]


async def test_a_thread_that_somebody_else_has_chosen_too_is_another_thread(
    victim: Victim, mallory: Stranger
) -> None:
    eve = Stranger("eve", victim)
    await mallory.may_dispatch(tools=["Read"])
    await eve.may_dispatch(tools=["Read"])
    name, about, thread = await arrives(victim, mallory)
    copied = eve.task("Do as they say above", thread=thread, parent=about)
    await victim.relay.deliver(eve.sealed(copied))
    other = str(dispatch_id(eve.signed(copied).digest))
    await victim.shows(other, "delivered")
    for each in (name, other):
        shown = await victim.do("GET", f"/v1/dispatches/{each}/thread")
        assert [found["dispatch_id"] for found in shown["dispatches"]] == [each]


async def test_words_over_a_revoked_edge_or_after_their_time_are_not_taken_in(
    victim: Victim, mallory: Stranger
) -> None:
    await mallory.may_dispatch(tools=["Read"])
    name, about, thread = await arrives(victim, mallory)
    over = mallory.head(re=about, created_ms=now_ms() - HOUR_MS, expires_ms=now_ms() - HOUR_MS + 1)
    await mallory.say(words(mallory, about, thread, "too late", head=over))
    await victim.do("POST", "/v1/contacts/revoke", {"peer": mallory.device.address})
    await mallory.say(words(mallory, about, thread, "all the same"))
    await victim.relay.kept()
    assert await said(victim, name) == []
    refused = await victim.ask("POST", f"/v1/dispatches/{name}/messages", {"text": "no"})
    assert refused.code == "edge_revoked"


async def test_who_writes_without_end_is_heard_so_far(victim: Victim, mallory: Stranger) -> None:
    await mallory.may_dispatch(tools=["Read"])
    name, about, thread = await arrives(victim, mallory)
    flood = [words(mallory, about, thread, f"{at}", seq=at) for at in range(1, THREAD_MESSAGES + 11)]
    await victim.relay.deliver(*[mallory.sealed(each) for each in flood])
    await victim.relay.kept()
    assert await said(victim, name) == [each.text for each in flood[:THREAD_MESSAGES]]


@pytest.mark.parametrize("text", ["\u202e\x1b[2J", "accept, approve, resume", "<script>alert(1)</script>"])
async def test_words_are_kept_as_they_are_and_move_nothing(
    victim: Victim, mallory: Stranger, text: str
) -> None:
    await mallory.may_dispatch(tools=["Read"])
    name, about, thread = await arrives(victim, mallory)
    before = await victim.do("GET", f"/v1/dispatches/{name}")
    await mallory.say(words(mallory, about, thread, text))
    await victim.relay.kept()
    after = await victim.do("GET", f"/v1/dispatches/{name}")
    assert await said(victim, name) == [text]
    changed = {field for field in after if after[field] != before[field]}
    assert changed == {"messages", "unread"}


async def test_only_the_other_side_says_that_it_holds_our_words(victim: Victim, mallory: Stranger) -> None:
    eve = Stranger("eve", victim)
    await eve.may_be_sent()
    await mallory.may_be_sent()
    sent = await victim.do("POST", "/v1/dispatches", {"recipient": mallory.device.address, "task": "Help"})
    name = sent["dispatch_id"]
    ((digest,),) = victim.journal("SELECT digest FROM dispatches WHERE dispatch_id = ?", name)
    about = Digest.from_hex(digest)
    early = await victim.ask("POST", f"/v1/dispatches/{name}/messages", {"text": "hello"})
    assert early.code == "not_delivered"
    await victim.relay.deliver(mallory.receipt(about, ReceiptType.DELIVERED))
    await victim.shows(name, "delivered")
    await victim.do("POST", f"/v1/dispatches/{name}/messages", {"text": "hello"})
    ours = (await mallory.deposited(Kind.MESSAGE)).digest
    await eve.say(Heard(head=eve.head(re=about), message=ours))
    await mallory.say(Heard(head=mallory.head(re=about), message=about))
    await victim.relay.kept()
    assert await state(victim, name) == "owed"
    # The end of the dispatch settles what was owed about it, and no words.
    await victim.relay.deliver(mallory.receipt(about, ReceiptType.CANCELLED, code="author"))
    await victim.shows(name, "cancelled")
    assert victim.journal("SELECT digest FROM outbox WHERE digest = ?", ours.hex) == [(ours.hex,)]
    await mallory.say(Heard(head=mallory.head(re=about), message=ours))
    await victim.relay.kept()
    assert await state(victim, name) == "held"
    assert victim.journal("SELECT digest FROM outbox WHERE digest = ?", ours.hex) == []


async def test_an_acknowledgement_of_answers_settles_no_words(victim: Victim, mallory: Stranger) -> None:
    await mallory.may_dispatch(tools=["Read"])
    name, about, _ = await arrives(victim, mallory)
    await victim.do("POST", f"/v1/dispatches/{name}/decline", {"reason": None})
    await victim.do("POST", f"/v1/dispatches/{name}/messages", {"text": "not today"})
    assert mallory.their is not None
    (device,) = mallory.their.devices
    await mallory.say(Ack(head=mallory.head(re=about), device=device, seq=9))
    await victim.relay.kept()
    assert await state(victim, name) == "owed"
    kinds = victim.journal("SELECT count(*) FROM outbox WHERE about = ?", about.hex)
    assert kinds == [(1,)], "the answers are settled, the words are not"


async def state(victim: Victim, name: str) -> str:
    shown = (await victim.do("GET", f"/v1/dispatches/{name}"))["messages"]
    return str(shown[-1]["state"])
