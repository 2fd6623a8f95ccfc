"""One machine of Bob's tells the others about contacts and edges, and may be a thief's or run things only.

What is asked is what the others believe: what ends something from whichever machine, what widens trust only with proof.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dispatch_daemon.adapters.agents import Agents
from dispatch_daemon.adapters.blobs import BlobStore
from dispatch_daemon.adapters.executor import Executor
from dispatch_daemon.adapters.projects import ProjectIndex
from dispatch_daemon.app.services.dispatches import Dispatches
from dispatch_daemon.core.effects import Put
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.records import DispatchRecord
from dispatch_protocol.lifecycle import DispatchState
from dispatch_protocol.limits import ATTACHMENT_BYTES
from dispatch_protocol.messages.answers import ReceiptType
from dispatch_protocol.messages.household import PinEntry
from tests.support.besieged_desk import Desk, receipts
from tests.support.household_words import letter
from tests.support.vectors import world
from tests.support.vectors.cases import bob_knows
from tests.support.vectors.forge import forge, signed_by
from tests.support.vectors.world import ALICE, ALICE_TABLET, BOB, BOB_DESKTOP, BOB_LAPTOP

THEFT = world.task(
    "stolen",
    world.head(
        "stolen",
        ALICE,
        ALICE_TABLET,
        BOB,
        sender_head=world.ALICE_WITH_TABLET,
        expires_ms=world.NOW_MS + world.HOUR_MS,
    ),
)


@pytest.fixture
def robbed(tmp_path: Path) -> Iterator[Desk]:
    """The laptop of Bob's, which is to run what Alice sends, and has not heard that her tablet is stolen."""
    before = ALICE.chain.at(world.ALICE_WITH_TABLET)
    desk = Desk(tmp_path, replace(bob_knows(), peer=before), machine=BOB_LAPTOP)
    yield desk
    desk.close()


async def asks(desk: Desk) -> DispatchRecord:
    """Let the stolen tablet ask for something."""
    raw = forge("stolen", signed_by(ALICE_TABLET, THEFT), THEFT, [desk.machine.recipient])
    await desk.incoming.deliver(raw)
    (record,) = desk.inbox()
    return record


def pinned(**changes: Any) -> PinEntry:
    """Return Alice as a machine of Bob's knows her, whose tablet she has revoked."""
    fields: dict[str, Any] = {
        "genesis": ALICE.genesis,
        "address": "alice@example.org",
        "alias": None,
        "trust": "token",
        "links": ALICE.chain.links,
        "conflict": None,
        "pinned_ms": world.NOW_MS,
    }
    return PinEntry(**(fields | changes))


async def test_what_a_revoked_device_asked_for_ends_also_when_a_sibling_tells_of_it(robbed: Desk) -> None:
    assert (await asks(robbed)).state is DispatchState.DELIVERED
    await robbed.incoming.deliver(letter(BOB_DESKTOP, robbed, pinned(), pinned(alias="al")))
    (record,) = robbed.inbox()
    assert (record.state, record.ended_code) == (DispatchState.REFUSED, "device_revoked")
    said = [
        receipt.code for receipt in receipts(robbed, ALICE.genesis) if receipt.type is ReceiptType.REFUSED
    ]
    assert said == ["device_revoked"]


async def test_nobody_can_accept_what_a_revoked_device_asked_for(robbed: Desk, tmp_path: Path) -> None:
    """Whatever should have ended it: here the chain grows by itself, as in no room of ours."""
    record = await asks(robbed)
    blobs = BlobStore(tmp_path, file_bytes=ATTACHMENT_BYTES)
    desk = (robbed.journal, robbed.people, robbed.clock, robbed.performer)
    dispatches = Dispatches(
        tmp_path, *desk, Executor(tmp_path), Agents(tmp_path, {}), blobs, ProjectIndex(tmp_path, list)
    )
    dispatches.require_edge(record)
    contact = robbed.journal.contact(ALICE.genesis.hex)
    assert contact is not None
    await robbed.performer.perform(
        [Put(replace(contact, chain=tuple(link.to_json() for link in ALICE.chain.links)))]
    )
    robbed.people.forget_cached(ALICE.genesis.hex)
    with pytest.raises(ServiceError) as refused:
        dispatches.require_edge(record)
    assert refused.value.code == "device_revoked"
