"""A model's endpoint over HTTP: one streamed request a turn, tried again only where that can help.

It is asked by this process and never from inside the wall, so the key stays outside and a run without network
stays one. Redirects are not followed: they would carry the task, and the key, to somebody else.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from types import ModuleType
from typing import TYPE_CHECKING

from sandbox.agents.model import anthropic, openai
from sandbox.agents.model.conversation import Conversation, ModelError, Reply
from sandbox.agents.model.stream import events
from sandbox.oneline import one_line
from sandbox.redaction import redacted, redacting
from sandbox.unanswered import unanswered

if TYPE_CHECKING:
    import aiohttp

ATTEMPTS = 4
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
CONNECT_S = 10.0
SILENCE_S = 300.0  # a local model may think that long before its first word
MAX_TOKENS = 8192
_SAID_BYTES = 4096
_AGAIN = frozenset({408, 409, 429, 500, 502, 503, 504, 529})


class Protocol(StrEnum):
    """Which language an endpoint speaks."""

    ANTHROPIC = "anthropic"
    OPENAI = "openai"

    @property
    def module(self) -> ModuleType:
        return anthropic if self is Protocol.ANTHROPIC else openai


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a model is asked; a `sandbox.agents.model.loop.Model`.

    `url` is the base address without `/v1`, None for the vendor's own. `key` is never logged or shown, also where the endpoint
    says it back. `proxied`
    says whether the environment's proxy is used; for an endpoint on this machine it never is. `attempts` are made at the most,
    and `tell` hears of each one after the first.
    """

    protocol: Protocol
    model: str
    url: str | None = None
    key: str | None = field(default=None, repr=False)
    trust: ssl.SSLContext | bool = True
    proxied: bool = True
    attempts: int = ATTEMPTS
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    tell: Callable[[str], Awaitable[None]] | None = None

    @property
    def address(self) -> str:
        """The address of every request."""
        base = (self.url or self.protocol.module.DEFAULT_URL).rstrip("/").removesuffix("/v1")
        return f"{base}{self.protocol.module.PATH}"

    async def ask(self, conversation: Conversation) -> Reply:
        """Return the next reply.

        Raises:
            ModelError: `model_key_refused`, `model_unknown`, `model_refused`, `model_busy`, `model_unreachable` or
                `model_garbled`, the last attempt's where several were made.
        """
        for attempt in range(1, self.attempts + 1):
            try:
                return await self._once(conversation)
            except ModelError as error:
                if not error.again or attempt == self.attempts:
                    raise
                if self.tell is not None:
                    what = "was busy" if error.code == "model_busy" else "did not answer"
                    said = f"The model {what}; it is asked again ({attempt + 1} of {self.attempts})."
                    await self.tell(said)
                grown = FIRST_PAUSE_S * 4 ** (attempt - 1)
                await self.pause(min(LONGEST_PAUSE_S, grown if error.after_s is None else error.after_s))
        raise AssertionError("the last attempt returns or raises")

    async def _once(self, conversation: Conversation) -> Reply:
        import aiohttp  # the client half costs nothing until a model is asked

        body = self.protocol.module.request(self.model, conversation, MAX_TOKENS)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=SILENCE_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, trust_env=self.proxied) as client,
                client.post(
                    self.address,
                    json=body,
                    headers=self.protocol.module.headers(self.key) | {"accept": "text/event-stream"},
                    ssl=self.trust,
                    allow_redirects=False,
                ) as response,
            ):
                if response.status != 200:
                    raise await self._refusal(response)
                return await self._reply(response)
        except (aiohttp.ClientError, TimeoutError) as error:
            base = self.url or self.protocol.module.DEFAULT_URL
            raise ModelError("model_unreachable", unanswered(base, error), again=True) from error

    async def _reply(self, response: "aiohttp.ClientResponse") -> Reply:
        if response.content_type != "text/event-stream":
            raise ModelError(
                "model_garbled", f"{self.address} does not stream: it sent {response.content_type}"
            )
        pieces = redacting(response.content.iter_any(), self.key)
        try:
            reply: Reply = await self.protocol.module.reply(events(pieces))
        except ModelError as error:  # what fails in the middle says why, in the endpoint's words
            detail = redacted(error.detail, self.key)
            raise ModelError(error.code, detail, again=error.again, after_s=error.after_s) from None
        return reply

    async def _refusal(self, response: "aiohttp.ClientResponse") -> ModelError:
        said = redacted((await response.content.read(_SAID_BYTES)).decode("utf-8", "replace"), self.key)
        detail = f"{self.address} answered {response.status}: {one_line(said) or 'nothing'}"
        code = {401: "model_key_refused", 403: "model_key_refused", 404: "model_unknown", 429: "model_busy"}
        after = response.headers.get("retry-after", "")
        return ModelError(
            code.get(response.status, "model_refused"),
            detail,
            again=response.status in _AGAIN,
            after_s=float(after) if after.isascii() and after.isdigit() else None,
        )
