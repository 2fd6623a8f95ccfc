"""An OpenID provider that is strict with its client and, one lie at a time, false to it.

Honest by itself: it registers one client, checks its secret, the address it is led back to and PKCE, and takes each code
once. A test changes what it says: its claims, its header, the key it signs with, its description, its answers.
"""

import base64
import contextlib
import functools
import hashlib
import json
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlencode

import jwt
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from dispatch_broker.core.provider import Registration

CLIENT_ID, SECRET = "broker of example", "a secret: with / and %"
Claims = dict[str, Any]


@functools.cache
def rsa_key(name: str, bits: int = 2_048) -> rsa.RSAPrivateKey:
    """Return a key of this name, made once a process."""
    return rsa.generate_private_key(public_exponent=65_537, key_size=bits)


def public_key(key: Any, kid: str, **more: str) -> dict[str, Any]:
    """Return the public half as it stands among a provider's keys."""
    kinds = {rsa.RSAPrivateKey: RSAAlgorithm, ec.EllipticCurvePrivateKey: ECAlgorithm}
    kind = next((kinds[each] for each in kinds if isinstance(key, each)), OKPAlgorithm)
    return {**kind.to_jwk(key.public_key(), as_dict=True), "kid": kid, **more}


def pem(key: Any) -> bytes:
    """Return the public half in PEM: what a confused verifier takes for a shared secret."""
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    found: bytes = key.public_key().public_bytes(serialization.Encoding.PEM, kind)
    return found


def compact(header: dict[str, Any], claims: Claims, signature: bytes = b"") -> str:
    """Write a token by hand, for those that no library makes."""
    parts = [json.dumps(part).encode() for part in (header, claims)]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (*parts, signature))


@dataclass
class HostileProvider:
    """What the provider says; `asked` are the requests for tokens, `seen` the parameters of those who came."""

    issuer: str
    claims: Claims = field(
        default_factory=lambda: {"sub": "1", "email": "carol@example.org", "email_verified": True}
    )
    described: Claims = field(default_factory=dict)
    header: Claims = field(default_factory=lambda: {"kid": "k"})
    algorithm: str = "RS256"
    key: Any = field(default_factory=lambda: rsa_key("k"))
    keys: list[dict[str, Any]] = field(default_factory=lambda: [public_key(rsa_key("k"), "k")])
    write: Callable[[Claims], str] | None = None
    person: Claims | None = None
    back: dict[str, str] = field(default_factory=dict)
    status: int = 200
    body: bytes | None = None
    clock_ahead_s: int = 0
    asked: list[dict[str, str]] = field(default_factory=list)
    seen: list[dict[str, str]] = field(default_factory=list)
    fetched_keys: int = 0
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def registration(self) -> Registration:
        """Return what a broker's operator enters."""
        return Registration(issuer=self.issuer, client_id=CLIENT_ID, secret=SECRET)

    def arrive(self, asked: dict[str, str]) -> dict[str, str]:
        """Take the person, who agrees; returns what the browser takes back."""
        assert asked["response_type"] == "code"
        assert (asked["client_id"], asked["scope"]) == (CLIENT_ID, "openid email")
        assert asked["code_challenge_method"] == "S256"
        self.seen.append(asked)
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        return {"code": code, "state": asked["state"], **self.back}

    def exchange(self, fields: dict[str, str], authorization: str) -> Claims | None:
        """Give a token for a code, once, to the one client, with the verifier of the challenge; None is a no."""
        self.asked.append(fields)
        name, _, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        if authorization:
            shown = unquote(name), unquote(secret)
        else:
            shown = fields.get("client_id", ""), fields.get("client_secret", "")
        asked = self._codes.pop(fields["code"], None)
        if asked is None or shown != (CLIENT_ID, SECRET) or fields["redirect_uri"] != asked["redirect_uri"]:
            return None
        digest = hashlib.sha256(fields["code_verifier"].encode()).digest()
        if base64.urlsafe_b64encode(digest).decode().rstrip("=") != asked["code_challenge"]:
            return None
        now = int(time.time()) + self.clock_ahead_s
        usual = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        claims = {**usual, **self.claims}
        token = self.write(claims) if self.write else self.sign(claims)
        return {"access_token": "access", "token_type": "Bearer", "id_token": token}

    def sign(self, claims: Claims) -> str:
        """Sign claims as this provider says it does."""
        return jwt.encode(claims, self.key, self.algorithm, headers=self.header)

    async def serve(self, request: web.Request) -> web.Response:
        """Answer one request."""
        path = request.path
        if path == "/authorize":
            back = self.arrive(dict(request.query))
            raise web.HTTPFound(f"{request.query['redirect_uri']}?{urlencode(back)}")
        if path == "/token":
            fields = {name: str(value) for name, value in (await request.post()).items()}
            answer = self.exchange(fields, request.headers.get("Authorization", ""))
            if self.body is not None or self.status != 200:
                return web.Response(
                    status=self.status, body=self.body or b"{}", headers={"Location": self.issuer}
                )
            return web.json_response(answer or {"error": "invalid_grant"}, status=200 if answer else 400)
        if path == "/keys":
            self.fetched_keys += 1
            return web.json_response({"keys": self.keys})
        if path == "/person":
            assert request.headers["Authorization"] == "Bearer access"
            return web.json_response(self.person)
        assert path == "/.well-known/openid-configuration", path
        return web.json_response(self._description())

    def _description(self) -> Claims:
        places = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
        described: Claims = {name: f"{self.issuer}/{place}" for name, place in places.items()}
        if self.person is not None:
            described["userinfo_endpoint"] = f"{self.issuer}/person"
        return {"issuer": self.issuer, **described, **self.described}


@contextlib.asynccontextmanager
async def hostile_provider() -> AsyncIterator[HostileProvider]:
    """Run one for the length of a block, on a port of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    provider = HostileProvider(f"http://127.0.0.1:{listener.getsockname()[1]}")
    runner = web.ServerRunner(web.Server(provider.serve))  # type: ignore[arg-type] # it gets requests of this kind
    await runner.setup()
    await web.SockSite(runner, listener).start()
    try:
        yield provider
    finally:
        await runner.cleanup()


def other_keys() -> dict[str, tuple[Any, str]]:
    """Return keys of the other kinds that count, each with the algorithm that it signs with."""
    return {
        "ec": (ec.generate_private_key(ec.SECP256R1()), "ES256"),
        "ed": (ed25519.Ed25519PrivateKey.generate(), "EdDSA"),
        "pss": (rsa_key("k"), "PS256"),
    }
