"""Who this daemon acts for, at the door: its identity, where it is signed in, and the recovery key shown once."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from dispatch_daemon.adapters.home import write_private
from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.adapters.keystore import Keystore
from dispatch_daemon.adapters.relay import (
    LinkPhase,
    LinkState,
    RelayLink,
    RelayRejectedError,
    RelayUnreachableError,
    login_dev,
)
from dispatch_daemon.adapters.settings import Settings, write_config
from dispatch_daemon.app.online import relay_words
from dispatch_daemon.app.people import People
from dispatch_daemon.app.services.machine import Machine
from dispatch_daemon.core import devices
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.ports import JsonObject
from dispatch_protocol import loopback
from dispatch_protocol.invitation import is_address
from dispatch_protocol.recovery_text import RecoveryText

_SKEW_MS = 60_000


class Account:
    """One person's account. `connect` starts the link to a broker and waits until it is open or refused."""

    def __init__(
        self,
        home: Path,
        settings: Settings,
        journal: Journal,
        people: People,
        keystore: Keystore,
        machine: Machine,
        *,
        link: Callable[[], RelayLink | None],
        connect: Callable[[str, str | None], Awaitable[LinkState]],
        disconnect: Callable[[], Awaitable[None]],
        names: Callable[[], devices.Names],
    ) -> None:
        self._home = home
        self._settings = settings
        self._journal = journal
        self._people = people
        self._keystore = keystore
        self._machine = machine
        self._link = link
        self._connect = connect
        self._disconnect = disconnect
        self._names = names

    async def whoami(self) -> JsonObject:
        return {**self._who(), "daemon": await self._machine.daemon()}

    def _who(self) -> JsonObject:
        own, account = self._people.own, self._people.account
        return {
            "user": own.address,
            "identity": own.genesis,
            "device": {"id": own.device.hex, "name": self._settings.device_name},
            "broker": account["broker"] if account else self._settings.broker,
        }

    def record(self) -> None:
        """Leave in the home who this is, for those who ask while no daemon runs; none of it is a secret."""
        text = json.dumps(self._who(), indent=2, sort_keys=True, ensure_ascii=False)
        write_private(self._home / loopback.WHOAMI_NAME, f"{text}\n".encode())

    async def login(self, *, broker: str | None, email: str, dev: bool, token: str | None) -> JsonObject:
        """Sign this device's identity up at a broker with a token, or without any proof at one in development mode."""
        url, address = self.place(broker), self.address(email)
        if not dev and token is None:
            raise ServiceError(
                "login_needed",
                "a code or a token has to prove the address",
                hint=f"dispatch login --email {address}",
            )
        return await self.enter(url, address, token or await self._login_token(url, address))

    def place(self, broker: str | None) -> str:
        """Return the broker that is meant; raises ServiceError if none is named anywhere."""
        url = broker or self._settings.broker or (self._people.account or {}).get("broker")
        if url is None:
            raise ServiceError(
                "broker_needed", "no broker is named", hint="dispatch login --broker URL --email YOU"
            )
        return url

    def address(self, email: str) -> str:
        """Return the address in its one spelling; raises ServiceError if it is none, or another person's here."""
        address = email.strip().lower()
        if not is_address(address):
            raise ServiceError("address_invalid", f"{email[:100]!r} is not an address like alice@example.org")
        own = self._people.own
        if own.address is not None and own.address != address:
            raise ServiceError(
                "address_mismatch",
                f"this home belongs to {own.address}; another person needs another home",
                hint="DISPATCH_HOME=DIR dispatch login …",
            )
        return address

    async def enter(self, url: str, address: str, token: str) -> JsonObject:
        """Open the first session with the token of a proven address, and remember where this device is signed in."""
        state = await self._connect(url, token)
        if state.phase is not LinkPhase.ONLINE:
            code = state.code if state.code in loopback.CODES else "broker_unreachable"
            raise ServiceError(code or "broker_unreachable", state.words, hint="dispatch doctor")
        link = self._link()
        known_as = link.url if link else url
        self._journal.remember("account", {"email": address, "broker": known_as})
        await self._journal.database.committed()
        write_config(self._home, {"broker": known_as})
        self.record()
        return {
            **await self.whoami(),
            "keys": self._keystore.describe(),
            "recovery_key": self._recovery_state(),
            "recovery_hint": self._recovery_hint(),
        }

    async def logout(self) -> JsonObject:
        """Hang up and stay away until somebody signs in again; the broker is told, if it can be reached.

        The identity, the contacts and the journal stay: this ends a session, it forgets nothing.
        """
        account, link = self._people.account, self._link()
        if account is None or link is None:
            raise ServiceError("login_needed", "you are not signed in at a broker")
        try:
            await link.call("logout", {})
            told = True
        except (RelayUnreachableError, RelayRejectedError):
            told = False
        await self._disconnect()
        return {"broker": account["broker"], "status": "signed_out", "told": told}

    async def _login_token(self, url: str, address: str) -> str:
        own = self._people.own
        with relay_words():
            return await login_dev(
                url, address, own.device.hex, own.genesis, ca_bundle=self._settings.ca_bundle
            )

    def _recovery_state(self) -> str:
        return "unseen" if self._people.keys.recovery is not None else "shown"

    def _recovery_hint(self) -> str | None:
        """Say what to do about the recovery key as long as nobody has seen it."""
        if self._people.keys.recovery is None:
            return None
        return (
            "Your recovery key has not been written down yet: dispatch devices recovery-key shows it, once."
        )

    async def recovery_key(self) -> JsonObject:
        """Show the recovery key once, and forget it: from then on only paper holds it."""
        keys = self._keystore.load()
        if keys is None or keys.recovery is None:
            own = self._people.own
            raise devices.no_recovery_key(own.chain, own.device, self._names())
        self._keystore.erase_recovery()
        self._people.keys = replace(keys, recovery=None)
        return {
            "recovery_key": RecoveryText.of(keys.recovery, keys.genesis).format(),
            "identity": keys.genesis.hex,
        }
