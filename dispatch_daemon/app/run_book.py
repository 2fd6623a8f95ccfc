"""The book of one run: what the journal says of it now, what is noted in it, what it asks, and how it ends.

Whoever conducts a run and whoever settles it read and write the same book, so neither keeps a copy of a state
that the journal may have left behind.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.people import People
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.core import approvals, gate, questions, runs
from dispatch_daemon.core.effects import Effect, Note, Put
from dispatch_daemon.core.records import ApprovalRecord, DispatchRecord, RunRecord
from dispatch_protocol.encoding import JSON
from dispatch_protocol.lifecycle import Outcome, RunState
from dispatch_protocol.messages.trace import EventType, Usage
from dispatch_protocol.scopes import Returns, Scopes


class RunBook:
    """One run; `answered` waits until a question is no longer open."""

    def __init__(
        self,
        run_id: str,
        journal: Journal,
        people: People,
        clock: Clock,
        performer: Performer,
        answered: Callable[[str], "asyncio.Future[None]"],
    ) -> None:
        self.run_id = run_id
        self.journal = journal
        self.people = people
        self.clock = clock
        self.performer = performer
        self.steps: list[str] = []
        self.words = ""  # an agent's last ones, which become the summary
        self.usage = Usage()
        self.by_model = False
        self.read = False  # whether a human has seen everything that would leave
        self._answered = answered

    @property
    def run(self) -> RunRecord:
        run = self.journal.run(self.run_id)
        assert run is not None  # noqa: S101 - a run is never removed
        return run

    @property
    def record(self) -> DispatchRecord:
        record = self.journal.dispatch(self.run.digest)
        assert record is not None  # noqa: S101 - a dispatch is never removed
        return record

    @property
    def scopes(self) -> Scopes:
        """The scopes at the start; they decide to the end."""
        return questions.scopes_of(self.run)

    @property
    def reached(self) -> tuple[str, ...]:
        """The granted hosts that the run has reached so far."""
        return questions.reached(self.scopes, self.run_id, self.journal.events(self.run.digest))

    async def ask(self, approval: ApprovalRecord) -> ApprovalRecord:
        """Put a question to the human of this machine, and return it once it is closed."""
        record = self.record
        closed = self._answered(approval.request_id)
        _, effects = approvals.ask(
            record,
            self.run,
            approval,
            self.people.own,
            self.people.peer_of(record),
            self.clock.moment(),
        )
        await self.performer.perform(effects)
        await closed
        answer = self.journal.approval(approval.request_id)
        assert answer is not None  # noqa: S101 - it was put a moment ago
        return answer

    async def end(self, ending: runs.Ending) -> None:
        """End the run in the journal, and tell its author what the grant and the humans let out."""
        record = self.record
        await self.performer.perform(
            runs.ended(
                record,
                self.run,
                self.people.own,
                self.people.peer_of(record),
                self.clock.moment(),
                ending=ending,
                returns=self._returns(ending),
                usage=self.usage,
                events=self.journal.events(record.digest),
                approvals=self.journal.approvals_of(record.digest),
            )
        )

    def _returns(self, ending: runs.Ending) -> Returns:
        """Return what may leave: all that the grant lets, once a human has seen it, or where nothing is to be seen."""
        if self.read or ending.outcome is Outcome.SUCCESS:
            return self.scopes.returns
        return questions.unread(self.scopes, by_model=self.by_model)

    def recall(self) -> None:
        """Remember the steps that an earlier part of this run has taken."""
        told = self.journal.events(self.run.digest)
        made = {event.data.get("call_id") for event in told if event.type is EventType.TOOL_RESULT}
        calls = [event.data for event in told if event.type is EventType.TOOL_CALL]
        self.steps = [
            gate.call_title(str(call.get("tool")), given)
            for call in calls
            if call.get("call_id") in made and isinstance(given := call.get("input"), dict)
        ]

    async def note(self, event: EventType, data: dict[str, JSON]) -> None:
        """Add an event to the dispatch's trace; it also says that the run is alive."""
        now_ms = self.clock.now_ms()
        effects: list[Effect] = [Note(self.run.digest, now_ms, event, data, self.run_id)]
        run = self.run
        if run.state in (RunState.RUNNING, RunState.WAITING_APPROVAL):
            effects.append(Put(replace(run, last_heard_ms=now_ms)))
        await self.performer.perform(effects)

    def summary(self, ending: str) -> str:
        """Return the agent's last words, or else the steps that were taken, and how it ended."""
        steps = [f"{number}. {title}" for number, title in enumerate(self.steps, start=1)]
        lines = [self.words] if self.words else steps
        return "\n".join([*lines, ending]).strip()[:8000]
