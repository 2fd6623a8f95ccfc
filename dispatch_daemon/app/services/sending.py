"""Sending at the door: composed, signed and owed once, however often it is asked under one key."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace

from dispatch_daemon.adapters.blobs import BlobStore
from dispatch_daemon.adapters.executor import WallError, foresee
from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.people import People
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.app.services.finding import find_dispatch
from dispatch_daemon.app.sharing import names
from dispatch_daemon.core import attachments, devices, handover, outgoing, trust_views, views
from dispatch_daemon.core.composing import Peer
from dispatch_daemon.core.effects import Put
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.grants import newest
from dispatch_daemon.core.records import Box, DispatchRecord, FileRecord
from dispatch_daemon.core.requests import SendRequest
from dispatch_daemon.core.trust_records import Direction, InvitationStatus
from dispatch_daemon.ports import JsonObject
from dispatch_protocol import loopback
from dispatch_protocol.encoding import Fields
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.keys import Digest, EdgeId
from dispatch_protocol.lifecycle import DispatchState
from dispatch_protocol.limits import EXPIRY_DEFAULT_S
from dispatch_protocol.messages.files import Attachment
from dispatch_protocol.messages.steps import Step
from dispatch_protocol.standing import EdgeStatus

_SETTLE_S = 2.0  # how long a sender waits for the relay's word
_OUR_OWN = frozenset({"sealing_key_old", "stale_chain"})  # the relay was not even asked
_STEP: JsonObject = {"input": {}, "save_as": None, "allow_failure": False}


class Sending:
    """What this home sends. `settled` returns what is done once the relay has said a word on a new dispatch."""

    def __init__(
        self,
        journal: Journal,
        people: People,
        clock: Clock,
        performer: Performer,
        settled: Callable[[str], "asyncio.Future[None]"],
        blobs: BlobStore,
    ) -> None:
        self._journal = journal
        self._people = people
        self._clock = clock
        self._performer = performer
        self._settled = settled
        self._blobs = blobs

    async def keep_file(self, *, pieces: AsyncIterator[bytes]) -> JsonObject:
        """Take a file that will be sent: sealed under a key of its own while it comes, and kept for a day."""
        record = await self._blobs.keep(pieces, now_ms=self._clock.now_ms())
        await self._performer.perform([Put(record)])
        return {
            "file_id": record.file_id,
            "size_bytes": record.size_bytes,
            "sha256": record.sha256,
        }

    async def send(self, *, request: SendRequest, idempotency_key: str | None) -> JsonObject:
        """Sign, keep and owe a dispatch; says within two seconds whether the relay refused it."""
        outgoing.check(request)
        request, parent = self._followed(request)
        steps = _steps(request)
        files = self._journal.files(choice.file_id for choice in request.files)
        if idempotency_key is not None:
            earlier = self._journal.dispatch_for_key(idempotency_key)
            if earlier is not None:
                return self._sent(self._same(earlier, request, steps, files, parent))
        attached = attachments.attach(request.files, files)
        return await self._compose(request, steps, attached, parent, idempotency_key)

    async def resend(self, *, dispatch_id: str, idempotency_key: str | None) -> JsonObject:
        """Send what a dispatch of ours asked for anew, as a new dispatch to the same person."""
        earlier = find_dispatch(self._journal, dispatch_id)
        outgoing.require_resendable(earlier)
        task = views.task_of(earlier)
        if not all(self._blobs.has(file) for file in task.attachments):
            raise ServiceError(
                "files_missing",
                "its files are not here any more",
                hint="dispatch send RECIPIENT TASK --file F",
            )
        parent = None if task.parent is None else self._journal.dispatch(task.parent.hex)
        request = outgoing.request_again(earlier, task)
        if idempotency_key is not None:
            again = self._journal.dispatch_for_key(idempotency_key)
            if again is not None and _asks_the_same(again, request, task.steps, parent):
                return self._sent(again)
            if again is not None:
                raise ServiceError(
                    "idempotency_conflict", "this idempotency key was used for another dispatch"
                )
        return await self._compose(request, task.steps, task.attachments, parent, idempotency_key)

    async def _compose(
        self,
        request: SendRequest,
        steps: tuple[Step, ...],
        files: tuple[Attachment, ...],
        parent: DispatchRecord | None,
        idempotency_key: str | None,
    ) -> JsonObject:
        record, effects = outgoing.compose(
            request,
            steps,
            self._addressee(request.recipient or views.ME, request.device, parent),
            self._people.own,
            self._clock.moment(),
            idempotency_key=idempotency_key,
            files=files,
            parent=parent,
        )
        settled = self._settled(record.digest) if record.box is Box.SENT else None
        await self._performer.perform(effects)
        if settled is not None:
            await asyncio.wait([settled], timeout=_SETTLE_S)
        kept = self._journal.dispatch(record.digest)
        assert kept is not None  # noqa: S101 - it was put a moment ago
        return self._sent(kept)

    def _followed(self, request: SendRequest) -> tuple[SendRequest, DispatchRecord | None]:
        """Find what a request follows up; nobody named is whoever stands on the other side of that."""
        if request.parent is None:
            if request.recipient is None:
                raise ServiceError("invalid", "nobody is named: a dispatch has a recipient, or a parent")
            return request, None
        parent = find_dispatch(self._journal, request.parent)
        if request.recipient is None:
            other = views.ME if parent.box is Box.OWN else parent.peer
            request = replace(request, recipient=other)
        return request, parent

    def _addressee(
        self, recipient: str, device: str | None, parent: DispatchRecord | None
    ) -> outgoing.Addressee:
        to = self._named(recipient, device)
        if parent is not None and to.peer.genesis.hex != parent.peer:
            raise ServiceError("invalid", f"{recipient} is not the other side of what this follows up")
        return to

    def _named(self, recipient: str, device: str | None) -> outgoing.Addressee:
        own = self._people.own
        if self._people.is_me(recipient):
            self._require_this(device)
            return outgoing.Addressee(
                peer=self._people.own_contact(),
                address=own.address or views.ME,
                edge=EdgeId.SELF.hex,
                box=Box.OWN,
                owner_device=own.device,
                grant_version=None,
            )
        try:
            edge, contact = self._people.edge_to(recipient, Direction.OUTGOING)
        except ServiceError as error:
            raise self._unreachable(recipient, error) from None
        status = trust_views.edge_status(edge, self._clock.now_ms())
        if status is not EdgeStatus.ACTIVE:
            raise ServiceError(
                f"edge_{status}",
                f"the edge to {edge.address} is {status}",
                hint=f"dispatch invite {edge.address}",
            )
        if contact.conflict is not None:
            raise ServiceError("chain_forked", f"two histories of {edge.address} were told; one is a lie")
        chain = self._people.chain_of(contact.genesis)
        assert chain is not None  # noqa: S101 - the contact is in the journal
        return outgoing.Addressee(
            peer=Peer(chain.genesis, chain.head),
            address=edge.address,
            edge=edge.edge,
            box=Box.SENT,
            owner_device=handover.chosen(chain, device, edge.address),
            grant_version=newest(edge).version,
        )

    def _unreachable(self, recipient: str, error: ServiceError) -> ServiceError:
        """Say why nothing can be sent to somebody: nobody is called so, an invitation waits for their yes, or none was made."""
        if error.code != "no_edge":
            return error
        address = recipient.strip()
        try:
            address = self._people.known(address)[0].address
        except ServiceError as unknown:
            if unknown.code != "peer_unknown":
                return unknown
            if waiting := self._invited(address):
                address = waiting
            elif "@" not in address:
                return unknown
        if self._invited(address) is not None:
            why = f"your invitation to {address} waits for their yes; until then you cannot send to them"
            return ServiceError("no_edge", why, hint="dispatch invitations")
        why = f"{address} has not allowed you to send tasks"
        return ServiceError("no_edge", why, hint=f"dispatch invite {address}")

    def _invited(self, name: str) -> str | None:
        """Return who waits for an answer under this address, or the beginning of one."""
        now_ms, wanted = self._clock.now_ms(), name.casefold()
        waiting = [
            each.address
            for each in self._journal.invitations()
            if each.direction is Direction.OUTGOING
            and each.status is InvitationStatus.PENDING
            and now_ms <= each.expires_ms
            and each.address.casefold().startswith(wanted)
        ]
        exact = [each for each in waiting if each.casefold() == wanted]
        return next(iter(exact or waiting), None) if wanted else None

    def _require_this(self, device: str | None) -> None:
        """Refuse another device of one's own: a job to oneself runs where it was composed, and is sent nowhere."""
        own = self._people.own
        if device is not None and devices.find(own.chain, names(self._journal), device) != own.device:
            raise ServiceError(
                "invalid",
                "a task to yourself runs on the machine on which you give it",
                hint="type it on that machine, and leave --device out",
            )

    def _same(
        self,
        earlier: DispatchRecord,
        request: SendRequest,
        steps: tuple[Step, ...],
        kept: Mapping[str, FileRecord],
        parent: DispatchRecord | None,
    ) -> DispatchRecord:
        """Return the earlier dispatch of an idempotency key, if it asked the same of the same person."""
        files = views.task_of(earlier).attachments
        if (
            not self._is_for(earlier, request.recipient or views.ME)
            or not _asks_the_same(earlier, request, steps, parent)
            or not attachments.same_files(files, request.files, kept)
        ):
            raise ServiceError("idempotency_conflict", "this idempotency key was used for another dispatch")
        return earlier

    def _is_for(self, record: DispatchRecord, recipient: str) -> bool:
        """Say whether a recipient, as typed, is whom a dispatch went to; its edge may be over since."""
        if self._people.is_me(recipient):
            return record.box is Box.OWN
        if record.box is not Box.SENT:
            return False
        try:
            edge, _ = self._people.edge_to(recipient, Direction.OUTGOING)
        except ServiceError:
            return False
        return edge.peer == record.peer

    def _sent(self, record: DispatchRecord) -> JsonObject:
        shown = views.dispatch(
            record, self._journal.runs(record.digest), own_address=self._people.own.address
        )
        if record.state is DispatchState.REFUSED:
            code = record.ended_code if record.ended_code in loopback.CODES else None
            said = record.ended_detail or record.ended_code or "no reason"
            who = "" if code in _OUR_OWN else "the relay refused it: "
            raise ServiceError(code or "refused", f"{who}{said}")
        return {
            "dispatch_id": record.dispatch_id,
            "short_id": shown["short_id"],
            "status": shown["status"],
            "thread_id": record.thread_id,
            "expires_at": shown["expires_at"],
            "to": shown["to"],
            "trust": self._people.trust_of(record.peer),
        }


def _asks_the_same(
    earlier: DispatchRecord, request: SendRequest, steps: tuple[Step, ...], parent: DispatchRecord | None
) -> bool:
    """Say whether a request, sent again, would say what a dispatch says; the time it left to decide included."""
    task = views.task_of(earlier)
    lives_s = request.expires_s
    if lives_s is None:
        lives_s = 0 if earlier.box is Box.OWN else EXPIRY_DEFAULT_S
    expires_ms = earlier.created_ms + lives_s * 1000 if lives_s else 0
    return (
        earlier.expires_ms,
        task.parent,
        task.task,
        task.background,
        task.links,
        task.deliverable,
        task.project,
        task.steps,
        dict(task.meta),
        task.timeout_s,
        request.device is None or task.owner_device.hex.startswith(request.device.strip().casefold()),
    ) == (
        expires_ms,
        None if parent is None else Digest.from_hex(parent.digest),
        request.task,
        request.background or None,
        tuple(request.links),
        request.deliverable or None,
        request.project or None,
        steps,
        dict(request.meta),
        request.timeout_s,
        True,
    )


def _steps(request: SendRequest) -> tuple[Step, ...]:
    """Read the steps of a request as strictly as the recipient will; what could never be made is not signed."""
    if not request.steps:
        return ()
    try:
        steps = tuple(
            Step.read(Fields({**_STEP, **step}, f"step {number}"))
            for number, step in enumerate(request.steps, 1)
        )
        foresee((step.tool, step.input) for step in steps)
    except (MalformedError, WallError) as error:
        raise ServiceError("steps_invalid", error.detail, hint="dispatch send --help") from error
    return steps
