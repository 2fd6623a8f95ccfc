"""The one place where effects happen.

`perform` signs what has to be signed, writes everything durable in one step, waits for the disk, and only
then acts on this process and tells the watchers. A decision that reads the journal and calls `perform`
without awaiting in between is atomic: nothing else runs on the loop until its writes are made.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.watchers import Watchers
from dispatch_daemon.core.effects import Durable, Effect, Enter, Plan, Put, Resolve, Send, StopRun, Unplan
from dispatch_daemon.core.records import ApprovalRecord, DispatchRecord, MessageRecord
from dispatch_daemon.core.shared_records import HouseholdRecord
from dispatch_daemon.core.trust_records import ComparisonRecord, ContactRecord, EdgeRecord, InvitationRecord
from dispatch_protocol.keys import SigningKey
from dispatch_protocol.signing import sign

Stopper = Callable[[str, str], Awaitable[None]]
Resolver = Callable[[str], None]


_ABOUT_PEOPLE = ContactRecord | ComparisonRecord | EdgeRecord | InvitationRecord


class Performer:
    """Performs effects; `on_stop` and `on_resolve` are set by whoever runs the runs."""

    def __init__(self, journal: Journal, clock: Clock, watchers: Watchers, signing: SigningKey) -> None:
        self._journal = journal
        self._clock = clock
        self._watchers = watchers
        self._signing = signing
        self.on_stop: Stopper | None = None
        self.on_resolve: Resolver | None = None
        self.on_planned: Callable[[], None] | None = None
        self.household: Callable[[Sequence[Effect]], Sequence[Effect]] | None = None
        self.audit: Callable[[Sequence[Effect]], Sequence[Effect]] | None = None

    async def perform(self, effects: Iterable[Effect], *, heard: bool = False) -> None:
        """Make the effects happen, durable ones first; returns when they are on disk and acted upon.

        This is for whatever is answered or acted upon; see `note` for the rest. What one's other devices have to know
        of it is owed to them in the same step, unless it was `heard` from one of them; so is the checkpoint of a last word.

        Raises:
            JournalError: `disk_full` if the journal could not be written; then nothing happened.
        """
        decided = tuple(effects)
        if self.household is not None and not heard:
            decided += tuple(self.household(decided))
        if self.audit is not None:
            decided += tuple(self.audit(decided))
        # What was to be entered in the private log stands there now, as a record.
        todo, signatures = self._signed(tuple(each for each in decided if not isinstance(each, Enter)))
        if not todo:
            return
        self._write(todo, signatures)
        await self._journal.database.committed()
        self._tell(todo)
        for effect in todo:
            match effect:
                case StopRun(run_id, code) if self.on_stop is not None:
                    await self.on_stop(run_id, code)
                case Resolve(request_id) if self.on_resolve is not None:
                    self.on_resolve(request_id)
                case _:
                    pass

    def note(self, effects: Iterable[Durable]) -> None:
        """Write down at leisure what somebody else has made durable already: it is lost with a crash, and learnt again.

        Raises:
            JournalError: as `perform`.
        """
        noted = tuple(effects)
        with self._journal.database.at_leisure():
            self._write(noted, {})
        self._tell(noted)

    def _write(self, effects: Sequence[Effect], signatures: dict[str, bytes]) -> None:
        self._journal.write(effects, now_ms=self._clock.now_ms(), signatures=signatures)

    def _signed(self, effects: Sequence[Effect]) -> tuple[list[Effect], dict[str, bytes]]:
        """Sign every `Send` and give what was composed, a dispatch or words, the bytes that were signed."""
        signatures: dict[str, bytes] = {}
        for effect in effects:
            if isinstance(effect, Send):
                signed = sign(self._signing, effect.payload_type, effect.body)
                signatures[effect.digest] = signed.encode()
        completed: list[Effect] = []
        for effect in effects:
            match effect:
                case Put(DispatchRecord(signed=b"") | MessageRecord(signed=b"") as record):
                    completed.append(Put(replace(record, signed=signatures[record.digest])))
                case Put(HouseholdRecord(signed=b"") as told) if told.digest in signatures:
                    completed.append(Put(replace(told, signed=signatures[told.digest])))
                case _:
                    completed.append(effect)
        return completed, signatures

    def _tell(self, effects: Sequence[Effect]) -> None:
        if self.on_planned is not None and any(
            isinstance(effect, Plan | Send | Unplan) for effect in effects
        ):
            self.on_planned()
        if not self._watchers:
            return
        digests: dict[str, None] = {}
        for effect in effects:
            digest = getattr(getattr(effect, "record", effect), "digest", None)
            if isinstance(effect, Put) and isinstance(effect.record, _ABOUT_PEOPLE):
                self._watchers.publish(None, {"type": "contacts"})
            elif isinstance(effect, Put) and isinstance(effect.record, MessageRecord):
                digests[effect.record.about] = None
            elif isinstance(effect, Put) and isinstance(effect.record, ApprovalRecord):
                digests[effect.record.digest] = None
            elif isinstance(digest, str) and not isinstance(effect, Send):
                digests[digest] = None
        for digest in digests:
            record = self._journal.dispatch(digest)
            if record is not None:
                self._watchers.publish(
                    record.dispatch_id, {"type": "dispatch", "dispatch_id": record.dispatch_id}
                )
