"""Asking a broker without a session: where two machines meet to pair, and what chain it holds of an identity.

What comes back is proved by whoever asked for it, or it is nothing: the broker is believed in none of it.
"""

from collections.abc import Sequence
from typing import Final

from dispatch_daemon.adapters.relay.dial import read_address, trust, why
from dispatch_daemon.adapters.relay.errors import RelayRejectedError, RelayUnreachableError
from dispatch_protocol.chain import read_links
from dispatch_protocol.encoding import JSON, dumps, loads
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.limits import MESSAGE_BYTES
from dispatch_protocol.signing import Document

TIMEOUT_S: Final = 10.0


class Meeting:
    """One broker's public doors, for a machine that nobody knows yet."""

    def __init__(self, broker_url: str, *, ca_bundle: str | None = None) -> None:
        """Prepare to ask the broker at this address; raises `LocalError` for one that is none."""
        self._address = read_address(broker_url)
        self._ca_bundle = ca_bundle

    async def said(self, place: str) -> tuple[str, ...]:
        """Return what the other machine has said so far; raises as `_ask`, with `not_found` where no pairing goes on."""
        answer = await self._ask(f"/v1/pairings/{place}")
        messages = answer.get("messages")
        texts = messages if isinstance(messages, list) else []
        return tuple(text for text in texts if isinstance(text, str))

    async def join(self, place: str, message: str) -> None:
        """Say how this new machine joins, once; raises as `_ask`, with `not_pending` where another one has."""
        await self._ask(f"/v1/pairings/{place}", {"message": message})

    async def judge(self, place: str, message: str) -> None:
        """Say what this machine's person has found; raises as `_ask`."""
        await self._ask(f"/v1/pairings/{place}/verdict", {"message": message})

    async def chain(self, genesis: str) -> Sequence[Document]:
        """Return the links that the broker holds of an identity, unverified; raises as `_ask`, and MalformedError."""
        answer = await self._ask(f"/v1/chains/{genesis}")
        links = answer.get("links")
        return read_links(links if isinstance(links, list) else [])

    async def _ask(self, path: str, body: dict[str, JSON] | None = None) -> dict[str, JSON]:
        """Make one request.

        Raises `RelayUnreachableError`, or `RelayRejectedError` with the broker's code.
        """
        import aiohttp  # the client half costs nothing until somebody pairs

        address = self._address
        context = trust(address, self._ca_bundle)
        try:
            async with (
                aiohttp.ClientSession(
                    timeout=aiohttp.ClientTimeout(total=TIMEOUT_S), trust_env=not address.is_loopback
                ) as client,
                client.request(
                    "GET" if body is None else "POST",
                    f"{address.url}{path}",
                    data=None if body is None else dumps(body),
                    headers={"Content-Type": "application/json", "Accept": "application/json"},
                    ssl=context if context is not None else True,
                    allow_redirects=False,
                ) as response,
            ):
                status = response.status
                pieces: list[bytes] = []
                async for piece in response.content.iter_any():
                    pieces.append(piece)
                    if sum(map(len, pieces)) > MESSAGE_BYTES:
                        break
        except aiohttp.ClientConnectorError as error:
            raise RelayUnreachableError(f"{address.url}: {why(error.os_error)}") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise RelayUnreachableError(f"{address.url}: {why(error)}") from error
        return _read(status, b"".join(pieces), address.url)


def _read(status: int, data: bytes, url: str) -> dict[str, JSON]:
    """Read an answer, or the problem document in its place."""
    try:
        value = loads(data, max_bytes=MESSAGE_BYTES) if data else {}
    except MalformedError:
        value = None
    if isinstance(value, dict) and 200 <= status < 300:
        return value
    fields: dict[str, JSON] = value if isinstance(value, dict) else {}
    code, detail = fields.get("code"), fields.get("detail")
    if 400 <= status < 600 and isinstance(code, str):
        raise RelayRejectedError(code, status, detail if isinstance(detail, str) else code)
    raise RelayUnreachableError(f"{url}: what answers there is no broker, or not now (HTTP {status})")
