"""The page on which a person lets a device in: the code is typed, the address proven, the device named and allowed.

A GET changes nothing. Every step carries the short code along in its form, so there is no cookie that a form of somebody
else's could use; a form that does not come from the broker's own page is refused all the same. What a provider has to do
with it stands in `login_provider.py`.
"""

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus

from aiohttp import web

from dispatch_broker.adapters import login, login_pages, pages
from dispatch_broker.adapters.context import Context
from dispatch_broker.adapters.http import caller
from dispatch_broker.adapters.log import say, short
from dispatch_broker.core import signin
from dispatch_broker.core.refusal import BrokerCode, Refusal
from dispatch_broker.core.signin import SignIn
from dispatch_protocol.limits import ADDRESS_CHARS

_TOO_MANY = "Too many codes were typed from here. Wait ten minutes."
_UNKNOWN = "No device shows this code, or its time is over. Look at the terminal and type it again."
_ELSEWHERE = Refusal(BrokerCode.BROWSER_REFUSED, "this form did not come from this page")
_IS_FORM = "application/x-www-form-urlencoded"

_log = logging.getLogger(__name__)


_Step = Callable[[Context, web.Request], Awaitable[web.Response]]


class Wrong(Exception):  # noqa: N818 - it ends a request with a page, it is no failure of ours
    """A request that is answered with this page."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(status)
        self.text = text
        self.status = status


def routes(app: web.Application, context: Context) -> None:
    """Add the pages."""
    app.router.add_get(login.PAGE, partial(_asking, context))
    for path, step in (("", _code), ("/mail", _mail), ("/allow", _allow), ("/deny", _deny)):
        app.router.add_post(f"{login.PAGE}{path}", partial(taken, context, step))


async def taken(context: Context, step: _Step, request: web.Request) -> web.Response:
    """Take one step; whatever is wrong with it is said on a page too."""
    try:
        return await step(context, request)
    except Wrong as wrong:
        return shown(wrong.text, wrong.status)


async def _asking(context: Context, request: web.Request) -> web.Response:
    del request
    return shown(login_pages.code_page(place(context)))


async def _code(context: Context, request: web.Request) -> web.Response:
    waiting, _ = await read_step(context, request)
    return shown(device(context, waiting))


async def _mail(context: Context, request: web.Request) -> web.Response:
    waiting, email = await read_step(context, request, "email", max_chars=ADDRESS_CHARS)
    mailed = login.send_code(context, waiting, email.strip())
    if isinstance(mailed, Refusal):
        raise Wrong(device(context, waiting, sentence(mailed.detail)), mailed.status)
    return shown(login_pages.mailed_page(place(context), mailed, email.strip()))


async def _allow(context: Context, request: web.Request) -> web.Response:
    waiting, code = await read_step(context, request, "code", max_chars=64)
    after, refusal = signin.enter_code(waiting, code, context.clock())
    context.sign_ins.keep(after)
    if refusal is None:
        return shown(welcome(context, after))
    say(_log, "code_refused", device=short(waiting.device), code=refusal.code)
    if after.mailed is None:
        raise Wrong(over(refusal), refusal.status)
    raise Wrong(
        login_pages.mailed_page(place(context), after, after.mailed.address, sentence(refusal.detail)),
        refusal.status,
    )


async def _deny(context: Context, request: web.Request) -> web.Response:
    waiting, _ = await read_step(context, request)
    context.sign_ins.keep(signin.deny(waiting))
    say(_log, "sign_in_denied", device=short(waiting.device))
    return shown(login_pages.ended_page("Refused", "The device was told no. You can close this page."))


async def read_step(
    context: Context, request: web.Request, field: str | None = None, *, max_chars: int = 0
) -> tuple[SignIn, str]:
    """Read a step: which sign-in it is about, and the one field that it may have besides."""
    if request.headers.get("Origin") not in context.origins:
        raise Wrong(over(_ELSEWHERE), _ELSEWHERE.status)
    if not context.typed_codes.take(caller(context, request), context.ticks()):
        raise Wrong(login_pages.code_page(place(context), _TOO_MANY), HTTPStatus.TOO_MANY_REQUESTS)
    fields = await login.read_fields(request) if request.content_type == _IS_FORM else None
    expected = {"user_code"} if field is None else {"user_code", field}
    if not isinstance(fields, dict) or set(fields) != expected:
        raise Wrong(
            login_pages.code_page(place(context), "Something was missing. Begin again."),
            HTTPStatus.BAD_REQUEST,
        )
    user_code = signin.read_user_code(fields["user_code"])
    waiting = None if user_code is None else context.sign_ins.shown_as(user_code, context.clock())
    if waiting is None:
        raise Wrong(login_pages.code_page(place(context), _UNKNOWN), HTTPStatus.NOT_FOUND)
    value = "" if field is None else fields[field]
    if len(value) > max_chars:
        raise Wrong(device(context, waiting, "That is too long."), HTTPStatus.BAD_REQUEST)
    return waiting, value


def device(context: Context, waiting: SignIn, wrong: str = "") -> str:
    """Return the page that names the device and offers every way to prove an address."""
    provider = None if context.provider is None else context.provider.name
    mails = context.on_code is not None
    return login_pages.device_page(place(context), waiting, mails=mails, provider=provider, wrong=wrong)


def place(context: Context) -> str:
    """Return the path at which a browser finds these pages."""
    return f"{context.path}{login.PAGE}"


def welcome(context: Context, proven: SignIn) -> str:
    """Say how it ended: the device gets its token when it asks next, or what it will be told instead."""
    say(_log, "sign_in_allowed", device=short(proven.device))
    refusal = login.verdict(context, login.claim_of(proven))
    if refusal is not None:
        return login_pages.ended_page("Not signed in", sentence(refusal.detail))
    words = f"The device is signed in as {proven.address}. Go back to its terminal; you can close this page."
    return login_pages.ended_page("Signed in", words)


def over(refusal: Refusal) -> str:
    """Return the last page of a sign-in that came to nothing."""
    return login_pages.ended_page("Not signed in", sentence(refusal.detail))


def sentence(words: str) -> str:
    """Return words as a sentence."""
    return f"{words[:1].upper()}{words[1:]}."


def shown(text: str, status: int = HTTPStatus.OK) -> web.Response:
    """Answer with a page."""
    headers = {
        "Content-Security-Policy": pages.policy("'self'"),
        "Referrer-Policy": "same-origin",  # without it a browser hides where its own form comes from
    }
    return web.Response(text=text, status=status, content_type="text/html", headers=headers)
