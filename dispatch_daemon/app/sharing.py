"""What the devices of one person know together of the work that was sent to all of them.

It reads the journal for whoever decides or shows something (`core.siblings` says what follows), and makes of a decision what
the other devices are told of it.
"""

import logging
from collections.abc import Sequence

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.app.people import People
from dispatch_daemon.core import devices, handover, siblings, verdicts
from dispatch_daemon.core.composing import Own
from dispatch_daemon.core.effects import Effect, Plan, Put, Send, TaskKind
from dispatch_daemon.core.records import Box, DispatchRecord, RunRecord
from dispatch_daemon.core.shared_records import QuestionRecord
from dispatch_daemon.core.views import task_of
from dispatch_protocol.keys import DeviceId
from dispatch_protocol.lifecycle import DispatchState
from dispatch_protocol.messages.household import Entry
from dispatch_protocol.messages.shared_work import DeedEntry, HandoverEntry

NAMES = "device_names"
TORN = "household_torn"
_WEEK_MS = 7 * 86_400_000
_NEWEST = 200  # dispatches of which a feed tells
log = logging.getLogger("dispatch.household")


def names(journal: Journal) -> dict[str, tuple[str, int]]:
    """Return what devices are called and since when, by their ids in hex."""
    held = journal.meta(NAMES)
    if not isinstance(held, dict):
        return {}
    return {
        device: (str(named[0]), int(str(named[1])))
        for device, named in held.items()
        if isinstance(named, list) and len(named) == 2
    }


def shown_names(journal: Journal, own: Own) -> devices.Names:
    """Return what devices are called, each so that it is taken for no other one."""
    return devices.told_apart(names(journal), {device.hex for device in own.chain.devices})


def torn_logs(journal: Journal) -> list[str]:
    """Return the devices, by their ids in hex, that have told two histories of their own log."""
    held = journal.meta(TORN)
    return [str(device) for device in held] if isinstance(held, list) else []


def shared(journal: Journal, own: Own, digest: str) -> siblings.Shared:
    """Return what this person's other devices did with one dispatch, as far as is known here."""
    deeds, handovers = journal.deeds(digest), journal.handovers(digest)
    if not deeds and not handovers and len(own.chain.devices) == 1:
        return siblings.ALONE
    return siblings.Shared(
        deeds=tuple(deeds),
        handovers=tuple(handovers),
        active=frozenset(device.hex for device in own.chain.devices),
        names={device: name for device, (name, _) in shown_names(journal, own).items()},
    )


def asked_here(journal: Journal, own: Own, record: DispatchRecord, now_ms: int) -> list[QuestionRecord]:
    """Return what a run on another device asks about a dispatch that a human may answer at this one."""
    return [each for each in journal.questions_of(record.digest) if verdicts.is_open(each, own, now_ms)]


def conflicts(journal: Journal, own: Own, now_ms: int) -> list[DispatchRecord]:
    """Return what came or was sent within a week and was answered by two devices of one person, not the same; newest first."""
    found = journal.answered_twice(now_ms - _WEEK_MS)
    return [each for each in found if siblings.in_conflict(each, shared(journal, own, each.digest))]


def is_elsewhere(journal: Journal, own: Own, record: DispatchRecord) -> bool:
    """Say whether another device has decided a dispatch, so that this one has nothing to do about it."""
    return siblings.settled(record, shared(journal, own, record.digest)) is not None


def is_owner(journal: Journal, own: Own, record: DispatchRecord) -> bool:
    """Say whether this device is the one of its person's that is to run a dispatch, for all that a relay may have kept back."""
    return handover.is_certain_owner(task_of(record), journal.handovers(record.digest), own)


class Sharing:
    """Tells this person's other devices what this one does with a dispatch, and takes in what they did."""

    def __init__(self, journal: Journal, people: People) -> None:
        self._journal = journal
        self._people = people

    def told(self, effects: Sequence[Effect], now_ms: int) -> tuple[Entry, ...]:
        """Return what the other devices are told of a decision that is about to be written: what its author is told."""
        said = {effect.about for effect in effects if isinstance(effect, Send)}
        records: dict[str, DispatchRecord] = {}
        runs: dict[str, RunRecord] = {}
        for effect in effects:
            match effect:
                case Put(DispatchRecord() as record):
                    records[record.digest] = record
                case Put(RunRecord() as run):
                    runs[run.digest] = run
                case _:
                    pass
        entries = [
            self._told(record, runs.get(record.digest), now_ms)
            for record in records.values()
            if record.digest in said
        ]
        return tuple(entry for entry in entries if entry is not None)

    def _told(self, record: DispatchRecord, run: RunRecord | None, now_ms: int) -> DeedEntry | None:
        held = self._journal.runs(record.digest)
        return siblings.told(
            record,
            self._journal.dispatch(record.digest),
            run or (held[-1] if held else None),
            self._people.own,
            now_ms,
        )

    def fed(self, now_ms: int) -> list[Entry]:
        """Return what another device has to know that was told none of it: what this one did with the newest, and gave away."""
        own, entries = self._people.own, list[Entry]()
        for record in self._journal.page(Box.INBOX, before=None, limit=_NEWEST):
            runs = self._journal.runs(record.digest)
            deed = siblings.done(record, runs[-1] if runs else None, own, now_ms)
            if (
                deed is not None and record.state is not DispatchState.REFUSED
            ):  # that each device judges alone
                entries.append(deed)
            handed = self._journal.handovers(record.digest)
            entries += [handover.told(each) for each in handed if each.giver == own.device.hex]
            entries += siblings.told_on(self._journal.deeds(record.digest), own)
        return entries

    def taken(self, entry: DeedEntry | HandoverEntry, teller: DeviceId) -> list[Effect]:
        """Take in what another device did; what one says of another one is nothing, but of how it ended something and left."""
        if isinstance(entry, HandoverEntry):
            known_before = self._journal.handovers(entry.dispatch.hex)
            return self._with_files(handover.taken(entry, teller, known_before), entry)
        if entry.device != teller and not siblings.may_tell_on(entry, teller, self._people.own):
            log.warning("%s tells what another device did", teller.hex[:8])
            return []
        known = [each for each in self._journal.deeds(entry.dispatch.hex) if each.device == entry.device.hex]
        return siblings.taken(entry, known[0] if known else None)

    def _with_files(self, handed: list[Effect], entry: HandoverEntry) -> list[Effect]:
        """Let whoever is to run a dispatch from now on get its files; they are fetched by nobody else."""
        record = self._journal.dispatch(entry.dispatch.hex)
        mine = entry.to == self._people.own.device
        if not handed or not mine or record is None or not task_of(record).attachments:
            return handed
        at_once = record.arrived_ms
        return [*handed, Plan(kind=TaskKind.FETCH, key=record.digest, not_before_ms=at_once, payload={})]
