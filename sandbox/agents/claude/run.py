"""Letting Claude Code work inside: one prompt, its messages as the trace, each of its calls put to our gate.

Every call is announced before it is made, and the answer to that is always to ask; what it asks for is then decided by our
gate, for this once. Its own rules, modes and memory of permissions decide nothing. A call that came back without having
been asked for ends the run, whatever it was: this is a program that was told to ask for each.
One that it refuses by itself, because there is no such tool or the input is none, is told as one that was tried.
A call of a tool outside is made by the gate to tool servers and told by it; a yes to one is kept for it (`outside`).
"""

import asyncio
import contextlib
import json
import re
from dataclasses import dataclass
from typing import Any

from sandbox.agents.agent import Emit, Gate
from sandbox.agents.claude.wire import HOOK, NAME_CHARS, AgentRefusedError, Wire, blocks, mapping
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
    garbled,
    gone,
    shown,
)
from sandbox.errors import HelperError, SandboxError
from sandbox.events import CallFinished, CallProposed, Ended, Event, Said, Started, Thought
from sandbox.gate.pending import Pending, PendingCalls
from sandbox.job import ToolCall, ToolResult
from sandbox.tools import foreign

START_S = 180.0
MESSAGE_CHARS = 64 * 1024
INPUT_BYTES = 128 * 1024
MAX_CALLS = 2000
MAX_EVENTS = 10_000
TOO_LONG = "the input of this call is too long to be shown"
_STOPS = {
    "max_tokens": ("agent_cut", "the agent's answer was cut off at its length limit"),
    "refusal": ("model_declined", "the model declined the task"),
}
_SESSION = re.compile(r"[0-9a-f-]{36}")
_ASK = {"hookSpecificOutput": {"hookEventName": "PreToolUse", "permissionDecision": "ask"}}


@dataclass(slots=True)
class _Call:
    """A call as it was announced, and what became of it."""

    asked: ToolCall
    permitted: bool = False
    finished: bool = False


class _StoppedError(Exception):
    """The run is over, as this says."""

    def __init__(self, ended: Ended) -> None:
        super().__init__(ended.detail)
        self.ended = ended


async def run_claude(
    peer: Peer,
    prompt: str,
    box: Home,
    gate: Gate,
    emit: Emit,
    halted: asyncio.Event,
    left: Left | None = None,
    outside: PendingCalls | None = None,
) -> Ended:
    """Let Claude Code work on one prompt to its end; emits `Started`, what it says, and its calls.

    Args:
        peer: The program's streams, started as `launch.arguments` says.
        prompt: The task with its background.
        box: The box it lives in.
        gate: Asked for each call; may take as long as a person takes.
        emit: Told of each event before the next thing happens.
        halted: Set from outside to stop the run, as when its budget is spent.
        left: Where it was when its run was set aside; its command names that session too.
        outside: Where calls of tools outside come in, if the run has any.

    Returns:
        The end, not emitted; on success its `detail` is the agent's last words. Halted it is `blocked`, `halted`, and
        `blocked`, `parked` with its session when nobody answered a call.
    """
    await emit(Started(box.confinement))
    session = _Session(peer, box, gate, emit, halted, left, outside or PendingCalls())
    try:
        return await session.work(prompt if left is None else GO_ON)
    except _StoppedError as stopped:
        return stopped.ended
    except HaltedError:
        return Ended("blocked", "halted", "the run was stopped")
    except AgentRefusedError as error:
        return Ended("failed", "agent_error", f"Claude Code reports an error: {error}")
    except TimeoutError:
        return Ended("failed", "agent_silent", f"Claude Code was not ready within {START_S:g} s")
    except AgentGoneError:
        return gone(peer, box)
    except SandboxError as error:
        return Ended("failed", error.code, error.detail)
    finally:
        session.cancel()
        await session.close()


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
        pending: PendingCalls,
    ) -> None:
        self._box = box
        self._gate = gate
        self._sink = emit
        self._ears = Ears(peer, halted, pending, self._decide)
        self._wire = Wire(self._ears)
        self._outside = Outside(pending, box, gate, self._emit, self._number)
        self._works = False
        self._made = 0 if left is None else left.calls
        self._session_id = ""
        self._calls: dict[str, _Call] = {}
        self._meant: dict[str, Params] = {}  # calls that its model wrote, and that were not announced yet
        self._events = 0

    async def work(self, prompt: str) -> Ended:
        await self._wire.open(START_S)
        self._wire.say(prompt)
        self._works = True
        while True:
            message = await self._wire.hear()
            self._session_id = self._session_id or _session_id(message)
            match message["type"]:
                case "control_request":
                    await self._serve(message)
                case "assistant":
                    await self._reply(message)
                case "user":
                    await self._results(message)
                case "result":
                    self._works = False
                    return _end(message)

    async def close(self) -> None:
        """Listen no more."""
        await self._ears.close()

    def cancel(self) -> None:
        """Tell it to stop, if it works; the wall ends it whatever it does."""
        if self._works:
            with contextlib.suppress(HelperError):  # it does not listen, and is ended all the same
                self._wire.interrupt()

    # -- what it says and does -------------------------------------------------------------------------

    async def _reply(self, message: Params) -> None:
        for block in blocks(message):
            text, thought = block.get("text"), block.get("thinking")
            if isinstance(text, str) and text.strip():
                await self._emit(Said(text[:MESSAGE_CHARS]))
            elif isinstance(thought, str) and thought.strip():
                await self._emit(Thought(thought[:MESSAGE_CHARS]))
            elif block.get("type") == "tool_use" and len(self._meant) < MAX_CALLS:
                self._meant[str(block.get("id"))[: NAME_CHARS + 1]] = block

    async def _results(self, message: Params) -> None:
        """Tell what came of calls; one that was never announced was refused by the program, or ends the run."""
        for block in blocks(message):
            if block.get("type") != "tool_result":
                continue
            name = str(block.get("tool_use_id"))[: NAME_CHARS + 1]
            call = self._calls.get(name)
            ok = block.get("is_error") is not True
            if ok and (call is None or not call.permitted):
                what = "A call" if call is None else f"A call of {call.asked.tool}"
                raise _StoppedError(Ended("blocked", "denied", f"{what} was made without asking."))
            if call is None and name in self._meant:
                meant = self._meant[name]
                call = await self._announced(name, meant.get("name"), mapping(meant.get("input")))
            if call is None or call.finished:
                continue
            if call.permitted and foreign.is_foreign(call.asked.tool):
                await self._outside_over(call)
            else:
                await self._finish(call, ok=ok, output=_text(block.get("content")))

    async def _outside_over(self, call: _Call) -> None:
        """Tell of a call of a tool outside that it was never made, if so; the gate has told of one that was."""
        call.finished = True
        if self._outside.drop(call.asked.call_id):
            await self._finish(call, ok=False, error=NEVER)

    async def _finish(self, call: _Call, *, ok: bool, output: str = "", error: str | None = None) -> None:
        call.finished = True
        why = None if ok else error or "the agent says that it failed"
        await self._emit(CallFinished(ToolResult(call.asked.call_id, ok=ok, output=output, error=why)))

    async def _emit(self, event: Event) -> None:
        self._events += 1
        if self._events > MAX_EVENTS:
            raise HelperError("agent_garbled", "The agent talked without end.")
        await self._sink(event)

    # -- what it asks ----------------------------------------------------------------------------------

    async def _serve(self, question: Params) -> None:
        request = mapping(question.get("request"))
        if request.get("subtype") == "hook_callback" and request.get("callback_id") == HOOK:
            told = mapping(request.get("input"))
            await self._announced(request.get("tool_use_id"), told.get("tool_name"), told.get("tool_input"))
            self._wire.answer(question, _ASK)
        elif request.get("subtype") == "can_use_tool":
            given = request.get("input")
            call = await self._announced(request.get("tool_use_id"), request.get("tool_name"), given)
            self._wire.answer(question, await self._permit(question, call, given))
        else:
            self._wire.decline(question)

    async def _announced(self, name: object, tool: object, given: object) -> _Call:
        """Tell of a call, once as it is first announced; one that changed since is another one."""
        known = isinstance(name, str) and isinstance(tool, str) and isinstance(given, dict)
        if not known or not 0 < len(str(name)) <= NAME_CHARS or not 0 < len(str(tool)) <= NAME_CHARS:
            raise garbled("a call has no name")
        said, told = shown(tool, NAME_CHARS), _bounded(mapping(given))
        call = self._calls.get(str(name))
        if call is None or (call.asked.tool, call.asked.input) != (said, told):
            call = self._calls[str(name)] = _Call(ToolCall(self._number(), said, told))
            await self._emit(CallProposed(call.asked))
        return call

    def _number(self) -> str:
        """Name the next call; raises HelperError where there were more than an honest agent makes."""
        self._made += 1
        if self._made > MAX_CALLS:
            raise HelperError("agent_garbled", f"The agent made more than {MAX_CALLS} calls.")
        return f"call-{self._made}"

    async def _decide(self, waiting: Pending) -> None:
        """Decide a call of a tool outside that has come to its gate."""
        ended = await self._outside.decide(waiting, can_park=bool(self._session_id))
        if ended is not None and ended.reason_code == "parked":
            raise self._parked(ended.detail)
        if ended is not None:
            raise _StoppedError(ended)

    def _parked(self, said: str) -> _StoppedError:
        """Say that it is set aside: it is ended as it is, for an interruption would be a word in its session."""
        self._works = False
        left = Left(self._session_id, self._made)
        return _StoppedError(Ended("blocked", "parked", said, session=left.write()))

    async def _permit(self, question: Params, call: _Call, given: Any) -> Params:
        """Decide one call by our own gate, for this once."""
        if call.asked.tool not in self._box.tools:
            why = f"the tool {call.asked.tool} is not granted"
            await self._finish(call, ok=False, error=why)
            return {"behavior": "deny", "message": why}
        verdict = await self._gate(call.asked)
        if verdict.park and self._session_id:
            raise self._parked(f"{call.asked.tool} was not answered.")
        if verdict.allow:
            call.permitted = True
            if foreign.is_foreign(call.asked.tool):
                self._outside.keep(call.asked)
            return {"behavior": "allow", "updatedInput": given}
        why = f"{call.asked.tool} was denied: {verdict.reason or 'no reason given'}."
        self._wire.answer(question, {"behavior": "deny", "message": why, "interrupt": True})
        raise _StoppedError(Ended("blocked", "denied", why))


def _session_id(message: Params) -> str:
    """Return the name of its session, if it says one that can stand in a command."""
    name = message.get("session_id")
    return name if isinstance(name, str) and _SESSION.fullmatch(name) else ""


def _end(result: Params) -> Ended:
    """Say how it ended: an error of its endpoint is called a success by its `subtype`, and is none."""
    said = result.get("result")
    if result.get("is_error") is not False or result.get("subtype") != "success":
        why = said or result.get("errors") or result.get("subtype")
        return Ended("failed", "agent_error", f"Claude Code reports an error: {shown(why)}")
    stop = str(result.get("stop_reason"))
    if stop in _STOPS:
        return Ended("failed", *_STOPS[stop])
    if not isinstance(said, str) or not said.strip():
        return Ended("failed", "agent_silent", "the agent ended without a word")
    return Ended("success", "", said.strip()[:MESSAGE_CHARS])


def _bounded(given: Params) -> dict[str, object]:
    return dict(given) if len(json.dumps(given)) <= INPUT_BYTES else {"note": TOO_LONG}


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str)]
    return "\n".join(texts)
