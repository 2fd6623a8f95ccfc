"""Documents as the daemon's door answers them, in the shapes that the outside relies on."""

from typing import Any

Json = dict[str, Any]

ID = "4f2a91c0-1111-8222-9333-444455556666"
OTHER_ID = "4f2b0000-1111-8222-9333-444455556666"
RUN_ID = "aaaaaaaa-0000-4000-8000-000000000001"
REQUEST_ID = "0badc0de-0000-4000-8000-000000000001"
DEVICE = "d1" * 32
ALICE, BOB = "alice@example.org", "bob@example.org"
AT = "2026-01-02T03:04:05.678Z"
LATER = "2099-01-02T03:04:05.678Z"


def scopes(**changes: Any) -> Json:
    """What an edge allows."""
    return {
        "tools": ["Read", "Glob", "Grep", "Write"],
        "mcp_servers": [],
        "paths": [{"path": "/srv/api", "mode": "rw"}],
        "network": [],
        "approval": "manual",
        "returns": "result",
        "max_per_day": 50,
        "expires_at": None,
    } | changes


def edge(**changes: Any) -> Json:
    """One edge of the contacts."""
    return {
        "edge_id": "eeeeeeee-0000-8000-8000-000000000001",
        "direction": "outgoing",
        "peer": BOB,
        "alias": None,
        "trust": "token",
        "devices": ["ab" * 32],
        "conflict": False,
        "online": True,
        "status": "active",
        "scopes": scopes(),
        "can_edit_scopes": False,
    } | changes


def listed(**changes: Any) -> Json:
    """One dispatch as the lists show it."""
    return {
        "dispatch_id": ID,
        "short_id": ID[:8],
        "from": ALICE,
        "to": BOB,
        "task": "Which tests are flaky in api? Write the list to flaky.md",
        "status": "delivered",
        "outcome": None,
        "created_at": AT,
        "expires_at": LATER,
        "thread_id": ID,
        "after": [],
        "attachments": [],
    } | changes


def whole(**changes: Any) -> Json:
    """One dispatch with everything known about it."""
    return (
        listed()
        | {
            "runs": [],
            "events": [],
            "approvals": [],
            "artifacts": [],
            "changeset": [],
            "receipts": [],
            "decision": None,
            "result": None,
        }
        | changes
    )


def run(**changes: Any) -> Json:
    """One run."""
    return {
        "run_id": RUN_ID,
        "status": "running",
        "outcome": None,
        "device": DEVICE,
        "agent": "steps",
        "model": None,
        "scopes": scopes(),
        "cwd": "/srv/api",
        "started_at": AT,
        "ended_at": None,
        "last_heard": AT,
        "usage": None,
    } | changes


def event(seq: int, kind: str, /, **data: Any) -> Json:
    """One entry of the trace."""
    return {"seq": seq, "at": AT, "run_id": RUN_ID, "type": kind, "data": data}


def approval(**changes: Any) -> Json:
    """One question about a tool call."""
    return {
        "dispatch_id": ID,
        "request_id": REQUEST_ID,
        "kind": "tool",
        "from": ALICE,
        "tool": "Write",
        "input": {"file_path": "/srv/api/flaky.md", "content": "test_login_retry\ntest_upload\n"},
        "title": "Write /srv/api/flaky.md",
        "description": None,
        "payload": {},
        "device": DEVICE,
        "flags": [],
        "expires_at": LATER,
        "grants": ["once", "always", "session"],
    } | changes


CHANGES = [
    {"op": "create", "path": "/srv/api/flaky.md", "kind": "file", "size_bytes": 29, "flags": []},
    {
        "op": "modify",
        "path": "/srv/api/Makefile",
        "kind": "file",
        "size_bytes": 400,
        "flags": ["runs later when you type make"],
    },
]
DIFFS = [
    {
        "path": "/srv/api/flaky.md",
        "text": "--- /dev/null\n+++ b/flaky.md\n@@ -0,0 +1,2 @@\n+test_login_retry\n+test_upload\n",
        "truncated": False,
        "binary": False,
    }
]


def closing(**changes: Any) -> Json:
    """The closing question about a changeset."""
    return (
        approval(
            kind="changeset",
            tool=None,
            input={"changes": CHANGES},
            title="Apply 2 changes",
            payload={"diffs": DIFFS, "summary": "Two tests are flaky."},
            grants=["once"],
        )
        | changes
    )


def receipts() -> list[Json]:
    """Signed receipts of a finished dispatch."""
    return [
        {"type": kind, "at": AT, "device": DEVICE, "digest": "ab" * 32}
        for kind in ("delivered", "accepted", "started", "result")
    ]


def finished(**changes: Any) -> Json:
    """A dispatch that ended well."""
    return (
        whole(
            status="completed",
            outcome="success",
            runs=[run(status="completed", outcome="success", ended_at="2026-01-02T03:04:53.678Z")],
            changeset=CHANGES,
            receipts=receipts(),
            decision={"mode": "manual", "target": None, "async": True, "reason": None, "asks_because": None},
            result={"outcome": "success", "summary": "Two tests are flaky."},
        )
        | changes
    )


def whoami(**changes: Any) -> Json:
    """Who this machine is."""
    return {
        "user": BOB,
        "identity": "1d" * 32,
        "device": {"id": DEVICE, "name": "laptop"},
        "broker": "http://127.0.0.1:8000",
        "daemon": {
            "running": True,
            "version": "0.1.0",
            "can_run": True,
            "paused_at": None,
            "panic_at": None,
            "socket": "/home/bob/.dispatch/daemon.sock",
            "door": "http://127.0.0.1:8001",
        },
    } | changes
