"""Good requests for every route of the door, and what every refusal must look like."""

from typing import Any

from dispatch_daemon.adapters.loopback.route import Route
from dispatch_protocol import loopback
from tests.support.door_client import Reply
from tests.support.scripted_answers import DISPATCH

# One good body for every route that takes one.
BODIES: dict[str, dict[str, Any]] = {
    "login": {"broker": "http://127.0.0.1:8000", "email": "bob@example.org", "dev": True, "token": None},
    "begin_login": {"broker": "http://127.0.0.1:8000", "email": "bob@example.org", "page": False},
    "finish_login": {"login": "5d41", "code": "1234 5678"},
    "rename_device": {"device": "laptop", "name": "study"},
    "revoke_device": {"device": "laptop"},
    "set_device": {"device": "laptop", "roles": ["runner"], "owner": True},
    "open_pairing": {"roles": ["approver"]},
    "panic_machine": {"off": False},
    "pause_machine": {"off": False},
    "recover": {"broker": "http://127.0.0.1:8000", "key": "dispatch-recovery-x", "keep": ["abcd"]},
    "join": {"code": "dispatch-pair1:x#y"},
    "confirm_pairing": {"number": "428913"},
    "test_tool_server": {"name": "files"},
    "revoke": {"peer": "alice", "outgoing": True},
    "alias_contact": {"peer": "alice@example.org", "name": "Ali"},
    "verify_contact": {"peer": "alice", "words": None, "different": False, "again": True},
    "export_trust": {"contacts": True},
    "import_trust": {"links": [{}]},
    "edit_edge": {"peer": "alice", "profile": "read-only", "paths": [{"path": "/srv/api", "mode": "ro"}]},
    "invite": {"email": "alice@example.org", "link_only": True, "offer": {"profile": "edit"}},
    "accept_invitation": {"token": "dispatch1:x#y", "tools": ["Read"]},
    "decline_invitation": {"token": "dispatch1:x"},
    "send": {"recipient": "bob", "task": "look"},
    "accept": {
        "cwd": "/srv/api",
        "caller_cwd": "/home/bob",
        "by_hand": False,
        "here": True,
        "headless": False,
    },
    "hand_over": {"device": "laptop"},
    "complete": {"text": "done", "file": ["/srv/api/a"]},
    "reply": {"text": "thanks", "by": "cli"},
    "read_messages": {"last": "ab" * 32},
    "discard": {"by": "page"},
    "review": {"by": "mcp"},
    "undo": {"digest": "ab" * 32, "by": "page"},
    "decline": {"reason": "no"},
    "cancel": {"reason": None},
    "change_setting": {"name": "approval_ui", "value": "form"},
    "decide": {"decision": "approve", "grant": "always", "stop": False, "by": "cli"},
}


def target(route: Route) -> str:
    return route.path.format(dispatch_id=DISPATCH, request_id="r1", rule_id="rule1", key="once", name="KEY")


def assert_problem(reply: Reply) -> None:
    """A refusal is a whole problem document, and never our own mistake."""
    assert 400 <= reply.status < 500, reply.body
    assert reply.headers["content-type"].startswith("application/problem+json")
    assert set(reply.value) >= {"type", "title", "status", "detail", "code", "hint"}
    assert reply.value["status"] == reply.status
    assert loopback.http_status(reply.code) == reply.status
    assert reply.code in loopback.CODES
