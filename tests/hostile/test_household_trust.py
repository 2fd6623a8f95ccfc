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
from dispatch_daemon.app.online import Online
from dispatch_daemon.app.services.accepting import Accepting
from dispatch_daemon.app.services.contacts import Contacts
from dispatch_daemon.app.services.dispatches import Dispatches
from dispatch_daemon.app.services.invitations import Invitations
from dispatch_daemon.app.sharing import names as names_of
from dispatch_daemon.core import grants
from dispatch_daemon.core.effects import Put
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.records import DispatchRecord
from dispatch_daemon.core.requests import ScopeChoice
from dispatch_daemon.core.trust_records import EdgeRecord
from dispatch_protocol.chain import Chain
from dispatch_protocol.grant import GrantDocument, Version
from dispatch_protocol.keys import EdgeId
from dispatch_protocol.lifecycle import DispatchState
from dispatch_protocol.limits import ATTACHMENT_BYTES
from dispatch_protocol.links import Role, SetRolesLink, sign_link
from dispatch_protocol.messages.answers import ReceiptType
from dispatch_protocol.messages.household import NameEntry
from dispatch_protocol.messages.shared_trust import EdgeEntry, PinEntry, RuleEntry
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.scopes import Scopes
from dispatch_protocol.signing import Document, sign_document
from tests.support.besieged_desk import NEIGHBOURS_EDGE, Desk, desk_of, receipts
from tests.support.household_words import letter
from tests.support.vectors import world
from tests.support.vectors.cases import bob_knows
from tests.support.vectors.forge import forge, signed_by
from tests.support.vectors.world import (
    ALICE,
    ALICE_TABLET,
    BOB,
    BOB_DESKTOP,
    BOB_LAPTOP,
    BOB_PHONE,
    MALLORY_LAPTOP,
    Machine,
)

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


# -- what another own device tells of edges --------------------------------------------------------------


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Bob's desktop, which has an edge from Alice with the grant that his laptop signed."""
    with desk_of(tmp_path, machine=BOB_DESKTOP) as found:
        yield found


def granted(by: Machine, n: int = 2, *, edge: EdgeId = world.EDGE, signer: Machine | None = None) -> Document:
    """Return a wider grant of Bob's for Alice, after the first one of his laptop's."""
    grant = GrantDocument(
        head=world.head(f"grant {n}", BOB, by, ALICE, edge=edge),
        version=Version(n, by.device),
        parents=(Version(1, BOB_LAPTOP.device),),
        scopes=Scopes(tools=("Bash", "Read")),
    )
    return sign_document([(signer or by).sign], payload_type(Kind.GRANT), grant.encode())


def edge_told(grant: Document, **changes: Any) -> EdgeEntry:
    fields: dict[str, Any] = {
        "edge": world.EDGE,
        "direction": "incoming",
        "peer": ALICE.genesis,
        "address": "alice@example.org",
        "status": "active",
        "grant": grant,
        "created_ms": world.NOW_MS,
        "expires_ms": 0,
    }
    return EdgeEntry(**(fields | changes))


def allowed(desk: Desk) -> EdgeRecord:
    record = desk.journal.edge(world.EDGE.hex)
    assert record is not None
    return record


def allows(desk: Desk) -> tuple[str, ...]:
    return grants.binding(allowed(desk)).scopes.tools


def nobody() -> Online:
    raise AssertionError("no broker is asked")


async def test_an_edit_that_another_device_has_signed_counts(desk: Desk) -> None:
    await desk.incoming.deliver(letter(BOB_LAPTOP, desk, edge_told(granted(BOB_LAPTOP))))
    assert allows(desk) == ("Bash", "Read")


@pytest.mark.parametrize(
    "grant",
    [
        granted(BOB_LAPTOP, edge=NEIGHBOURS_EDGE),
        granted(BOB_LAPTOP, signer=MALLORY_LAPTOP),
        granted(MALLORY_LAPTOP),
    ],
    ids=["of another edge", "of another key", "of somebody else"],
)
async def test_a_grant_that_another_device_tells_counts_by_its_own_proof(desk: Desk, grant: Document) -> None:
    await desk.incoming.deliver(letter(BOB_LAPTOP, desk, edge_told(grant)))
    assert allows(desk) == ("Read",)


async def test_what_comes_before_the_links_that_it_states_is_not_followed_until_it_is_told_again(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path, replace(bob_knows(), edge=None), machine=BOB_DESKTOP)
    told = letter(BOB_LAPTOP, desk, edge_told(granted(BOB_LAPTOP, signer=None)))
    await desk.incoming.deliver(told)
    assert (desk.journal.edge(world.EDGE.hex), desk.journal.logs.heads()) == (None, [])
    await desk.incoming.deliver(letter(BOB_PHONE, desk, pinned()))
    await desk.incoming.deliver(told)
    assert allows(desk) == ("Bash", "Read")
    assert len(desk.journal.logs.heads()) == 2
    desk.close()


def with_a_runner() -> Chain:
    """Return Bob's chain once his phone may only run things."""
    link = SetRolesLink(
        device=BOB_PHONE.device,
        roles=frozenset({Role.RUNNER}),
        prev=BOB.chain.head,
        created_ms=world.NOW_MS,
        nonce=bytes(16),
    )
    return BOB.chain.extend([sign_link(link, (BOB_LAPTOP.sign,))])


async def test_a_device_that_only_runs_things_says_that_it_cannot_widen_trust(tmp_path: Path) -> None:
    """Whatever it let in, the others would answer with a refusal."""
    desk = Desk(tmp_path, replace(bob_knows(), own=with_a_runner()), machine=BOB_PHONE)
    services = (desk.journal, desk.people, desk.clock, desk.performer, Executor(tmp_path), nobody)
    for decided in (
        Invitations(*services).invite(email="carol@example.org", link_only=True, offer=None),
        Accepting(*services).accept_invitation(token="dispatch1:", choice=ScopeChoice()),
        Contacts(*services).edit_edge(peer="alice@example.org", choice=ScopeChoice(tools=("Bash",))),
    ):
        with pytest.raises(ServiceError) as refused:
            await decided
        assert refused.value.code == "not_approver"
    await Contacts(*services).revoke(peer="alice@example.org", outgoing=False)
    assert allowed(desk).status == "revoked"
    desk.close()


async def test_of_a_device_that_only_runs_things_no_more_counts_than_what_ends(tmp_path: Path) -> None:
    """Bob's phone was made a runner; what it tells of others' trust and names is nothing, what it ends is over."""
    desk = Desk(tmp_path, replace(bob_knows(), own=with_a_runner()), machine=BOB_DESKTOP)
    stranger = pinned(genesis=world.MALLORY.genesis, links=world.MALLORY.chain.links)
    rule = RuleEntry(
        rule_id="all",
        edge=world.EDGE,
        tool="Bash",
        command="true",
        path=None,
        subject=None,
        created_ms=world.NOW_MS,
        removed=False,
    )
    names = [
        NameEntry(device=each.device, name="desk", named_ms=world.NOW_MS) for each in (BOB_PHONE, BOB_LAPTOP)
    ]
    wider = edge_told(granted(BOB_LAPTOP))
    await desk.incoming.deliver(letter(BOB_PHONE, desk, stranger, rule, wider, *names))
    assert desk.journal.contact(world.MALLORY.genesis.hex) is None
    assert (desk.journal.rules(), allows(desk)) == ([], ("Read",))
    assert list(names_of(desk.journal)) == [BOB_PHONE.device.hex]
    ended = replace(wider, status="revoked")
    await desk.incoming.deliver(letter(BOB_PHONE, desk, ended))
    assert allowed(desk).status == "revoked"
    desk.close()
