"""This machine at the door: who it is, whether it is well, where it is signed in."""

import json
import os
import platform
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from pathlib import Path

from dispatch_daemon.adapters.executor import Executor
from dispatch_daemon.adapters.home import write_private
from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.adapters.keystore import Keystore
from dispatch_daemon.adapters.projects import ProjectIndex
from dispatch_daemon.adapters.relay import (
    LinkPhase,
    LinkState,
    RelayLink,
    RelayRejectedError,
    RelayUnreachableError,
    login_dev,
)
from dispatch_daemon.adapters.settings import Settings, write_config
from dispatch_daemon.app.online import refused_by_relay
from dispatch_daemon.app.people import People
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.ports import JsonObject
from dispatch_protocol import loopback
from dispatch_protocol.encoding import JSON, b64u
from dispatch_protocol.invitation import is_address
from dispatch_protocol.standing import EdgeStatus

_SKEW_MS = 60_000


class Account:
    """The daemon's own affairs. `connect` starts the link to a broker and waits until it is open or refused."""

    def __init__(
        self,
        home: Path,
        settings: Settings,
        journal: Journal,
        people: People,
        keystore: Keystore,
        executor: Executor,
        projects: ProjectIndex,
        *,
        door: Callable[[], tuple[str, str]],
        link: Callable[[], RelayLink | None],
        connect: Callable[[str, str | None], Awaitable[LinkState]],
        stop: Callable[[], None],
        now_ms: Callable[[], int],
    ) -> None:
        self._home = home
        self._settings = settings
        self._journal = journal
        self._people = people
        self._keystore = keystore
        self._executor = executor
        self._projects = projects
        self._door = door
        self._link = link
        self._connect = connect
        self._stop = stop
        self._now_ms = now_ms

    async def whoami(self) -> JsonObject:
        url, socket = self._door()
        capability = await self._executor.probe()
        return {
            **self._who(),
            "daemon": {
                "running": True,
                "version": version("dispatch-courier"),
                "can_run": capability.can_run,
                "socket": socket,
                "door": url,
            },
        }

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

    async def daemon_status(self) -> JsonObject:
        url, socket = self._door()
        link = self._link()
        return {
            "running": True,
            "pid": os.getpid(),
            "version": version("dispatch-courier"),
            "door": url,
            "socket": socket,
            "home": str(self._home),
            "broker": None
            if link is None
            else {"url": link.url, "state": link.state.phase, "detail": link.state.words},
        }

    async def stop(self) -> JsonObject:
        """End the daemon in order; the answer is given before it goes."""
        self._stop()
        return {"running": False, "pid": os.getpid()}

    # -- signing in ------------------------------------------------------------------------------------

    async def login(self, *, broker: str | None, email: str, dev: bool, token: str | None) -> JsonObject:
        """Sign this device's identity up at a broker, or in again."""
        url = broker or self._settings.broker or (self._people.account or {}).get("broker")
        address = email.strip().lower()
        if url is None:
            raise ServiceError(
                "broker_needed", "no broker is named", hint="dispatch login --broker URL --email YOU --dev"
            )
        if not is_address(address):
            raise ServiceError("address_invalid", f"{email[:100]!r} is not an address like alice@example.org")
        own = self._people.own
        if own.address is not None and own.address != address:
            raise ServiceError(
                "address_mismatch",
                f"this home belongs to {own.address}; another person needs another home",
                hint="DISPATCH_HOME=DIR dispatch login …",
            )
        if not dev and token is None:
            raise ServiceError(
                "login_needed",
                "this broker can sign people in only in development mode so far",
                hint=f"dispatch login --dev --email {address}",
            )
        shown = token or await self._login_token(url, address)
        state = await self._connect(url, shown)
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

    async def _login_token(self, url: str, address: str) -> str:
        own = self._people.own
        try:
            return await login_dev(
                url, address, own.device.hex, own.genesis, ca_bundle=self._settings.ca_bundle
            )
        except RelayUnreachableError as error:
            raise ServiceError("broker_unreachable", error.detail, hint="dispatch doctor") from error
        except RelayRejectedError as error:
            raise refused_by_relay(error) from error

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
            raise ServiceError(
                "recovery_shown", "the recovery key was shown once already and is not kept here"
            )
        self._keystore.erase_recovery()
        self._people.keys_changed(self._keystore.load())
        return {
            "recovery_key": f"dispatch-recovery-{b64u(keys.recovery.reveal())}",
            "identity": keys.genesis.hex,
        }

    # -- health ----------------------------------------------------------------------------------------

    async def doctor(self) -> JsonObject:
        """Look at everything that has to be right on this machine, and say what to do about what is not."""
        checks = [
            _check(
                "home",
                (self._home.stat().st_mode & 0o077) == 0,
                f"{self._home} is yours alone",
                f"chmod 700 {self._home}",
            ),
            _check("keys", True, self._keystore.describe(), None),
            self._check_invitations(),
            await self._check_wall(),
            _check("projects", True, _projects_words(self._projects.count()), None),
            *self._check_relay(),
            _check(
                "system",
                True,
                f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
                None,
            ),
        ]
        return {"ok": all(bool(check["ok"]) for check in checks), "checks": list(checks)}

    def _check_invitations(self) -> dict[str, JSON]:
        """Name the contact whose token leaked, for as long as its invitation lives and the edge is in force."""
        for record in self._journal.invitations():
            edge = self._journal.edge(record.invitation_id)
            over = edge is None or edge.status is EdgeStatus.REVOKED or record.expires_ms <= self._now_ms()
            if record.also_proved_by is not None and not over:
                detail = (
                    f"two identities proved the token for {record.address}, so somebody else has it; "
                    f"{(record.accepted_by or '')[:16]} was first and is in your contacts, "
                    f"{record.also_proved_by[:16]} was refused. Ask {record.address} by another channel which one is "
                    "theirs (`dispatch whoami`), and end this edge if it is not the first"
                )
                return _check("invitations", False, detail, f"dispatch revoke {record.address} --outgoing")
        return _check("invitations", True, "no token of yours was used twice", None)

    async def _check_wall(self) -> dict[str, JSON]:
        capability = await self._executor.probe()
        if capability.can_run:
            return _check("sandbox", True, "tasks run confined: " + ", ".join(capability.layers), None)
        return _check("sandbox", False, capability.reason, capability.remedy)

    def _check_relay(self) -> list[dict[str, JSON]]:
        link = self._link()
        if link is None:
            detail = "not signed in; one's own tasks work without a broker"
            return [_check("broker", True, detail, "dispatch login --broker URL --email YOU --dev")]
        state = link.state
        checks = [_check("broker", state.phase is LinkPhase.ONLINE, state.words, None)]
        if state.skew_ms is not None:
            near = abs(state.skew_ms) < _SKEW_MS
            detail = f"this clock and the broker's differ by {abs(state.skew_ms) / 1000:.1f} s"
            checks.append(_check("clock", near, detail, None if near else "set this machine's clock"))
        return checks


def _projects_words(count: int) -> str:
    known = "no project is known" if not count else f"{count} project{'' if count == 1 else 's'} known"
    return f"{known}; `dispatch config get project_roots` says where they are looked for"


def _check(name: str, ok: bool, detail: str, remedy: str | None) -> dict[str, JSON]:
    return {"name": name, "ok": ok, "detail": detail, "remedy": None if ok and name != "broker" else remedy}
