"""What a human chose becomes scopes, never wider than how well the other side is known allows."""

from dataclasses import replace
from typing import Any

import pytest

from dispatch_daemon.core import choosing
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.requests import ScopeChoice
from dispatch_daemon.core.trust_records import Trust
from dispatch_protocol.paths import PathGrant, PathMode
from dispatch_protocol.scopes import PROFILES, Approval, Returns, Scopes
from tests.support.documents import NOW_MS


def chosen(known_as: Trust = Trust.TOKEN, **choice: Any) -> Scopes:
    return choosing.chosen_scopes(ScopeChoice(**choice), known_as, NOW_MS)


def test_trust_has_no_default() -> None:
    with pytest.raises(ServiceError) as raised:
        chosen(approval="auto")
    assert raised.value.code == "scope_choice_required"


@pytest.mark.parametrize(
    "choice",
    [
        {"tools": ["Read"], "profile": "edit"},
        {"profile": "everything"},
        {"tools": ["Raed"]},
        {"tools": ["Read"], "expires_at_ms": NOW_MS},
        {"tools": ["Read"], "paths": [("src", "rw")]},
        {"tools": ["Read"], "paths": [("/src/../etc", "ro")]},
        {"tools": ["Read"], "paths": [("/src", "rwx")]},
        {"tools": ["Read"], "network": ["HTTP://Example.org"]},
        {"tools": ["Read"], "mcp_servers": ["a b"]},
        {"tools": ["Read"], "approval": "never"},
        {"tools": ["Read"], "returns": "everything"},
        {"tools": ["Read"], "max_per_day": 0},
        {"tools": ["Read"], "max_runtime_s": 0},
        {"tools": ["Read"], "approval_timeout_s": 86_401},
    ],
)
def test_what_is_no_scope_is_refused_in_words(choice: dict[str, Any]) -> None:
    with pytest.raises(ServiceError) as raised:
        chosen(**choice)
    assert raised.value.code == "invalid"


def test_what_is_not_named_is_the_least() -> None:
    scopes = chosen(tools=["Read"])
    assert (scopes.tools, scopes.mcp_servers, scopes.network, scopes.paths) == (("Read",), (), (), ())
    assert (scopes.approval, scopes.returns, scopes.expires_at_ms) == (Approval.MANUAL, Returns.RESULT, None)
    assert scopes.max_per_day == Scopes(tools=()).max_per_day


def test_everything_that_is_named_is_granted() -> None:
    scopes = chosen(
        tools=["Read", "Bash"],
        paths=[("/src", "rw")],
        mcp_servers=["files"],
        network=["example.org:443", "git.lan:8443"],
        approval="auto",
        returns="trace",
        max_per_day=7,
        max_runtime_s=60,
        approval_timeout_s=5,
        expires_at_ms=NOW_MS + 1,
    )
    assert scopes == Scopes(
        tools=("Bash", "Read"),
        paths=(PathGrant("/src", PathMode.RW),),
        mcp_servers=("files",),
        network=("example.org", "git.lan:8443"),
        approval=Approval.AUTO,
        returns=Returns.TRACE,
        max_per_day=7,
        max_runtime_s=60,
        approval_timeout_s=5,
        expires_at_ms=NOW_MS + 1,
    )


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_profile_is_a_named_choice(profile: str) -> None:
    assert chosen(profile=profile) == PROFILES[profile]
    assert chosen(profile=profile, mcp_servers=[]).mcp_servers == ()


def test_contact_that_nobody_proved_gets_no_shell_no_network_and_asks_every_time() -> None:
    scopes = chosen(
        Trust.UNVERIFIED,
        tools=["Read", "Bash"],
        network=["example.org"],
        mcp_servers=["files"],
        approval="auto",
        paths=[("/src", "rw")],
    )
    assert (scopes.tools, scopes.network, scopes.mcp_servers) == (("Read",), (), ())
    assert scopes.approval is Approval.MANUAL
    assert scopes.paths == (PathGrant("/src", PathMode.RW),)


def test_contact_whom_a_recovery_made_unverified_again_is_held_to_less_than_was_granted() -> None:
    wide = PROFILES["full"]
    assert choosing.bounded(wide, Trust.COMPARED) == choosing.bounded(wide, Trust.TOKEN) == wide
    held = choosing.bounded(wide, Trust.UNVERIFIED)
    assert (held.approval, held.network, "Bash" in held.tools) == (Approval.MANUAL, (), False)


def test_an_edit_keeps_whatever_it_does_not_mention() -> None:
    present = Scopes(
        tools=("Read",),
        max_per_day=None,
        max_runtime_s=5,
        run_directory_only=True,
        paths=(PathGrant("/src", PathMode.RO),),
    )
    assert choosing.chosen_scopes(ScopeChoice(), Trust.TOKEN, NOW_MS, present) == present
    edited = choosing.chosen_scopes(ScopeChoice(profile="edit"), Trust.TOKEN, NOW_MS, present)
    assert edited == replace(present, tools=PROFILES["edit"].tools)
