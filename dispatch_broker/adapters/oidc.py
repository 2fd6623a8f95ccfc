"""Asking an OpenID provider about a person: its description, its keys, its token for a code (OpenID Connect Core 1.0).

The only file that reads signatures of JSON Web Tokens. Which algorithms count is decided here and never by the token; a
secret among the keys, a key that is too short, or one for something else, verifies nothing. What a signed token must
say is the core's list (`core/provider.py`).
"""

import asyncio
import base64
import hashlib
import logging
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

import aiohttp
import jwt
from jwt.api_jws import PyJWS

from dispatch_broker.adapters.log import say
from dispatch_broker.core.provider import (
    Provider,
    ProviderError,
    Registration,
    read_person,
    read_provider,
    read_word,
)
from dispatch_broker.core.signin import ProviderLeg
from dispatch_protocol import broker_url
from dispatch_protocol.encoding import JSON, loads
from dispatch_protocol.errors import MalformedError

AWAY: Final = "unreachable"
_KINDS: Final = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}
_RSA_BITS: Final = 2_048
_ANSWER_BYTES: Final = 256 * 1024
_TOKEN_CHARS: Final = 16 * 1024
_TIMEOUT_S: Final = 10.0
_KEPT_MS: Final = 60 * 60_000
_NEWS_MS: Final = 60_000  # how often an unknown key lets the keys be fetched again

_log = logging.getLogger(__name__)


class _UnknownKeyError(Exception):
    """The token names a key that is not among those that are known."""


def fresh_leg() -> ProviderLeg:
    """Draw what one way to the provider is known by."""
    state, nonce, verifier, binding = (secrets.token_urlsafe(32) for _ in range(4))
    return ProviderLeg(state=state, nonce=nonce, verifier=verifier, binding=binding)


class ProviderDesk:
    """One provider; its description is kept for an hour, its keys until an unknown one is used.

    `clock` returns milliseconds since 1970; `ticks` milliseconds that never run backwards. Everything that can fail
    raises ProviderError.
    """

    def __init__(
        self,
        registration: Registration,
        redirect_uri: str,
        clock: Callable[[], int],
        ticks: Callable[[], int],
    ) -> None:
        self.name = registration.name
        self._registration = registration
        self._redirect_uri = redirect_uri
        self._clock = clock
        self._ticks = ticks
        self._provider: tuple[int, Provider] | None = None
        self._keys: tuple[int, JSON] | None = None

    async def look(self) -> None:
        """Look once whether the provider answers, so that its operator learns of a mistake before anybody signs in."""
        try:
            await self._described()
        except ProviderError as error:
            say(_log, "provider_unusable", logging.WARNING, reason=error.reason)
        else:
            say(_log, "provider_found")

    async def way(self, leg: ProviderLeg) -> str:
        """Return where the person goes: the code flow, with PKCE (RFC 7636) and a nonce."""
        provider = await self._described()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(leg.verifier.encode()).digest()).rstrip(b"=")
        asked = {
            "response_type": "code",
            "client_id": self._registration.client_id,
            "redirect_uri": self._redirect_uri,
            "scope": "openid email",
            "state": leg.state or "",
            "nonce": leg.nonce,
            "code_challenge": challenge.decode(),
            "code_challenge_method": "S256",
        }
        joint = "&" if "?" in provider.authorization_endpoint else "?"
        return f"{provider.authorization_endpoint}{joint}{urlencode(asked)}"

    async def vouched(self, leg: ProviderLeg, code: str, issuer: str | None) -> str:
        """Return the address that the provider vouches for, to whoever came back with this code."""
        provider = await self._described()
        if issuer != provider.issuer and (issuer is not None or provider.names_itself):  # RFC 9207
            raise ProviderError("issuer", "the answer came from another provider")
        answer = await self._exchange(provider, leg, code)
        token, access = answer.get("id_token"), answer.get("access_token")
        if not isinstance(token, str) or len(token) > _TOKEN_CHARS:
            raise ProviderError("token", "the provider gave no token")
        word = read_word(
            await self._verified(provider, token),
            issuer=provider.issuer,
            client_id=self._registration.client_id,
            nonce=leg.nonce,
            now_ms=self._clock(),
        )
        if word.address is not None:
            return word.address
        if provider.userinfo_endpoint is None or not isinstance(access, str) or not access.isascii():
            raise ProviderError("address", "the provider names no e-mail address")
        headers = {"Authorization": f"Bearer {access}"}
        return read_person(await self._ask("GET", provider.userinfo_endpoint, headers), word.subject)

    async def _exchange(self, provider: Provider, leg: ProviderLeg, code: str) -> Mapping[str, JSON]:
        """Show the code and what only this broker knows, and get the token (RFC 6749, section 4.1.3)."""
        known_as = self._registration
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": leg.verifier,
        }
        headers: dict[str, str] = {}
        if provider.posts_secret:
            fields |= {"client_id": known_as.client_id, "client_secret": known_as.secret}
        else:
            pair = f"{quote(known_as.client_id, safe='')}:{quote(known_as.secret, safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        answer = await self._ask("POST", provider.token_endpoint, headers, fields)
        if not isinstance(answer, Mapping):
            raise ProviderError("token", "the provider gave no token")
        return answer

    async def _described(self) -> Provider:
        now = self._ticks()
        if self._provider is not None and now < self._provider[0] + _KEPT_MS:
            return self._provider[1]
        issuer = self._registration.issuer
        place = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
        provider = read_provider(await self._ask("GET", place), issuer)
        self._provider = (now, provider)
        return provider

    async def _verified(self, provider: Provider, token: str) -> JSON:
        """Return the claims of a token that the provider has signed; a key that is new is fetched."""
        for again in (False, True):
            if self._keys is None or (again and self._ticks() >= self._keys[0] + _NEWS_MS):
                self._keys = (self._ticks(), await self._ask("GET", provider.jwks_uri))
            try:
                return read_token(token, self._keys[1])
            except _UnknownKeyError:
                continue
        raise ProviderError("key", "the provider's token is signed with a key that is not the provider's")

    async def _ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> JSON:
        """Ask the provider one thing; it is not followed elsewhere, and not listened to for long."""
        is_here = broker_url.is_loopback("/".join(url.split("/")[:3]))
        try:
            async with (
                aiohttp.ClientSession(
                    timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S),
                    trust_env=not is_here,
                    cookie_jar=aiohttp.DummyCookieJar(),
                ) as client,
                client.request(
                    method,
                    url,
                    data=fields,
                    headers={"Accept": "application/json", **(headers or {})},
                    allow_redirects=False,
                ) as response,
            ):
                body = await _bounded(response.content)
                status = response.status
        except (aiohttp.ClientError, TimeoutError, asyncio.LimitOverrunError, ValueError) as error:
            raise ProviderError(AWAY, "the provider cannot be reached now") from error
        if not 200 <= status < 300:
            raise ProviderError(f"status_{status}", "the provider said no")
        try:
            return loads(body, max_bytes=_ANSWER_BYTES)
        except MalformedError as error:
            raise ProviderError("malformed", "what the provider says cannot be read") from error


async def _bounded(content: aiohttp.StreamReader) -> bytes:
    """Read an answer; one that is longer than any honest one is cut, and then no JSON."""
    body = bytearray()
    async for piece in content.iter_any():
        body += piece
        if len(body) > _ANSWER_BYTES:
            break
    return bytes(body)


def read_token(token: str, keys: JSON) -> JSON:
    """Return the claims of a token whose signature is one of these keys'; raises ProviderError."""
    if not token.isascii():
        raise ProviderError("token", "the provider's token cannot be read")
    try:
        header = jwt.get_unverified_header(token)
        alg = header.get("alg")
        if alg not in _KINDS or "crit" in header or "b64" in header:
            raise ProviderError("algorithm", "the provider's token is signed in a way that does not count")
        key = jwt.PyJWK(_key_of(header, keys), algorithm=alg)
        if getattr(key.key, "key_size", _RSA_BITS) < _RSA_BITS and _KINDS[alg] == "RSA":
            raise ProviderError("key", "the provider's key is too short")
        payload: bytes = PyJWS().decode(token, key=key, algorithms=[alg])
    except jwt.PyJWTError as error:
        raise ProviderError("signature", "the provider's token is not signed by the provider") from error
    try:
        return loads(payload, max_bytes=_TOKEN_CHARS)
    except MalformedError as error:
        raise ProviderError("token", "the provider's token cannot be read") from error


def _key_of(header: Mapping[str, Any], keys: JSON) -> dict[str, Any]:
    """Return the one key that a token may be signed with: the one that it names, or the only one there is."""
    found = keys.get("keys") if isinstance(keys, Mapping) else None
    alg, kid = header["alg"], header.get("kid")
    fitting = [
        dict(key)
        for key in (found if isinstance(found, list) else ())
        if isinstance(key, Mapping)
        and key.get("kty") == _KINDS[alg]
        and key.get("alg", alg) == alg
        and key.get("use", "sig") == "sig"
        and (kid is None or key.get("kid") == kid)
    ]
    if len(fitting) != 1:
        raise _UnknownKeyError
    return fitting[0]
