"""What becomes of a contact's tasks whose device is none of the contact's any more: revoked, or left out by a recovery.

A device is revoked because somebody else may have it. What it asked for was taken in while it counted, but nobody who
decides or watches a run now should have to know that it no longer does: what waits is refused, and what runs ends. Only
what is being applied is carried to its end, as everywhere.
"""

from collections.abc import Container, Iterable

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.app.people import People
from dispatch_daemon.app.sharing import is_elsewhere
from dispatch_daemon.core import decisions, intake, pins, views
from dispatch_daemon.core.composing import Moment, Own, Peer
from dispatch_daemon.core.effects import Effect, Put
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.records import Box, DispatchRecord
from dispatch_daemon.core.trust_records import ContactRecord, Direction
from dispatch_protocol.chain import Chain
from dispatch_protocol.errors import RefusalCode
from dispatch_protocol.keys import DeviceId
from dispatch_protocol.lifecycle import DispatchState


def disowned(
    journal: Journal, own: Own, pinning: Iterable[Effect], moment: Moment, *, besides: Iterable[Effect] = ()
) -> list[Effect]:
    """Return what ends everything that devices asked for which the chains that are about to be pinned do not have.

    Whoever pins a chain, by whatever road it came, adds this to what pins it. What `besides` ends already is left to it.
    """
    pinned = {
        pin.record.genesis: pin.record
        for pin in pinning
        if isinstance(pin, Put) and isinstance(pin.record, ContactRecord)
    }
    over = {
        end.record.digest
        for end in besides
        if isinstance(end, Put) and isinstance(end.record, DispatchRecord)
    }
    return [
        effect
        for contact in pinned.values()
        for effect in _of_one(journal, own, pins.chain_of(contact), moment, over)
    ]


def require_theirs(people: People, record: DispatchRecord) -> None:
    """Refuse to begin what a device asked for that its person does not have any more, whatever should have ended it.

    Raises:
        ServiceError: `device_revoked`.
    """
    chain = people.chain_of(record.peer)
    if chain is None or views.task_of(record).head.sender.device not in chain.devices:
        raise ServiceError(
            "device_revoked",
            f"the device that this came from is none of {record.address}'s any more",
            hint="ask them to send it again",
        )


def _of_one(journal: Journal, own: Own, chain: Chain, moment: Moment, over: Container[str]) -> list[Effect]:
    peer = Peer(chain.genesis, chain.head)
    effects: list[Effect] = []
    for record in _of_others(journal, chain.genesis.hex, chain.devices):
        if record.digest in over or is_elsewhere(journal, own, record):
            continue  # it ends already, or whoever has it ends it
        if record.state is DispatchState.DELIVERED:
            effects += intake.refuse(record, own, peer, moment, code=RefusalCode.DEVICE_REVOKED)
            continue
        runs = journal.runs(record.digest)
        effects += decisions.cancel_received(
            record,
            runs[-1] if runs else None,
            journal.approvals_of(record.digest),
            own,
            peer,
            moment,
            by="device",
            code=RefusalCode.DEVICE_REVOKED,
        )
    return effects


def _of_others(journal: Journal, genesis: str, devices: Container[DeviceId]) -> list[DispatchRecord]:
    return [
        record
        for edge in journal.edges(Direction.INCOMING)
        if edge.peer == genesis
        for record in journal.on_edge(edge.edge)
        if record.box is Box.INBOX and views.task_of(record).head.sender.device not in devices
    ]
