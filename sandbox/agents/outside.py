"""Calls of tools outside, as the session of an agent with a program of its own decides them: each by the same gate, once.

They come from the gate to tool servers, and anything inside can make one, so what counts is the call that has come and not
what the agent says of it. Where the agent asked before it called, the yes is kept for exactly that call: whoever makes it
first has it made, once, and the next one is asked anew. So a yes never covers more than was shown, whoever calls.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from sandbox.agents.agent import Emit, Gate, Tools
from sandbox.events import CallFinished, CallProposed, Ended
from sandbox.gate.pending import Pending, PendingCalls
from sandbox.job import ToolCall, ToolResult
from sandbox.oneline import one_line
from sandbox.tools import foreign
from sandbox.tools.inputs import InputError

TOLD_S: Final = 5.0  # for the last answer of a run to reach its caller
NEVER: Final = "the call never reached its server"
_NAME_CHARS: Final = 64
_TOO_LONG: Final = "the input of this call cannot be shown"


class Outside:
    """The calls of one run; `number` names the next one, `emit` tells what happens in the session's own order."""

    def __init__(
        self, calls: PendingCalls, box: Tools, gate: Gate, emit: Emit, number: Callable[[], str]
    ) -> None:
        self.calls = calls
        self._box = box
        self._gate = gate
        self._emit = emit
        self._number = number
        self._allowed: dict[str, ToolCall] = {}
        self._came: Counter[str] = Counter()

    def keep(self, call: ToolCall) -> None:
        """Keep a yes that the agent was given before it called."""
        self._allowed[call.call_id] = call

    def drop(self, call_id: str) -> bool:
        """Forget a yes whose call is over for its agent; return whether it was never used."""
        return self._allowed.pop(call_id, None) is not None

    def claim(self, tool: str) -> bool:
        """Return whether a call of this tool has come that its agent has not said to be over yet; from now on it has."""
        if not self._came[tool]:
            return False
        self._came[tool] -= 1
        return True

    async def decide(self, waiting: Pending, *, can_park: bool) -> Ended | None:
        """Decide one call; return how the run ends, if this ends it: denied, or set aside without a session yet."""
        self._came[waiting.tool] += waiting.tool in self._box.tools
        kept = next((each for each in self._allowed.values() if _same(each, waiting)), None)
        if kept is not None:
            if waiting.decide(kept.call_id):
                self.drop(kept.call_id)
            return None
        wrong = self._wrong(waiting)
        shown = {"note": _TOO_LONG} if wrong else dict(waiting.input)
        call = ToolCall(self._number(), one_line(waiting.tool, _NAME_CHARS), shown)
        await self._emit(CallProposed(call))
        if wrong:
            await self._emit(CallFinished(ToolResult(call.call_id, ok=False, output="", error=wrong)))
            waiting.decide(call.call_id, wrong)
            return None
        verdict = await self._gate(call)
        if verdict.park and can_park:
            return Ended("blocked", "parked", f"{call.tool} was not answered.")
        if verdict.allow:
            if not waiting.decide(call.call_id):
                self.keep(call)  # its caller did not wait so long, and may ask again
            return None
        why = f"{call.tool} was denied: {verdict.reason or 'no reason given'}."
        if waiting.decide(call.call_id, why):
            with suppress(TimeoutError):
                await asyncio.wait_for(waiting.told.wait(), TOLD_S)
        return Ended("blocked", "denied", why)

    def _wrong(self, waiting: Pending) -> str:
        """Say why a call could not be made at all; empty if it could."""
        if waiting.tool not in self._box.tools:
            return f"the tool {one_line(waiting.tool, _NAME_CHARS)} is not granted"
        try:
            foreign.check(waiting.tool, waiting.input)
        except InputError as error:
            return str(error)
        return ""


def _same(allowed: ToolCall, waiting: Pending) -> bool:
    """Tell whether a call is the very one that was shown: `1`, `1.0` and `true` are three."""
    return allowed.tool == waiting.tool and _written(allowed.input) == _written(waiting.input)


def _written(given: Mapping[str, object]) -> str:
    return json.dumps(given, sort_keys=True)
