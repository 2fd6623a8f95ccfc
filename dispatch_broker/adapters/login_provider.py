"""Proving an address at an OpenID provider: the person goes there from the page, and comes back to it in the same browser.

The way back is the one address that the broker answers with more than a look: it works once, for the browser that holds
the cookie of this way, and lets nobody in. That is done by a form, after the page has said which address it will be.
"""

import logging
from functools import partial
from http import HTTPStatus

from aiohttp import web

from dispatch_broker.adapters import login, login_door, login_pages
from dispatch_broker.adapters.context import Context
from dispatch_broker.adapters.log import say, short
from dispatch_broker.adapters.login_door import Wrong, read_step, sentence, shown
from dispatch_broker.adapters.oidc import AWAY, ProviderDesk, fresh_leg
from dispatch_broker.core import signin
from dispatch_broker.core.provider import ProviderError
from dispatch_broker.core.refusal import BrokerCode, Refusal
from dispatch_broker.core.signin import SIGN_IN_MS, SignIn

BACK = f"{login.PAGE}/back"
_CHARS = 4_096
_OVER = Refusal(BrokerCode.EXPIRED_TOKEN, "nobody waits for this answer any more; begin again")

_log = logging.getLogger(__name__)


def routes(app: web.Application, context: Context, desk: ProviderDesk) -> None:
    """Add the steps to the provider and back."""
    app.router.add_post(f"{login.PAGE}/provider", partial(login_door.taken, context, partial(_lead, desk)))
    app.router.add_get(BACK, partial(login_door.taken, context, partial(_back, desk)), allow_head=False)
    app.router.add_post(f"{login.PAGE}/vouched", partial(login_door.taken, context, _vouched))


async def _lead(desk: ProviderDesk, context: Context, request: web.Request) -> web.Response:
    """Send the person to the provider, and the browser its part of the secret."""
    waiting, _ = await read_step(context, request)
    leg = fresh_leg()
    try:
        way = await desk.way(leg)
    except ProviderError as error:
        raise _refused(context, waiting, error) from None
    led = signin.lead(
        context.sign_ins.shown_as(waiting.user_code, context.clock()) or waiting, leg, context.clock()
    )
    if isinstance(led, Refusal):
        raise Wrong(login_door.over(led), led.status)
    context.sign_ins.keep(led)
    # A page that goes on by itself, and no redirect: a browser judges where a form leads to by the page's policy.
    answer = shown(login_pages.leaving_page(desk.name, way))
    answer.set_cookie(
        _cookie(context),
        leg.binding,
        max_age=SIGN_IN_MS // 1000,
        path="/",
        secure=_is_secure(context),
        httponly=True,
        samesite="Lax",  # the provider's page leads back here, so Strict would hide it
    )
    return answer


async def _back(desk: ProviderDesk, context: Context, request: web.Request) -> web.Response:
    """Take the person back, ask the provider who it is, and ask the person whether that is meant."""
    said = {
        name: request.query.getall(name)
        for name in ("state", "code", "iss", "error")
        if name in request.query
    }
    if any(len(values) != 1 or len(values[0]) > _CHARS for values in said.values()):
        raise Wrong(login_door.over(_OVER), _OVER.status)
    state, code = said.get("state", [""])[0], said.get("code", [""])[0]
    waiting = context.sign_ins.led_by(state, context.clock())
    if waiting is None:
        raise Wrong(login_door.over(_OVER), _OVER.status)
    taken = signin.come_back(waiting, request.cookies.get(_cookie(context), ""), context.clock())
    if isinstance(taken, Refusal):
        say(_log, "provider_answer_refused", device=short(waiting.device), code=taken.code)
        raise Wrong(login_door.over(taken), taken.status)
    waiting, leg = taken
    context.sign_ins.keep(waiting)  # at once, so that the same answer does not count twice
    try:
        if "error" in said or not code:
            raise ProviderError("said_no", "the provider did not let you in")
        address = await desk.vouched(leg, code, said.get("iss", [None])[0])
    except ProviderError as error:
        raise _refused(context, waiting, error) from None
    now = context.sign_ins.shown_as(waiting.user_code, context.clock())
    vouched = _OVER if now is None else signin.vouch(now, leg, address, context.clock())
    if isinstance(vouched, Refusal):
        raise Wrong(login_door.over(vouched), vouched.status)
    context.sign_ins.keep(vouched)
    return shown(login_pages.vouched_page(login_door.place(context), vouched, address, desk.name))


async def _vouched(context: Context, request: web.Request) -> web.Response:
    """Let the device in: the person has seen as whom."""
    waiting, _ = await read_step(context, request)
    proven = signin.prove(waiting, request.cookies.get(_cookie(context), ""), context.clock())
    if isinstance(proven, Refusal):
        raise Wrong(login_door.over(proven), proven.status)
    context.sign_ins.keep(proven)
    answer = shown(login_door.welcome(context, proven))
    answer.del_cookie(_cookie(context), path="/", secure=_is_secure(context), httponly=True, samesite="Lax")
    return answer


def _refused(context: Context, waiting: SignIn, error: ProviderError) -> Wrong:
    """Say on the page of the device what was wrong with the provider's word, and offer every way anew."""
    say(_log, "provider_refused", logging.WARNING, device=short(waiting.device), reason=error.reason)
    is_away = error.reason == AWAY
    status = HTTPStatus.SERVICE_UNAVAILABLE if is_away else HTTPStatus.FORBIDDEN
    return Wrong(login_door.device(context, waiting, sentence(str(error))), status)


def _is_secure(context: Context) -> bool:
    return context.public_url.startswith("https://")


def _cookie(context: Context) -> str:
    """Return the cookie's name: over TLS one that no other host can have set (RFC 6265bis, section 4.1.3)."""
    return "__Host-dispatch-sign-in" if _is_secure(context) else "dispatch-sign-in"
