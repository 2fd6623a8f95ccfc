"""Signing in at a broker of this machine: one plain HTTP request, for development and tests.

The token it returns opens nothing by itself: it is bound to this device's key, which every session proves.
"""

from typing import TYPE_CHECKING, Final

from dispatch_daemon.adapters.relay.dial import read_address, trust, why
from dispatch_daemon.adapters.relay.errors import RelayRejectedError, RelayUnreachableError
from dispatch_protocol.encoding import JSON, dumps, loads
from dispatch_protocol.errors import MalformedError

if TYPE_CHECKING:
    import aiohttp

ANSWER_BYTES: Final = 64 * 1024
TIMEOUT_S: Final = 10.0


async def login_dev(
    broker_url: str, email: str, device: str, genesis: str, *, ca_bundle: str | None = None
) -> str:
    """Ask a broker in development mode for a token for this address, device and identity (both in hex).

    Raises `RelayUnreachableError`, `RelayRejectedError` with the broker's code (`pair_needed` where the address has
    another identity), or `LocalError` for an address that is none.
    """
    import aiohttp  # the client half costs nothing until somebody signs in

    address = read_address(broker_url)
    context = trust(address, ca_bundle)
    try:
        async with (
            aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S), trust_env=not address.is_loopback
            ) as client,
            client.post(
                f"{address.url}/v1/login/dev",
                data=dumps({"email": email, "device": device, "genesis": genesis}),
                headers={"Content-Type": "application/json", "Accept": "application/json"},
                ssl=context if context is not None else True,
                allow_redirects=False,
            ) as response,
        ):
            status, data = response.status, await _bounded(response.content)
    except aiohttp.ClientConnectorError as error:
        raise RelayUnreachableError(f"{address.url}: {why(error.os_error)}") from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise RelayUnreachableError(f"{address.url}: {why(error)}") from error
    return _token(status, data, address.url)


async def _bounded(content: "aiohttp.StreamReader") -> bytes:
    """Read an answer; one that is longer than any honest one is cut, and then no JSON."""
    pieces: list[bytes] = []
    size = 0
    async for piece in content.iter_any():
        pieces.append(piece)
        size += len(piece)
        if size > ANSWER_BYTES:
            break
    return b"".join(pieces)


def _token(status: int, data: bytes, url: str) -> str:
    """Read the token, or the problem document in its place."""
    try:
        value = loads(data, max_bytes=ANSWER_BYTES)
    except MalformedError:
        value = None
    fields: dict[str, JSON] = value if isinstance(value, dict) else {}
    token, code, detail = fields.get("token"), fields.get("code"), fields.get("detail")
    if 200 <= status < 300 and isinstance(token, str) and token:
        return token
    if 400 <= status < 600 and isinstance(code, str):
        raise RelayRejectedError(code, status, detail if isinstance(detail, str) else code)
    raise RelayUnreachableError(f"{url}: what answers there is no broker, or not now (HTTP {status})")
