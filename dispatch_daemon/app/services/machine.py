"""This machine at the door: the daemon's process and places, and whether everything that a run or a delivery needs is well."""

import os
import platform
from collections.abc import Awaitable, Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Final

from dispatch_daemon.adapters import chosen_settings
from dispatch_daemon.adapters.chosen_settings import AT_THE_DOOR, TypedOnlyError
from dispatch_daemon.adapters.executor import Executor
from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.adapters.keystore import Keystore
from dispatch_daemon.adapters.notifier import BELL, OFF, Notifier
from dispatch_daemon.adapters.projects import ProjectIndex
from dispatch_daemon.adapters.relay import LinkPhase, RelayLink
from dispatch_daemon.adapters.servers import ServerError
from dispatch_daemon.adapters.servers.errors import TEST
from dispatch_daemon.adapters.settings import NAMES, Origin, Settings, SettingsError, read_config, variable
from dispatch_daemon.app.own_chain import FORKED
from dispatch_daemon.app.pausing import panic_ms, paused_ms
from dispatch_daemon.app.people import People
from dispatch_daemon.app.sharing import conflicts
from dispatch_daemon.app.unheard import trouble
from dispatch_daemon.core.devices import recovery_holder
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.grants import edits
from dispatch_daemon.core.trust_records import Direction
from dispatch_daemon.ports import JsonObject
from dispatch_protocol.encoding import JSON
from dispatch_protocol.loopback import hint, short_id
from dispatch_protocol.standing import EdgeStatus
from dispatch_protocol.timestamps import format_time, time_or_none

_DISTRIBUTION = "dispatch-courier"
_SKEW_MS = 60_000
_REDIALLED: Final = (
    "It is tried again by itself: look whether this machine is online and whether that broker runs. "
    "If the address is not right: dispatch login --broker URL --email YOU"
)


class Machine:
    """The daemon's own affairs; `door` returns its address and its socket, `stop` asks it to end, `agent` checks the chosen one."""

    def __init__(
        self,
        home: Path,
        settings: Settings,
        journal: Journal,
        keystore: Keystore,
        executor: Executor,
        projects: ProjectIndex,
        notifier: Notifier | None,
        *,
        door: Callable[[], tuple[str, str]],
        link: Callable[[], RelayLink | None],
        stop: Callable[[], None],
        now_ms: Callable[[], int],
        people: People,
        agent: Callable[[], Awaitable[dict[str, JSON]]],
    ) -> None:
        self._home = home
        self._settings = settings
        self._journal = journal
        self._keystore = keystore
        self._executor = executor
        self._projects = projects
        self._notifier = notifier
        self._door = door
        self._link = link
        self._stop = stop
        self._now_ms = now_ms
        self._people = people
        self._check_agent = agent

    async def daemon(self) -> dict[str, JSON]:
        """Return where the daemon listens, and whether it can run dispatches."""
        url, socket = self._door()
        capability = await self._executor.probe()
        return {
            "running": True,
            "version": version(_DISTRIBUTION),
            "can_run": capability.can_run,
            "paused_at": time_or_none(paused_ms(self._journal)),
            "panic_at": time_or_none(panic_ms(self._journal)),
            "socket": socket,
            "door": url,
        }

    async def daemon_status(self) -> JsonObject:
        url, socket = self._door()
        link = self._link()
        return {
            "running": True,
            "pid": os.getpid(),
            "version": version(_DISTRIBUTION),
            "door": url,
            "socket": socket,
            "home": str(self._home),
            "paused_at": time_or_none(paused_ms(self._journal)),
            "panic_at": time_or_none(panic_ms(self._journal)),
            "broker": None
            if link is None
            else {"url": link.url, "state": link.state.phase, "detail": link.state.words},
        }

    async def settings(self) -> JsonObject:
        """List every setting with its origin, as this daemon uses them; keys are named there and never held."""
        stored = read_config(self._home)
        return {"settings": [self._setting(name, stored) for name in NAMES]}

    async def change_setting(self, *, name: str, value: str | None) -> JsonObject:
        """Store a setting as it was typed; it counts from the daemon's next start on."""
        try:
            chosen_settings.keep(self._home, name, value or None)
            return self._setting(name, read_config(self._home))
        except TypedOnlyError as error:
            raise ServiceError("page_refused", error.detail, hint=error.hint) from error
        except SettingsError as error:
            raise ServiceError(error.code, error.detail, hint=error.hint) from error

    def _setting(self, name: str, stored: Mapping[str, JSON]) -> JsonObject:
        """Return one setting: what counts now, what will, and how it may be changed here."""
        origin = self._settings.origin(name)
        return {
            "name": name,
            "value": getattr(self._settings, name),
            "origin": origin,
            "stored": stored.get(name),
            "can_edit": name in AT_THE_DOOR,
            "choices": list(AT_THE_DOOR.get(name, ())),
            "held_by": variable(name) if origin is Origin.ENVIRONMENT else None,
        }

    async def stop(self) -> JsonObject:
        """End the daemon in order; the answer is given before it goes."""
        self._stop()
        return {"running": False, "pid": os.getpid()}

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
            self._check_histories(),
            self._check_devices(),
            self._check_recovery(),
            await self._check_wall(),
            await self._check_agent(),
            self._check_pause(),
            self._check_conflicts(),
            self._check_edits(),
            _check("undo", True, self._originals_words(), None),
            _check("projects", True, _projects_words(self._projects.count()), None),
            *self._check_relay(),
            *self._check_servers(),
            self._check_notices(),
            _check(
                "system",
                True,
                f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
                None,
            ),
        ]
        return {"ok": all(bool(check["ok"]) for check in checks), "checks": list(checks)}

    def _check_servers(self) -> list[dict[str, JSON]]:
        """Say of each tool server whether it could be started; none is, for it may act as soon as it runs."""
        servers, checks = self._executor.servers, []
        try:
            for server in servers.listed():
                name = f"server {server.name}"
                try:
                    servers.check(server)
                except ServerError as error:
                    checks.append(_check(name, False, error.detail, error.remedy))
                else:
                    test = TEST.format(name=server.name)
                    checks.append(_check(name, True, f"{server.argv[0]} is there (`{test}` starts it)", None))
        except ServerError as error:
            checks.append(_check("servers", False, error.detail, error.remedy))
        return checks

    def _check_notices(self) -> dict[str, JSON]:
        """Say who calls this person when something waits, and whether the last call got through."""
        chosen, failure = self._settings.notify, self._notifier.failure if self._notifier else None
        if self._notifier is None and chosen not in (OFF, BELL):
            failure = "finds neither notify-send nor osascript here"
        if failure is not None:
            return _check(
                "notices", False, f"notify ({chosen}) {failure}", "dispatch config set notify desktop"
            )
        told = {
            OFF: "nobody is called when something waits",
            BELL: "a terminal that watches rings when a question waits",
        }.get(chosen, f"{chosen} calls when something waits")
        return _check("notices", True, f"{told} (the setting notify)", None)

    def _originals_words(self) -> str:
        """Say what it costs that applied changes can be undone, and until when."""
        keeping = self._journal.runs_with_originals()
        if not keeping:
            return "no run of the last two weeks has changed files here"
        size = sum(run.originals_bytes or 0 for run in keeping)
        small = f"{(size + 999) // 1000} kB" if size else "no room"
        takes = f"{size / 1_000_000:.1f} MB" if size >= 100_000 else small
        runs = f"the changes of {len(keeping)} run{'' if len(keeping) == 1 else 's'}"
        last = format_time(keeping[-1].undo_until_ms or 0)[:10]
        return f"{runs} can be undone; what they replaced takes {takes} here, and the last goes on {last}"

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

    def _check_devices(self) -> dict[str, JSON]:
        """Say which other devices of this person are silent, so that nothing runs by itself here, or tell two histories."""
        why = trouble(self._journal, self._people, self._now_ms())
        if why is None:
            return _check("devices", True, "each of your devices was heard of within a week", None)
        return _check("devices", False, why, "dispatch devices")

    def _check_recovery(self) -> dict[str, JSON]:
        """Say where the recovery key is, as far as this machine can know."""
        chain, own = self._people.own.chain, self._people.own.device
        holder = recovery_holder(chain)
        if self._people.keys.recovery is not None:
            words = "the recovery key is here and was not written down yet: dispatch devices recovery-key"
        elif holder is None or holder == own:
            words = "the recovery key was shown, so it is where its person has written it down"
        elif holder in chain.devices:
            words = f"the device {holder.hex[:16]} keeps the recovery key, if it was not shown there"
        else:
            words = (
                "the device that made this identity is gone: if nobody has written the recovery key down there, there is none. "
                "Keep a second machine: dispatch devices add"
            )
        return _check("recovery", True, words, None)

    def _check_conflicts(self) -> dict[str, JSON]:
        """Name what devices of one person have answered within a week, and not the same."""
        found = conflicts(self._journal, self._people.own, self._now_ms())
        if not found:
            return _check("conflicts", True, "no dispatch of this week was answered twice", None)
        named = ", ".join(f"{short_id(each.dispatch_id)} ({each.address})" for each in found)
        detail = f"two devices of one person have answered {named}: twice with yes, or with yes and no"
        return _check("conflicts", False, detail, f"dispatch status {short_id(found[0].dispatch_id)}")

    def _check_edits(self) -> dict[str, JSON]:
        """Name the edges that two devices of this person have changed at the same time."""
        met = [edge for edge in self._journal.edges(Direction.INCOMING) if edits(edge)]
        if not met:
            return _check("edits", True, "no two of your devices say different things of one edge", None)
        named = ", ".join(edge.address for edge in met)
        detail = (
            f"two devices of yours have changed what {named} may do at the same time; what both allow holds until you "
            "say it once more"
        )
        return _check("edits", False, detail, f"dispatch edit-edge {met[0].address}")

    def _check_histories(self) -> dict[str, JSON]:
        """Say of whom two histories were told: of this very identity, or of a contact."""
        if self._journal.meta(FORKED) is True:
            detail = (
                "two histories of your own identity were told: a device was stolen or set back, or somebody else has your "
                "recovery key. Contacts who have seen both send you nothing and take nothing in"
            )
            return _check("histories", False, detail, "dispatch login --recover  (in an empty home)")
        torn = sorted(contact.address for contact in self._journal.contacts() if contact.conflict is not None)
        if torn:
            detail = (
                f"two histories of {', '.join(torn)} were told, so nothing new goes between you; ask them by another way "
                "whether a device was stolen, for only their recovery key ends it"
            )
            return _check("histories", False, detail, "dispatch contacts")
        return _check("histories", True, "every identity that is known here has one history", None)

    def _check_pause(self) -> dict[str, JSON]:
        """Say whether its person has stopped this machine."""
        panic, paused = time_or_none(panic_ms(self._journal)), time_or_none(paused_ms(self._journal))
        if panic is not None:
            detail = f"panic was called at {panic}: nothing is sent, taken in or begun here"
            return _check("pause", False, detail, "dispatch panic --off")
        if paused is not None:
            detail = f"paused since {paused}: nothing new starts here"
            return _check("pause", False, detail, "dispatch pause --off")
        return _check("pause", True, "what is accepted starts", None)

    async def _check_wall(self) -> dict[str, JSON]:
        capability = await self._executor.probe()
        if capability.can_run:
            return _check("sandbox", True, "tasks run confined: " + ", ".join(capability.layers), None)
        return _check("sandbox", False, capability.reason, capability.remedy)

    def _check_relay(self) -> list[dict[str, JSON]]:
        link = self._link()
        if link is None:
            detail = "not signed in; one's own tasks work without a broker"
            return [_check("broker", True, detail, "dispatch login --broker URL --email YOU")]
        state = link.state
        if state.phase is LinkPhase.ONLINE:
            checks = [_check("broker", True, state.words, None)]
        else:
            remedy = _REDIALLED if state.code is None else hint(state.code)
            checks = [_check("broker", False, f"{link.url}: {state.words}", remedy)]
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
