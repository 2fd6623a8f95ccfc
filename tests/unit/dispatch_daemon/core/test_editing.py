"""An edit changes what was mentioned and nothing else, and ends exactly the runs that may do more than is granted now."""

from dataclasses import replace
from typing import Any

import pytest

from dispatch_daemon.core import editing, trust
from dispatch_daemon.core.by_hand import BY_HAND
from dispatch_daemon.core.choosing import chosen_scopes
from dispatch_daemon.core.effects import Plan, Put, TaskKind
from dispatch_daemon.core.questions import with_run_paths
from dispatch_daemon.core.requests import ScopeChoice
from dispatch_daemon.core.trust_records import EdgeRecord, Trust
from dispatch_protocol.budget import Budget
from dispatch_protocol.grant import GrantStatus, Version
from dispatch_protocol.lifecycle import DispatchState, RunState
from dispatch_protocol.paths import PathGrant, PathMode
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.scopes import Approval, Returns, Scopes
from dispatch_protocol.signing import sign_document
from tests.support.desk import ALICE_PEER, BOB_OWN, MOMENT, SCOPES, edge, received, run
from tests.support.documents import BOB, EDGE, NOW_MS

GRANTED = Scopes(
    tools=("Bash", "Edit", "Read"),
    paths=(PathGrant("/doc", PathMode.RO), PathGrant("/src", PathMode.RW)),
    approval=Approval.REVIEW,
    returns=Returns.TRACE,
    max_per_day=7,
    expires_at_ms=NOW_MS + 60_000,
    budget=Budget(turns=10),
    max_runtime_s=90,
    approval_timeout_s=None,
)
RUN_PATHS = [("/doc", "ro"), ("/src", "rw")]


def edited(**choice: Any) -> Scopes:
    return chosen_scopes(ScopeChoice(**choice), Trust.TOKEN, NOW_MS, GRANTED)


def ends(
    now: Scopes,
    state: DispatchState = DispatchState.WAITING_INPUT,
    had: Scopes = GRANTED,
    paths: list[tuple[str, str]] = RUN_PATHS,
    **more: Any,
) -> bool:
    going = run(scopes=with_run_paths(had, paths), **more)
    return editing.outgrows(received(state), going, now)


def test_what_is_not_mentioned_stays() -> None:
    assert edited() == GRANTED
    met = replace(GRANTED, run_directory_only=True, max_per_day=None)
    assert chosen_scopes(ScopeChoice(approval="review"), Trust.TOKEN, NOW_MS, met) == met


@pytest.mark.parametrize(
    ("choice", "changed"),
    [
        ({"tools": ["Read"]}, {"tools": ("Read",)}),
        ({"profile": "edit"}, {"tools": ("Edit", "Glob", "Grep", "Read", "Write")}),
        ({"paths": [("/doc", "ro")]}, {"paths": (PathGrant("/doc", PathMode.RO),)}),
        ({"paths": []}, {"paths": ()}),
        ({"network": ["example.org"]}, {"network": ("example.org",)}),
        ({"mcp_servers": ["files"]}, {"mcp_servers": ("files",)}),
        ({"approval": "manual"}, {"approval": Approval.MANUAL}),
        ({"returns": "status"}, {"returns": Returns.STATUS}),
        ({"max_per_day": 1}, {"max_per_day": 1}),
        ({"expires_at_ms": NOW_MS + 1}, {"expires_at_ms": NOW_MS + 1}),
        ({"expires_at_ms": 0}, {"expires_at_ms": None}),
        ({"budget": Budget(turns=3)}, {"budget": Budget(turns=3)}),
        ({"budget": Budget()}, {"budget": Budget()}),
        ({"max_runtime_s": 5}, {"max_runtime_s": 5}),
        ({"approval_timeout_s": 7}, {"approval_timeout_s": 7}),
    ],
)
def test_what_is_mentioned_takes_the_place_of_what_was(
    choice: dict[str, Any], changed: dict[str, Any]
) -> None:
    assert edited(**choice) == replace(GRANTED, **changed)


@pytest.mark.parametrize(
    "narrower",
    [
        {"tools": ("Edit", "Read")},
        {"paths": (PathGrant("/src", PathMode.RW),)},
        {"paths": (PathGrant("/doc", PathMode.RO),)},
        {"paths": (PathGrant("/doc", PathMode.RO), PathGrant("/src", PathMode.RO))},
        {"approval": Approval.MANUAL},
        {"returns": Returns.RESULT},
        {"max_runtime_s": 89},
    ],
)
def test_a_run_that_may_do_more_than_is_granted_now_ends(narrower: dict[str, Any]) -> None:
    assert ends(replace(GRANTED, **narrower))
    assert ends(replace(GRANTED, **narrower), DispatchState.ACCEPTED)


def test_so_does_one_with_hosts_or_servers_that_are_granted_no_more() -> None:
    assert ends(GRANTED, had=replace(GRANTED, network=("example.org",)))
    assert ends(GRANTED, had=replace(GRANTED, mcp_servers=("files",)))
    assert not ends(replace(GRANTED, mcp_servers=("*",)), had=replace(GRANTED, mcp_servers=("files",)))
    assert ends(replace(GRANTED, mcp_servers=("files",)), had=replace(GRANTED, mcp_servers=("*",)))


def test_so_does_a_model_that_may_spend_more_and_no_other() -> None:
    less = replace(GRANTED, budget=Budget(turns=9))
    assert ends(less, agent="model")
    assert ends(replace(GRANTED, budget=Budget(turns=9, tokens=5)), agent="model")
    assert not ends(less, agent="steps")
    assert not ends(replace(GRANTED, budget=Budget(turns=10, cost_microusd=None)), agent="model")
    assert not ends(replace(GRANTED, budget=Budget()), agent="model")


def test_a_run_that_fits_goes_on() -> None:
    wider = replace(
        GRANTED,
        tools=("Bash", "Edit", "Read", "Write"),
        paths=(PathGrant("/", PathMode.RW),),
        approval=Approval.AUTO,
        max_per_day=None,
        expires_at_ms=None,
    )
    assert not ends(GRANTED)
    assert not ends(wider)
    # How many tasks there may be in a day and until when counts for tasks that come, not for the one that runs.
    assert not ends(replace(GRANTED, max_per_day=1, expires_at_ms=NOW_MS + 1))
    small = replace(GRANTED, tools=("Read",))
    assert not ends(replace(small, paths=GRANTED.paths), had=small, paths=[("/doc", "ro")])


def test_without_paths_the_place_of_the_run_is_what_is_granted() -> None:
    anywhere = replace(GRANTED, paths=())
    assert not ends(anywhere, had=anywhere, paths=[("/src", "rw")])
    assert ends(anywhere, paths=RUN_PATHS)


@pytest.mark.parametrize(
    ("state", "more"),
    [
        (DispatchState.DELIVERED, {}),
        (DispatchState.CANCELLED, {}),
        (DispatchState.ACCEPTED, {"agent": BY_HAND}),
    ],
)
def test_what_has_not_begun_is_over_or_done_by_hand_is_not_ended(
    state: DispatchState, more: dict[str, Any]
) -> None:
    assert not ends(Scopes(tools=()), state, **more)


def test_an_apply_that_has_begun_is_finished() -> None:
    applying = run(RunState.APPLYING, scopes=with_run_paths(GRANTED, RUN_PATHS))
    assert not editing.outgrows(received(DispatchState.ACCEPTED), applying, Scopes(tools=()))


def test_an_edit_replaces_the_grant_and_owes_the_relay_the_little_it_may_know() -> None:
    scopes = replace(SCOPES, tools=("Read",), max_per_day=3, expires_at_ms=NOW_MS + 9)
    document = trust.grant(
        BOB_OWN,
        ALICE_PEER,
        EDGE.hex,
        scopes,
        MOMENT,
        status=GrantStatus.ACTIVE,
        after=(Version(1, BOB.device),),
    )
    newer = sign_document([BOB.sign], payload_type(Kind.GRANT), document.encode())
    kept, plan = editing.edited(edge(), newer, scopes, path_identities=[("/src", 1, 2)], now_ms=NOW_MS)
    assert isinstance(kept, Put)
    assert isinstance(kept.record, EdgeRecord)
    assert kept.record == replace(
        edge(), grant=newer.to_json(), expires_ms=NOW_MS + 9, path_identities=(("/src", 1, 2),)
    )
    assert isinstance(plan, Plan)
    assert (plan.kind, plan.key) == (TaskKind.RELAY_CALL, f"update_edge/{EDGE.hex}")
    assert plan.payload == {
        "op": "update_edge",
        "args": {"edge_id": EDGE.uuid, "max_per_day": 3, "expires_ms": NOW_MS + 9},
    }
    (_, unbounded) = editing.edited(
        edge(), newer, replace(SCOPES, max_per_day=None), path_identities=(), now_ms=NOW_MS
    )
    assert isinstance(unbounded, Plan)
    assert unbounded.payload["args"] == {"edge_id": EDGE.uuid, "max_per_day": None, "expires_ms": 0}
