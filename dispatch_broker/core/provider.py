"""What an OpenID provider must say before its word about an address counts.

The signature has been verified when this is asked; everything that a signed word could still be wrong about is one
numbered list here. A provider that signs for others, for long ago, or for another sign-in proves nothing.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeGuard

from dispatch_broker.core.accounts import normal_address
from dispatch_protocol.broker_url import is_loopback
from dispatch_protocol.encoding import JSON

SKEW_S: Final = 120
OLDEST_S: Final = 15 * 60
_URL_CHARS: Final = 2_048
_SECRET_POST: Final = "client_secret_post"
_SECRET_BASIC: Final = "client_secret_basic"


class ProviderError(Exception):
    """The provider's word does not count; `reason` is one word for the log, the text is for the person."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A provider as its operator names it, and as whom it knows this broker; raises ValueError."""

    issuer: str
    client_id: str
    secret: str = field(repr=False)

    def __post_init__(self) -> None:
        if not is_safe(self.issuer) or any(mark in self.issuer for mark in "?#@\\"):
            raise ValueError("the issuer is an https URL without query; http is for this machine alone")
        if not (self.client_id.isascii() and self.client_id.isprintable() and self.client_id):
            raise ValueError("the client id is printable ASCII")
        if not (self.secret.isascii() and self.secret.isprintable() and self.secret):
            raise ValueError("the secret is printable ASCII")

    @property
    def name(self) -> str:
        """Return what people see of the provider: the host that they will be at."""
        return self.issuer.split("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """Where a provider is asked what, as its own description says."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    posts_secret: bool
    names_itself: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """Whom a provider speaks of, and the address that it vouches for; None where it has to be asked for that."""

    subject: str
    address: str | None


def read_provider(described: JSON, issuer: str) -> Provider:
    """Read a provider's description (OpenID Connect Discovery 1.0, section 3); raises ProviderError."""
    if not isinstance(described, Mapping):
        raise ProviderError("description", "the provider describes itself in no way that can be read")
    if described.get("issuer") != issuer:
        raise ProviderError("issuer", "the provider calls itself by another name")
    methods = described.get("token_endpoint_auth_methods_supported", [_SECRET_BASIC])
    userinfo = described.get("userinfo_endpoint")
    return Provider(
        issuer=issuer,
        authorization_endpoint=_endpoint(described, "authorization_endpoint"),
        token_endpoint=_endpoint(described, "token_endpoint"),
        jwks_uri=_endpoint(described, "jwks_uri"),
        userinfo_endpoint=None if userinfo is None else _endpoint(described, "userinfo_endpoint"),
        posts_secret=isinstance(methods, list) and _SECRET_POST in methods and _SECRET_BASIC not in methods,
        names_itself=described.get("authorization_response_iss_parameter_supported") is True,
    )


def read_word(claims: JSON, *, issuer: str, client_id: str, nonce: str, now_ms: int) -> Word:
    """Read verified claims of an ID token, in the order of OpenID Connect Core 1.0, section 3.1.3.7; raises ProviderError."""
    if not isinstance(claims, Mapping):
        raise ProviderError("token", "the provider's token holds no claims")
    # 1. It is the provider's own.
    if claims.get("iss") != issuer:
        raise ProviderError("issuer", "the token is of another provider")
    # 2. It is for this broker, and for nobody beside it.
    if claims.get("aud") not in (client_id, [client_id]) or claims.get("azp", client_id) != client_id:
        raise ProviderError("audience", "the token is for somebody else")
    # 3. It is of now.
    now_s = now_ms // 1000
    expires, issued = claims.get("exp"), claims.get("iat")
    if not (_is_time(expires) and _is_time(issued)):
        raise ProviderError("time", "the token does not say from when until when it counts")
    if expires <= now_s - SKEW_S:
        raise ProviderError("time", "the token's time is over")
    if not now_s - OLDEST_S <= issued <= now_s + SKEW_S:
        raise ProviderError("time", "the token was not made just now")
    # 4. It answers this very question.
    said = claims.get("nonce")
    if not isinstance(said, str) or not hmac.compare_digest(said.encode("utf-8", "replace"), nonce.encode()):
        raise ProviderError("nonce", "the token answers another question")
    # 5. It is about somebody.
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject:
        raise ProviderError("subject", "the token is about nobody")
    return Word(subject=subject, address=None if "email" not in claims else _address(claims))


def read_person(person: JSON, subject: str) -> str:
    """Read what a provider says of the person that a token was about (section 5.3.2); raises ProviderError."""
    if not isinstance(person, Mapping) or person.get("sub") != subject:
        raise ProviderError("subject", "the provider speaks of somebody else")
    return _address(person)


def _address(claims: Mapping[str, JSON]) -> str:
    """Return the address, if the provider has verified it: an address that anybody could have entered proves nothing."""
    email = claims.get("email")
    address = normal_address(email) if isinstance(email, str) else None
    if address is None:
        raise ProviderError("address", "the provider names no e-mail address")
    if claims.get("email_verified") is not True:
        raise ProviderError("unverified", "the provider has not verified that address")
    return address


def _is_time(value: JSON) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def is_safe(url: str) -> bool:
    """Whether a place may be asked: over TLS, or on this machine."""
    if len(url) > _URL_CHARS or not url.isascii() or not url.isprintable() or " " in url:
        return False
    return url.startswith("https://") or is_loopback("/".join(url.split("/")[:3]))


def _endpoint(described: Mapping[str, JSON], name: str) -> str:
    url = described.get(name)
    if not isinstance(url, str) or not is_safe(url) or "#" in url or "\\" in url:
        raise ProviderError("description", f"the provider's {name} cannot be used")
    return url
