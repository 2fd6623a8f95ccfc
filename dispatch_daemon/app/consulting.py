"""Consulting one's other devices: they are told what a run here asks, and what a human says there is applied here."""

import logging
from collections.abc import Sequence

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.people import People
from dispatch_daemon.core import grants, verdicts
from dispatch_daemon.core.effects import Effect, Put
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.records import ApprovalRecord
from dispatch_daemon.core.shared_records import QuestionRecord
from dispatch_protocol.grant import Version
from dispatch_protocol.keys import DeviceId
from dispatch_protocol.messages.household import Entry
from dispatch_protocol.messages.shared_questions import QuestionEntry, VerdictEntry

log = logging.getLogger("dispatch.household")


class Consulting:
    """The questions that go to one's other devices, and the verdicts that come back."""

    def __init__(self, journal: Journal, people: People, clock: Clock) -> None:
        self._journal = journal
        self._people = people
        self._clock = clock

    def told(self, effects: Sequence[Effect]) -> list[Entry]:
        """Return what the other devices are told of a decision that is about to be written: what is asked, and what was said."""
        entries: list[Entry] = []
        for effect in effects:
            match effect:
                case Put(ApprovalRecord() as approval):
                    before = self._journal.approval(approval.request_id)
                    if before is None or before.state is not approval.state:
                        entries.append(
                            verdicts.told(approval, self._people.own, self._grant(approval.digest))
                        )
                case Put(QuestionRecord() as question) if question.said is not None:
                    entries.append(verdicts.verdict(question, self._clock.now_ms()))
                case _:
                    pass
        return entries

    def _grant(self, digest: str) -> Version | None:
        """Return the version of the grant under which a dispatch is run, None for one's own."""
        record = self._journal.dispatch(digest)
        edge = None if record is None else self._journal.edge(record.edge)
        return None if edge is None else grants.newest(edge).version

    def taken(self, entry: QuestionEntry, teller: DeviceId) -> list[Effect]:
        """Take in what another device asks; it asks for itself alone."""
        if entry.asked.device != teller:
            log.warning("%s tells what another device asks", teller.hex[:8])
            return []
        return verdicts.taken(entry, self._journal.question(str(entry.asked.request)))

    def applied(self, entry: VerdictEntry, teller: DeviceId) -> list[Effect]:
        """Return what follows here from what a human said at another device; nothing, if it is not for this one or too late."""
        own = self._people.own
        approval = self._journal.approval(str(entry.asked.request))
        run = None if approval is None else self._journal.run(approval.run_id)
        record = None if approval is None else self._journal.dispatch(approval.digest)
        if entry.asked.device != own.device or approval is None or run is None or record is None:
            return []
        grant = self._grant(record.digest)
        try:
            return verdicts.applied(entry, teller, approval, record, run, own, grant, self._clock.moment())
        except ServiceError as error:
            log.warning("a verdict of %s is not applied: %s", teller.hex[:8], error)
            return []
