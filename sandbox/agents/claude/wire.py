"""Claude Code's wire: one JSON message a line, and control requests with which each side asks the other.

It is the language that the vendor's own libraries speak with the same program. We need three of its questions and four of
its messages; a question that is not served here is answered with an error, and what is not known is passed over.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

from sandbox.agents.peer import Ears, Params, garbled, shown

NAME_CHARS: Final = 200
HOOK: Final = "each-call"


class AgentRefusedError(Exception):
    """The program answered a request with an error."""


class Wire:
    """One conversation with the program."""

    def __init__(self, ears: Ears) -> None:
        self._ears = ears
        self._asked = 0

    async def open(self, timeout_s: float) -> None:
        """Introduce ourselves, and have every call announced before it is made.

        Raises:
            AgentRefusedError: It answered with an error.
            AgentGoneError: It ended.
            HaltedError: The run was told to stop.
            HelperError: `agent_garbled` or `agent_deaf`.
            TimeoutError: It did not answer in time.
        """
        every = {"matcher": None, "hookCallbackIds": [HOOK]}
        number = self._ask({"subtype": "initialize", "hooks": {"PreToolUse": [every]}})
        async with asyncio.timeout(timeout_s):
            while True:
                message = await self.hear()
                if message["type"] != "control_response":
                    continue
                answer = mapping(message.get("response"))
                if answer.get("request_id") != number:
                    raise garbled("it answered what was not asked")
                if answer.get("subtype") != "success":
                    raise AgentRefusedError(shown(answer.get("error")))
                return

    def say(self, prompt: str) -> None:
        """Tell the task, marked as composed by a program: no name of a file in it is expanded, no command obeyed."""
        said = {"role": "user", "content": prompt}
        self._tell(
            {
                "type": "user",
                "message": said,
                "parent_tool_use_id": None,
                "session_id": "default",
                "client_composed": True,
            }
        )

    def interrupt(self) -> None:
        """Ask it to stop; nobody waits for its answer."""
        self._ask({"subtype": "interrupt"})

    async def hear(self) -> Mapping[str, Any]:
        """Wait for its next message, which has a type.

        Raises: as `Ears.hear`.
        """
        message = await self._ears.hear()
        if not isinstance(message.get("type"), str):
            raise garbled("a message is of no type")
        return message

    def answer(self, question: Params, given: Params) -> None:
        """Answer one of its questions."""
        self._respond({"subtype": "success", "request_id": _number(question), "response": dict(given)})

    def decline(self, question: Params) -> None:
        """Answer a question that is not served here."""
        self._respond(
            {"subtype": "error", "request_id": _number(question), "error": "this is not served here"}
        )

    def _ask(self, request: Params) -> str:
        self._asked += 1
        number = f"dispatch-{self._asked}"
        self._tell({"type": "control_request", "request_id": number, "request": dict(request)})
        return number

    def _respond(self, response: Params) -> None:
        self._tell({"type": "control_response", "response": dict(response)})

    def _tell(self, message: Params) -> None:
        self._ears.tell(json.dumps(message).encode() + b"\n")


def _number(question: Params) -> str:
    number = question.get("request_id")
    if not isinstance(number, str) or len(number) > NAME_CHARS:
        raise garbled("a request has no number")
    return number


def mapping(value: object) -> Mapping[str, Any]:
    """Return an object, or an empty one in the place of anything else."""
    return value if isinstance(value, dict) else {}


def blocks(message: Params) -> list[Mapping[str, Any]]:
    """Return the parts of what was said, with a plain text as one of them."""
    content = mapping(message.get("message")).get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [each for each in content if isinstance(each, dict)] if isinstance(content, list) else []
