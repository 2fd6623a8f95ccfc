"""The private log at work: each decision enters it in its own commit, and what the others tell of theirs is held against it.

It stands behind the performer with the household, which tells of it: no room that decides something can forget to.
"""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from typing import Final

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.people import People
from dispatch_daemon.core import acts
from dispatch_daemon.core.acts import Examined
from dispatch_daemon.core.effects import Effect, Enter
from dispatch_daemon.core.records import ApprovalRecord, Record
from dispatch_daemon.core.shared_records import ActRecord, QuestionRecord
from dispatch_daemon.core.trust_records import ContactRecord, EdgeRecord, InvitationRecord, RuleRecord
from dispatch_protocol.encoding import JSON, dumps
from dispatch_protocol.keys import DeviceId
from dispatch_protocol.merkle import EMPTY, Tree
from dispatch_protocol.messages.shared_acts import ActsEntry

_REWRITTEN: Final = "acts_rewritten"
_TOLD: Final = "acts_told"
_SETTINGS: Final = "settings_entered"
# What lets more happen on this machine, or leads what happens elsewhere: each is entered as it is when a daemon begins.
SETTINGS: Final = (
    *("agent", "agent_url", "agent_command", "agent_directories", "ca_bundle", "key_backend", "notify"),
    "project_roots",
)
log = logging.getLogger("dispatch.audit")


def rewritten(journal: Journal) -> list[str]:
    """Return the devices, by their ids in hex, that have told two histories of what was decided there."""
    held = journal.meta(_REWRITTEN)
    return [str(device) for device in held] if isinstance(held, list) else []


def changed_settings(journal: Journal, settings: object) -> list[Enter]:
    """Return which settings are others than when this home's daemon began last, and remember them; none at its first time."""
    values: dict[str, JSON] = {
        name: hashlib.sha256(dumps([getattr(settings, name)])).hexdigest() for name in SETTINGS
    }
    held = journal.meta(_SETTINGS)
    if held == values:
        return []
    journal.remember(_SETTINGS, values)
    if not isinstance(held, Mapping):
        return []
    return [Enter("setting", name, str(value)) for name, value in values.items() if held.get(name) != value]


class Acting:
    """What was decided on this device, and what the others have told of theirs."""

    def __init__(self, journal: Journal, people: People, clock: Clock) -> None:
        self._journal = journal
        self._people = people
        self._clock = clock
        self._log = EMPTY

    def entered(self, effects: Sequence[Effect]) -> list[ActRecord]:
        """Return the entries of what these effects decide."""
        found = acts.decided(effects, self._before)
        if not found:
            return []
        # If they cannot be kept, the journal holds fewer entries than this, and is read anew.
        records, self._log = acts.entered(found, self._people.own, self._tree(), self._clock.now_ms())
        return records

    def _tree(self) -> Tree:
        own = self._people.own.device.hex
        if self._log.size != self._journal.logs.acts_size(own):
            self._log = acts.tree_of(self._journal.logs.acts(own))
        return self._log

    def _before(self, record: Record) -> Record | None:
        match record:
            case EdgeRecord():
                return self._journal.edge(record.edge)
            case ContactRecord():
                return self._journal.contact(record.genesis)
            case InvitationRecord():
                return self._journal.invitation(record.invitation_id)
            case RuleRecord():
                return next((rule for rule in self._journal.rules() if rule.rule_id == record.rule_id), None)
            case ApprovalRecord():
                return self._journal.approval(record.request_id)
            case QuestionRecord():
                return self._journal.question(record.request_id)
            case _:
                return None

    def told(self, acted: Sequence[ActRecord]) -> list[ActsEntry]:
        """Return what the others are told of these entries, and of those that were made while there were no others."""
        own, told = self._people.own.device.hex, self._journal.meta(_TOLD)
        after = told if isinstance(told, int) else 0
        untold = [*self._journal.logs.acts(own, after + 1), *acted]
        if untold:
            self._journal.remember(_TOLD, untold[-1].seq)
        return acts.told(untold)

    def fed(self) -> list[ActsEntry]:
        """Return all that a new device is told of what was decided here."""
        return acts.told(self._journal.logs.acts(self._people.own.device.hex))

    def taken(self, entry: ActsEntry, teller: DeviceId) -> list[Effect]:
        """Take in how another device's log has grown; of two histories the first is kept, and this person told."""
        own = self._people.own.device
        if teller == own:
            return []
        held = self._journal.logs.acts(teller.hex, entry.since + 1, entry.since + len(entry.digests))
        effects, contradicts = acts.taken(
            entry, teller.hex, {each.seq: each for each in held}, self._clock.now_ms()
        )
        known = rewritten(self._journal)
        if contradicts and teller.hex not in known:
            log.error("%s tells another history of what was decided there", teller.hex[:8])
            self._journal.remember(_REWRITTEN, [*known, teller.hex])
        return effects

    def logs(self) -> list[tuple[str, Examined]]:
        """Return every private log that is known here, this device's first, with what it amounts to."""
        own, known = self._people.own.device.hex, rewritten(self._journal)
        devices = sorted(self._journal.logs.acting(), key=lambda device: (device != own, device))
        return [
            (device, acts.examine(self._journal.logs.acts(device), own, rewritten=device in known))
            for device in devices
        ]

    def newest(self, limit: int) -> list[ActRecord]:
        """Return what was decided here last, the newest first."""
        own = self._people.own.device.hex
        size = self._journal.logs.acts_size(own)
        return self._journal.logs.acts(own, max(1, size - limit + 1))[::-1]
