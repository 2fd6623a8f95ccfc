"""Signing in at a broker: a few plain HTTP requests, before there is a session (RFC 8628; `docs/PROTOCOL.md`).

What comes of it opens nothing by itself: a token is bound to this device's key, which every session proves. The long
code of a sign-in stays in this process; nothing here is ever put into an address.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from dispatch_daemon.adapters.relay.dial import read_address, trust, why
from dispatch_daemon.adapters.relay.errors import RelayRejectedError, RelayUnreachableError
from dispatch_protocol.encoding import JSON, dumps, loads
from dispatch_protocol.errors import MalformedError

if TYPE_CHECKING:
    import aiohttp

ANSWER_BYTES: Final = 64 * 1024
TIMEOUT_S: Final = 10.0
_LONGEST_S: Final = 3_600
_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
_SHOWN_CHARS: Final = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class BegunSignIn:
    """A sign-in that a broker has begun: what is shown to the person, and the code that this device keeps."""

    device_code: str = field(repr=False)
    user_code: str
    verification_uri: str
    expires_in_s: int
    interval_s: int
    ways: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProvenToken:
    """A token for the first session, and the address that was proven for it."""

    token: str = field(repr=False)
    email: str


async def login_dev(
    broker_url: str, email: str, device: str, genesis: str, *, ca_bundle: str | None = None
) -> str:
    """Ask a broker in development mode for a token for this address, device and identity (both in hex).

    Raises `RelayUnreachableError`, `RelayRejectedError` with the broker's code (`pair_needed` where the address has
    another identity), or `LocalError` for an address that is none.
    """
    body = dumps({"email": email, "device": device, "genesis": genesis})
    fields = await _post(broker_url, "/v1/login/dev", body, "application/json", ca_bundle, needs=("token",))
    return str(fields["token"])


class SignIns:
    """Asks one broker for a sign-in; every method raises as `login_dev` does."""

    def __init__(self, broker_url: str, *, ca_bundle: str | None) -> None:
        self._url = broker_url
        self._ca_bundle = ca_bundle

    async def begin(self, *, device: str, genesis: str, device_name: str, email: str | None) -> BegunSignIn:
        """Begin a sign-in for this device, under this address if one is named."""
        asked = {"device": device, "genesis": genesis, "device_name": device_name}
        if email is not None:
            asked["email"] = email
        fields = await self._ask("device", asked, needs=("device_code", "user_code", "verification_uri"))
        ways = fields.get("ways")
        return BegunSignIn(
            device_code=str(fields["device_code"]),
            user_code=_shown(fields["user_code"]),
            verification_uri=_shown(fields["verification_uri"]),
            expires_in_s=_seconds(fields.get("expires_in"), 300),
            interval_s=_seconds(fields.get("interval"), 5),
            ways=tuple(str(way) for way in ways) if isinstance(ways, list) else (),
        )

    async def mail(self, device_code: str, email: str) -> None:
        """Let the broker mail a code to an address."""
        await self._ask("mail", {"device_code": device_code, "email": email})

    async def enter(self, device_code: str, code: str) -> ProvenToken:
        """Show the broker the code of the mail; its no is `code_wrong` as long as there are tries left."""
        return self._proven(await self._ask("code", {"device_code": device_code, "code": code}, needs=_TOKEN))

    async def token(self, device_code: str) -> ProvenToken:
        """Ask whether the address was proven; the broker's no is `authorization_pending` or `slow_down` meanwhile."""
        asked = {"grant_type": _GRANT, "device_code": device_code}
        return self._proven(await self._ask("token", asked, needs=_TOKEN))

    @staticmethod
    def _proven(fields: Mapping[str, JSON]) -> ProvenToken:
        return ProvenToken(str(fields["access_token"]), str(fields["email"]))

    async def _ask(
        self, what: str, fields: Mapping[str, str], *, needs: tuple[str, ...] = ()
    ) -> dict[str, JSON]:
        body = urlencode(fields).encode()
        form = "application/x-www-form-urlencoded"
        return await _post(self._url, f"/v1/login/{what}", body, form, self._ca_bundle, needs=needs)


_TOKEN: Final = ("access_token", "email")


def _shown(value: JSON) -> str:
    """Return what a person will see of the broker's words: one line, of a length that fits."""
    return "".join(letter for letter in str(value) if letter.isprintable())[:_SHOWN_CHARS]


def _is_word(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _seconds(value: JSON, default: int) -> int:
    return min(max(value, 1), _LONGEST_S) if isinstance(value, int) else default


async def _post(
    broker_url: str,
    path: str,
    body: bytes,
    media_type: str,
    ca_bundle: str | None,
    *,
    needs: tuple[str, ...],
) -> dict[str, JSON]:
    import aiohttp  # the client half costs nothing until somebody signs in

    address = read_address(broker_url)
    context = trust(address, ca_bundle)
    try:
        async with (
            aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S), trust_env=not address.is_loopback
            ) as client,
            client.post(
                f"{address.url}{path}",
                data=body,
                headers={"Content-Type": media_type, "Accept": "application/json"},
                ssl=context if context is not None else True,
                allow_redirects=False,
            ) as response,
        ):
            status, data = response.status, await _bounded(response.content)
    except aiohttp.ClientConnectorError as error:
        raise RelayUnreachableError(f"{address.url}: {why(error.os_error)}") from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise RelayUnreachableError(f"{address.url}: {why(error)}") from error
    return _answer(status, data, address.url, needs)


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


def _answer(status: int, data: bytes, url: str, needs: tuple[str, ...]) -> dict[str, JSON]:
    """Read an answer that has what is needed of it, as text, or the problem document in its place."""
    try:
        value = loads(data, max_bytes=ANSWER_BYTES)
    except MalformedError:
        value = None
    fields: dict[str, JSON] = value if isinstance(value, dict) else {}
    if 200 <= status < 300 and fields and all(_is_word(fields.get(name)) for name in needs):
        return fields
    code, detail = fields.get("code"), fields.get("detail")
    if 400 <= status < 600 and isinstance(code, str):
        raise RelayRejectedError(code, status, detail if isinstance(detail, str) else code, fields)
    raise RelayUnreachableError(f"{url}: what answers there is no broker, or not now (HTTP {status})")
