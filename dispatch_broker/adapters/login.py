"""Signing in over plain HTTP: a device begins, somebody proves an address, the device asks for its token (RFC 8628).

Bodies are forms, as OAuth has them, and refusals are problem documents that say OAuth's word in `error` too. Nothing here
opens anything: a token is worth something only beside the signature of the device that it names.
"""

import asyncio
import logging
from typing import TypeVar
from urllib.parse import parse_qsl

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dispatch_broker.adapters.context import Context
from dispatch_broker.adapters.http import BODY_BYTES, caller, problem
from dispatch_broker.adapters.log import say, short
from dispatch_broker.adapters.signins import fresh_mail_code
from dispatch_broker.adapters.tokens import LOGIN_MS, Use
from dispatch_broker.core import signin
from dispatch_broker.core.accounts import is_expected, normal_address, sign_in
from dispatch_broker.core.records import Claim
from dispatch_broker.core.refusal import BrokerCode, Refusal
from dispatch_broker.core.signin import SignIn
from dispatch_protocol.encoding import loads
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.keys import DeviceId, Genesis
from dispatch_protocol.limits import ADDRESS_CHARS
from dispatch_protocol.timestamps import format_time

PAGE = "/login"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_FORM = "application/x-www-form-urlencoded"
_JSON = "application/json"
_BODY_S = 10.0
_FIELDS = 16
_HEX = r"^[0-9a-f]{64}$"
_NO_ADDRESS = Refusal(BrokerCode.MALFORMED, "email is no e-mail address")
_NO_GRANT = Refusal(BrokerCode.MALFORMED, f"the grant_type is {DEVICE_GRANT}")
_UNAVAILABLE = Refusal(
    BrokerCode.SIGN_IN_UNAVAILABLE, "this broker has neither mail nor a provider to prove an address by"
)
_NO_MAIL = Refusal(BrokerCode.SIGN_IN_UNAVAILABLE, "this broker mails no codes")
_OVER = Refusal(BrokerCode.EXPIRED_TOKEN, "there is no such sign-in, or it is over; begin again")
TOO_MANY = Refusal(BrokerCode.RATE_LIMITED, "too many sign-ins; wait a few minutes")
TOO_MANY_MAILS = Refusal(BrokerCode.RATE_LIMITED, "too many codes for this address; wait an hour")

_log = logging.getLogger(__name__)


class Asked(BaseModel):
    """The fields of a request: text, strict, and nothing that was not named."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


Model = TypeVar("Model", bound=Asked)


class LoginRequest(Asked):
    """Who wants to sign in: an address, and the device and identity that the token will be bound to."""

    email: str = Field(min_length=3, max_length=ADDRESS_CHARS)
    device: str = Field(pattern=_HEX)
    genesis: str = Field(pattern=_HEX)


class LoginAnswer(BaseModel):
    """A short token: shown once, with the device's proof, when the first session opens."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    token: str
    expires_at: str


class DeviceRequest(Asked):
    """A device that wants to be signed in; with `email` under this address only."""

    device: str = Field(pattern=_HEX)
    genesis: str = Field(pattern=_HEX)
    device_name: str = Field(default="", max_length=200)
    email: str | None = Field(default=None, min_length=3, max_length=ADDRESS_CHARS)


class DeviceAnswer(BaseModel):
    """What the device keeps and what it shows (RFC 8628, section 3.2), and by which ways an address is proven here."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    device_code: str
    user_code: str
    verification_uri: str
    expires_in: int
    interval: int
    ways: list[str]


class MailRequest(Asked):
    """Let a code be mailed to an address, to be typed at the device."""

    device_code: str = Field(min_length=1, max_length=128)
    email: str = Field(min_length=3, max_length=ADDRESS_CHARS)


class MailAnswer(BaseModel):
    """The same for every address, whether or not anything was mailed."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    expires_in: int


class CodeRequest(Asked):
    """The code of the mail, typed at the device."""

    device_code: str = Field(min_length=1, max_length=128)
    code: str = Field(min_length=1, max_length=64)


class TokenRequest(Asked):
    """The device asks for its token."""

    grant_type: str = Field(max_length=128)
    device_code: str = Field(min_length=1, max_length=128)


class TokenAnswer(BaseModel):
    """The token of RFC 6749, section 5.1; its type says that it is worth nothing without the device's key."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    access_token: str
    token_type: str
    expires_in: int
    email: str


def ways(context: Context) -> list[str]:
    """Return how an address is proven here."""
    mail, provider = context.on_code is not None, context.provider is not None
    return [way for way, there_is in (("mail", mail), ("provider", provider)) if there_is]


async def dev(context: Context, request: web.Request) -> web.Response:
    """Sign in without any proof: the development broker takes everybody's word."""
    asked = await _read(request, LoginRequest, _JSON)
    if isinstance(asked, Refusal):
        return problem(asked)
    address = normal_address(asked.email)
    if address is None:
        return problem(_NO_ADDRESS)
    ticks = context.ticks()
    if not (context.logins_everybody.take(ticks) and context.logins.take(address, ticks)):
        return problem(TOO_MANY)
    claim = Claim(address, Genesis.from_hex(asked.genesis), DeviceId.from_hex(asked.device))
    token = _token(context, claim)
    if isinstance(token, Refusal):
        return problem(token, **_whose(context, claim, token))
    expires_at = format_time(context.clock() + LOGIN_MS)
    return web.json_response(LoginAnswer(token=token, expires_at=expires_at).model_dump())


async def begin(context: Context, request: web.Request) -> web.Response:
    """Begin a sign-in: the device gets its long code, and the short one that it shows."""
    asked = await _read(request, DeviceRequest, _FORM)
    if isinstance(asked, Refusal):
        return _refused(asked)
    wanted = None if asked.email is None else normal_address(asked.email)
    if asked.email is not None and wanted is None:
        return _refused(_NO_ADDRESS)
    if not ways(context):
        return _refused(_UNAVAILABLE)
    ticks = context.ticks()
    if not (
        context.sign_ins_begun.take(caller(context, request), ticks) and context.logins_everybody.take(ticks)
    ):
        return _refused(TOO_MANY)
    begun = context.sign_ins.begin(
        genesis=Genesis.from_hex(asked.genesis),
        device=DeviceId.from_hex(asked.device),
        device_name=signin.read_device_name(asked.device_name),
        wanted=wanted,
        now_ms=context.clock(),
    )
    if begun is None:
        return _refused(TOO_MANY)
    device_code, waiting = begun
    say(_log, "sign_in_begun", device=short(waiting.device), identity=short(waiting.genesis))
    answer = DeviceAnswer(
        device_code=device_code,
        user_code=signin.spoken(waiting.user_code),
        verification_uri=f"{context.public_url}{PAGE}",
        expires_in=signin.SIGN_IN_MS // 1000,
        interval=signin.INTERVAL_MS // 1000,
        ways=ways(context),
    )
    return web.json_response(answer.model_dump())


async def mail(context: Context, request: web.Request) -> web.Response:
    """Mail a code, to be typed at the device; the answer does not say whether the address is known here."""
    asked = await _read(request, MailRequest, _FORM)
    if isinstance(asked, Refusal):
        return _refused(asked)
    waiting = context.sign_ins.of_device(asked.device_code)
    if waiting is None:
        return _refused(_OVER)
    mailed = send_code(context, waiting, asked.email)
    if isinstance(mailed, Refusal):
        return _refused(mailed)
    return web.json_response(MailAnswer(expires_in=signin.MAIL_CODE_MS // 1000).model_dump(), status=202)


def send_code(context: Context, waiting: SignIn, email: str) -> SignIn | Refusal:
    """Let a code go out for a sign-in; to an address that may not sign in here, none is sent and nothing is said."""
    if context.on_code is None:
        return _NO_MAIL
    address = normal_address(email)
    if address is None:
        return _NO_ADDRESS
    decision = signin.mail_code(waiting, address, fresh_mail_code(), context.clock())
    if isinstance(decision, Refusal):
        return decision
    if not context.login_mails.take(address, context.ticks()):
        return TOO_MANY_MAILS
    context.sign_ins.keep(decision)
    accounts = context.store.accounts
    if is_expected(address, accounts.named(address), context.settings.signup, accounts.standing(address)):
        context.on_code(decision)
    return decision


async def code(context: Context, request: web.Request) -> web.Response:
    """Take the code that was typed at the device, and answer with its token."""
    asked = await _read(request, CodeRequest, _FORM)
    if isinstance(asked, Refusal):
        return _refused(asked)
    waiting = context.sign_ins.of_device(asked.device_code)
    if waiting is None:
        return _refused(_OVER)
    after, refusal = signin.enter_code(waiting, asked.code, context.clock())
    context.sign_ins.keep(after)
    if refusal is not None:
        say(_log, "code_refused", device=short(waiting.device), code=refusal.code)
        return _refused(refusal)
    return _granted(context, after)


async def token(context: Context, request: web.Request) -> web.Response:
    """Answer a device that asks whether it was let in."""
    asked = await _read(request, TokenRequest, _FORM)
    if isinstance(asked, Refusal):
        return _refused(asked)
    if asked.grant_type != DEVICE_GRANT:
        return problem(_NO_GRANT, error="unsupported_grant_type")
    waiting = context.sign_ins.of_device(asked.device_code)
    if waiting is None:
        return _refused(_OVER)
    after, refusal = signin.poll(waiting, context.clock())
    context.sign_ins.keep(after)
    return _granted(context, after) if refusal is None else _refused(refusal)


def _granted(context: Context, proven: SignIn) -> web.Response:
    """Hand the token out, once: the sign-in is over with it."""
    context.sign_ins.end(proven)
    claim = claim_of(proven)
    made = _token(context, claim)
    if isinstance(made, Refusal):
        return _refused(made, **_whose(context, claim, made))
    answer = TokenAnswer(
        access_token=made, token_type="dispatch-device", expires_in=LOGIN_MS // 1000, email=claim.address
    )
    return web.json_response(answer.model_dump())


def claim_of(proven: SignIn) -> Claim:
    """Return what a proven sign-in says."""
    return Claim(proven.address or "", proven.genesis, proven.device)


def verdict(context: Context, claim: Claim) -> Refusal | None:
    """Say why somebody with this address may not sign in, or None: only whoever has proven it is told."""
    accounts = context.store.accounts
    known, namesake = accounts.known(claim.genesis), accounts.named(claim.address)
    return sign_in(claim, namesake, known, context.settings.signup, accounts.standing(claim.address))


def _token(context: Context, claim: Claim) -> str | Refusal:
    """Make the token of a proven address, or say no."""
    refusal = verdict(context, claim)
    if refusal is not None:
        say(_log, "login_refused", device=short(claim.device), code=refusal.code)
        return refusal
    say(_log, "login", device=short(claim.device), identity=short(claim.genesis))
    return context.tokens.make(Use.LOGIN, claim, context.clock() + LOGIN_MS)


def _whose(context: Context, claim: Claim, refusal: Refusal) -> dict[str, str]:
    """Say which identity has this address, to whoever has proven it: the chain stands for everybody under that name."""
    namesake = context.store.accounts.named(claim.address)
    if refusal.code is not BrokerCode.PAIR_NEEDED or namesake is None:
        return {}
    return {"genesis": namesake.genesis.hex}


def _refused(refusal: Refusal, **members: str) -> web.Response:
    """Say no in both languages: a problem document, with the word of OAuth beside it."""
    return problem(refusal, error=_OAUTH.get(refusal.code, refusal.code.value), **members)


_OAUTH = {BrokerCode.MALFORMED: "invalid_request", BrokerCode.TOKEN_INVALID: "invalid_grant"}


async def _read(request: web.Request, model: type[Model], media_type: str) -> Model | Refusal:
    """Read a body that a program sent, strictly; a page of somebody else's is refused before that."""
    if "Origin" in request.headers:
        return Refusal(BrokerCode.BROWSER_REFUSED, "pages do not sign in here")
    if request.content_type != media_type:
        return Refusal(BrokerCode.MEDIA_TYPE, f"the body is {media_type}")
    fields = await read_fields(request)
    return fields if isinstance(fields, Refusal) else checked(model, fields)


async def read_fields(request: web.Request) -> object | Refusal:
    """Read a bounded body: a form whose fields each stand there once, or JSON."""
    try:
        async with asyncio.timeout(_BODY_S):
            body = await request.read()
    except TimeoutError:
        return Refusal(BrokerCode.MALFORMED, "the body did not come")
    try:
        if request.content_type == _JSON:
            return loads(body, max_bytes=BODY_BYTES)
        pairs = parse_qsl(
            body.decode("utf-8"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=_FIELDS,
        )
    except MalformedError as error:
        return Refusal(BrokerCode.MALFORMED, error.detail)
    except ValueError:
        return Refusal(BrokerCode.MALFORMED, "the body is no form")
    if len(dict(pairs)) != len(pairs):
        return Refusal(BrokerCode.MALFORMED, "the form names a field twice")
    return dict(pairs)


def checked(model: type[Model], fields: object) -> Model | Refusal:
    """Check fields against their model; the refusal names the field and never what stood in it."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"])[:64]
        return Refusal(BrokerCode.MALFORMED, f"the field {place or 'body'} is missing, unknown or wrong")
