"""The Agent Client Protocol's wire: JSON-RPC 2.0, one message a line, read as the words of somebody hostile.

Whatever lives inside may write to this stream, the agent's own children among it. So each message is read strictly and
bounded before anything is done with it, an answer that was not asked for ends the run, and requests of methods that this
side does not serve are answered with the protocol's own no.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from sandbox.agents.peer import Ears, Params, garbled, shown

METHOD_NOT_FOUND = -32601
_METHOD_CHARS = 200


class AgentRefusedError(Exception):
    """The agent answered a request with an error."""


class LastAnswerError(Exception):
    """Raised by whoever serves a request: this is its answer, and with it the conversation is over."""

    def __init__(self, answer: Params, why: str) -> None:
        super().__init__(why)
        self.answer = answer


class Wire:
    """One conversation; `serve` answers the agent's requests and `notice` hears its notifications."""

    def __init__(
        self,
        ears: Ears,
        serve: Mapping[str, Callable[[Params], Awaitable[Params]]],
        notice: Callable[[str, Params], Awaitable[None]],
    ) -> None:
        self._ears = ears
        self._serve = serve
        self._notice = notice
        self._asked = 0

    async def ask(self, method: str, params: Params, timeout_s: float | None) -> Params:
        """Make a request, and serve the agent until it has answered.

        Raises:
            AgentRefusedError: It answered with an error.
            AgentGoneError: It ended.
            HaltedError: The run was told to stop.
            HelperError: `agent_garbled` or `agent_deaf`.
            TimeoutError: It did not answer in time.
        """
        self._asked += 1
        self._say({"id": self._asked, "method": method, "params": dict(params)})
        async with asyncio.timeout(timeout_s):
            while True:
                message = await self._ears.hear()
                if "method" not in message:
                    return self._answer(message)
                await self._handle(message)

    def notify(self, method: str, params: Params) -> None:
        """Say something that has no answer."""
        self._say({"method": method, "params": dict(params)})

    def _answer(self, message: Mapping[str, Any]) -> Params:
        if message.get("id") != self._asked or isinstance(message.get("id"), bool):
            raise garbled("it answered what was not asked")
        error = message.get("error")
        if error is not None:
            said = error.get("message") if isinstance(error, dict) else error
            raise AgentRefusedError(shown(said))
        result = message.get("result")
        return result if isinstance(result, dict) else {}

    async def _handle(self, message: Mapping[str, Any]) -> None:
        method, params = message["method"], message.get("params")
        if not isinstance(method, str) or len(method) > _METHOD_CHARS:
            raise garbled("a method has no name")
        known = params if isinstance(params, dict) else {}
        if "id" not in message:
            await self._notice(method, known)
            return
        number = message["id"]
        if not isinstance(number, str | int) or len(str(number)) > _METHOD_CHARS:
            raise garbled("a request has no number")
        serve = self._serve.get(method)
        if serve is None:
            error = {"code": METHOD_NOT_FOUND, "message": f"{method} is not served here"}
            self._say({"id": number, "error": error})
            return
        try:
            self._say({"id": number, "result": dict(await serve(known))})
        except LastAnswerError as last:
            self._say({"id": number, "result": dict(last.answer)})
            raise

    def _say(self, message: dict[str, Any]) -> None:
        self._ears.tell(json.dumps({"jsonrpc": "2.0"} | message).encode() + b"\n")
