"""Carrying files: what goes with a document is at the relay before the document is, and what came is checked before it is used.

Both are tasks of the effects table and may be repeated without harm. An upload ends in one commit that owes the document
itself; so nothing is deposited whose files are not there. A download ends when every file has passed the protocol's list.
Bytes that the relay has changed are fetched again; files that their author sealed falsely are refused, signed.
"""

import logging
import os
from collections.abc import Sequence
from dataclasses import replace

from dispatch_daemon.adapters.blobs import BlobStore
from dispatch_daemon.adapters.journal import Journal, Task
from dispatch_daemon.adapters.relay import RelayRejectedError, RelayUnreachableError, Transfers
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.depositing import NEVER_CODES, RETRY_CODES, Depositor
from dispatch_daemon.app.people import People
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.core import intake, retry
from dispatch_daemon.core.effects import Durable, Effect, Note, Plan, Put, TaskKind, Unplan
from dispatch_daemon.core.records import Box, DispatchRecord
from dispatch_daemon.core.traces import artifact_of
from dispatch_daemon.core.views import task_of
from dispatch_protocol.errors import RefusalCode, RefusedError
from dispatch_protocol.keys import EdgeId
from dispatch_protocol.lifecycle import DispatchState
from dispatch_protocol.messages.files import File
from dispatch_protocol.messages.registry import decode_body
from dispatch_protocol.messages.result import Result
from dispatch_protocol.messages.task import Task as TaskBody
from dispatch_protocol.messages.trace import EventType
from dispatch_protocol.payloads import kind_of
from dispatch_protocol.signing import Signed

_DAY_MS = 86_400_000
_ANSWER_MS = 7 * _DAY_MS  # how long the files of a result wait for their author
_RELAYS_FAULT = frozenset({RefusalCode.BLOB_SIZE, RefusalCode.BLOB_ADDRESS})
_UNDECIDED = frozenset({DispatchState.DELIVERED})
_TELL_AT = 3  # attempts after which people are told that a file does not come
log = logging.getLogger("dispatch.files")


class Carrier:
    """Settles `upload` and `fetch` tasks."""

    def __init__(
        self,
        journal: Journal,
        people: People,
        clock: Clock,
        performer: Performer,
        depositor: Depositor,
        transfers: Transfers,
        blobs: BlobStore,
    ) -> None:
        self._journal = journal
        self._people = people
        self._clock = clock
        self._performer = performer
        self._depositor = depositor
        self._transfers = transfers
        self._blobs = blobs

    # -- out -------------------------------------------------------------------------------------------

    async def upload(self, task: Task) -> None:
        """Leave the files of one document at the relay, then owe the document itself, if it is still owed."""
        row = self._journal.outbox.row(task.key)
        record = self._journal.dispatch(task.key)
        if row is None and record is None:
            await self._performer.perform([Unplan(TaskKind.UPLOAD, task.key)])
            return
        signed = row.signed if row is not None else record.signed if record is not None else b""
        edge = row.edge if row is not None else record.edge if record is not None else ""
        try:
            for file in _files_in(signed):
                await self._leave(file, edge, row.expires_ms if row is not None else 0)
        except RelayUnreachableError as error:
            log.info("files of %s wait: %s", task.key[:16], error.detail)
            self._again(task)
        except RelayRejectedError as error:
            await self._rejected(task, error)
        except OSError as error:
            log.error("files of %s cannot be read: %s", task.key[:16], error)  # noqa: TRY400 - the disk's fault, and said
            gone = "its files are not on this machine any more"
            if not await self._depositor.give_up(task.key, "files_missing", gone):
                await self._performer.perform(self._uploaded(task.key))
        else:
            await self._performer.perform(self._uploaded(task.key))

    async def _leave(self, file: File, edge: str, expires_ms: int) -> None:
        assert file.blob is not None  # noqa: S101 - only such files are carried
        address = file.blob.address.hex
        until = expires_ms + _DAY_MS if expires_ms else self._clock.now_ms() + _ANSWER_MS
        await self._transfers.leave(
            self._blobs.path(address), address=address, edge=EdgeId.from_hex(edge).uuid, expires_ms=until
        )

    def _uploaded(self, digest: str) -> list[Effect]:
        effects: list[Effect] = [Unplan(TaskKind.UPLOAD, digest)]
        if self._journal.outbox.row(digest) is not None:
            now_ms = self._clock.now_ms()
            effects.append(Plan(kind=TaskKind.DEPOSIT, key=digest, not_before_ms=now_ms, payload={}))
        return effects

    async def _rejected(self, task: Task, error: RelayRejectedError) -> None:
        log.warning("the relay does not take the files of %s: %s", task.key[:16], error)
        if error.code in RETRY_CODES:
            self._again(task)
        elif await self._depositor.give_up(task.key, error.code, error.detail):
            return
        elif error.code in NEVER_CODES:  # a result is worth more than its files
            await self._performer.perform(self._uploaded(task.key))
        else:
            self._again(task)

    def leave_again(self) -> None:
        """Owe the files of everything that is not over once more: the relay has lost its memory."""
        now_ms = self._clock.now_ms()
        plans: list[Durable] = [
            Plan(kind=TaskKind.UPLOAD, key=record.digest, not_before_ms=now_ms, payload={})
            for record in self._journal.unfinished()
            if record.box is Box.SENT and _files_in(record.signed)
        ]
        self._performer.note(plans)

    # -- in --------------------------------------------------------------------------------------------

    async def fetch(self, task: Task) -> None:
        """Get what is still missing of the files that came with a dispatch, or with its result."""
        record = self._journal.dispatch(task.key)
        if record is None or not self._wanted(record):
            await self._performer.perform([Unplan(TaskKind.FETCH, task.key)])
            return
        for file in self.files_of(record):
            try:
                if not self._blobs.has(file):
                    await self._get(file)
            except (RelayUnreachableError, RelayRejectedError, OSError) as error:
                await self._later(task, record, file, str(error))
                return
            except RefusedError as error:
                if error.reason in _RELAYS_FAULT:
                    await self._later(task, record, file, str(error))
                else:
                    await self._spoilt(record, file, error)
                return
        await self._performer.perform(
            [
                Unplan(TaskKind.FETCH, task.key),
                Note(task.key, self._clock.now_ms(), EventType.FILES, {"state": "here"}),
            ]
        )
        if len(self._people.own.chain.devices) == 1:
            await self._forget(self.files_of(record))  # unless another device of ours may want the same

    def files_of(self, record: DispatchRecord) -> list[File]:
        """Return the files that belong on this machine: the recipient's are the task's, the author's the result's."""
        if record.box is not Box.SENT:
            return list(task_of(record).attachments)
        runs = self._journal.runs(record.digest)
        artifacts = [artifact_of(data) for data in (runs[-1].artifacts if runs else ())]
        return [
            artifact
            for artifact in artifacts
            if artifact.blob is not None and artifact.size_bytes <= self._blobs.file_bytes
        ]

    def _wanted(self, record: DispatchRecord) -> bool:
        """Say whether the files of a dispatch matter still: undecided at the recipient, a result's at its author."""
        if record.box is Box.SENT:
            ended_ms = record.last_heard_ms or record.created_ms
            return self._clock.now_ms() < ended_ms + _ANSWER_MS + _DAY_MS
        return record.state in _UNDECIDED

    async def _get(self, file: File) -> None:
        assert file.blob is not None  # noqa: S101 - only such files are carried
        address = file.blob.address.hex
        missing = self._blobs.missing_bytes(file)
        descriptor = self._blobs.open_part(address)
        try:
            if missing:
                at = os.fstat(descriptor).st_size
                await self._transfers.fetch(address, descriptor, at=at, most_bytes=missing)
        finally:
            os.close(descriptor)
        if self._blobs.missing_bytes(file):
            raise RelayUnreachableError(f"the file {file.name} has not come in full")
        await self._blobs.take_in(file)

    async def _later(self, task: Task, record: DispatchRecord, file: File, why: str) -> None:
        log.info("the file %s of %s has not come: %s", file.sha256.hex[:16], task.key[:16], why)
        if task.attempts == _TELL_AT:
            data = {"state": "missing", "name": file.name}
            await self._performer.perform(
                [Note(record.digest, self._clock.now_ms(), EventType.FILES, dict(data))]
            )
        self._again(task)

    async def _spoilt(self, record: DispatchRecord, file: File, error: RefusedError) -> None:
        """Refuse a task whose author sealed another file than was signed; of a result only that file is given up."""
        log.warning("a file of %s is not what was signed: %s", record.digest[:16], error)
        detail = f"the file {file.name}: {error.detail}"
        now_ms = self._clock.now_ms()
        effects: list[Effect] = [
            Note(
                record.digest,
                now_ms,
                EventType.FILES,
                {"state": "bad", "name": file.name, "code": error.code},
            )
        ]
        if record.box is Box.SENT:
            run = self._journal.runs(record.digest)[-1]
            kept = tuple(
                {**data, "blob": None} if data.get("sha256") == file.sha256.hex else data
                for data in run.artifacts
            )
            again = Plan(kind=TaskKind.FETCH, key=record.digest, not_before_ms=now_ms, payload={})
            effects += [Put(replace(run, artifacts=kept)), again]
        else:
            own, peer = self._people.own, self._people.peer_of(record)
            effects += intake.spoilt(
                record, own, peer, self._clock.moment(), code=error.reason, detail=detail
            )
        await self._performer.perform(effects)

    async def _forget(self, files: Sequence[File]) -> None:
        """Let the relay forget what is here; if it does not hear of it, time will tell it."""
        try:
            for file in files:
                if file.blob is not None:
                    await self._transfers.forget(file.blob.address.hex)
        except (RelayUnreachableError, RelayRejectedError) as error:
            log.info("the relay still keeps files that are here: %s", error)

    def _again(self, task: Task) -> None:
        jitter = int.from_bytes(self._clock.random(2))
        self._journal.tasks.retry(task, retry.next_attempt_ms(self._clock.now_ms(), task.attempts, jitter))

    def sweep(self) -> None:
        """Remove sealed files that nothing refers to any more."""
        self._journal.forget_files(self._clock.now_ms() - _DAY_MS)
        wanted: set[str] = set()
        for record in self._journal.unfinished():
            wanted.update(_addresses(_files_in(record.signed)))
        for row in self._journal.outbox.with_files():
            wanted.update(_addresses(_files_in(row)))
        wanted.update(self._journal.file_ids())
        wanted.update(_addresses(self._journal_results()))
        self._blobs.sweep(wanted)

    def _journal_results(self) -> list[File]:
        """Return the files of results that are still being fetched."""
        return [
            file
            for key in self._journal.tasks.keys(TaskKind.FETCH)
            if (record := self._journal.dispatch(key)) is not None
            for file in self.files_of(record)
        ]


def _files_in(signed: bytes) -> list[File]:
    """Return the sealed files that a document of ours, or a task, names."""
    document = Signed.decode(signed)
    kind = kind_of(document.payload_type)
    match decode_body(kind, document.body) if kind is not None else None:
        case TaskBody(attachments=attachments):
            return list(attachments)
        case Result(artifacts=artifacts):
            return [artifact for artifact in artifacts if artifact.blob is not None]
        case _:
            return []


def _addresses(files: Sequence[File]) -> list[str]:
    return [file.blob.address.hex for file in files if file.blob is not None]
