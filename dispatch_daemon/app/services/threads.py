"""Threads at the door: words written about a dispatch, read, and shown with everything else of their thread."""

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.people import People
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.app.services.dispatches import Dispatches
from dispatch_daemon.core import outgoing, threads, views
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.records import Box, DispatchRecord, MessageRecord
from dispatch_daemon.ports import JsonObject
from dispatch_protocol.standing import EdgeStatus


class Threads:
    """What is said between this home and others."""

    def __init__(
        self, journal: Journal, people: People, clock: Clock, performer: Performer, dispatches: Dispatches
    ) -> None:
        self._journal = journal
        self._people = people
        self._clock = clock
        self._performer = performer
        self._dispatches = dispatches

    async def reply(self, *, dispatch_id: str, text: str, by: str, idempotency_key: str | None) -> JsonObject:
        """Write to the other side of a dispatch; the words start nothing there."""
        record = self._dispatches.find(dispatch_id)
        outgoing.check_reply(text)
        earlier = None if idempotency_key is None else self._journal.messages.for_key(idempotency_key)
        if earlier is not None:
            return self._view(record, self._same(earlier, record, text))
        self._require_trust(record)
        message, effects = threads.write(
            record,
            self._people.own,
            self._people.peer_of(record),
            self._clock.moment(),
            text=text,
            surface=by,
            said=self._journal.messages.about(record.digest),
            idempotency_key=idempotency_key,
        )
        await self._performer.perform(effects)
        return self._view(record, message)

    def _same(self, earlier: MessageRecord, record: DispatchRecord, text: str) -> MessageRecord:
        """Return the earlier words of an idempotency key, if they are these."""
        if earlier.about != record.digest or threads.message_of(earlier).text != text:
            raise ServiceError("idempotency_conflict", "this idempotency key was used for other words")
        return earlier

    def _require_trust(self, record: DispatchRecord) -> None:
        """Refuse to write to somebody who would not read it, or who may be two."""
        edge = self._journal.edge(record.edge)
        if record.box is Box.OWN or edge is None:
            return
        if edge.status is EdgeStatus.REVOKED:
            raise ServiceError(
                "edge_revoked", f"the edge with {edge.address} was revoked, and its threads with it"
            )
        if self._people.in_conflict(record.peer):
            raise ServiceError("chain_forked", f"two histories of {edge.address} were told; one is a lie")

    def _view(self, record: DispatchRecord, message: MessageRecord) -> JsonObject:
        (shown,) = [
            view for view in self._dispatches.messages(record) if view["message_id"] == message.digest
        ]
        return {**shown, "thread_id": record.thread_id}

    async def thread(self, *, dispatch_id: str) -> JsonObject:
        """Return the whole thread that a dispatch belongs to, oldest first."""
        record = self._dispatches.find(dispatch_id)
        found = self._journal.messages.thread(record.thread_id, record.peer)
        return {
            "thread_id": record.thread_id,
            "peer": (self._people.own.address or views.ME) if record.box is Box.OWN else record.address,
            "trust": self._people.trust_of(record.peer),
            "dispatches": [
                {
                    **self._dispatches.view(each),
                    "messages": self._dispatches.messages(each),
                    "runs": [views.run_view(run) for run in self._journal.runs(each.digest)],
                }
                for each in found
            ],
        }

    async def read_messages(self, *, dispatch_id: str, last: str) -> JsonObject:
        """Note that a human has seen what was said about a dispatch, up to one message."""
        record = self._dispatches.find(dispatch_id)
        said = self._journal.messages.about(record.digest)
        await self._performer.perform(threads.read(said, last, self._clock.now_ms()))
        return {
            "dispatch_id": record.dispatch_id,
            "unread": self._journal.messages.unread(record.digest),
        }
