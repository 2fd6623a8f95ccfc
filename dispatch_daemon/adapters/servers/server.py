"""One tool server in one run: started at its first use, asked one thing at a time, ended with the run.

A server that hangs, dies, floods or lies fails the call that it was asked, and is asked nothing more in this run: what it
would say next could be the answer to something else. A call that it refuses in order is only a failed call.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from dispatch_daemon.adapters.servers import speech
from dispatch_daemon.adapters.servers.child import Child, LineTooLongError
from dispatch_daemon.adapters.servers.errors import TEST, ServerError
from dispatch_daemon.adapters.servers.listed import Servers
from dispatch_daemon.adapters.servers.speech import Offer, Outcome

START_S: Final = 60.0  # some are fetched at their first start
LIST_S: Final = 30.0
CALL_S: Final = 300.0
SAID_BYTES: Final = 32 * 1024 * 1024  # between a request and its answer
SAID_LINES: Final = 10_000
SHOWN_CHARS: Final = 500


async def _nobody() -> None:
    """Tell nobody."""


class Server:
    """`first` is told, and heard out, before the program is started."""

    def __init__(self, name: str, servers: Servers, first: Callable[[], Awaitable[None]] = _nobody) -> None:
        self.name = name
        self.left_out: tuple[str, ...] = ()
        self._servers = servers
        self._first = first
        self._turn = asyncio.Lock()
        self._child: Child | None = None
        self._offers: tuple[Offer, ...] | None = None
        self._failure: ServerError | None = None
        self._asked = 0

    async def offers(self) -> tuple[Offer, ...]:
        """Return the server's tools, as they were when they were first asked for; `left_out` names those that cannot be.

        Raises:
            ServerError: It is not here, does not start, or does not answer as its protocol says.
        """
        async with self._turn:
            if self._offers is None:
                await self._open()
                self._offers = await self._all_pages()
            return self._offers

    async def call(self, tool: str, arguments: Mapping[str, object]) -> Outcome:
        """Call one tool by the server's own name for it.

        Raises:
            ServerError: As `offers`, `server_silent` among it.
        """
        async with self._turn:
            await self._open()
            asked = {"name": tool, "arguments": dict(arguments)}
            try:
                return speech.read_outcome(await self._answer("tools/call", asked, CALL_S))
            except ServerError as error:
                if error.code == "server_refused":
                    return Outcome(ok=False, text=error.detail)
                raise await self._judged(error) from None

    async def end(self, *, at_once: bool = False) -> None:
        """End it with everything that it has started; safe to call again, and for one that was never started."""
        if self._failure is None:
            self._failure = ServerError("server_ended", f"The MCP server {self.name} was ended.")
        if self._child is not None:
            await (self._child.end(0) if at_once else self._child.end())

    # -- the conversation ------------------------------------------------------------------------------

    async def _open(self) -> None:
        """Start it, and exchange the greetings; the first use only."""
        if self._failure is not None:
            raise self._failure
        if self._child is not None:
            return
        try:
            entry = self._servers.find(self.name)
            environment = self._servers.environment(entry)
        except ServerError as error:
            self._failure = error
            raise
        await self._first()
        try:
            self._child = await Child.start(entry.argv, environment)
        except OSError as error:
            raise await self._broken("server_ended", f"it cannot be started: {error.strerror}") from error
        hello = {
            "protocolVersion": speech.PROTOCOL,
            "capabilities": {},
            "clientInfo": {"name": "dispatch", "version": "1"},
        }
        await self._read("initialize", hello, START_S, speech.read_greeting)
        with suppress(OSError):  # noticed at the next request
            await self._child.tell(speech.notice("notifications/initialized", {}))

    async def _all_pages(self) -> tuple[Offer, ...]:
        offers: dict[str, Offer] = {}
        left_out: list[str] = []
        cursor: str | None = None
        size = 0
        for _ in range(speech.PAGES):
            asked = {} if cursor is None else {"cursor": cursor}
            page, odd, cursor = await self._read(
                "tools/list", asked, LIST_S, lambda result: speech.read_page(self.name, result)
            )
            left_out += odd
            for offer in page:
                size += len(json.dumps(offer.schema)) + len(offer.description)
                if offer.name in offers:
                    raise await self._broken("server_garbled", "it has two tools of one name")
                if size > speech.SCHEMAS_BYTES or len(offers) == speech.TOOLS:
                    left_out.append(offer.name)
                else:
                    offers[offer.name] = offer
            if cursor is None:
                self.left_out = tuple(left_out)
                return tuple(offers.values())
        raise await self._broken("server_garbled", "its list of tools has no end")

    async def _read(
        self,
        method: str,
        params: Mapping[str, Any],
        timeout_s: float,
        read: Callable[[Mapping[str, Any]], Any],
    ) -> Any:
        """Ask what every server has to answer."""
        try:
            return read(await self._answer(method, params, timeout_s))
        except ServerError as error:
            raise await self._judged(error) from None

    async def _judged(self, error: ServerError) -> ServerError:
        """Return an error, after which this server is asked nothing more."""
        return error if self._failure is not None else await self._broken(error.code, error.detail)

    async def _answer(self, method: str, params: Mapping[str, Any], timeout_s: float) -> Mapping[str, Any]:
        """Ask one thing, and refuse what the server asks meanwhile."""
        self._asked += 1
        try:
            async with asyncio.timeout(timeout_s):
                return await self._exchange(self._asked, speech.request(self._asked, method, params))
        except TimeoutError:
            detail = f"it did not answer {method} within {timeout_s:g} s"
            raise await self._broken("server_silent", detail) from None
        except (OSError, EOFError):
            raise await self._broken("server_ended", "it ended before it answered") from None
        except LineTooLongError:
            raise await self._broken(
                "server_flooded", "it said a line that is longer than any answer"
            ) from None
        except asyncio.CancelledError:
            # Its answer would be read as that of the next request.
            self._failure = self._failure or ServerError(
                "server_ended", f"The MCP server {self.name} was ended."
            )
            raise

    async def _exchange(self, number: int, line: bytes) -> Mapping[str, Any]:
        assert self._child is not None  # noqa: S101 - `_open` has made it
        await self._child.tell(line)
        said = 0
        for _ in range(SAID_LINES):
            heard = await self._child.hear()
            if heard is None:
                raise EOFError
            said += len(heard)
            if said > SAID_BYTES:
                break
            message = speech.read_message(heard)
            method = message.get("method")
            if isinstance(method, str):
                if (
                    "id" in message
                ):  # it asks; a notification has no answer, and a new list of tools is not looked at
                    await self._child.tell(speech.reply(message["id"], method))
            elif message.get("id") == number and not isinstance(message.get("id"), bool):
                return speech.result_of(message)
            else:
                speech.garbled("it answered what was not asked")
        raise await self._broken("server_flooded", "it talked without end")

    async def _broken(self, code: str, why: str) -> ServerError:
        """End it, and remember why."""
        complaint = ""
        if self._child is not None:
            await self._child.end(0)
            complaint = speech.clean(self._child.complaint[-SHOWN_CHARS:], SHOWN_CHARS)
        said = f" It complained: {complaint}" if complaint else ""
        detail = f"The MCP server {self.name} was ended: {why}.{said}"
        self._failure = ServerError(code, detail, TEST.format(name=self.name))
        return self._failure
