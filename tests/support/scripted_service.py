"""A small real daemon behind the door's port: it answers in the shapes of the contract and remembers what it was asked.

It keeps no journal and signs nothing; what it does keep (dispatches, watchers) behaves. `fail_with` makes the next
call raise, `publish` moves every watcher.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from dispatch_daemon.ports import FileChoice, JsonObject, SendRequest, ServiceError, Update
from tests.support.scripted_answers import (
    APPROVAL,
    DISPATCH,
    KEY,
    LISTED,
    MESSAGE,
    OTHER,
    PLACES,
    SETTING,
    WHEN,
    WHOAMI,
    WHOLE,
)
from tests.support.scripted_devices import ScriptedDevices
from tests.support.scripted_people import ScriptedPeople


class ScriptedService(ScriptedPeople, ScriptedDevices):
    """Answers like a daemon; `calls` is what it was asked, in order."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.fail_with: Exception | None = None
        self.stopping = False
        self.pause = asyncio.Event()
        self.pause.set()
        self.watchers: set[asyncio.Queue[Update | Exception]] = set()

    async def _asked(self, call: str, /, **arguments: Any) -> None:
        self.calls.append((call, arguments))
        if self.fail_with is not None:
            error, self.fail_with = self.fail_with, None
            raise error
        await self.pause.wait()

    def _known(self, dispatch_id: str) -> None:
        found = [known for known in (DISPATCH, OTHER) if known.startswith(dispatch_id)]
        if not found:
            raise ServiceError("not_found", f"No dispatch begins with {dispatch_id}.")
        if len(found) > 1:
            raise ServiceError("ambiguous", "Several dispatches begin like that.", candidates=found)

    async def whoami(self) -> JsonObject:
        await self._asked("whoami")
        return WHOAMI

    async def doctor(self) -> JsonObject:
        await self._asked("doctor")
        check: JsonObject = {
            "name": "sandbox",
            "ok": False,
            "detail": "no bwrap",
            "remedy": "apt install bubblewrap",
        }
        return {"ok": False, "checks": [check]}

    async def daemon_status(self) -> JsonObject:
        await self._asked("daemon_status")
        return PLACES

    async def stop(self) -> JsonObject:
        await self._asked("stop")
        return {"running": False, "pid": 1}

    async def login(self, *, broker: str | None, email: str, dev: bool, token: str | None) -> JsonObject:
        await self._asked("login", broker=broker, email=email, dev=dev, token=token)
        return {**WHOAMI, "user": email, "broker": broker}

    def require_calm(self, operation: str) -> None:
        del operation

    async def panic_machine(self, *, off: bool) -> JsonObject:
        await self._asked("panic_machine", off=off)
        return {"panic_at": None if off else WHEN, "runs_ended": 1, "told": 1, "untold": 0}

    async def pause_machine(self, *, off: bool) -> JsonObject:
        await self._asked("pause_machine", off=off)
        return {"paused_at": None if off else WHEN, "running": 1}

    async def logout(self) -> JsonObject:
        await self._asked("logout")
        return {"broker": "http://127.0.0.1:8000", "status": "signed_out", "told": True}

    async def begin_login(self, *, broker: str | None, email: str | None, page: bool) -> JsonObject:
        await self._asked("begin_login", broker=broker, email=email, page=page)
        return {
            "login": "5d41",
            "way": "page" if page else "mail",
            "user_code": "BCDF-GHJK",
            "verification_uri": "http://127.0.0.1:8000/login",
            "email": None if page else email,
            "mailed": not page,
            "expires_at": "2026-01-02T03:04:05.678Z",
        }

    async def finish_login(self, *, login: str, code: str | None) -> JsonObject:
        await self._asked("finish_login", login=login, code=code)
        return {**WHOAMI, "user": "bob@example.org", "broker": "http://127.0.0.1:8000"}

    async def recovery_key(self) -> JsonObject:
        await self._asked("recovery_key")
        return {"recovery_key": "AAAA-BBBB"}

    async def agents(self) -> JsonObject:
        await self._asked("agents")
        steps: JsonObject = {
            "name": "steps",
            "chosen": True,
            "ready": True,
            "answers": None,
            "detail": "signed",
            "remedy": None,
        }
        return {"agents": [steps]}

    async def test_agent(self) -> JsonObject:
        await self._asked("test_agent")
        return {"ok": True, "checks": [{"name": "answers", "ok": True, "detail": "it does", "remedy": None}]}

    async def agent_key(self, *, name: str) -> JsonObject:
        await self._asked("agent_key", name=name)
        return {"name": name, "held": True}

    async def tool_servers(self) -> JsonObject:
        await self._asked("tool_servers")
        server: JsonObject = {
            "name": "files",
            "command": ["/usr/bin/files"],
            "environment": ["PLACE"],
            "secrets": {"KEY": "env:FILES_KEY"},
            "granted_to": ["alice@example.org"],
        }
        return {"servers": [server]}

    async def test_tool_server(self, *, name: str) -> JsonObject:
        await self._asked("test_tool_server", name=name)
        tool: JsonObject = {"name": "mcp__files__list", "description": "Lists."}
        return {"ok": True, "name": name, "detail": "it offers 1 tool", "tools": [tool], "left_out": []}

    async def download(self, *, key: str) -> tuple[Path, str]:
        await self._asked("download", key=key)
        return Path(__file__), "a name \u202e.txt"

    async def keep_file(self, *, pieces: AsyncIterator[bytes]) -> JsonObject:
        data = b"".join([piece async for piece in pieces])
        await self._asked("keep_file", data=data)
        return {"file_id": KEY, "size_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    async def send(self, *, request: SendRequest, idempotency_key: str | None) -> JsonObject:
        await self._asked("send", request=request, idempotency_key=idempotency_key)
        return {"dispatch_id": DISPATCH, "status": "queued", "thread_id": "00" * 16, "expires_at": None}

    async def resend(self, *, dispatch_id: str, idempotency_key: str | None) -> JsonObject:
        await self._asked("resend", dispatch_id=dispatch_id, idempotency_key=idempotency_key)
        self._known(dispatch_id)
        return {"dispatch_id": OTHER, "status": "queued", "thread_id": "00" * 16, "expires_at": None}

    async def dispatches(self, *, box: str, cursor: str | None, limit: int) -> JsonObject:
        await self._asked("dispatches", box=box, cursor=cursor, limit=limit)
        return {"dispatches": [LISTED], "next": None}

    async def dispatch(self, *, dispatch_id: str) -> JsonObject:
        await self._asked("dispatch", dispatch_id=dispatch_id)
        self._known(dispatch_id)
        return WHOLE

    async def accept(
        self,
        *,
        dispatch_id: str,
        cwd: str | None,
        caller_cwd: str | None,
        by_hand: bool,
        here: bool,
        headless: bool,
    ) -> JsonObject:
        how = {"cwd": cwd, "caller_cwd": caller_cwd, "by_hand": by_hand, "here": here, "headless": headless}
        await self._asked("accept", dispatch_id=dispatch_id, **how)
        self._known(dispatch_id)
        return {"dispatch_id": DISPATCH, "status": "running"}

    async def hand_over(self, *, dispatch_id: str, device: str) -> JsonObject:
        await self._asked("hand_over", dispatch_id=dispatch_id, device=device)
        self._known(dispatch_id)
        return {"dispatch_id": DISPATCH, "status": "delivered", "device": KEY, "name": "laptop"}

    async def complete(
        self, *, dispatch_id: str, text: str, files: list[str], handed: tuple[FileChoice, ...] = ()
    ) -> JsonObject:
        await self._asked("complete", dispatch_id=dispatch_id, text=text, files=files, handed=handed)
        self._known(dispatch_id)
        return {"dispatch_id": DISPATCH, "status": "completed"}

    async def reply(self, *, dispatch_id: str, text: str, by: str, idempotency_key: str | None) -> JsonObject:
        await self._asked("reply", dispatch_id=dispatch_id, text=text, by=by, idempotency_key=idempotency_key)
        self._known(dispatch_id)
        return {**MESSAGE, "mine": True, "state": "owed", "unread": False, "thread_id": "00" * 16}

    async def read_messages(self, *, dispatch_id: str, last: str) -> JsonObject:
        await self._asked("read_messages", dispatch_id=dispatch_id, last=last)
        self._known(dispatch_id)
        return {"dispatch_id": DISPATCH, "unread": 0}

    async def thread(self, *, dispatch_id: str) -> JsonObject:
        await self._asked("thread", dispatch_id=dispatch_id)
        self._known(dispatch_id)
        listed: JsonObject = {**LISTED, "messages": [MESSAGE], "runs": []}
        return {"thread_id": "00" * 16, "peer": "alice@example.org", "trust": "token", "dispatches": [listed]}

    async def resume(self, *, dispatch_id: str) -> JsonObject:
        await self._asked("resume", dispatch_id=dispatch_id)
        self._known(dispatch_id)
        return {"dispatch_id": DISPATCH, "status": "waiting_approval"}

    async def discard(self, *, dispatch_id: str, by: str) -> JsonObject:
        await self._asked("discard", dispatch_id=dispatch_id, by=by)
        self._known(dispatch_id)
        return {"dispatch_id": DISPATCH, "status": "failed"}

    async def review(self, *, dispatch_id: str, by: str) -> JsonObject:
        await self._asked("review", dispatch_id=dispatch_id, by=by)
        self._known(dispatch_id)
        return {"dispatch_id": DISPATCH, "status": "running"}

    async def undo_preview(self, *, dispatch_id: str) -> JsonObject:
        await self._asked("undo_preview", dispatch_id=dispatch_id)
        self._known(dispatch_id)
        seen: JsonObject = {"digest": KEY, "changeset": WHOLE["changeset"], "diffs": [], "drift": []}
        return seen | {"dispatch_id": DISPATCH, "run_id": "r", "diff_truncated": False, "undo_until": WHEN}

    async def undo(self, *, dispatch_id: str, digest: str, by: str) -> JsonObject:
        await self._asked("undo", dispatch_id=dispatch_id, digest=digest, by=by)
        self._known(dispatch_id)
        return {"dispatch_id": DISPATCH, "status": "completed", "undone_at": WHEN}

    async def decline(self, *, dispatch_id: str, reason: str | None) -> JsonObject:
        await self._asked("decline", dispatch_id=dispatch_id, reason=reason)
        self._known(dispatch_id)
        return {"dispatch_id": DISPATCH, "status": "declined"}

    async def cancel(self, *, dispatch_id: str, reason: str | None) -> JsonObject:
        await self._asked("cancel", dispatch_id=dispatch_id, reason=reason)
        self._known(dispatch_id)
        return {"dispatch_id": DISPATCH, "status": "delivered", "cancel_requested": True}

    async def result(self, *, dispatch_id: str) -> JsonObject:
        await self._asked("result", dispatch_id=dispatch_id)
        self._known(dispatch_id)
        return {
            "dispatch_id": DISPATCH,
            "outcome": "success",
            "summary": "Done.",
            "files": [],
            "bundle": None,
            "undone_at": None,
        }

    async def approvals(self) -> JsonObject:
        await self._asked("approvals")
        return {"approvals": [APPROVAL]}

    async def decide(
        self,
        *,
        request_id: str,
        decision: str,
        grant: str | None,
        reason: str | None,
        dispatch_id: str | None,
        stop: bool,
        by: str,
    ) -> JsonObject:
        await self._asked(
            "decide",
            request_id=request_id,
            decision=decision,
            grant=grant,
            reason=reason,
            dispatch_id=dispatch_id,
            stop=stop,
            by=by,
        )
        return {
            "request_id": request_id,
            "kind": "tool",
            "status": "approved",
            "grant": grant,
            "decided_by": by,
            "decided_on": None,
            "decided_at": WHEN,
        }

    async def settings(self) -> JsonObject:
        await self._asked("settings")
        return {"settings": [SETTING]}

    async def change_setting(self, *, name: str, value: str | None) -> JsonObject:
        await self._asked("change_setting", name=name, value=value)
        return SETTING

    async def rules(self) -> JsonObject:
        await self._asked("rules")
        return {"rules": [{"rule_id": "rule1", "tool": "Read"}]}

    async def remove_rule(self, *, rule_id: str) -> JsonObject:
        await self._asked("remove_rule", rule_id=rule_id)
        return {"rule_id": rule_id, "status": "removed"}

    async def subscribe(self, *, dispatch_id: str | None) -> AsyncIterator[Update]:
        await self._asked("subscribe", dispatch_id=dispatch_id)
        if dispatch_id is not None:
            self._known(dispatch_id)
        if self.stopping:
            return
        queue: asyncio.Queue[Update | Exception] = asyncio.Queue()
        self.watchers.add(queue)
        try:
            yield Update("snapshot", {"dispatches": [LISTED], "approvals": []})
            while True:
                update = await queue.get()
                if isinstance(update, Exception):
                    raise update
                yield update
        finally:
            self.watchers.discard(queue)

    def publish(self, data: JsonObject | Exception) -> None:
        """Move every watcher, or break its stream."""
        for queue in self.watchers:
            queue.put_nowait(data if isinstance(data, Exception) else Update("change", data))
