"""What scripts rely on: every field is there, in its one shape, and what does not apply is null."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from dispatch_daemon.core import trust_views
from dispatch_daemon.core.trust_records import (
    ContactRecord,
    Direction,
    InvitationRecord,
    InvitationStatus,
    RuleRecord,
    Trust,
)
from dispatch_protocol.grant import Version
from dispatch_protocol.keys import SigningKey
from dispatch_protocol.paths import PathGrant, PathMode
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.scopes import Scopes
from dispatch_protocol.signing import sign_document
from dispatch_protocol.standing import EdgeStatus
from tests.support.desk import edge
from tests.support.documents import ALICE, BOB, EDGE, NOW_MS, fixed, grant, head
from tests.support.invited import DOCUMENT

PHONE = SigningKey(fixed("bob's phone"))
AT = "2026-01-02T03:04:05.678Z"
CONTACT = ContactRecord(
    genesis=ALICE.chain.genesis.hex,
    address=ALICE.email,
    trust=Trust.TOKEN,
    chain=(),
    pinned_ms=NOW_MS,
    alias="al",
)


def edge_shown(contact: ContactRecord | None, scopes: Scopes | None, **more: Any) -> dict[str, Any]:
    return trust_views.edge_view(edge(**more), contact, scopes, online=None, now_ms=NOW_MS)


def test_edge_shows_whose_it_is_and_how_the_other_side_is_known() -> None:
    shown = edge_shown(CONTACT, Scopes(tools=("Read",)))
    promised = "edge_id direction peer alias trust online status scopes can_edit_scopes"
    assert set(promised.split()) <= set(shown)
    assert (shown["edge_id"], shown["peer"], shown["alias"], shown["trust"]) == (
        str(UUID(bytes=EDGE.raw)),
        ALICE.email,
        "al",
        Trust.TOKEN,
    )
    assert (shown["status"], shown["can_edit_scopes"], shown["online"]) == (EdgeStatus.ACTIVE, True, None)


def test_edge_shows_the_devices_of_the_other_side() -> None:
    shown = trust_views.edge_view(edge(), CONTACT, None, online=None, now_ms=NOW_MS, devices=[ALICE.device])
    assert shown["devices"] == [ALICE.device.hex]
    assert edge_shown(CONTACT, None)["devices"] is None


def test_edge_shows_what_two_own_devices_have_said_of_it_at_once() -> None:
    def said(key: SigningKey, *tools: str) -> dict[str, Any]:
        whose = head(BOB, ALICE)
        body = grant(
            head=replace(whose, sender=replace(whose.sender, device=key.device)),
            version=Version(2, key.device),
            parents=(Version(1, BOB.device),),
            scopes=Scopes(tools=tools),
        )
        return sign_document([key], payload_type(Kind.GRANT), body.encode()).to_json()

    met = replace(edge(), grant=said(BOB.sign, "Read"), beside=(said(PHONE, "Glob"),))
    shown: Any = trust_views.edits_view(met, {PHONE.device.hex: ("phone", 1)})
    assert {(each["name"], str(each["scopes"]["tools"])) for each in shown} == {
        ("phone", "['Glob']"),
        (BOB.device.hex[:8], "['Read']"),
    }
    assert edge_shown(CONTACT, None)["edits"] is None
    assert trust_views.edits_view(edge(), {}) == []
    assert trust_views.edits_view(replace(met, direction=Direction.OUTGOING), {}) == []


def test_edge_shows_that_two_histories_of_the_other_side_were_told() -> None:
    assert edge_shown(CONTACT, None)["conflict"] is False
    assert edge_shown(replace(CONTACT, conflict=()), None)["conflict"] is True
    assert edge_shown(None, None)["conflict"] is False


def test_edge_of_nobody_known_and_of_the_other_side_shows_nulls() -> None:
    shown = edge_shown(None, None, direction=Direction.OUTGOING)
    assert (shown["alias"], shown["trust"], shown["scopes"], shown["can_edit_scopes"]) == (
        None,
        None,
        None,
        False,
    )


@pytest.mark.parametrize(
    ("status", "expires_ms", "shown"),
    [
        (EdgeStatus.ACTIVE, 0, EdgeStatus.ACTIVE),
        (EdgeStatus.ACTIVE, NOW_MS + 1, EdgeStatus.ACTIVE),
        (EdgeStatus.ACTIVE, NOW_MS, EdgeStatus.EXPIRED),
        (EdgeStatus.REVOKED, NOW_MS, EdgeStatus.REVOKED),
        (EdgeStatus.PENDING, NOW_MS, EdgeStatus.PENDING),
    ],
)
def test_active_edge_past_its_date_is_expired(status: EdgeStatus, expires_ms: int, shown: EdgeStatus) -> None:
    assert trust_views.edge_status(edge(status=status, expires_ms=expires_ms), NOW_MS) is shown


def test_scopes_are_shown_whole_with_times_as_text() -> None:
    scopes = Scopes(tools=("Read",), paths=(PathGrant("/src", PathMode.RW),), expires_at_ms=NOW_MS)
    shown = trust_views.scopes_view(scopes)
    promised = "tools mcp_servers paths run_directory_only network approval returns max_per_day expires_at"
    assert set(promised.split()) <= set(shown)
    assert (shown["tools"], shown["paths"], shown["expires_at"]) == (
        ["Read"],
        [{"path": "/src", "mode": "rw"}],
        AT,
    )


def invitation(direction: Direction) -> InvitationRecord:
    return InvitationRecord(
        invitation_id=EDGE.hex,
        direction=direction,
        address=ALICE.email,
        document={},
        status=InvitationStatus.PENDING,
        created_ms=NOW_MS,
        expires_ms=0,
        link="https://courier.example/i/x",
        mac_required=True,
        secret=b"secret",
    )


def test_sent_invitation_shows_its_link_and_never_its_secret() -> None:
    shown = trust_views.invitation_view(invitation(Direction.OUTGOING), None)
    assert (
        " ".join(sorted(shown))
        == "also_proved created_at expires_at invitation_id link peer status unproved_at"
    )
    assert (shown["link"], shown["expires_at"]) == ("https://courier.example/i/x", None)
    assert (shown["also_proved"], shown["unproved_at"]) == (None, None)


def test_leaked_token_is_shown_with_both_who_hold_it() -> None:
    leaked = replace(
        invitation(Direction.OUTGOING), accepted_by="ab" * 32, also_proved_by="cd" * 32, also_proved_ms=NOW_MS
    )
    assert trust_views.invitation_view(leaked, None)["also_proved"] == {
        "accepted_by": "ab" * 32,
        "identity": "cd" * 32,
        "at": AT,
    }


def test_received_invitation_shows_what_it_is_accepted_with() -> None:
    received = replace(invitation(Direction.INCOMING), document=DOCUMENT.to_json())
    shown = trust_views.invitation_view(received, "the id")
    assert set(shown) == {
        "invitation_id", "peer", "status", "expires_at", "created_at", "token", "identity",
    }  # fmt: skip
    assert (shown["token"], shown["identity"]) == ("the id", ALICE.chain.genesis.hex)


def test_rule_says_exactly_what_it_covers() -> None:
    rule = RuleRecord(rule_id="r", edge=EDGE.hex, tool="Read", command=None, created_ms=NOW_MS, path="/src")
    shown = trust_views.rule_view(rule, "al")
    assert shown["meaning"] == "every Read that names a place at or below /src; asked by al"
    assert (shown["command"], shown["path"], shown["created_at"]) == (None, "/src", AT)


def test_edge_shows_where_comparing_stands() -> None:
    assert (edge_shown(CONTACT, None)["comparison"], edge_shown(None, None)["compared_at"]) == (None, None)
    shown = trust_views.edge_view(
        edge(), replace(CONTACT, compared_ms=NOW_MS), None, online=None, now_ms=NOW_MS, comparison="same"
    )
    assert (shown["comparison"], shown["compared_at"]) == ("same", AT)


def test_a_yes_that_proved_nothing_is_told_for_as_long_as_the_invitation_waits() -> None:
    sent = invitation(Direction.OUTGOING)
    for status, told in (
        (InvitationStatus.PENDING, "1970-01-01T00:00:01.000Z"),
        (InvitationStatus.ACCEPTED, None),
    ):
        shown = trust_views.invitation_view(replace(sent, status=status), None, 1_000)
        assert shown["unproved_at"] == told
    assert trust_views.unproved_key("ab") != trust_views.unproved_key("ac")
