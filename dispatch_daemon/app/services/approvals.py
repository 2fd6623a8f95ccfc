"""Questions and standing rules at the door: decided here, on this machine, and nowhere else."""

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.people import People
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.app.services.asked_elsewhere import open_questions, where
from dispatch_daemon.app.services.finding import find
from dispatch_daemon.app.sharing import shared
from dispatch_daemon.core import approvals, questions, stepping_in, trust_views, verdicts, views
from dispatch_daemon.core.effects import Effect, Forget
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.records import ApprovalRecord, DispatchRecord, Door, GrantChoice, RunRecord
from dispatch_daemon.core.shared_records import QuestionRecord
from dispatch_daemon.ports import JsonObject
from dispatch_protocol.keys import EdgeId


class Approvals:
    """Open questions of this home's runs, and the standing yeses on its edges."""

    def __init__(self, journal: Journal, people: People, clock: Clock, performer: Performer) -> None:
        self._journal = journal
        self._people = people
        self._clock = clock
        self._performer = performer

    async def approvals(self) -> JsonObject:
        return {"approvals": self.open()}

    def open(self) -> list[JsonObject]:
        """Return every open question as the human has to see it."""
        own = self._people.own.address
        return [
            *open_questions(
                self._journal, self._people.own, self._journal.questions_open(), self._clock.now_ms()
            ),
            *self._here(own),
        ]

    def _here(self, own: str | None) -> list[JsonObject]:
        return [
            views.approval_view(
                approval, record, run, own_address=own, trust=self._people.trust_of(record.peer)
            )
            for approval in self._journal.approvals_open()
            if (record := self._journal.dispatch(approval.digest)) is not None
            and (run := self._journal.run(approval.run_id)) is not None
        ]

    async def decide(
        self,
        *,
        request_id: str,
        decision: str,
        grant: str | None,
        reason: str | None,
        dispatch_id: str | None,
        stop: bool,
        by: str,
    ) -> JsonObject:
        """Answer one question; the answer says what is now applied, not what was asked for.

        With `stop` a denial ends the run in the same step.
        """
        if stop and decision == "approve":
            raise ServiceError("invalid", "only a denial stops a run")
        approval = find(request_id, "question", self._like, _request_id, hint="dispatch approvals")
        if isinstance(approval, QuestionRecord):
            return await self._say(approval, decision, grant, reason, by=by, stop=stop)
        record = self._record(approval, dispatch_id)
        run = self._journal.run(approval.run_id)
        assert run is not None  # noqa: S101 - a question is a run's
        devices = shared(self._journal, self._people.own, record.digest)
        effects = approvals.decide(
            approval,
            approved=decision == "approve",
            grant=None if grant is None else GrantChoice(grant),
            reason=reason,
            run=run,
            edge=record.edge,
            door=Door(by),
            moment=self._clock.moment(),
            shared=devices,
        )
        if stop:
            effects += self._stopping(record, run, approval, reason)
        await self._performer.perform(effects)
        answered = self._journal.approval(approval.request_id)
        assert answered is not None  # noqa: S101 - it was found above
        return {"dispatch_id": record.dispatch_id, **approvals.applied(answered, devices), "stopped": stop}

    def _like(self, prefix: str) -> list[ApprovalRecord | QuestionRecord]:
        return [*self._journal.approvals_like(prefix), *self._journal.questions_like(prefix)]

    async def _say(
        self,
        question: QuestionRecord,
        decision: str,
        grant: str | None,
        reason: str | None,
        *,
        by: str,
        stop: bool,
    ) -> JsonObject:
        """Answer a question of another device: it is told what was said, and applies it or is past it."""
        own, now_ms = self._people.own, self._clock.now_ms()
        place = where(self._journal, own, question)
        if stop or grant not in (None, GrantChoice.ONCE):
            raise ServiceError("invalid", f"from here a question is answered once; on {place} there is more")
        approved = decision == "approve"
        if not approved and grant is not None:
            raise ServiceError("invalid", "a denial takes no grant")
        effects = verdicts.say(question, own, place, now_ms, approved=approved, reason=reason)
        await self._performer.perform(effects)
        said = self._journal.question(question.request_id)
        assert said is not None  # noqa: S101 - it was found above
        return verdicts.answered_view(said, place, own, by=Door(by), now_ms=now_ms)

    def _stopping(
        self, record: DispatchRecord, run: RunRecord, denied: ApprovalRecord, reason: str | None
    ) -> list[Effect]:
        return stepping_in.stop(
            record,
            run,
            denied,
            self._journal.approvals_of(record.digest),
            self._people.own,
            self._people.peer_of(record),
            self._clock.moment(),
            reason=reason,
            returns=questions.unread(questions.scopes_of(run), by_model=run.agent != "steps"),
            events=self._journal.events(record.digest),
        )

    def _record(self, approval: ApprovalRecord, dispatch_id: str | None) -> DispatchRecord:
        record = self._journal.dispatch(approval.digest)
        if record is None or (dispatch_id and not record.dispatch_id.startswith(dispatch_id.strip().lower())):
            raise ServiceError(
                "not_found",
                f"dispatch {dispatch_id} has no question {approval.request_id[:8]}",
                hint="dispatch approvals",
            )
        return record

    async def rules(self) -> JsonObject:
        return {
            "rules": [trust_views.rule_view(rule, self._address(rule.edge)) for rule in self._journal.rules()]
        }

    async def remove_rule(self, *, rule_id: str) -> JsonObject:
        """Take back a standing yes; from now on this call asks again."""
        rule = find(
            rule_id,
            "rule",
            lambda prefix: [rule for rule in self._journal.rules() if rule.rule_id.startswith(prefix)],
            lambda rule: rule.rule_id,
            hint="dispatch rules list",
        )
        await self._performer.perform([Forget(rule)])
        return {"rule_id": rule.rule_id, "status": "removed"}

    def _address(self, edge: str) -> str:
        if edge == EdgeId.SELF.hex:
            return views.ME
        record = self._journal.edge(edge)
        return record.address if record else edge


def _request_id(item: ApprovalRecord | QuestionRecord) -> str:
    return item.request_id
