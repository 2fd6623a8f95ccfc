"""Letting an ACP agent work inside: a session, one prompt, its updates as the trace, its questions put to our gate.

What the agent asks permission for is asked as every call is, and answered for this once, matched by the option's kind: its
own memory of permissions is never used. What it does without asking is told, and held by the wall like the rest.
File system and terminal of this side are not offered: serving them would be a way around the wall.
A call of a tool outside is made by the gate to tool servers and told by it; a yes to one is kept for it (`outside`).
"""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.agents.acp.calls import HARMLESS, ID_CHARS, Call
from sandbox.agents.acp.wire import AgentRefusedError, LastAnswerError, Wire
from sandbox.agents.agent import Emit, Gate
from sandbox.agents.outside import NEVER, Outside
from sandbox.agents.peer import (
    GO_ON,
    AgentGoneError,
    Ears,
    HaltedError,
    Home,
    Left,
    Params,
    Peer,
    gone,
    shown,
)
from sandbox.errors import HelperError, SandboxError, SessionError
from sandbox.events import CallFinished, CallProposed, Ended, Event, Noted, Said, Started, Thought
from sandbox.gate.pending import Pending, PendingCalls
from sandbox.job import ToolCall, ToolResult
from sandbox.tools import foreign

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


_NO_HTTP = "this edge grants MCP servers, and the agent takes none over HTTP (mcpCapabilities.http); nothing was begun"


@dataclass(frozen=True, slots=True)
class Reached:
    """The tool servers that a session is opened with, as the protocol writes them, and where calls of their tools come in."""

    servers: Sequence[Params] = ()
    calls: PendingCalls = field(default_factory=PendingCalls)


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
    reached: Reached | None = None,
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
        reached: The tool servers that it is told of, if the run has any, and where their calls come in.

    Returns:
        The end, not emitted; on success its `detail` is the agent's last words. Halted it is `blocked`, `halted`, and
        `blocked`, `parked` with its session when nobody answered a call and it can load that session again.
    """
    await emit(Started(box.confinement))
    session = _Session(peer, box, gate, emit, halted, left, reached or Reached())
    try:
        return await session.work(prompt, cwd)
    except _StoppedError as stopped:
        return stopped.ended
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
        await session.close()


class _StoppedError(Exception):
    """The run is over, as this says."""

    def __init__(self, ended: Ended) -> None:
        super().__init__(ended.detail)
        self.ended = ended


class _Session:
    """One session with one prompt."""

    def __init__(
        self,
        peer: Peer,
        box: Home,
        gate: Gate,
        emit: Emit,
        halted: asyncio.Event,
        left: Left | None,
        reached: Reached,
    ) -> None:
        self._box = box
        self._gate = gate
        self._sink = emit
        self._ears = Ears(peer, halted, reached.calls, self._decide)
        self._wire = Wire(self._ears, {"session/request_permission": self._permit}, self._notice)
        self._outside = Outside(reached.calls, box, gate, self._emit, self._number)
        self._servers = reached.servers
        self._left = left
        self._made = 0 if left is None else left.calls
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
        if self._servers and not _takes_http(offered):
            return Ended("failed", "servers_unreachable", _NO_HTTP)
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

    async def close(self) -> None:
        """Listen no more."""
        await self._ears.close()

    def cancel(self) -> None:
        """Tell the agent to stop, if it works; the wall ends it whatever it does."""
        if self._session_id is not None:
            with contextlib.suppress(HelperError):  # it does not listen, and is ended all the same
                self._wire.notify("session/cancel", {"sessionId": self._session_id})

    def _opening(self, cwd: str) -> Params:
        """Open a session on nothing but the directory: no settings, no hooks, no tool servers of whatever lies there.

        What stands in `_meta` is for Claude Code: the granted tools and no others, and each call asked for, since it would
        make those it takes for harmless without a word.
        """
        granted = sorted(self._box.tools)
        options = {
            "settingSources": [],
            "settings": {"permissions": {"ask": granted}},
            "strictMcpConfig": True,
            "tools": [each for each in granted if not foreign.is_foreign(each)],
        }
        own = {"claudeCode": {"options": options}}
        return {"cwd": cwd, "mcpServers": [dict(each) for each in self._servers], "_meta": own}

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
            call = self._calls[name] = Call(self._number())
        call.update(update)
        return call

    def _number(self) -> str:
        """Name the next call; raises HelperError where there were more than an honest agent makes."""
        self._made += 1
        if self._made > MAX_CALLS:
            raise HelperError("agent_garbled", f"The agent made more than {MAX_CALLS} calls.")
        return f"call-{self._made}"

    async def _follow(self, call: Call) -> None:
        """Tell of a call that goes on or has ended; one that was never asked for and is not granted ends the run."""
        if call.status not in ("completed", "failed") or call.finished:
            return
        tool = call.tool(self._box.tools)
        if foreign.is_foreign(tool) and not call.refused and await self._was_outside(call, tool):
            call.finished = True
            return
        if not call.permitted and not call.refused and call.kind not in HARMLESS:
            await self._unasked(call, tool)
        await self._propose(call)
        call.finished = True
        if call.refused:
            return
        ok = call.status == "completed"
        error = None if ok else "the agent says that it failed"
        await self._emit(CallFinished(ToolResult(call.call_id, ok=ok, output=call.result(), error=error)))

    async def _unasked(self, call: Call, tool: str) -> None:
        if call.status == "completed" and tool in _SIX and tool not in self._box.tools:
            await self._propose(call)
            raise _UngrantedError(f"{tool} was called without asking, and is not granted.")
        if not self._told_unasked:
            self._told_unasked = True
            await self._emit(Noted(_UNASKED.format(first=f"{call.call_id}, {tool}")))

    async def _propose(self, call: Call) -> ToolCall:
        """Tell of a call once, as it is known when something depends on it."""
        asked = ToolCall(call.call_id, call.tool(self._box.tools), call.arguments(self._box.tools))
        if not call.proposed:
            call.proposed = True
            await self._emit(CallProposed(asked))
        return asked

    async def _emit(self, event: Event) -> None:
        self._events += 1
        if self._events > MAX_EVENTS:
            raise HelperError("agent_garbled", "The agent talked without end.")
        await self._sink(event)

    async def _was_outside(self, call: Call, tool: str) -> bool:
        """Return whether the gate has told what came of a call outside; one that was allowed and never made is told here."""
        never = call.permitted and self._outside.drop(call.call_id)
        if never:
            await self._emit(CallFinished(ToolResult(call.call_id, ok=False, output="", error=NEVER)))
        return never or self._outside.claim(tool)

    # -- what the agent asks ---------------------------------------------------------------------------

    async def _permit(self, params: Params) -> Params:
        """Answer a permission request by our own gate; never more than this once."""
        given = params.get("toolCall")
        await self._flush()
        call = self._call(given if isinstance(given, dict) else {})
        asked = await self._propose(call)
        if asked.tool not in self._box.tools:
            call.refused = True
            why = f"the tool {asked.tool} is not granted"
            await self._emit(CallFinished(ToolResult(call.call_id, ok=False, output="", error=why)))
            return _choose(params.get("options"), "reject_once")
        verdict = await self._gate(asked)
        if verdict.park and self._loads and self._session_id is not None:
            raise self._parked(f"{asked.tool} was not answered.")
        if verdict.allow:
            call.permitted = True
            if foreign.is_foreign(asked.tool):
                self._outside.keep(asked)
            return _choose(params.get("options"), "allow_once")
        why = f"{asked.tool} was denied: {verdict.reason or 'no reason given'}."
        raise LastAnswerError(_choose(params.get("options"), "reject_once"), why)

    async def _decide(self, waiting: Pending) -> None:
        """Decide a call of a tool outside that has come to its gate."""
        await self._flush()
        can_park = self._loads and self._session_id is not None
        ended = await self._outside.decide(waiting, can_park=can_park)
        if ended is not None and ended.reason_code == "parked":
            raise self._parked(ended.detail)
        if ended is not None:
            raise _StoppedError(ended)

    def _parked(self, said: str) -> _StoppedError:
        """Say that it is set aside: it is ended as it is, for a cancellation would be a word in its session."""
        left = Left(str(self._session_id), self._made)
        self._session_id = None
        return _StoppedError(Ended("blocked", "parked", said, session=left.write()))


def _takes_http(offered: object) -> bool:
    """Tell whether an agent says that it can be given tool servers over HTTP."""
    mcp = offered.get("mcpCapabilities") if isinstance(offered, dict) else None
    return isinstance(mcp, dict) and mcp.get("http") is True


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
