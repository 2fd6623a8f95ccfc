"""The decoders of a sign-in at the broker: what people type on its page, and what an OpenID provider says of them."""

from collections.abc import Iterator
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from dispatch_broker.adapters import oidc
from dispatch_broker.core import provider, signin
from dispatch_protocol.encoding import JSON, dumps, loads
from dispatch_protocol.errors import MalformedError
from tests.support.decoders.decoder import LONGEST, Decoder, text
from tests.support.decoders.documents import name_of

_ISSUER = "https://id.example.org"
_NOW_MS = 1_800_000_000_000
_CLAIMS: dict[str, JSON] = {
    "iss": _ISSUER, "aud": "courier", "sub": "7", "nonce": "n", "iat": 1_800_000_000, "exp": 1_800_000_600,
    "email": "alice@example.org", "email_verified": True,
}  # fmt: skip
_DESCRIBED: dict[str, JSON] = {
    "issuer": _ISSUER,
    **{name: f"{_ISSUER}/{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")},
}
_KEY = derive_private_key(7, SECP256R1())
_PEM = _KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
_PUBLIC: dict[str, JSON] = {
    **jwt.algorithms.ECAlgorithm.to_jwk(_KEY.public_key(), as_dict=True), "kid": "a", "use": "sig", "alg": "ES256",
}  # fmt: skip
_TOKEN = jwt.encode(_CLAIMS, _PEM, algorithm="ES256", headers={"kid": "a"})
_KEYS: JSON = {"keys": [_PUBLIC]}
_ERRORS = (provider.ProviderError, MalformedError)


def _json(data: bytes) -> JSON:
    return loads(data, max_bytes=LONGEST)


def _word(data: bytes) -> Any:
    return provider.read_word(_json(data), issuer=_ISSUER, client_id="courier", nonce="n", now_ms=_NOW_MS)


def sign_in_decoders() -> Iterator[Decoder]:
    """Return the decoders of a sign-in."""
    yield Decoder(
        name_of(signin.read_user_code),
        lambda data: signin.read_user_code(text(data)),
        lambda: [b"BCDF-GHJK", b"bcdf ghjk", b"-"],
        errors=(),
    )
    yield Decoder(
        name_of(signin.read_device_name),
        lambda data: signin.read_device_name(text(data)),
        lambda: [b"laptop", b"", b"\x1b[31mred", "\u202egnp.exe".encode()],
        errors=(),
    )
    yield Decoder(
        name_of(provider.read_provider),
        lambda data: provider.read_provider(_json(data), _ISSUER),
        lambda: [dumps(_DESCRIBED), dumps({**_DESCRIBED, "userinfo_endpoint": "http://a"}), b"[]"],
        errors=_ERRORS,
    )
    yield Decoder(name_of(provider.read_word), _word, lambda: [dumps(_CLAIMS), b"{}", b"7"], errors=_ERRORS)
    yield Decoder(
        name_of(provider.read_person),
        lambda data: provider.read_person(_json(data), "7"),
        lambda: [dumps(_CLAIMS), dumps({"sub": "7", "email": "a@b", "email_verified": "true"})],
        errors=_ERRORS,
    )
    yield Decoder(
        name_of(oidc.read_token),
        lambda data: oidc.read_token(text(data), _KEYS),
        lambda: [_TOKEN.encode(), _TOKEN.rpartition(".")[0].encode() + b".", b"..", b"e30.e30."],
        errors=(*_ERRORS, oidc._UnknownKeyError),
    )
    yield Decoder(
        name_of(oidc.read_token) + "/keys",
        lambda data: oidc.read_token(_TOKEN, _json(data)),
        lambda: [
            dumps(_KEYS),
            dumps({"keys": []}),
            dumps({"keys": [{**_PUBLIC, "crv": "P-521", "x": "AA"}]}),
        ],
        errors=(*_ERRORS, oidc._UnknownKeyError),
    )
