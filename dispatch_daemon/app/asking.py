"""A run's questions about its calls: put, waited for, and put once more when nobody answers."""

from dispatch_daemon.app.run_book import RunBook
from dispatch_daemon.core import approvals, gate, parking, questions, runs
from dispatch_daemon.core.records import ApprovalState
from dispatch_protocol.encoding import JSON
from dispatch_protocol.lifecycle import RunState
from dispatch_protocol.messages.trace import EventType


class Asker:
    """Asks for one run, and knows when nobody answers any more."""

    def __init__(self, book: RunBook) -> None:
        self._book = book
        self._silences = 0

    @property
    def is_silent(self) -> bool:
        """Whether so many questions in a row went unanswered that the run is to be set aside."""
        return self._silences >= parking.SILENCES

    async def allowed(self, call_id: str, tool: str, arguments: dict[str, JSON]) -> tuple[bool, str]:
        """Pass one call through the gate; a question waits for the human of this machine.

        A question that nobody answers is put once more; after a second silence nothing is asked or allowed any more.
        """
        record, run, scopes = self._book.record, self._book.run, self._book.scopes
        ruling = gate.rule_on(
            tool,
            arguments,
            scopes,
            rules=self._book.journal.rules_on(record.edge),
            asked_before=self._book.journal.approvals_of(record.digest),
            run_id=run.run_id,
            cwd=run.cwd or "/",
            paths=[path for path, _ in questions.run_paths(run)],
        )
        if self.is_silent:
            return False, approvals.TIMEOUT_REASON
        if ruling.by_rule:
            await self._book.note(EventType.APPROVAL_DECIDED, approvals.answered_by_rule())
        if ruling.verdict is not gate.Verdict.ASK:
            return ruling.verdict is gate.Verdict.ALLOW, ruling.reason
        moment = self._book.clock.moment()
        answer = await self._book.ask(
            questions.about_call(
                record,
                run,
                call_id,
                tool,
                arguments,
                request_id=str(moment.uuid(1)),
                now_ms=moment.now_ms,
                timeout_s=scopes.approval_timeout_s,
            )
        )
        if answer.state is ApprovalState.EXPIRED:
            self._silences += 1
            if self._silences >= parking.SILENCES:
                return False, approvals.TIMEOUT_REASON
            await self._go_on()
            return await self.allowed(call_id, tool, arguments)
        self._silences = 0
        if answer.state is ApprovalState.APPROVED:
            await self._go_on()
            return True, f"allowed {answer.grant}"
        return False, answer.reason or f"{answer.state}"

    async def _go_on(self) -> None:
        moved, effects = runs.move(self._book.run, RunState.RUNNING, self._book.clock.now_ms())
        await self._book.performer.perform([*effects, runs.heartbeat_plan(moved.run_id, 0)])
