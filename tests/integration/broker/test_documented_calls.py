"""docs/protocol/CALLS.md against a real broker: every call with exactly the arguments of its row, and what it answers."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dispatch_broker.adapters.calls import LISTED, OPERATIONS
from dispatch_broker.adapters.store_sqlite.edges import LISTED as LISTED_EDGES
from dispatch_broker.core.effects import Topic
from dispatch_broker.core.pairings import MESSAGE_CHARS
from dispatch_protocol.chain import Chain, write_links
from dispatch_protocol.keys import Digest, SealingKey
from dispatch_protocol.links import RotateSealingLink, sign_link
from dispatch_protocol.signing import edge_id
from tests.support.device import Device, RelayRefusalError, Wire, befriend, now_ms

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "protocol" / "CALLS.md").read_text(encoding="utf-8")
PLACE = "ab" * 32
BACK = edge_id(Digest(b"\7" * 32)).uuid


def rows(after: str) -> list[list[str]]:
    """Return the cells of the first table after a text."""
    table = re.search(r"(?:^\|.*\n)+", PAGE[PAGE.index(after) :], re.MULTILINE)
    assert table is not None
    return [
        [cell.strip() for cell in line.removeprefix("|").removesuffix("|").split("|")]
        for line in table[0].splitlines()[2:]
    ]


def named(cell: str) -> list[str]:
    """Return the names of the fields in a cell: each is the first word of its part."""
    return [part.strip().split("`")[1] for part in cell.split(" · ") if part.strip()]


CALLS = {cells[0].strip("`"): (named(cells[1]), named(cells[2])) for cells in rows("## Calls")}
INVITATION, EDGE = (
    [cells[0].strip("`") for cells in rows(text)] for text in ("An *invitation* is", "An *edge* is")
)
NOTICES = [(cells[0].strip("`"), named(cells[1])) for cells in rows("## Notices")]


def rotated(device: Device, chain: Chain) -> Chain:
    """Return a chain in which a device has replaced its sealing key."""
    link = RotateSealingLink(
        device=device.id,
        sealing=SealingKey(b"another".ljust(32)).public,
        prev=chain.head,
        created_ms=now_ms(),
        nonce=bytes(16),
    )
    return chain.extend([sign_link(link, [device.signing])])


def test_the_table_has_every_call() -> None:
    assert CALLS.keys() == OPERATIONS.keys()


def test_the_numbers_of_the_page() -> None:
    assert f"at most {LISTED} of each list" in PAGE
    assert f"at most {LISTED_EDGES:,} are told" in PAGE
    assert PAGE.count(f"`message` text of 1 to {MESSAGE_CHARS:,}") == 2


def test_the_table_has_every_notice() -> None:
    assert {kind for kind, _ in NOTICES} == {topic.value for topic in Topic} | {"presence", "drain"}


class Caller:
    """Makes calls, each first with an argument too few and one too many, and remembers what was answered."""

    def __init__(self) -> None:
        self.made: dict[str, Mapping[str, Any]] = {}

    async def call(self, wire: Wire, op: str, **args: Any) -> Mapping[str, Any]:
        assert list(args) == CALLS[op][0]
        for name in args:
            with pytest.raises(RelayRefusalError, match=rf"malformed.*lacks the field {name}"):
                await wire.call(op, **{other: value for other, value in args.items() if other != name})
        with pytest.raises(RelayRefusalError, match=r"malformed.*unknown fields: another"):
            await wire.call(op, **args, another=1)
        answer = await wire.call(op, **args)
        assert list(answer) == sorted(CALLS[op][1])
        self.made[op] = answer
        return answer


async def trust(caller: Caller, a: Wire, b: Wire) -> None:
    """Invite, accept, confirm, offer a way back, and end all of it."""
    document = b.device.invitation(a.device.address, b.challenge.broker_url if b.challenge else "")
    left = await caller.call(
        b, "invite", document=document.to_json(), to_email=a.device.address, emailed=False
    )
    await caller.call(a, "decline_invitation", invitation_id=left["invitation_id"])
    document = a.device.invitation(b.device.address, a.challenge.broker_url if a.challenge else "")
    left = await caller.call(
        a, "invite", document=document.to_json(), to_email=b.device.address, emailed=False
    )
    (shown,) = (await caller.call(b, "invitations"))["received"]
    assert list(shown) == sorted(INVITATION)
    edge = left["invitation_id"]
    await caller.call(b, "accept_invitation", invitation_id=edge, edge_id=edge, max_per_day=5, expires_ms=0)
    await caller.call(a, "confirm_edge", edge_id=edge)
    await caller.call(a, "offer_edge", edge_id=edge, back_id=BACK, max_per_day=None, expires_ms=0)
    told = (await caller.call(b, "edges"))["edges"]
    assert [list(each) for each in told] == [sorted(EDGE)] * 2
    assert {each["max_per_day"] for each in told} == {5, 10_000}
    await caller.call(b, "update_edge", edge_id=edge, max_per_day=7, expires_ms=0)
    await caller.call(b, "revoke_edge", edge_id=edge)
    document = b.device.invitation(
        "carol@example.org", b.challenge.broker_url if b.challenge else "", nonce=bytes(16)
    )
    left = await b.call("invite", document=document.to_json(), to_email="carol@example.org", emailed=False)
    await caller.call(b, "revoke_invitation", invitation_id=left["invitation_id"])


async def test_every_call_takes_exactly_its_arguments_and_answers_exactly_its_fields(url, alice, bob) -> None:
    caller = Caller()
    async with alice.signed_in(url) as a, bob.signed_in(url) as b:
        await trust(caller, a, b)
        await caller.call(b, "chain", genesis=alice.genesis.hex)
        await caller.call(a, "links", links=write_links(alice.chain.links))
        await caller.call(a, "pairing_open", place=PLACE, message="offer")
        await caller.call(a, "pairing_say", place=PLACE, message="reveal")
        assert (await caller.call(a, "pairing_hear", place=PLACE))["message"] is None
        await caller.call(a, "pairing_close", place=PLACE)
        await caller.call(a, "token")
        await caller.call(a, "logout")
        assert caller.made.keys() == CALLS.keys()


async def test_every_notice_of_the_page_says_what_its_row_names(url, alice, bob) -> None:
    async with alice.signed_in(url) as a:
        async with bob.signed_in(url) as b:
            await befriend(a, b)
            heard = [await a.notice(kind) for kind in ("invitations", "edges")]
            await b.call("links", links=write_links(rotated(bob, bob.chain).links))
            heard += [await b.notice("chain"), await a.notice("chain")]
        heard.append(await a.notice("presence"))
    said = [(notice.kind, list(notice.data)) for notice in heard]
    assert [row for row in NOTICES if row[0] != "drain"] == said
    assert heard[-1].data == {"genesis": bob.genesis.hex, "online": False}
