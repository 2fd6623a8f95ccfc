"""What a scripted service answers: one whole and plausible value of each shape that the door may send."""

from dispatch_daemon.ports import JsonObject

DISPATCH = "4f2a91c0-0000-8000-8000-000000000001"
OTHER = "4f2a91c0-0000-8000-8000-000000000002"
EDGE = "5e2a91c0-0000-8000-8000-000000000001"
INVITATION = "6e2a91c0-0000-8000-8000-000000000001"
KEY = "ab" * 32
WHEN = "2026-01-02T03:04:05.678Z"

SCOPES: JsonObject = {
    "tools": ["Glob", "Grep", "Read"],
    "mcp_servers": [],
    "paths": [{"path": "/srv/api", "mode": "ro"}],
    "run_directory_only": False,
    "network": [],
    "approval": "manual",
    "returns": "result",
    "max_per_day": 50,
    "budget": {"tokens": None, "turns": None, "cost_microusd": None},
    "max_runtime_s": 3600,
    "approval_timeout_s": 120,
    "expires_at": None,
}
APPROVAL: JsonObject = {
    "dispatch_id": DISPATCH,
    "request_id": "r1",
    "kind": "tool",
    "from": "alice@example.org",
    "tool": "Read",
    "input": {"file_path": "a"},
    "title": "Read a",
    "description": None,
    "payload": None,
    "device": "laptop",
    "on": None,
    "flags": [],
    "expires_at": WHEN,
    "grants": ["once", "always", "session"],
    "grant_details": [
        {"grant": "once", "tool": "Read", "command": None, "path": None, "meaning": "this call, once"}
    ],
    "can_review": True,
}
LISTED: JsonObject = {
    "dispatch_id": DISPATCH,
    "short_id": "4f2a91c0",
    "from": "alice@example.org",
    "to": "bob@example.org",
    "task": "look",
    "status": "delivered",
    "elsewhere": None,
    "owner": {"device": KEY, "name": "laptop", "this": True, "perhaps": []},
    "outcome": None,
    "created_at": WHEN,
    "expires_at": WHEN,
    "thread_id": "00" * 16,
    "parent": None,
    "unread": 1,
    "after": [],
    "attachments": [],
}
MESSAGE: JsonObject = {
    "message_id": KEY,
    "dispatch_id": DISPATCH,
    "mine": False,
    "from": "alice@example.org",
    "device": KEY,
    "seq": 1,
    "text": "please hurry",
    "surface": "cli",
    "audience": "thread",
    "at": WHEN,
    "state": "received",
    "held_at": None,
    "unread": True,
    "missing_before": 0,
}
WHOLE: JsonObject = {
    **LISTED,
    "messages": [MESSAGE],
    "thread": [{"dispatch_id": DISPATCH, "box": "inbox", "task": "look"}],
    "accepted_on": [],
    "declined_on": [],
    "verdicts": [],
    "runs": [
        {
            "run_id": "run1",
            "status": "running",
            "outcome": None,
            "device": "laptop",
            "agent": "steps",
            "model": None,
            "cwd": "/srv/api",
            "started_at": WHEN,
            "ended_at": None,
            "last_heard": WHEN,
            "usage": None,
            "undo_until": WHEN,
            "originals_bytes": 0,
            "undone_at": None,
        }
    ],
    "events": [{"seq": 1, "at": WHEN, "run_id": "run1", "type": "message", "data": {"text": "hi"}}],
    "approvals": [APPROVAL],
    "questions": {"answered": 0, "unanswered": 0, "open": 1},
    "artifacts": [
        {
            "name": "report.txt",
            "kind": "output",
            "mime_type": "text/plain",
            "size_bytes": 3,
            "sha256": KEY,
            "download_url": None,
        }
    ],
    "changeset": [{"op": "create", "path": "/srv/api/flaky.md", "flags": []}],
    "receipts": [{"type": "delivered", "at": WHEN, "device": KEY, "digest": KEY}],
    "decision": {
        "mode": "manual",
        "target": "/srv/api",
        "async": False,
        "reason": None,
        "asks_because": None,
    },
    "result": {"outcome": None, "summary": None},
}
SETTING: JsonObject = {
    "name": "approval_ui",
    "value": "picker",
    "origin": "default",
    "stored": None,
    "can_edit": True,
    "choices": ["picker", "form", "local"],
    "held_by": None,
}
PLACES: JsonObject = {
    "running": True,
    "pid": 1,
    "version": "0.1.0",
    "can_run": True,
    "paused_at": None,
    "panic_at": None,
    "socket": "/home/bob/.dispatch/daemon.sock",
    "door": "http://127.0.0.1:8001",
}
WHOAMI: JsonObject = {
    "user": "bob@example.org",
    "identity": KEY,
    "device": {"id": KEY, "name": "laptop"},
    "broker": None,
    "daemon": PLACES,
}
