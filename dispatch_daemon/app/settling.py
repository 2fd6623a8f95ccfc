"""Settling a run: from its last call to files that hold all of its changes or none, and to its signed end.

An apply that was broken off is carried on, in this life of the daemon or a later one: until it stands or was taken
back, nobody can say how the run ended.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace

from dispatch_daemon.adapters.blobs import BlobStore
from dispatch_daemon.adapters.executor import Executor, Settlement, WallError
from dispatch_daemon.app.preparing import seal_artifacts
from dispatch_daemon.app.run_book import RunBook
from dispatch_daemon.core import endings, parking, questions, runs, undoing
from dispatch_daemon.core.effects import Note, Plan, Put, TaskKind
from dispatch_daemon.core.records import ApprovalRecord, ApprovalState, Box
from dispatch_protocol.encoding import JSON
from dispatch_protocol.lifecycle import Outcome, RunState
from dispatch_protocol.messages.trace import EventType, Usage
from dispatch_protocol.scopes import Returns

_APPLY_AGAIN_MS = 10_000
_SWAPPED = (
    "the files of the result are not those that were approved, so nothing is applied and none of it leaves"
)
log = logging.getLogger("dispatch.runs")


class Settling:
    """Settles one run, however far it came."""

    def __init__(self, book: RunBook, executor: Executor, blobs: BlobStore) -> None:
        self._book = book
        self._executor = executor
        self._blobs = blobs

    async def settle(self, settlement: Settlement) -> None:
        """Show what the last call left to whoever must read it, apply it, and end the run."""
        self._count(settlement)
        if settlement.outcome != "success":
            ending = runs.Ending(
                outcome=Outcome(settlement.outcome),
                summary=self._book.summary(endings.signed_words(settlement.code, settlement.detail)),
                code=settlement.code,
                detail=settlement.detail,
            )
            await self._discard(ending)
            return
        self._book.words = settlement.detail
        settling, effects = runs.move(
            self._book.run,
            RunState.SETTLING,
            self._book.clock.now_ms(),
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
        await self._book.performer.perform(
            [
                *effects,
                Note(settling.digest, self._book.clock.now_ms(), EventType.CHANGESET, data, settling.run_id),
            ]
        )
        if self._must_ask(settlement) and not await self._approved(settlement):
            return
        if settlement.changes:
            await self._apply(settlement)
        else:
            await self._succeed()

    def _count(self, settlement: Settlement) -> None:
        spent = settlement.spent
        if spent.turns:
            self._book.usage = Usage(
                turns=spent.turns,
                input_tokens=spent.tokens.input,
                output_tokens=spent.tokens.output,
                cost_microusd=spent.cost_microusd,
            )

    def _must_ask(self, settlement: Settlement) -> bool:
        """Return whether a human sees what would be applied, or would leave, before it does."""
        scopes = self._book.scopes
        if settlement.changes:
            return questions.must_ask(scopes, settlement.flags)
        files = bool(settlement.artifacts)
        # The trace of one's own job goes nowhere.
        traced = bool(self._book.steps) and self._book.record.box is not Box.OWN
        return questions.must_show(scopes, self._book.words, files=files, traced=traced)

    async def park(self, settlement: Settlement) -> None:
        """Set the run aside with what it wrote so far; the next word is a human's."""
        self._count(settlement)
        record = self._book.record
        run = replace(
            self._book.run,
            changeset=settlement.changes,
            changeset_digest=settlement.changeset.digest if settlement.changeset else None,
            diffs=settlement.diffs,
            left_behind=settlement.left_behind,
            artifacts=settlement.artifacts,
            usage=self._book.usage.write(),
        )
        own, peer = self._book.people.own, self._book.people.peer_of(record)
        await self._book.performer.perform(parking.parked(record, run, own, peer, self._book.clock.moment()))

    async def _approved(self, settlement: Settlement) -> bool:
        moment = self._book.clock.moment()
        approval = questions.about_changes(
            self._book.record,
            self._book.run,
            summary=self._book.summary(""),
            flags=settlement.flags,
            place=str(self._executor.artifacts(self._book.run_id)),
            request_id=str(moment.uuid(1)),
            now_ms=moment.now_ms,
            reached=self._book.reached,
        )
        answer = await self._book.ask(approval)
        if answer.state is ApprovalState.APPROVED and await self._is_as_shown(answer):
            self._book.read = True
            return True
        if answer.state is ApprovalState.APPROVED:
            await self._fail("changeset_changed", _SWAPPED)
            return False
        detail = answer.reason or "the changes were not approved"
        await self._discard(
            runs.Ending(
                outcome=Outcome.BLOCKED,
                summary=self._book.summary(detail),
                code="changeset_denied",
                detail=detail,
            )
        )
        return False

    async def _is_as_shown(self, answer: ApprovalRecord) -> bool:
        """Return whether what would leave now is, byte for byte, what the human said yes to."""
        files = await self._executor.artifacts_now(self._book.run_id)
        digest = self._book.run.changeset_digest
        return (
            files is not None
            and questions.closing_subject(digest, self._book.summary(""), files) == answer.subject
        )

    async def _apply(self, settlement: Settlement) -> None:
        _, effects = runs.move(self._book.run, RunState.APPLYING, self._book.clock.now_ms())
        await self._book.performer.perform(effects)
        try:
            outcome = await self._executor.apply(self._book.run_id, settlement)
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
            outcome = await self._executor.recover(self._book.run_id)
        except WallError as error:
            await self._stuck(error)
            return
        if outcome is not None and (outcome.conflicts or outcome.status == "applied"):
            await self.applied(outcome.status, [conflict.path for conflict in outcome.conflicts])
        elif because is not None:
            detail = f"nothing was applied: {because.detail}"
            await self._fail(because.code, detail)
        else:
            await self.interrupted()

    async def _stuck(self, error: WallError) -> None:
        """Leave a half-done apply as it is and owe the next attempt; a journal that is lost can only be told."""
        if error.code == "journal_damaged":
            detail = f"some of the changes may have been applied, and some not: {error.detail}"
            await self._fail(error.code, detail)
            return
        log.error("run %s stays half applied for now: %s", self._book.run_id[:8], error)
        now_ms, digest = self._book.clock.now_ms(), self._book.run.digest
        data: dict[str, JSON] = {"warning": f"half applied for now, and tried again: {error.detail}"}
        known = any(event.data == data for event in self._book.journal.events(digest))
        again = Plan(
            kind=TaskKind.RUN, key=self._book.run_id, not_before_ms=now_ms + _APPLY_AGAIN_MS, payload={}
        )
        notes = [] if known else [Note(digest, now_ms, EventType.WARNING, data, self._book.run_id)]
        await self._book.performer.perform([*notes, again])

    async def applied(self, status: str, conflicts: Sequence[str]) -> None:
        """End the run by how the apply went; also called when a later life has carried it to its end."""
        if status == "applied":
            await self._book.note(EventType.APPLIED, {"changes": len(self._book.run.changeset)})
            await self._keep_originals()
            await self._succeed()
            return
        shown = ", ".join(conflicts[:5]) + (" …" if len(conflicts) > 5 else "")
        detail = f"these changed while the run went on, so nothing was applied: {shown}"
        if status == "conflict":
            detail = f"these changed while the changes were being applied and were left as they are: {shown}"
        await self._fail(f"apply_{status}", detail)

    async def _keep_originals(self) -> None:
        """Keep what the changes replaced, so that they can be undone."""
        size_bytes = await self._executor.originals.size_bytes(self._book.run_id)
        others = self._book.journal.runs_with_originals()
        now_ms = self._book.clock.now_ms()
        await self._book.performer.perform(undoing.kept(self._book.run, others, size_bytes, now_ms))

    async def _succeed(self) -> None:
        if self._book.run.state is RunState.WAITING_APPROVAL:
            # What was approved is to be returned, and nothing else.
            _, effects = runs.move(self._book.run, RunState.APPLYING, self._book.clock.now_ms())
            await self._book.performer.perform(effects)
        await self._seal_artifacts()
        await self._book.end(runs.Ending(outcome=Outcome.SUCCESS, summary=self._book.summary("")))
        self._executor.discard(self._book.run_id)

    async def _seal_artifacts(self) -> None:
        """Seal what the run made, if its author may have it: it travels beside the result."""
        run, returns = self._book.run, self._book.scopes.returns
        if not run.artifacts or returns is Returns.STATUS:
            return
        if self._book.record.box is Box.OWN:
            return
        sealed = await seal_artifacts(
            run.artifacts, self._executor.artifacts(run.run_id), self._blobs, self._book.clock.now_ms()
        )
        kept_back = [str(artifact["name"]) for artifact in sealed if artifact["blob"] is None]
        if kept_back:
            names = ", ".join(kept_back[:5]) + (" …" if len(kept_back) > 5 else "")
            words = f"not returned, as too large, too many, gone, or not what was shown any more: {names}"
            await self._book.note(EventType.WARNING, {"warning": words})
        await self._book.performer.perform([Put(replace(run, artifacts=sealed))])

    async def _fail(self, code: str, detail: str) -> None:
        summary = self._book.summary(endings.signed_words(code, detail))
        await self._discard(runs.Ending(outcome=Outcome.FAILED, summary=summary, code=code, detail=detail))

    async def _discard(self, ending: runs.Ending) -> None:
        await self._book.note(EventType.DISCARDED, {"reason": ending.code})
        await self._book.end(ending)
        self._executor.discard(self._book.run_id)

    async def interrupted(self) -> None:
        """End a run that another life of the daemon left behind; nothing of it reaches the files."""
        await self._broken_off("the daemon stopped while this ran", "interrupted")

    async def broken(self, code: str) -> None:
        """End a run that this daemon itself failed to conduct: `internal`, or `disk_full`."""
        what = "the disk of this machine was full" if code == "disk_full" else "the daemon failed"
        await self._broken_off(f"{what} while this ran (its log has the reason)", code)

    async def _broken_off(self, why: str, code: str) -> None:
        run = self._book.run
        await self._discard(runs.broken_off(why, code, run, self._book.journal.events(run.digest)))
