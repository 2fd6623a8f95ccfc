"""Letting an ACP agent work inside: a session, one prompt, its updates as the trace, its questions put to our gate.

What the agent asks permission for is asked as every call is, and answered for this once, matched by the option's kind: its
own memory of permissions is never used. What it does without asking is told, and held by the wall like the rest.
File system and terminal of this side are not offered: serving them would be a way around the wall.
"""

import asyncio
import contextlib
from typing import Any

from sandbox.agents.acp.calls import HARMLESS, ID_CHARS, Call
from sandbox.agents.acp.wire import AgentRefusedError, LastAnswerError, Wire
from sandbox.agents.agent import Emit, Gate
from sandbox.agents.peer import GO_ON, AgentGoneError, HaltedError, Home, Left, Params, Peer, gone, shown
from sandbox.errors import HelperError, SandboxError, SessionError
from sandbox.events import CallFinished, CallProposed, Ended, Noted, Said, Started, Thought
from sandbox.job import ToolCall, ToolResult

PROTOCOL = 1
START_S = 180.0
MESSAGE_CHARS = 64 * 1024
MAX_CALLS = 2000
MAX_EVENTS = 10_000
_SIX = ("Read", "Glob", "Grep", "Write", "Edit", "Bash")
_STOPS = {
    "max_tokens": ("agent_cut", "the agent's answer was cut off at its length limit"),
    "max_turn_requests": ("agent_cut", "the agent stopped at its own limit of turns"),
    "refusal": ("model_declined", "the model declined the task"),
    "cancelled": ("agent_ended", "the agent stopped as if it had been cancelled"),
}
_UNASKED = "This agent makes calls without asking ({first} was one); the wall and the changeset hold them all the same."


class _UngrantedError(Exception):
    """A call was made without asking, by a tool that is not granted."""


async def run_acp(
    peer: Peer,
    prompt: str,
    cwd: str,
    box: Home,
    gate: Gate,
    emit: Emit,
    halted: asyncio.Event,
    left: Left | None = None,
) -> Ended:
    """Let the agent work on one prompt to its end; emits `Started`, what it says, and its calls.

    Args:
        peer: The agent's streams.
        prompt: The task with its background.
        cwd: The working directory, as it is called inside.
        box: The box it lives in.
        gate: Asked for each call that the agent asks for; may take as long as a person takes.
        emit: Told of each event before the next thing happens.
        halted: Set from outside to stop the run, as when its budget is spent.
        left: Where it was when its run was set aside.

    Returns:
        The end, not emitted; on success its `detail` is the agent's last words. Halted it is `blocked`, `halted`, and
        `blocked`, `parked` with its session when nobody answered a call and it can load that session again.
    """
    await emit(Started(box.confinement))
    session = _Session(peer, box, gate, emit, halted, left)
    try:
        return await session.work(prompt, cwd)
    except _ParkedError as parked:
        return parked.ended
    except (_UngrantedError, LastAnswerError) as denied:
        return Ended("blocked", "denied", str(denied))
    except HaltedError:
        return Ended("blocked", "halted", "the run was stopped")
    except AgentRefusedError as error:
        return Ended("failed", "agent_error", f"the agent reports an error: {error}")
    except TimeoutError:
        return Ended("failed", "agent_silent", f"the agent was not ready within {START_S:g} s")
    except AgentGoneError:
        return gone(peer, box)
    except SandboxError as error:
        return Ended("failed", error.code, error.detail)
    finally:
        session.cancel()


class _ParkedError(Exception):
    """Nobody answered, and the session can be loaded again."""

    def __init__(self, ended: Ended) -> None:
        super().__init__(ended.detail)
        self.ended = ended


class _Session:
    """One session with one prompt."""

    def __init__(
        self, peer: Peer, box: Home, gate: Gate, emit: Emit, halted: asyncio.Event, left: Left | None
    ) -> None:
        self._box = box
        self._gate = gate
        self._emit = emit
        self._wire = Wire(peer, halted, {"session/request_permission": self._permit}, self._notice)
        self._left = left
        self._earlier = 0 if left is None else left.calls
        self._loads = False
        self._replays = False
        self._session_id: str | None = None
        self._calls: dict[str, Call] = {}
        self._speech: dict[str, str] = {}
        self._last_words = ""
        self._events = 0
        self._told_unasked = False

    async def work(self, prompt: str, cwd: str) -> Ended:
        capabilities = {"fs": {"readTextFile": False, "writeTextFile": False}, "terminal": False}
        hello = {
            "protocolVersion": PROTOCOL,
            "clientCapabilities": capabilities,
            "clientInfo": {"name": "dispatch", "version": "1"},
        }
        met = await self._wire.ask("initialize", hello, START_S)
        if met.get("protocolVersion") != PROTOCOL:
            return Ended("failed", "agent_protocol", "the agent speaks another version of its protocol")
        offered = met.get("agentCapabilities")
        self._loads = isinstance(offered, dict) and offered.get("loadSession") is True
        session_id = await self._open(cwd)
        if not session_id:
            return Ended("failed", "agent_protocol", "the agent opened no session")
        self._session_id = session_id
        said = prompt if self._left is None else GO_ON
        asked = {"sessionId": session_id, "prompt": [{"type": "text", "text": said}]}
        answered = await self._wire.ask("session/prompt", asked, None)
        self._session_id = None
        await self._flush()
        return self._end(answered.get("stopReason"))

    async def _open(self, cwd: str) -> str:
        """Open a session, or load the one that was set aside; what that replays was told before."""
        if self._left is not None:
            if not self._loads:
                raise SessionError("the agent no longer loads sessions")
            self._replays = True
            named = {"sessionId": self._left.session_id}
            await self._wire.ask("session/load", named | dict(self._opening(cwd)), START_S)
            self._replays = False
            return self._left.session_id
        opened = await self._wire.ask("session/new", self._opening(cwd), START_S)
        name = opened.get("sessionId")
        return name if isinstance(name, str) and len(name) <= ID_CHARS else ""

    def cancel(self) -> None:
        """Tell the agent to stop, if it works; the wall ends it whatever it does."""
        if self._session_id is not None:
            with contextlib.suppress(HelperError):  # it does not listen, and is ended all the same
                self._wire.notify("session/cancel", {"sessionId": self._session_id})

    def _opening(self, cwd: str) -> Params:
        """Open a session on nothing but the directory: no tool servers, no settings, no hooks of whatever lies there.

        What stands in `_meta` is for Claude Code: the granted tools and no others, and each call asked for, since it would
        make those it takes for harmless without a word.
        """
        granted = sorted(self._box.tools)
        options = {
            "settingSources": [],
            "settings": {"permissions": {"ask": granted}},
            "strictMcpConfig": True,
            "tools": granted,
        }
        return {"cwd": cwd, "mcpServers": [], "_meta": {"claudeCode": {"options": options}}}

    def _end(self, stop: object) -> Ended:
        if stop in _STOPS:
            code, detail = _STOPS[str(stop)]
            return Ended("failed", code, detail)
        if stop != "end_turn":
            return Ended("failed", "agent_protocol", f"the agent stopped in no known way ({shown(stop, 60)})")
        if not self._last_words.strip():
            return Ended("failed", "agent_silent", "the agent ended without a word")
        return Ended("success", "", self._last_words.strip())

    # -- what the agent says and does ------------------------------------------------------------------

    async def _notice(self, method: str, params: Params) -> None:
        update = params.get("update")
        if method != "session/update" or not isinstance(update, dict) or self._replays:
            return
        kind = update.get("sessionUpdate")
        if kind in ("agent_message_chunk", "agent_thought_chunk"):
            await self._heard(
                "thought" if kind == "agent_thought_chunk" else "message", update.get("content")
            )
        elif kind in ("tool_call", "tool_call_update"):
            await self._flush()
            await self._follow(self._call(update))

    async def _heard(self, what: str, content: object) -> None:
        said = content.get("text") if isinstance(content, dict) else None
        if not isinstance(said, str):
            return
        if what not in self._speech:
            await self._flush()
        self._speech[what] = (self._speech.get(what, "") + said)[:MESSAGE_CHARS]

    async def _flush(self) -> None:
        """Tell what was said since the last thing that happened."""
        speech, self._speech = self._speech, {}
        for what, said in speech.items():
            if said.strip():
                self._count()
                await self._emit(Thought(said) if what == "thought" else Said(said))
            if what == "message" and said.strip():
                self._last_words = said

    def _call(self, update: Params) -> Call:
        """Return the call that an update is about, with what it adds; the agent's own name for it stays here."""
        name = update.get("toolCallId")
        if not isinstance(name, str) or not 0 < len(name) <= ID_CHARS:
            raise HelperError("agent_garbled", "The agent made a call without a name.")
        call = self._calls.get(name)
        if call is None:
            if len(self._calls) >= MAX_CALLS:
                raise HelperError("agent_garbled", f"The agent made more than {MAX_CALLS} calls.")
            call = self._calls[name] = Call(f"call-{self._earlier + len(self._calls) + 1}")
        call.update(update)
        return call

    async def _follow(self, call: Call) -> None:
        """Tell of a call that goes on or has ended; one that was never asked for and is not granted ends the run."""
        if call.status not in ("completed", "failed") or call.finished:
            return
        tool = call.tool(self._box.tools)
        if not call.permitted and not call.refused and call.kind not in HARMLESS:
            await self._unasked(call, tool)
        await self._propose(call)
        call.finished = True
        if call.refused:
            return
        ok = call.status == "completed"
        error = None if ok else "the agent says that it failed"
        self._count()
        await self._emit(CallFinished(ToolResult(call.call_id, ok=ok, output=call.result(), error=error)))

    async def _unasked(self, call: Call, tool: str) -> None:
        if call.status == "completed" and tool in _SIX and tool not in self._box.tools:
            await self._propose(call)
            raise _UngrantedError(f"{tool} was called without asking, and is not granted.")
        if not self._told_unasked:
            self._told_unasked = True
            self._count()
            await self._emit(Noted(_UNASKED.format(first=f"{call.call_id}, {tool}")))

    async def _propose(self, call: Call) -> ToolCall:
        """Tell of a call once, as it is known when something depends on it."""
        asked = ToolCall(call.call_id, call.tool(self._box.tools), call.arguments(self._box.tools))
        if not call.proposed:
            call.proposed = True
            self._count()
            await self._emit(CallProposed(asked))
        return asked

    def _count(self) -> None:
        self._events += 1
        if self._events > MAX_EVENTS:
            raise HelperError("agent_garbled", "The agent talked without end.")

    # -- what the agent asks ---------------------------------------------------------------------------

    async def _permit(self, params: Params) -> Params:
        """Answer a permission request by our own gate; never more than this once."""
        given = params.get("toolCall")
        await self._flush()
        call = self._call(given if isinstance(given, dict) else {})
        asked = await self._propose(call)
        if asked.tool not in self._box.tools:
            call.refused = True
            self._count()
            why = f"the tool {asked.tool} is not granted"
            await self._emit(CallFinished(ToolResult(call.call_id, ok=False, output="", error=why)))
            return _choose(params.get("options"), "reject_once")
        verdict = await self._gate(asked)
        if verdict.park and self._loads and self._session_id is not None:
            left = Left(self._session_id, self._earlier + len(self._calls))
            self._session_id = None  # it is ended as it is: a cancellation would be a word in its session
            said = f"{asked.tool} was not answered."
            raise _ParkedError(Ended("blocked", "parked", said, session=left.write()))
        if verdict.allow:
            call.permitted = True
            return _choose(params.get("options"), "allow_once")
        why = f"{asked.tool} was denied: {verdict.reason or 'no reason given'}."
        raise LastAnswerError(_choose(params.get("options"), "reject_once"), why)


def _choose(options: Any, kind: str) -> Params:
    """Answer with the option of a kind; where there is none, with the protocol's own no."""
    for option in options if isinstance(options, list) else []:
        if (
            isinstance(option, dict)
            and option.get("kind") == kind
            and isinstance(option.get("optionId"), str)
        ):
            return {"outcome": {"outcome": "selected", "optionId": option["optionId"]}}
    return {"outcome": {"outcome": "cancelled"}}
