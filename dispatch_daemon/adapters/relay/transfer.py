"""Files to and from the relay: plain HTTP beside the session, so that a large file holds up no frame.

Both ways go on where the last attempt ended. The relay is not believed in anything: an upload counts when it says so, and
it is asked again if it has lost its memory; a download counts when the caller has checked it.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from dispatch_daemon.adapters.relay.dial import Address, read_address, trust, why
from dispatch_daemon.adapters.relay.errors import RelayRejectedError, RelayUnreachableError
from dispatch_daemon.adapters.relay.link import RelayLink
from dispatch_protocol.encoding import JSON, loads
from dispatch_protocol.errors import MalformedError

if TYPE_CHECKING:
    import aiohttp

ANSWER_BYTES: Final = 64 * 1024
PIECE_BYTES: Final = 64 * 1024
SILENCE_S: Final = 30.0
_UNAUTHORIZED: Final = 401
_PARTIAL: Final = 206


class Transfers:
    """Moves sealed files; `link` returns the present link, or None before a login."""

    def __init__(self, link: Callable[[], RelayLink | None], *, ca_bundle: str | None) -> None:
        self._link = link
        self._ca_bundle = ca_bundle

    async def leave(self, path: Path, *, address: str, edge: str, expires_ms: int) -> None:
        """Leave a sealed file for the other side of an edge; returns once the relay has it on its disk.

        Raises `RelayUnreachableError` (ask again: what has come stays there) or `RelayRejectedError`.
        """
        size = path.stat().st_size
        query = {"edge": edge, "size": str(size), "expires": str(expires_ms)}
        said = await self._asked("POST", address, query=query)
        if said.get("kept") is True:
            return
        offset = said.get("offset")
        at = offset if isinstance(offset, int) and 0 <= offset <= size else 0
        await self._asked("PUT", address, query={**query, "offset": str(at)}, body=(path, at))

    async def fetch(self, address: str, descriptor: int, *, at: int, most_bytes: int) -> None:
        """Append the bytes of a sealed file from `at` on to an open file, and at most so many of them.

        Raises `RelayUnreachableError` (what has come stays), `RelayRejectedError` (`not_found`: it is not there, or
        not yet), or OSError if it cannot be written.
        """
        try:
            await self._fetch(address, descriptor, at, most_bytes, await self._token())
        except RelayRejectedError as error:
            if error.status != _UNAUTHORIZED:
                raise
            await self._fetch(address, descriptor, at, most_bytes, await self._token(fresh=True))

    async def _fetch(self, address: str, descriptor: int, at: int, most_bytes: int, token: str) -> None:
        headers = {"Range": f"bytes={at}-"} if at else {}
        async with (
            _Request(self._address(), self._ca_bundle) as request,
            request.send("GET", address, token, headers=headers) as response,
        ):
            if response.status not in {200, _PARTIAL}:
                raise await _refusal(response)
            if at and response.status != _PARTIAL:
                os.ftruncate(descriptor, 0)  # a relay that sends all of it again may do so
                most_bytes += at
            async for piece in _bounded(response, most_bytes):
                await asyncio.to_thread(_write, descriptor, piece)

    async def forget(self, address: str) -> None:
        """Tell the relay that a file is here; raises like `leave`."""
        await self._asked("DELETE", address)

    def _address(self) -> Address:
        link = self._link()
        if link is None:
            raise RelayUnreachableError("not signed in at a broker")
        return read_address(link.url)

    async def _token(self, *, fresh: bool = False) -> str:
        link = self._link()
        if link is None:
            raise RelayUnreachableError("not signed in at a broker")
        if link.token is None or fresh:
            link.token = str((await link.call("token", {})).get("token"))
        return link.token

    async def _asked(
        self,
        method: str,
        address: str,
        *,
        query: dict[str, str] | None = None,
        body: tuple[Path, int] | None = None,
    ) -> dict[str, JSON]:
        """Make one request and return what is answered; a token that is over is renewed once."""
        try:
            return await self._once(method, address, query, body, await self._token())
        except RelayRejectedError as error:
            if error.status != _UNAUTHORIZED:
                raise
        return await self._once(method, address, query, body, await self._token(fresh=True))

    async def _once(
        self,
        method: str,
        address: str,
        query: dict[str, str] | None,
        body: tuple[Path, int] | None,
        token: str,
    ) -> dict[str, JSON]:
        data = None if body is None else _pieces(*body)
        size = None if body is None else body[0].stat().st_size - body[1]
        headers = {} if size is None else {"Content-Length": str(size)}
        async with (
            _Request(self._address(), self._ca_bundle) as request,
            request.send(method, address, token, query=query, data=data, headers=headers) as response,
        ):
            if response.status >= 300:
                raise await _refusal(response)
            return _object(await response.content.read(ANSWER_BYTES))


class _Request:
    """One client for one request, which turns what goes wrong on the way into words of ours."""

    def __init__(self, address: Address, ca_bundle: str | None) -> None:
        self._where = address
        self._context = trust(address, ca_bundle)

    async def __aenter__(self) -> Self:
        import aiohttp  # the client half costs nothing until there is a file

        self._errors = aiohttp.ClientError
        self._client = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=SILENCE_S, sock_read=SILENCE_S),
            trust_env=not self._where.is_loopback,
            auto_decompress=False,
        )
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        await self._client.close()
        if isinstance(error, (self._errors, TimeoutError)):
            raise RelayUnreachableError(f"{self._where.url}: {why(error)}") from error

    def send(
        self,
        method: str,
        address: str,
        token: str,
        *,
        query: dict[str, str] | None = None,
        data: AsyncIterator[bytes] | None = None,
        headers: dict[str, str] | None = None,
    ) -> "aiohttp.client._RequestContextManager":
        return self._client.request(
            method,
            f"{self._where.url}/v1/blobs/{address}",
            params=query,
            data=data,
            headers={"Authorization": f"Bearer {token}", "Accept-Encoding": "identity", **(headers or {})},
            ssl=self._context if self._context is not None else True,
            allow_redirects=False,
        )


async def _pieces(path: Path, at: int) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        file.seek(at)
        while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
            yield piece


async def _bounded(response: "aiohttp.ClientResponse", most_bytes: int) -> AsyncIterator[bytes]:
    """Yield what comes, up to a bound: who sends more is not listened to."""
    async for piece in response.content.iter_chunked(PIECE_BYTES):
        yield piece[:most_bytes]
        most_bytes -= len(piece)
        if most_bytes <= 0:
            return


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


async def _refusal(response: "aiohttp.ClientResponse") -> RelayRejectedError | RelayUnreachableError:
    """Return a relay's no, or that what answers there is none."""
    fields = _object(await response.content.read(ANSWER_BYTES))
    code, detail = fields.get("code"), fields.get("detail")
    if 400 <= response.status < 600 and isinstance(code, str):
        return RelayRejectedError(code, response.status, detail if isinstance(detail, str) else code)
    return RelayUnreachableError(f"what answers there is no broker, or not now (HTTP {response.status})")


def _object(data: bytes) -> dict[str, JSON]:
    try:
        value = loads(data, max_bytes=ANSWER_BYTES)
    except MalformedError:
        return {}
    return value if isinstance(value, dict) else {}
