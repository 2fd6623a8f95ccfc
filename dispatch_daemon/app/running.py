"""Conducting runs: from the accepted dispatch to its last call, one conductor a run.

The conductor decides nothing itself. It asks `core` what comes next, has it performed, and drives the
sandbox; whatever the sandbox reports is data. Each state is in the journal before the step it names begins,
so a crash at any point leaves a journal that says what has to be undone or carried on.
"""

from dispatch_daemon.adapters.agents import AgentError, Agents
from dispatch_daemon.adapters.blobs import BlobStore
from dispatch_daemon.adapters.executor import Executor, Order, WallError
from dispatch_daemon.app.asking import Asker
from dispatch_daemon.app.preparing import context_of, order_of, spec_of
from dispatch_daemon.app.run_book import RunBook
from dispatch_daemon.app.settling import Settling
from dispatch_daemon.core import endings, gate, parking, runs, views
from dispatch_protocol.encoding import JSON
from dispatch_protocol.lifecycle import Outcome
from dispatch_protocol.messages.task import Task
from dispatch_protocol.messages.trace import EventType


class Conductor:
    """Drives one run."""

    def __init__(self, book: RunBook, executor: Executor, agents: Agents, blobs: BlobStore) -> None:
        self._book = book
        self._executor = executor
        self._agents = agents
        self._blobs = blobs
        self._asker = Asker(book)
        self._model: str | None = None
        self.settling = Settling(book, executor, blobs)

    # -- the whole way ---------------------------------------------------------------------------------

    async def conduct(self) -> None:
        """Run to the end and say how it went; whatever happens inside becomes an outcome."""
        record = self._book.record
        task = views.task_of(record)
        try:
            order = None if task.steps else self._order(task)
        except AgentError as error:
            detail = f"{error.detail} Before the next one: {error.remedy}"
            await self._book.end(
                runs.Ending(outcome=Outcome.NEED_INPUT, summary="", code=error.code, detail=detail)
            )
            return
        self._book.by_model = order is not None
        self._model = None if order is None else order.agent.name
        self._book.recall()
        try:
            edge = self._book.journal.edge(record.edge)
            servers = self._executor.servers.granted(self._book.scopes.mcp_servers)
            spec = spec_of(task, self._book.run, edge, order, self._blobs, servers)
            settlement = await self._executor.execute(spec, self)
        except WallError as error:
            await self._book.end(
                runs.Ending(
                    outcome=Outcome.NEED_INPUT if error.code == "changeset_too_large" else Outcome.FAILED,
                    summary=self._book.summary(endings.signed_words(error.code, error.detail)),
                    code=error.code,
                    detail=f"{error.detail} {error.remedy}".strip(),
                )
            )
            self._executor.forget(self._book.run_id)
            return
        if settlement.resumable and self.parked:
            await self.settling.park(settlement)
        else:
            await self.settling.settle(settlement)

    def _order(self, task: Task) -> Order:
        """Say what the chosen agent is asked to do, and what went before."""
        record, own = self._book.record, self._book.people.own
        me = own.address or views.ME
        context = context_of(self._book.journal, record, self._book.run, me=me)
        return order_of(task, record.address, self._book.scopes, self._agents, context)

    # -- what the sandbox tells and asks (the executor's Observer) -------------------------------------

    async def started(self, confinement: dict[str, JSON]) -> None:
        record, run = self._book.record, self._book.run
        begin = runs.started if run.parked_ms is None else parking.restarted
        own, peer = self._book.people.own, self._book.people.peer_of(record)
        moment = self._book.clock.moment()
        begun = begin(record, run, own, peer, moment, confinement=confinement, model=self._model)
        await self._book.performer.perform(begun)

    async def proposed(self, call_id: str, tool: str, arguments: dict[str, JSON]) -> None:
        self._book.steps.append(gate.call_title(tool, arguments))
        data: dict[str, JSON] = {"call_id": call_id, "tool": tool, "input": arguments}
        await self._book.note(EventType.TOOL_CALL, data)

    async def finished(self, result: dict[str, JSON]) -> None:
        await self._book.note(EventType.TOOL_RESULT, result)

    async def said(self, text: str) -> None:
        await self._book.note(EventType.MESSAGE, {"text": text})

    async def thought(self, text: str) -> None:
        await self._book.note(EventType.REASONING, {"text": text})

    async def noted(self, text: str) -> None:
        await self._book.note(EventType.WARNING, {"warning": text})

    async def crossed(self, what: str, code: str, *, allowed: bool) -> None:
        """Write down what leaves the wall before it does: such a run may have acted outside, however it ends."""
        data: dict[str, JSON] = {"allowed": allowed, "what": what, "code": code or None}
        await self._book.note(EventType.GATE, data | ({"effects": "external"} if allowed else {}))

    async def allowed(self, call_id: str, tool: str, arguments: dict[str, JSON]) -> tuple[bool, str]:
        """Pass one call through the gate."""
        return await self._asker.allowed(call_id, tool, arguments)

    @property
    def parked(self) -> bool:
        """Whether so many questions in a row went unanswered that the run is to be set aside."""
        return self._asker.is_silent
