"""Conducting runs: from the accepted dispatch to its signed result, one conductor a run.

The conductor decides nothing itself. It asks `core` what comes next, has it performed, and drives the
sandbox; whatever the sandbox reports is data. Each state is in the journal before the step it names begins,
so a crash at any point leaves a journal that says what has to be undone or carried on.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from dispatch_daemon.adapters.agents import AgentError, Agents
from dispatch_daemon.adapters.executor import Executor, Settlement, WallError
from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.people import People
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.app.preparing import order_of, spec_of
from dispatch_daemon.core import approvals, gate, questions, runs, views
from dispatch_daemon.core.effects import Effect, Note, Plan, Put, TaskKind
from dispatch_daemon.core.records import (
    ApprovalRecord,
    ApprovalState,
    DispatchRecord,
    RunRecord,
)
from dispatch_protocol.encoding import JSON
from dispatch_protocol.lifecycle import Outcome, RunState
from dispatch_protocol.messages.trace import EventType, Usage
from dispatch_protocol.scopes import Approval, Returns, Scopes

_APPLY_AGAIN_MS = 10_000
log = logging.getLogger("dispatch.runs")


class Conductor:
    """Drives one run; `answered` waits until a question is no longer open."""

    def __init__(
        self,
        run_id: str,
        journal: Journal,
        people: People,
        clock: Clock,
        performer: Performer,
        executor: Executor,
        agents: Agents,
        answered: Callable[[str], "asyncio.Future[None]"],
    ) -> None:
        self._run_id = run_id
        self._journal = journal
        self._people = people
        self._clock = clock
        self._performer = performer
        self._executor = executor
        self._agents = agents
        self._answered = answered
        self._steps: list[str] = []
        self._words = ""  # an agent's last ones, which become the summary
        self._usage = Usage()
        self._unread = False  # whether anything of a model's would leave that no human has read

    # -- what the journal says now ---------------------------------------------------------------------

    @property
    def run(self) -> RunRecord:
        run = self._journal.run(self._run_id)
        assert run is not None  # noqa: S101 - a run is never removed
        return run

    @property
    def record(self) -> DispatchRecord:
        record = self._journal.dispatch(self.run.digest)
        assert record is not None  # noqa: S101 - a dispatch is never removed
        return record

    @property
    def scopes(self) -> Scopes:
        """The scopes at the start; they decide to the end."""
        return questions.scopes_of(self.run)

    # -- the whole way ---------------------------------------------------------------------------------

    async def conduct(self) -> None:
        """Run to the end and say how it went; whatever happens inside becomes an outcome."""
        record = self.record
        task = views.task_of(record)
        try:
            order = None if task.steps else order_of(task, record.address, self.scopes, self._agents)
        except AgentError as error:
            detail = f"{error.detail} {error.remedy}"
            await self._end(
                runs.Ending(outcome=Outcome.NEED_INPUT, summary=error.detail, code=error.code, detail=detail)
            )
            return
        self._unread = order is not None and self.scopes.approval is not Approval.AUTO
        try:
            edge = self._journal.edge(record.edge)
            settlement = await self._executor.execute(spec_of(task, self.run, edge, order), self)
        except WallError as error:
            await self._end(
                runs.Ending(
                    outcome=Outcome.NEED_INPUT if error.code == "changeset_too_large" else Outcome.FAILED,
                    summary=self._summary(error.detail),
                    code=error.code,
                    detail=f"{error.detail} {error.remedy}".strip(),
                )
            )
            self._executor.forget(self._run_id)
            return
        await self._settle(settlement)

    # -- what the sandbox tells and asks (the executor's Observer) -------------------------------------

    async def started(self, confinement: dict[str, JSON]) -> None:
        record = self.record
        await self._performer.perform(
            runs.started(
                record,
                self.run,
                self._people.own,
                self._people.peer_of(record),
                self._clock.moment(),
                confinement=confinement,
            )
        )

    async def proposed(self, call_id: str, tool: str, arguments: dict[str, JSON]) -> None:
        self._steps.append(gate.call_title(tool, arguments))
        data: dict[str, JSON] = {"call_id": call_id, "tool": tool, "input": arguments}
        await self._note(EventType.TOOL_CALL, data)

    async def finished(self, result: dict[str, JSON]) -> None:
        await self._note(EventType.TOOL_RESULT, result)

    async def said(self, text: str) -> None:
        await self._note(EventType.MESSAGE, {"text": text})

    async def thought(self, text: str) -> None:
        await self._note(EventType.REASONING, {"text": text})

    async def allowed(self, call_id: str, tool: str, arguments: dict[str, JSON]) -> tuple[bool, str]:
        """Pass one call through the gate; a question waits for the human of this machine."""
        record = self.record
        ruling = gate.rule_on(
            tool,
            arguments,
            self.scopes,
            rules=self._journal.rules_on(record.edge),
            asked_before=self._journal.approvals_of(record.digest),
            run_id=self._run_id,
        )
        if ruling.verdict is not gate.Verdict.ASK:
            return ruling.verdict is gate.Verdict.ALLOW, ruling.reason
        moment = self._clock.moment()
        approval = questions.about_call(
            record,
            self.run,
            call_id,
            tool,
            arguments,
            request_id=str(moment.uuid(1)),
            now_ms=moment.now_ms,
            timeout_s=self.scopes.approval_timeout_s,
        )
        answer = await self._ask(approval)
        if answer.state is ApprovalState.APPROVED:
            moved, effects = runs.move(self.run, RunState.RUNNING, self._clock.now_ms())
            await self._performer.perform([*effects, runs.heartbeat_plan(moved.run_id, 0)])
            return True, f"allowed {answer.grant}"
        return False, answer.reason or f"{answer.state}"

    async def _ask(self, approval: ApprovalRecord) -> ApprovalRecord:
        record = self.record
        closed = self._answered(approval.request_id)
        _, effects = approvals.ask(
            record,
            self.run,
            approval,
            self._people.own,
            self._people.peer_of(record),
            self._clock.moment(),
        )
        await self._performer.perform(effects)
        await closed
        answer = self._journal.approval(approval.request_id)
        assert answer is not None  # noqa: S101 - it was put a moment ago
        return answer

    # -- after the last call ---------------------------------------------------------------------------

    async def _settle(self, settlement: Settlement) -> None:
        spent = settlement.spent
        if spent.turns:
            self._usage = Usage(
                turns=spent.turns, input_tokens=spent.tokens.input, output_tokens=spent.tokens.output
            )
        if settlement.outcome != "success":
            ending = runs.Ending(
                outcome=Outcome(settlement.outcome),
                summary=self._summary(settlement.detail),
                code=settlement.code,
                detail=settlement.detail,
            )
            await self._discard(ending)
            return
        self._words = settlement.detail
        settling, effects = runs.move(
            self.run,
            RunState.SETTLING,
            self._clock.now_ms(),
            changeset=settlement.changes,
            changeset_digest=settlement.changeset.digest if settlement.changeset else None,
            diffs=settlement.diffs,
            left_behind=settlement.left_behind,
            artifacts=settlement.artifacts,
        )
        data: dict[str, JSON] = {
            "changes": [{"op": change["op"], "path": change["path"]} for change in settlement.changes[:1000]],
            "count": len(settlement.changes),
            "digest": settling.changeset_digest,
        }
        await self._performer.perform(
            [
                *effects,
                Note(settling.digest, self._clock.now_ms(), EventType.CHANGESET, data, settling.run_id),
            ]
        )
        must_ask = (
            questions.must_ask(self.scopes, settlement.flags)
            if settlement.changes
            else questions.must_show(self.scopes, self._words)
        )
        if must_ask and not await self._approved(settlement):
            return
        if settlement.changes:
            await self._apply(settlement)
        else:
            await self._succeed()

    async def _approved(self, settlement: Settlement) -> bool:
        moment = self._clock.moment()
        approval = questions.about_changes(
            self.record,
            self.run,
            summary=self._summary(""),
            flags=settlement.flags,
            request_id=str(moment.uuid(1)),
            now_ms=moment.now_ms,
        )
        answer = await self._ask(approval)
        if answer.state is ApprovalState.APPROVED:
            self._unread = False
            return True
        detail = answer.reason or "the changes were not approved"
        await self._discard(
            runs.Ending(
                outcome=Outcome.BLOCKED, summary=self._summary(detail), code="changeset_denied", detail=detail
            )
        )
        return False

    async def _apply(self, settlement: Settlement) -> None:
        _, effects = runs.move(self.run, RunState.APPLYING, self._clock.now_ms())
        await self._performer.perform(effects)
        try:
            outcome = await self._executor.apply(self._run_id, settlement)
        except WallError as error:
            await self.finish_apply(because=error)
        else:
            await self.applied(outcome.status, [conflict.path for conflict in outcome.conflicts])

    async def finish_apply(self, *, because: WallError | None = None) -> None:
        """Carry an apply that was broken off to its end: by a crash, or by the disk (`because`).

        Until that succeeds nobody can say that all of it or nothing stands, so the run is not ended: the same is
        tried again, in this life or a later one.
        """
        try:
            outcome = await self._executor.recover(self._run_id)
        except WallError as error:
            await self._stuck(error)
            return
        if outcome is not None and (outcome.conflicts or outcome.status == "applied"):
            await self.applied(outcome.status, [conflict.path for conflict in outcome.conflicts])
        elif because is not None:
            detail = f"nothing was applied: {because.detail}"
            await self._discard(
                runs.Ending(
                    outcome=Outcome.FAILED, summary=self._summary(detail), code=because.code, detail=detail
                )
            )
        else:
            await self.interrupted()

    async def _stuck(self, error: WallError) -> None:
        """Leave a half-done apply as it is and owe the next attempt; a journal that is lost can only be told."""
        if error.code == "journal_damaged":
            detail = f"some of the changes may have been applied, and some not: {error.detail}"
            await self._discard(
                runs.Ending(
                    outcome=Outcome.FAILED, summary=self._summary(detail), code=error.code, detail=detail
                )
            )
            return
        log.error("run %s stays half applied for now: %s", self._run_id[:8], error)
        now_ms, digest = self._clock.now_ms(), self.run.digest
        data: dict[str, JSON] = {"warning": f"half applied for now, and tried again: {error.detail}"}
        known = any(event.data == data for event in self._journal.events(digest))
        again = Plan(kind=TaskKind.RUN, key=self._run_id, not_before_ms=now_ms + _APPLY_AGAIN_MS, payload={})
        notes = [] if known else [Note(digest, now_ms, EventType.WARNING, data, self._run_id)]
        await self._performer.perform([*notes, again])

    async def applied(self, status: str, conflicts: Sequence[str]) -> None:
        """End the run by how the apply went; also called when a later life has carried it to its end."""
        if status == "applied":
            await self._note(EventType.APPLIED, {"changes": len(self.run.changeset)})
            await self._succeed()
            return
        shown = ", ".join(conflicts[:5]) + (" …" if len(conflicts) > 5 else "")
        detail = f"these changed while the run went on, so nothing was applied: {shown}"
        if status == "conflict":
            detail = f"these changed while the changes were being applied and were left as they are: {shown}"
        ending = runs.Ending(
            outcome=Outcome.FAILED, summary=self._summary(detail), code=f"apply_{status}", detail=detail
        )
        await self._discard(ending)

    async def _succeed(self) -> None:
        await self._end(runs.Ending(outcome=Outcome.SUCCESS, summary=self._summary("")))
        self._executor.discard(self._run_id)

    async def _discard(self, ending: runs.Ending) -> None:
        await self._note(EventType.DISCARDED, {"reason": ending.code})
        await self._end(ending)
        self._executor.discard(self._run_id)

    async def interrupted(self) -> None:
        """End a run that another life of the daemon left behind; nothing of it reaches the files."""
        detail = "the daemon stopped while this ran; nothing was applied"
        await self._discard(
            runs.Ending(outcome=Outcome.FAILED, summary=detail, code="interrupted", detail=detail)
        )

    async def broken(self, code: str) -> None:
        """End a run that this daemon itself failed to conduct: `internal`, or `disk_full`."""
        what = "the disk of this machine was full" if code == "disk_full" else "the daemon failed"
        detail = f"{what} while this ran; nothing was applied (its log has the reason)"
        await self._discard(runs.Ending(outcome=Outcome.FAILED, summary=detail, code=code, detail=detail))

    async def _end(self, ending: runs.Ending) -> None:
        record = self.record
        await self._performer.perform(
            runs.ended(
                record,
                self.run,
                self._people.own,
                self._people.peer_of(record),
                self._clock.moment(),
                ending=ending,
                returns=Returns.STATUS if self._unread else self.scopes.returns,
                usage=self._usage,
                events=self._journal.events(record.digest),
                approvals=self._journal.approvals_of(record.digest),
            )
        )

    async def _note(self, event: EventType, data: dict[str, JSON]) -> None:
        now_ms = self._clock.now_ms()
        effects: list[Effect] = [Note(self.run.digest, now_ms, event, data, self._run_id)]
        run = self.run
        if run.state in (RunState.RUNNING, RunState.WAITING_APPROVAL):
            effects.append(Put(replace(run, last_heard_ms=now_ms)))
        await self._performer.perform(effects)

    def _summary(self, ending: str) -> str:
        steps = [f"{number}. {title}" for number, title in enumerate(self._steps, start=1)]
        lines = [self._words] if self._words else steps
        return "\n".join([*lines, ending]).strip()[:8000]
