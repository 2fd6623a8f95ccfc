"""A sign-in that takes a while: a code in a mail, or a page somewhere else; the daemon waits for its token meanwhile.

At most one goes on at a time, in memory. The long code of it never leaves this process: the command line gets a handle
and the short code that a person compares, so that no process list and no shell history can hold anything of worth.
"""

import asyncio
import secrets
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from dispatch_daemon.adapters.relay import BegunSignIn, ProvenToken, RelayRejectedError, SignIns
from dispatch_daemon.adapters.settings import Settings
from dispatch_daemon.app.online import relay_words
from dispatch_daemon.app.people import People
from dispatch_daemon.app.services.account import Account
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.ports import JsonObject
from dispatch_protocol.broker_url import is_loopback
from dispatch_protocol.timestamps import format_time

_WAIT_S = 15.0  # how long one question of the command line waits for somebody elsewhere
_SLOWER_S = 5.0
_STILL = frozenset({"authorization_pending", "slow_down"})
_GOES_ON = frozenset({"authorization_pending", "code_wrong", "broker_unreachable", "rate_limited"})


@dataclass(slots=True, kw_only=True)
class _Open:
    """The one sign-in that goes on; `mailed_to` is where its code went."""

    handle: str
    url: str
    begun: BegunSignIn = field(repr=False)
    mailed_to: str | None
    expires_ms: int
    interval_s: float
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)


class SigningIn:
    """Begins a sign-in at a broker and carries it to its end."""

    def __init__(
        self, account: Account, people: People, settings: Settings, now_ms: Callable[[], int]
    ) -> None:
        self._account = account
        self._people = people
        self._device_name = settings.device_name
        self._ca_bundle = settings.ca_bundle
        self._now_ms = now_ms
        self._open: _Open | None = None

    async def begin_login(self, *, broker: str | None, email: str | None, page: bool) -> JsonObject:
        """Begin: mail a code to the address if the broker can and no page was asked for, else name the page.

        A code that was mailed for the same address and still counts is not mailed again.
        """
        url = self._account.place(broker)
        address = None if email is None else self._account.address(email)
        known = self._open
        if known is not None and not page and address is not None and self._is_mailed(known, url, address):
            return self._shown(known, mailed=False)
        own = self._people.own
        broker_signs_in = SignIns(url, ca_bundle=self._ca_bundle)
        with _unproven_at(url, address), relay_words():
            begun = await broker_signs_in.begin(
                device=own.device.hex,
                genesis=own.genesis,
                device_name=self._device_name,
                email=address or own.address,
            )
            mailed_to = address if "mail" in begun.ways and not page else None
            if mailed_to is not None:
                await broker_signs_in.mail(begun.device_code, mailed_to)
        self._open = _Open(
            handle=secrets.token_hex(16),
            url=url,
            begun=begun,
            mailed_to=mailed_to,
            expires_ms=self._now_ms() + begun.expires_in_s * 1000,
            interval_s=begun.interval_s,
        )
        return self._shown(self._open, mailed=mailed_to is not None)

    def _is_mailed(self, known: _Open, url: str, address: str) -> bool:
        return (known.url, known.mailed_to) == (url, address) and self._now_ms() < known.expires_ms

    @staticmethod
    def _shown(known: _Open, *, mailed: bool) -> JsonObject:
        return {
            "login": known.handle,
            "way": "page" if known.mailed_to is None else "mail",
            "user_code": known.begun.user_code,
            "verification_uri": known.begun.verification_uri,
            "email": known.mailed_to,
            "mailed": mailed,
            "expires_at": format_time(known.expires_ms),
        }

    async def finish_login(self, *, login: str, code: str | None) -> JsonObject:
        """Carry on: with the code that was mailed, or by waiting a while for what happens on the page.

        Raises ServiceError: `authorization_pending` if nothing has happened yet, `code_wrong` while there are tries.
        """
        known = self._open
        if known is None or not secrets.compare_digest(known.handle.encode(), login.encode()):
            raise ServiceError("sign_in_over", "no sign-in goes on, or another one took its place")
        broker = SignIns(known.url, ca_bundle=self._ca_bundle)
        try:
            with relay_words():
                async with known.asking:
                    proven = await self._proven(broker, known, code)
        except ServiceError as error:
            if error.code not in _GOES_ON:
                self._forget(known)
            raise
        self._forget(known)
        return await self._account.enter(known.url, self._account.address(proven.email), proven.token)

    @staticmethod
    async def _proven(broker: SignIns, known: _Open, code: str | None) -> ProvenToken:
        """Show the code, or ask as often as the broker likes to be asked for as long as a question may wait."""
        if code is not None:
            return await broker.enter(known.begun.device_code, code)
        waited_s = 0.0
        while True:
            await asyncio.sleep(known.interval_s)
            waited_s += known.interval_s
            try:
                return await broker.token(known.begun.device_code)
            except RelayRejectedError as error:
                if error.code == "slow_down":
                    known.interval_s += _SLOWER_S
                if error.code not in _STILL:
                    raise
            if waited_s >= _WAIT_S:
                raise ServiceError("authorization_pending", "nobody has proven the address yet")

    def _forget(self, known: _Open) -> None:
        if self._open is known:
            self._open = None


@contextmanager
def _unproven_at(url: str, address: str | None) -> Iterator[None]:
    """Name beside the no of a broker on this machine that proves no address the way of development mode."""
    try:
        yield
    except ServiceError as error:
        if error.code == "sign_in_unavailable" and is_loopback(url):
            who = "YOU" if address is None else shlex.quote(address)
            error.hint = f"If it was started with --dev: dispatch login --broker {url} --email {who} --dev"
        raise
