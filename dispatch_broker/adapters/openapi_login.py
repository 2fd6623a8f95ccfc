"""How signing in is described in the broker's OpenAPI document: what a device asks; the pages are for people."""

from typing import Any

from pydantic import BaseModel

from dispatch_broker.adapters.login import (
    CodeRequest,
    DeviceAnswer,
    DeviceRequest,
    LoginAnswer,
    LoginRequest,
    MailAnswer,
    MailRequest,
    TokenAnswer,
    TokenRequest,
)
from dispatch_broker.core.refusal import BrokerCode

Schema = dict[str, Any]

FORM = "application/x-www-form-urlencoded"
MODELS: dict[str, type[BaseModel]] = {
    model.__name__: model
    for model in (
        CodeRequest,
        DeviceAnswer,
        DeviceRequest,
        LoginAnswer,
        LoginRequest,
        MailAnswer,
        MailRequest,
        TokenAnswer,
        TokenRequest,
    )
}
_ANY = (
    BrokerCode.MALFORMED,
    BrokerCode.BROWSER_REFUSED,
    BrokerCode.TOO_LARGE,
    BrokerCode.MEDIA_TYPE,
)
_GOES_ON = (BrokerCode.EXPIRED_TOKEN, BrokerCode.ACCESS_DENIED)
_TOKEN = (BrokerCode.SIGNUP_CLOSED, BrokerCode.PAIR_NEEDED, BrokerCode.ADDRESS_MISMATCH)


def operations(*, dev: bool) -> dict[str, tuple[str, str, str, str, tuple[BrokerCode, ...]]]:
    """Return by path: what it does, its body, its answer, their media type, and the refusals it knows."""
    found = {
        "/v1/login/device": (
            "Begin a sign-in: the device's long code, and the short one that it shows (RFC 8628).",
            "DeviceRequest",
            "DeviceAnswer",
            FORM,
            (*_ANY, BrokerCode.SIGN_IN_UNAVAILABLE),
        ),
        "/v1/login/mail": (
            "Mail a code to an address; the answer is the same for every address.",
            "MailRequest",
            "MailAnswer",
            FORM,
            (*_ANY, *_GOES_ON, BrokerCode.SIGN_IN_UNAVAILABLE, BrokerCode.ADDRESS_MISMATCH),
        ),
        "/v1/login/code": (
            "Show the code of the mail and get the token of the device.",
            "CodeRequest",
            "TokenAnswer",
            FORM,
            (*_ANY, *_GOES_ON, *_TOKEN, BrokerCode.CODE_WRONG),
        ),
        "/v1/login/token": (
            "Ask for the token of the device (RFC 8628, section 3.4).",
            "TokenRequest",
            "TokenAnswer",
            FORM,
            (*_ANY, *_GOES_ON, *_TOKEN, BrokerCode.AUTHORIZATION_PENDING, BrokerCode.SLOW_DOWN),
        ),
    }
    if dev:
        found["/v1/login/dev"] = (
            "Sign in without proof of the address; on loopback, for development only.",
            "LoginRequest",
            "LoginAnswer",
            "application/json",
            (*_ANY, *_TOKEN),
        )
    return found
