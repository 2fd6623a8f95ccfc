"""The owner of a dispatch: the one of a person's devices that runs it, and how it gives that up to another one.

What a task names, and what the owner has handed over since, gives one answer on every device that knows of it. The owner gives
up in the step in which it tells, so no two devices are owners at a time; a human who will not wait may still say so, elsewhere.
"""

from collections.abc import Sequence

from dispatch_daemon.core.composing import Own
from dispatch_daemon.core.devices import SHORTEST_PREFIX
from dispatch_daemon.core.effects import Effect, Put
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.records import Box, DispatchRecord
from dispatch_daemon.core.shared_records import HandoverRecord
from dispatch_daemon.core.siblings import Shared
from dispatch_daemon.core.views import task_of
from dispatch_protocol.chain import Chain
from dispatch_protocol.encoding import JSON
from dispatch_protocol.keys import DeviceId, Digest
from dispatch_protocol.links import Role
from dispatch_protocol.loopback import short_id
from dispatch_protocol.messages.shared_work import HandoverEntry
from dispatch_protocol.messages.task import Task


def owner(task: Task, handovers: Sequence[HandoverRecord], own: Own) -> DeviceId:
    """Return the device that runs a task that was sent to us, by what its author named and what was handed over since.

    Once that device has left our chain, our owner runs it.
    """
    last, _ = _last(task, handovers)
    return own.chain.runs(last) or last


def may_have_it(task: Task, handovers: Sequence[HandoverRecord], own: Own) -> list[DeviceId]:
    """Return the other devices of ours that may be the one to run a task whose last known holder has left our chain.

    Before it left it may have given the task to any runner that the task was sealed for, and a relay may have kept that
    from whoever succeeds it. Empty while the holder is here.
    """
    last, _ = _last(task, handovers)
    if last in own.chain.devices:
        return []
    sealed_for = own.chain.at(task.head.recipient.head)
    return [
        device
        for device in sorted(own.chain.devices)
        if device != own.device
        and (sealed_for is None or device in sealed_for.devices)
        and any(device in state and Role.RUNNER in state[device].roles for state in own.chain.states)
    ]


def is_certain_owner(task: Task, handovers: Sequence[HandoverRecord], own: Own) -> bool:
    """Say whether this device runs a task, and no other one of ours may have been given it without our knowing."""
    return owner(task, handovers, own) == own.device and not may_have_it(task, handovers, own)


def _last(task: Task, handovers: Sequence[HandoverRecord]) -> tuple[DeviceId, int]:
    """Follow the handovers from the device that the task names; only who has it can give it away. Returns it and its turn."""
    has, turn = task.owner_device, 0
    by_place = {(each.turn, each.giver): each for each in handovers}
    while (given := by_place.get((turn + 1, has.hex))) is not None:
        has, turn = DeviceId.from_hex(given.taker), turn + 1
    return has, turn


def chosen(chain: Chain, wanted: str | None, who: str) -> DeviceId:
    """Return the device of `who` that an author names for a task: the owner, or the one runner whose id begins so.

    Raises:
        ServiceError: `not_found`, `ambiguous` with the candidates, or `not_runner`.
    """
    if wanted is None:
        return chain.owner
    begin = wanted.strip().casefold()
    found = [each for each in chain.devices if len(begin) >= SHORTEST_PREFIX and each.hex.startswith(begin)]
    if not found:
        raise ServiceError(
            "not_found",
            f"no device of {who} has an id that begins with {wanted!r}",
            hint="dispatch contacts --json",
        )
    if len(found) > 1:
        raise ServiceError(
            "ambiguous",
            f"{wanted} could be {len(found)} devices of {who}",
            candidates=[each.hex for each in found],
        )
    if Role.RUNNER not in chain.devices[found[0]].roles:
        raise ServiceError("not_runner", f"that device of {who} runs nothing", hint="leave --device out")
    return found[0]


def require_owner(record: DispatchRecord, shared: Shared, own: Own, *, here: bool) -> None:
    """Refuse to run what another device is to run: two that may both start it would race. `here` is a human's word that it shall.

    Raises:
        ServiceError: `not_owner`, or `not_runner` for a device that runs nothing that it is not named for.
    """
    task, short = task_of(record), short_id(record.dispatch_id)
    runs, others = owner(task, shared.handovers, own), may_have_it(task, shared.handovers, own)
    if runs == own.device and not others:
        return
    if not here and runs == own.device:
        where = " or ".join(shared.called(each.hex) for each in others)
        raise ServiceError(
            "not_owner",
            f"the device that was to run this one has left, and may have given it to {where} before; "
            "accepted here as well, it might run twice",
            hint=f"look whether it can be accepted on {where}; if not: dispatch accept {short} --here",
        )
    if not here:
        where = shared.called(runs.hex)
        raise ServiceError(
            "not_owner",
            f"{where} is to run this one; accepted here as well, it might run twice",
            hint=f"accept it on {where}, or, if that one is silent: dispatch accept {short} --here",
        )
    if Role.RUNNER not in own.chain.devices[own.device].roles:
        raise ServiceError("not_runner", "this device does not run what is sent to you")


def hand(record: DispatchRecord, shared: Shared, own: Own, taker: DeviceId, now_ms: int) -> list[Effect]:
    """Give an undecided dispatch, which this device is to run, to another one; from then on this one may not.

    Raises:
        ServiceError: `not_owner`, `not_runner` or `not_held` for a device that cannot have it, `invalid` for this very device.
    """
    task, where = task_of(record), shared.called(taker.hex)
    last, turn = _last(task, shared.handovers)
    if last != own.device or record.box is not Box.INBOX:
        raise ServiceError(
            "not_owner",
            "only the device that was named for it can hand it over, and that is not this one",
            hint=f"accept it on {shared.called(owner(task, shared.handovers, own).hex)}",
        )
    if taker == own.device:
        raise ServiceError("invalid", "it is this device's already")
    if Role.RUNNER not in own.chain.devices[taker].roles:
        raise ServiceError("not_runner", f"{where} does not run what is sent to you")
    sealed_for = own.chain.at(task.head.recipient.head)
    if sealed_for is None or taker not in sealed_for.devices:
        raise ServiceError(
            "not_held", f"{where} was none of your devices yet when this was sent, so it does not hold it"
        )
    return [
        Put(
            HandoverRecord(
                digest=record.digest,
                turn=turn + 1,
                giver=own.device.hex,
                taker=taker.hex,
                handed_ms=now_ms,
            )
        )
    ]


def told(record: HandoverRecord) -> HandoverEntry:
    """Return a handover as the device that gives tells the others."""
    return HandoverEntry(
        dispatch=Digest.from_hex(record.digest),
        turn=record.turn,
        to=DeviceId.from_hex(record.taker),
        handed_ms=record.handed_ms,
    )


def taken(entry: HandoverEntry, giver: DeviceId, known: Sequence[HandoverRecord]) -> list[Effect]:
    """Take in what another device handed over, late, early or twice; whether it had it to give is asked when it matters.

    An honest device says one thing in one turn; of two the smaller device has it, so that everybody names the same.
    """
    held = [each.taker for each in known if (each.turn, each.giver) == (entry.turn, giver.hex)]
    if held and held[0] <= entry.to.hex:
        return []
    return [
        Put(
            HandoverRecord(
                digest=entry.dispatch.hex,
                turn=entry.turn,
                giver=giver.hex,
                taker=entry.to.hex,
                handed_ms=entry.handed_ms,
            )
        )
    ]


def view(record: DispatchRecord, shared: Shared, own: Own) -> dict[str, JSON] | None:
    """Return which device is to run a dispatch that was sent to us, as people and programs see it."""
    if record.box is not Box.INBOX:
        return None
    task = task_of(record)
    runs = owner(task, shared.handovers, own)
    others = may_have_it(task, shared.handovers, own) if runs == own.device else []
    return {
        "device": runs.hex,
        "name": shared.called(runs.hex),
        "this": runs == own.device,
        "perhaps": [{"device": each.hex, "name": shared.called(each.hex)} for each in others],
    }
