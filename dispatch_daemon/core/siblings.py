"""Siblings: what one's other devices did with a dispatch that all of them hold, and what follows from it here.

Every device of a person is sealed what is sent to them, and one of them runs it. The others have to know, or they would show
it as waiting for ever, offer it once more, and tell its author that it expired. What a sibling says moves no table of this
device: it stands beside the dispatch, and is looked at before anything is decided or shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from dispatch_daemon.core import proofs
from dispatch_daemon.core.composing import Own
from dispatch_daemon.core.effects import Effect, Put
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.records import Box, DispatchRecord, RunRecord
from dispatch_daemon.core.shared_records import DeedRecord, HandoverRecord
from dispatch_protocol.encoding import JSON
from dispatch_protocol.keys import DeviceId, Digest
from dispatch_protocol.lifecycle import DispatchState, Outcome, RunState, Status, run_end, status
from dispatch_protocol.loopback import short_id
from dispatch_protocol.messages.shared_work import Deed, DeedEntry
from dispatch_protocol.timestamps import format_time

# What is told: how this device judged by itself what came, or that time was up, the others find out as well.
_DEEDS: Mapping[DispatchState, Deed] = {
    DispatchState.ACCEPTED: Deed.ACCEPTED,
    DispatchState.WAITING_INPUT: Deed.ACCEPTED,
    DispatchState.FINISHED: Deed.FINISHED,
    DispatchState.DECLINED: Deed.DECLINED,
    DispatchState.CANCELLED: Deed.CANCELLED,
    DispatchState.REFUSED: Deed.REFUSED,
}
_DECIDED_HERE = (DispatchState.DECLINED, DispatchState.REFUSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What one's devices know together of one dispatch: what the others did with it, and who gave it to whom.

    `active` are the devices that belong here still, `names` what they are called, by their ids in hex.
    """

    deeds: tuple[DeedRecord, ...] = ()
    handovers: tuple[HandoverRecord, ...] = ()
    active: frozenset[str] = frozenset()
    names: Mapping[str, str] = field(default_factory=dict)

    def called(self, device: str) -> str:
        """Return what a device is called: by its person, else by the beginning of its id."""
        return self.names.get(device, short_id(device))


ALONE = Shared()


def device_view(device: str, shared: Shared) -> dict[str, JSON]:
    """Return a device as people and programs see it: its id in hex, and what its person calls it, where that is known."""
    return {"device": device, "name": shared.names.get(device)}


def told(
    record: DispatchRecord, before: DispatchRecord | None, run: RunRecord | None, own: Own, now_ms: int
) -> DeedEntry | None:
    """Return what the other devices are told of a received dispatch as it is about to be kept; most changes are nothing.

    `before` is what the journal holds of it so far. What is refused as it arrives is not told: each device judges that alone.
    """
    if before is None or _DEEDS.get(before.state) is _DEEDS.get(record.state):
        return None
    return done(record, run, own, now_ms)


def done(record: DispatchRecord, run: RunRecord | None, own: Own, now_ms: int) -> DeedEntry | None:
    """Return what this device has done with a received dispatch, if that is anything."""
    deed = _DEEDS.get(record.state)
    if record.box is not Box.INBOX or deed is None:
        return None
    ran = run if deed in (Deed.ACCEPTED, Deed.FINISHED) else None
    return DeedEntry(
        dispatch=Digest.from_hex(record.digest),
        device=own.device,
        deed=deed,
        run_id=None if ran is None else UUID(ran.run_id),
        outcome=record.outcome if deed is Deed.FINISHED else None,
        done_ms=now_ms,
    )


def told_on(deeds: Sequence[DeedRecord], own: Own) -> list[DeedEntry]:
    """Return what devices that have left had ended before: who never heard of it would do it once more."""
    return [
        DeedEntry(
            dispatch=Digest.from_hex(each.digest),
            device=DeviceId.from_hex(each.device),
            deed=each.deed,
            run_id=None if each.run_id is None else UUID(each.run_id),
            outcome=each.outcome,
            done_ms=each.done_ms,
        )
        for each in deeds
        if each.deed is not Deed.ACCEPTED and DeviceId.from_hex(each.device) not in own.chain.devices
    ]


def may_tell_on(entry: DeedEntry, teller: DeviceId, own: Own) -> bool:
    """Say whether an approver tells how a device had ended something that was here once, and has left."""
    was_here = any(entry.device in state for state in own.chain.states)
    gone = was_here and entry.device not in own.chain.devices
    return gone and entry.deed is not Deed.ACCEPTED and proofs.decides(own.chain, teller)


def taken(entry: DeedEntry, known: DeedRecord | None) -> list[Effect]:
    """Take in what another device did: an end stays, and what was before it changes nothing any more."""
    if known is not None and (known.deed is not Deed.ACCEPTED or entry.deed is Deed.ACCEPTED):
        return []
    return [
        Put(
            DeedRecord(
                digest=entry.dispatch.hex,
                device=entry.device.hex,
                deed=entry.deed,
                done_ms=entry.done_ms,
                run_id=None if entry.run_id is None else str(entry.run_id),
                outcome=entry.outcome,
            )
        )
    ]


def settled(record: DispatchRecord, shared: Shared) -> DeedRecord | None:
    """Return what another device did with a dispatch that nobody has decided on this one, or None.

    What was accepted by a device that has left the household since, and not ended there, is free again.
    """
    if record.box is not Box.INBOX or record.accepted_decisions or record.state in _DECIDED_HERE:
        return None
    standing = [
        each for each in shared.deeds if each.deed is not Deed.ACCEPTED or each.device in shared.active
    ]
    if record.state is not DispatchState.DELIVERED:  # over here by itself: only what runs elsewhere says more
        standing = [each for each in standing if each.run_id is not None]
    return max(standing, key=lambda each: (each.run_id is not None, -each.done_ms), default=None)


def accepting(shared: Shared) -> list[str]:
    """Return the other devices that have accepted a dispatch, whatever became of it."""
    return [each.device for each in shared.deeds if each.run_id is not None]


def require_here(record: DispatchRecord, shared: Shared) -> None:
    """Refuse to decide what another device of the same person has decided.

    Raises:
        ServiceError: `decided_elsewhere`.
    """
    deed = settled(record, shared)
    if deed is not None:
        where = shared.called(deed.device)
        raise ServiceError(
            "decided_elsewhere",
            f"another device of yours has this one: it is {_status(deed).replace('_', ' ')} on {where}",
            hint=f"dispatch status {short_id(record.dispatch_id)}, or look at it on {where}",
        )


def declining(shared: Shared) -> list[str]:
    """Return the other devices that have declined a dispatch."""
    return [each.device for each in shared.deeds if each.deed is Deed.DECLINED]


def in_conflict(record: DispatchRecord, shared: Shared) -> bool:
    """Say whether devices of one person have answered a dispatch twice with yes, or with yes and no."""
    here = record.box is Box.INBOX and record.state is DispatchState.DECLINED
    yes = record.accepted_decisions + len(accepting(shared))
    no = record.declined_decisions + here + len(declining(shared))
    return yes > 1 or (yes > 0 and no > 0)


def status_word(record: DispatchRecord, runs: Sequence[RunRecord], shared: Shared) -> Status:
    """Return the one word for where a dispatch stands, on whichever device of this person it is decided."""
    if in_conflict(record, shared):
        return Status.CONFLICT
    deed = settled(record, shared)
    if deed is not None:
        return _status(deed)
    answers = (record.accepted_decisions, record.declined_decisions)
    return status(record.state, [run.state for run in runs], *answers)


def outcome(record: DispatchRecord, shared: Shared) -> Outcome | None:
    """Return how the run of a dispatch ended, on whichever device of this person it ran."""
    deed = settled(record, shared)
    return record.outcome if deed is None else deed.outcome


def view(record: DispatchRecord, shared: Shared) -> dict[str, JSON] | None:
    """Return where else a dispatch was decided, as people and programs see it; None where it was not."""
    deed = settled(record, shared)
    if deed is None:
        return None
    return {
        "device": deed.device,
        "name": shared.called(deed.device),
        "status": _status(deed),
        "at": format_time(deed.done_ms),
    }


def _status(deed: DeedRecord) -> Status:
    """Return the word for what another device did."""
    if deed.deed is not Deed.FINISHED:
        return Status(deed.deed.value)
    end = RunState.CANCELLED if deed.outcome is None else run_end(deed.outcome)
    return status(DispatchState.FINISHED, [end])
