"""Dispatches at the door: listed, shown, accepted, declined, cancelled."""

from pathlib import Path

from dispatch_daemon.adapters.agents import Agents
from dispatch_daemon.adapters.blobs import BlobStore
from dispatch_daemon.adapters.executor import Executor
from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.adapters.projects import ProjectIndex
from dispatch_daemon.app.bundling import write_bundle
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.disowned import require_theirs
from dispatch_daemon.app.pausing import require_unpaused
from dispatch_daemon.app.people import People
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.app.services.able import require_able
from dispatch_daemon.app.services.asked_elsewhere import with_questions
from dispatch_daemon.app.services.downloads import Downloads
from dispatch_daemon.app.services.finding import find_dispatch
from dispatch_daemon.app.services.paging import cursor_of, read_cursor
from dispatch_daemon.app.services.placing import look_around, place_of
from dispatch_daemon.app.services.pricing import require_price
from dispatch_daemon.app.services.serving import require_servers
from dispatch_daemon.app.sharing import shared
from dispatch_daemon.app.unheard import bounded
from dispatch_daemon.core import (
    by_hand,
    decisions,
    endings,
    handover,
    outgoing,
    threads,
    trust_views,
    views,
)
from dispatch_daemon.core.attachments import safe_names
from dispatch_daemon.core.effects import Plan, TaskKind
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.records import ENDED, Box, DispatchRecord, RunRecord
from dispatch_daemon.core.siblings import Shared, require_here
from dispatch_daemon.core.traces import artifact_of
from dispatch_daemon.ports import JsonObject
from dispatch_protocol.lifecycle import DispatchState, Outcome
from dispatch_protocol.standing import EdgeStatus
from dispatch_protocol.timestamps import time_or_none


class Dispatches:
    """The dispatches of this home."""

    def __init__(
        self,
        home: Path,
        journal: Journal,
        people: People,
        clock: Clock,
        performer: Performer,
        executor: Executor,
        agents: Agents,
        blobs: BlobStore,
        projects: ProjectIndex,
    ) -> None:
        self._home = home
        self._journal = journal
        self._people = people
        self._clock = clock
        self._performer = performer
        self._executor = executor
        self._agents = agents
        self._blobs = blobs
        self._projects = projects
        self._downloads = Downloads()

    # -- looking ---------------------------------------------------------------------------------------

    async def dispatches(self, *, box: str, cursor: str | None, limit: int) -> JsonObject:
        """Return one page of a box, newest first."""
        page = self._journal.page(Box(box), before=read_cursor(cursor), limit=limit + 1)
        following = page[limit - 1] if len(page) > limit else None
        return {
            "dispatches": [self.view(record) for record in page[:limit]],
            "next": None if following is None else cursor_of(following),
        }

    async def dispatch(self, *, dispatch_id: str) -> JsonObject:
        """Return everything known about one dispatch."""
        return self.whole(self.find(dispatch_id))

    def whole(self, record: DispatchRecord) -> JsonObject:
        whole = views.dispatch_whole(
            record,
            runs=self._journal.runs(record.digest),
            events=self._journal.events(record.digest),
            approvals=self._journal.approvals_of(record.digest),
            answers=self._journal.answers(record.digest),
            own_address=self._people.own.address,
            trust=self._people.trust_of(record.peer),
            arriving=self._arriving(record),
            messages=self.messages(record),
            thread=self._journal.messages.thread(record.thread_id, record.peer),
            downloads={name: self._downloads.url(record.digest, name) for name in self._places(record)},
            shared=self._shared(record),
            owner=self._owner(record),
        )
        return with_questions(self._journal, self._people.own, record, whole, self._clock.now_ms())

    def _places(self, record: DispatchRecord) -> dict[str, Path]:
        """Return where each artifact that is here lies, or will lie when somebody asks for it."""
        runs = self._journal.runs(record.digest)
        if not runs or self._arriving(record):
            return {}
        directory = self._executor.artifacts(runs[-1].run_id)
        files = [artifact_of(item) for item in runs[-1].artifacts]
        if record.box is Box.SENT:
            files = [file for file in files if self._blobs.has(file)]
            return {file.name: directory / name for file, name in zip(files, safe_names(files), strict=True)}
        return {file.name: directory / file.name for file in files if (directory / file.name).is_file()}

    async def download(self, *, key: str) -> tuple[Path, str]:
        """Return the file behind a `download_url` and its name; the address is used up by this."""
        digest, name = self._downloads.take(key)
        record = self._known(digest)
        await self._files(record)
        place = self._places(record).get(name)
        if place is None or not place.is_file():
            raise ServiceError("not_found", "this file is not here any more")
        return place, place.name

    def _arriving(self, record: DispatchRecord) -> bool:
        return self._journal.tasks.get(TaskKind.FETCH, record.digest) is not None

    def find(self, dispatch_id: str) -> DispatchRecord:
        """Return the dispatch that an id or a unique prefix of one names."""
        return find_dispatch(self._journal, dispatch_id)

    async def result(self, *, dispatch_id: str) -> JsonObject:
        """Return what came back and where its bundle of evidence lies."""
        record = self.find(dispatch_id)
        shown = self.whole(record)
        require_here(record, self._shared(record))
        if record.state not in ENDED:
            raise ServiceError(
                "not_finished",
                endings.unended(str(shown["status"]), record.box),
                hint=f"dispatch watch {record.dispatch_id[:8]}",
            )
        bundle = write_bundle(self._home, self._journal, self._people, record)
        return {
            "dispatch_id": record.dispatch_id,
            "status": shown["status"],
            "outcome": record.outcome,
            "summary": record.summary,
            "code": record.ended_code,
            "changeset": shown["changeset"],
            "diffs": shown["diffs"],
            "artifacts": shown["artifacts"],
            "receipts": shown["receipts"],
            "files": await self._files(record),
            "files_arriving": self._arriving(record),
            "bundle": str(bundle),
            "undone_at": self._undone_at(record),
        }

    def _undone_at(self, record: DispatchRecord) -> str | None:
        runs = self._journal.runs(record.digest)
        return time_or_none(runs[-1].undone_ms if runs else None)

    async def _files(self, record: DispatchRecord) -> list[str]:
        """Return where the files of the result lie: as the run left them here, or opened from what has come."""
        runs = self._journal.runs(record.digest)
        if not runs:
            return []
        directory = self._executor.artifacts(runs[-1].run_id)
        if record.box is Box.SENT:
            if self._arriving(record):
                return []
            await self._blobs.unpack_once([artifact_of(item) for item in runs[-1].artifacts], directory)
        return [str(path) for path in sorted(directory.iterdir())] if directory.is_dir() else []

    # -- deciding --------------------------------------------------------------------------------------

    async def accept(
        self,
        *,
        dispatch_id: str,
        cwd: str | None,
        caller_cwd: str | None,
        by_hand: bool,
        here: bool,
        headless: bool,
    ) -> JsonObject:
        """Accept on this machine: needs a wall, a run directory, somebody to do it and that it is still undecided.

        By hand it needs none of them: a human does it, with nothing around them that confines. `here` is a human's word
        that it shall be this machine although another one of theirs is the owner. `headless` says that nobody is there
        to choose an agent: without one it ends as needing input, which its sender is told.
        """
        found = self.find(dispatch_id)
        if by_hand:
            return await self._accept_by_hand(found, here=here)
        require_unpaused(self._journal)
        if found.state is DispatchState.DELIVERED and found.box is not Box.SENT:
            await self.require_wall()
            scopes, _ = bounded(self._journal, self._people, found, self._clock.now_ms())
            await look_around(scopes, self._projects, cwd=cwd, caller_cwd=caller_cwd)
        record = self._known(found.digest)  # it may have been decided meanwhile
        scopes, why = bounded(self._journal, self._people, record, self._clock.now_ms())
        self._require_acceptable(record, here=here)
        await self._require_files(record)
        require_price(self._agents, views.task_of(record), scopes)
        require_servers(self._executor.servers, views.task_of(record), scopes)
        place = place_of(record, scopes, self._projects, cwd=cwd, caller_cwd=caller_cwd)
        if not headless:
            await self.require_able(record, instead=f"dispatch accept {record.dispatch_id[:8]} --by-hand")
        run, effects = decisions.accept(
            record,
            self._people.own,
            self._people.peer_of(record),
            self._clock.moment(),
            scopes=scopes,
            place=place,
            agent=self._agent(record),
            model=None if views.task_of(record).steps else self._agents.named(),
            shared=self._shared(record),
            asks_because=why,
            here=here,
        )
        await self._performer.perform(effects)
        return self.acted(record.digest, run)

    async def _accept_by_hand(self, record: DispatchRecord, *, here: bool) -> JsonObject:
        scopes = self._people.scopes_of(record.edge)
        self._require_acceptable(record, here=here)
        await self._require_files(record)
        run, effects = by_hand.accept(
            record,
            self._people.own,
            self._people.peer_of(record),
            self._clock.moment(),
            scopes=scopes,
            shared=self._shared(record),
            here=here,
        )
        await self._performer.perform(effects)
        return {**self.acted(record.digest, run), "confined": False}

    def _require_acceptable(self, record: DispatchRecord, *, here: bool) -> None:
        decisions.require_acceptable(
            record, self._people.own, self._clock.now_ms(), self._shared(record), here=here
        )
        self.require_edge(record)

    async def require_wall(self) -> None:
        """Refuse to run anything on a machine that cannot confine it."""
        capability = await self._executor.probe()
        if not capability.can_run:
            raise ServiceError("no_sandbox", capability.reason, hint=capability.remedy or None)

    async def require_able(self, record: DispatchRecord, *, instead: str) -> None:
        """Refuse what no agent of this machine could do, and say what else there is."""
        await require_able(self._agents, record, instead=instead)

    def require_edge(self, record: DispatchRecord) -> None:
        """Refuse what comes over an edge that is not in force, or from a device that is none of its person's any more."""
        edge = self._journal.edge(record.edge)
        if record.box is Box.OWN or edge is None:
            return
        status = trust_views.edge_status(edge, self._clock.now_ms())
        if status is not EdgeStatus.ACTIVE:
            longer = f"dispatch edit-edge {edge.address} --expires-at never"
            raise ServiceError(
                f"edge_{status}",
                f"the edge from {edge.address} is {status}",
                hint=longer if status is EdgeStatus.EXPIRED else "dispatch contacts",
            )
        if self._people.in_conflict(edge.peer):
            raise ServiceError(
                "chain_forked", f"two histories of {edge.address} were told, and nothing says which is theirs"
            )
        require_theirs(self._people, record)

    async def _require_files(self, record: DispatchRecord) -> None:
        """Refuse to accept what is not here as a whole: every file has come and passed its checks first.

        A device that was not to run it has not asked for them before.
        """
        files = views.task_of(record).attachments
        missing = record.box is Box.INBOX and not all(self._blobs.has(file) for file in files)
        if missing and not self._arriving(record):
            now_ms = self._clock.now_ms()
            await self._performer.perform(
                [Plan(kind=TaskKind.FETCH, key=record.digest, not_before_ms=now_ms, payload={})]
            )
        if self._arriving(record):
            count = len(files)
            raise ServiceError(
                "files_arriving",
                f"its files are still arriving ({count} in all)",
                hint=f"dispatch watch {record.dispatch_id[:8]}",
            )

    def _agent(self, record: DispatchRecord) -> str:
        return "steps" if views.task_of(record).steps else self._agents.word()

    async def decline(self, *, dispatch_id: str, reason: str | None) -> JsonObject:
        record = self.find(dispatch_id)
        outgoing.check_reason(reason)
        effects = decisions.decline(
            record,
            self._people.own,
            self._people.peer_of(record),
            self._clock.moment(),
            reason=reason,
            shared=self._shared(record),
        )
        await self._performer.perform(effects)
        return self.acted(record.digest, None)

    async def cancel(self, *, dispatch_id: str, reason: str | None) -> JsonObject:
        """Cancel as whichever party this machine is."""
        record = self.find(dispatch_id)
        outgoing.check_reason(reason)
        peer, moment = self._people.peer_of(record), self._clock.moment()
        require_here(record, self._shared(record))
        if record.state in ENDED:
            raise ServiceError("not_pending", f"this dispatch is over: {self.view(record)['status']}")
        if record.box is Box.SENT:
            effects = decisions.cancel_sent(record, self._people.own, peer, moment, reason=reason)
        else:
            runs = self._journal.runs(record.digest)
            effects = decisions.cancel_received(
                record,
                runs[-1] if runs else None,
                self._journal.approvals_of(record.digest),
                self._people.own,
                peer,
                moment,
                by="recipient",
                detail=reason,
            )
        await self._performer.perform(effects)
        return {**self.acted(record.digest, None), "cancel_requested": True}

    # -- small things ----------------------------------------------------------------------------------

    def _shared(self, record: DispatchRecord) -> Shared:
        """Return what this person's other devices did with a dispatch."""
        return shared(self._journal, self._people.own, record.digest)

    def _owner(self, record: DispatchRecord) -> JsonObject | None:
        return handover.view(record, self._shared(record), self._people.own)

    def _known(self, digest: str) -> DispatchRecord:
        record = self._journal.dispatch(digest)
        assert record is not None  # noqa: S101 - dispatches are never removed
        return record

    def view(self, record: DispatchRecord) -> JsonObject:
        """Return one dispatch as lists show it."""
        runs = self._journal.runs(record.digest)
        return views.dispatch(
            record,
            runs,
            own_address=self._people.own.address,
            arriving=self._arriving(record),
            unread=self._journal.messages.unread(record.digest),
            shared=self._shared(record),
            owner=self._owner(record),
        )

    def messages(self, record: DispatchRecord) -> list[JsonObject]:
        """Return what was said about a dispatch, by either side."""
        said = self._journal.messages.about(record.digest)
        me = self._people.own.address or views.ME
        return threads.views(said, record, me=me, now_ms=self._clock.now_ms())

    def acted(self, digest: str, run: RunRecord | None) -> JsonObject:
        """Return a dispatch after an act on it."""
        record = self._known(digest)
        shown = self.view(record)
        acted: JsonObject = {
            "dispatch_id": record.dispatch_id,
            "status": shown["status"],
            "run_id": None if run is None else run.run_id,
            "cwd": None if run is None else run.cwd,
        }
        if why := (record.decision or {}).get("asks_because"):
            acted["asks_because"] = why
        if record.outcome is Outcome.NEED_INPUT:
            acted["outcome"] = record.outcome
        return acted
