"""The broker as a whole: opens what it needs, serves until it is told to stop, and stops without losing a word.

`serve` is the program; `Application` is the same without signals and standard output, for whoever starts it from
Python.
"""

import asyncio
import contextlib
import fcntl
import logging
import os
import resource
import secrets
import signal
import socket
import ssl
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from dispatch_broker.adapters import blobs, handshake, http, login, login_door, openapi, pairing, standing
from dispatch_broker.adapters.blob_files import BlobFiles
from dispatch_broker.adapters.bus_local import LocalBus
from dispatch_broker.adapters.context import Context
from dispatch_broker.adapters.log import say
from dispatch_broker.adapters.mail import Server
from dispatch_broker.adapters.settings import Settings, is_loopback, origin
from dispatch_broker.adapters.store_sqlite import SqliteStore, StoreError
from dispatch_broker.adapters.tokens import Tokens, load_token_key
from dispatch_broker.adapters.version import installed_version
from dispatch_broker.core.counts import Counts
from dispatch_broker.core.provider import Registration

_DATABASE = "broker.db"
_TOKEN_KEY = "token.key"
_LOCK = "broker.lock"
_BLOBS = "blobs"
_PURGE_S = 60.0
_PURGE_PAUSE_S = 0.05  # between two batches, for everybody else
_DRAIN_S = 5.0
_QUIET_S = 30.0  # how long a connection may ask nothing
_UNREAD_S = 60.0  # how long a peer may leave unread what was sent to it
_BACKLOG = 1_024

_log = logging.getLogger(__name__)


class StartError(Exception):
    """The broker cannot start; the sentence says why and what to do."""


def wall_clock_ms() -> int:
    """Return milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def _monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000


class Application:
    """One running broker; used as `async with Application(settings) as broker`.

    `url` is its listener, once it is entered, `metrics_url` the operator's own if there is one. Raises StartError, StoreError or TokenKeyError when it cannot start.
    """

    def __init__(self, settings: Settings, *, clock: Callable[[], int] = wall_clock_ms) -> None:
        self._settings = settings
        self._clock = clock
        self._stack = contextlib.AsyncExitStack()
        self._context: Context | None = None
        self.url = ""
        self.metrics_url: str | None = None
        self.renew: Callable[[], None] = lambda: None

    async def __aenter__(self) -> Self:
        """Open the store and the door; whatever was opened is closed again when something fails."""
        async with contextlib.AsyncExitStack() as stack:
            await self._open(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drain: no new sessions, what is in flight is finished, then everything is closed."""
        await self._stack.aclose()

    async def _open(self, stack: contextlib.AsyncExitStack) -> None:
        settings, data = self._settings, self._settings.data
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        stack.callback(os.close, _lock(data / _LOCK))
        counts = Counts()
        store = SqliteStore(data / _DATABASE, fresh_epoch=secrets.token_hex(16), counts=counts)
        stack.callback(store.close)
        tokens = Tokens(load_token_key(settings.token_key or data / _TOKEN_KEY))
        listener = _listen(settings.host, settings.port)
        stack.callback(listener.close)
        port: int = listener.getsockname()[1]
        tls = None if settings.tls is None else _tls(*settings.tls)
        self.renew = partial(_renew, tls, settings.tls)
        self.url = origin(settings.host, port, settings.scheme)
        self._context = context = Context(
            settings=settings,
            public_url=settings.public_url or self.url,
            urls=frozenset(_spellings(settings, port)),
            store=store,
            blobs=BlobFiles(data / _BLOBS),
            bus=LocalBus(),
            tokens=tokens,
            counts=counts,
            clock=self._clock,
            ticks=_monotonic_ms,
        )
        if settings.provider is not None:
            self._open_provider(stack, context, settings.provider)
        runner = web.AppRunner(
            _routes(context), access_log=None, keepalive_timeout=_QUIET_S, shutdown_timeout=1.0
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.SockSite(runner, listener, backlog=_BACKLOG, ssl_context=tls)
        await site.start()
        await self._open_metrics(stack, context, runner)
        if settings.mail_server is not None:
            self._open_mail(stack, context, settings.mail_server)
        for work in (_purge(context), standing.heed(context)):
            stack.push_async_callback(_cancel, asyncio.create_task(work))
        stack.push_async_callback(_drain, context, site)

    def _open_mail(self, stack: contextlib.AsyncExitStack, context: Context, server: Server) -> None:
        """Send the mails that are owed, and those to come."""
        from dispatch_broker.adapters.code_mails import CodeMails  # cost memory only where they are used
        from dispatch_broker.adapters.mailing import Mailing

        mailing = Mailing(context, server, self._settings.mail_from)
        codes = CodeMails(context, server, self._settings.mail_from)
        context.on_mail, context.on_code = mailing.owed, codes.send
        for work in (mailing.run(), codes.run()):
            stack.push_async_callback(_cancel, asyncio.create_task(work))

    def _open_provider(
        self, stack: contextlib.AsyncExitStack, context: Context, registration: Registration
    ) -> None:
        """Let an OpenID provider prove addresses, and look at once whether it answers."""
        from dispatch_broker.adapters import login_provider, oidc  # cost memory only where they are used

        redirect_uri = f"{context.public_url}{login_provider.BACK}"
        desk = oidc.ProviderDesk(registration, redirect_uri, context.clock, context.ticks)
        context.provider = desk
        stack.push_async_callback(_cancel, asyncio.create_task(desk.look()))

    async def _open_metrics(
        self, stack: contextlib.AsyncExitStack, context: Context, door: web.AppRunner
    ) -> None:
        """Open the operator's door, if one is wanted; Prometheus is loaded for it alone."""
        if self._settings.metrics is None:
            return
        from dispatch_broker.adapters import metrics  # costs memory only where it is used

        host, port = self._settings.metrics
        listener = _listen(host, port)
        stack.callback(listener.close)
        self.metrics_url = origin(host, listener.getsockname()[1])
        runner = web.AppRunner(
            metrics.application(
                context, host=host, connections=lambda: len(door.server.connections) if door.server else 0
            ),
            access_log=None,
            keepalive_timeout=_QUIET_S,
            shutdown_timeout=1.0,
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.SockSite(runner, listener).start()
        say(_log, "metrics", url=self.metrics_url)


def _routes(context: Context) -> web.Application:
    app = web.Application(middlewares=[http.guard(context)], client_max_size=http.BODY_BYTES)
    described = openapi.document(
        version=installed_version(),
        public_url=context.public_url,
        dev=context.settings.dev,
        metrics=context.settings.metrics is not None,
    )

    async def description(request: web.Request) -> web.Response:
        del request
        return web.json_response(described)

    app.router.add_get("/health", partial(http.health, context))
    app.router.add_get("/v1/openapi.json", description)
    app.router.add_get("/v1/session", partial(handshake.session, context), allow_head=False)
    app.router.add_get("/v1/invitations/{id}", partial(http.invitation, context))
    app.router.add_get("/v1/chains/{genesis}", partial(http.chain, context))
    app.router.add_get("/v1/pairings/{place}", partial(pairing.said, context))
    app.router.add_post("/v1/pairings/{place}", partial(pairing.join, context))
    app.router.add_post("/v1/pairings/{place}/verdict", partial(pairing.judge, context))
    app.router.add_post("/v1/blobs/{address}", partial(blobs.announce, context))
    app.router.add_put("/v1/blobs/{address}", partial(blobs.leave, context))
    app.router.add_get("/v1/blobs/{address}", partial(blobs.fetch, context), allow_head=False)
    app.router.add_delete("/v1/blobs/{address}", partial(blobs.forget, context))
    app.router.add_get("/i/{id}", partial(http.landing_page, context))
    app.router.add_post("/v1/login/device", partial(login.begin, context))
    app.router.add_post("/v1/login/mail", partial(login.mail, context))
    app.router.add_post("/v1/login/code", partial(login.code, context))
    app.router.add_post("/v1/login/token", partial(login.token, context))
    if context.settings.mail_server is not None or context.provider is not None:
        login_door.routes(app, context)
    if context.provider is not None:
        from dispatch_broker.adapters import login_provider

        login_provider.routes(app, context, context.provider)
    if context.settings.dev:
        app.router.add_post("/v1/login/dev", partial(login.dev, context))
    return app


def _lock(path: Path) -> int:
    """Take the data directory for this process alone; the lock lasts as long as the descriptor."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise StartError(f"another broker uses {path.parent}") from None
    return descriptor


def _listen(host: str, port: int) -> socket.socket:
    """Bind the listener before anything is said about it, so that a free port has a number."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise StartError(f"cannot listen on {origin(host, port)}: {error.strerror}") from None
    # Every connection inherits it. No timer of ours runs while an answer waits for a peer that does not read.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(_UNREAD_S * 1000))
    return listener


def _allow_many_connections() -> None:
    """Raise the usual limit of open files, which a few hundred idle strangers could reach, to what the system allows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _spellings(settings: Settings, port: int) -> list[str]:
    """Return every URL under which a device may honestly have dialled this broker."""
    if settings.public_url is not None:
        return [settings.public_url]
    names = {settings.host}
    if is_loopback(settings.host):
        names |= {"localhost", "127.0.0.1"} if settings.host == "localhost" else {"localhost"}
    return [origin(name, port, settings.scheme) for name in names]


def _tls(certificate: Path, key: Path) -> ssl.SSLContext:
    """Read a certificate with its key; raises StartError."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise StartError(
            f"{certificate} and {key} cannot be used for TLS: {error.strerror or error}"
        ) from None
    return context


def _renew(context: ssl.SSLContext | None, files: tuple[Path, Path] | None) -> None:
    """Read a renewed certificate for connections to come; one that cannot be used leaves the old one in place."""
    if context is None or files is None:
        return
    try:
        _tls(*files)
        context.load_cert_chain(*files)
    except (StartError, OSError, ssl.SSLError):
        say(_log, "certificate_unusable", logging.ERROR)
    else:
        say(_log, "certificate_renewed")


async def _purge(context: Context) -> None:
    """Take away what time has ended, batch after batch, for as long as the broker runs."""
    while True:
        try:
            gone = context.store.purge(context.clock())
        except StoreError:
            gone = 0
        context.counts.purged += gone
        gone += await _sweep(context)
        if gone:
            say(_log, "purged", rows=gone)
        await asyncio.sleep(_PURGE_PAUSE_S if gone else _PURGE_S)


async def _sweep(context: Context) -> int:
    """Remove files of blobs that nobody is owed any more, and what was begun and never finished."""
    try:
        return await context.blobs.sweep(context.store.blobs.known, context.clock())
    except OSError:
        return 0


async def _drain(context: Context, site: web.BaseSite) -> None:
    """Take no new sessions, say so to the open ones, and let them finish what is in flight."""
    context.draining = True
    await site.stop()
    members = context.bus.members()
    say(_log, "draining", sessions=len(members))
    for member in members:
        member.drain()
    try:
        async with asyncio.timeout(_DRAIN_S):
            await context.bus.deserted()
    except TimeoutError:
        say(_log, "drained_late", sessions=len(context.bus.members()))


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; prints one line on standard output when ready."""
    _allow_many_connections()
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with Application(settings) as broker:
        loop.add_signal_handler(signal.SIGHUP, broker.renew)
        print(f"listening on {broker.url}", flush=True)  # noqa: T201 - the one line that whoever started us waits for
        say(_log, "started", url=broker.url)
        await stopped.wait()
    say(_log, "stopped")
