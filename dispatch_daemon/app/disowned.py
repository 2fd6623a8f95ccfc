"""What becomes of a contact's tasks whose device is none of the contact's any more: revoked, or left out by a recovery.

A device is revoked because somebody else may have it. What it asked for was taken in while it counted, but nobody who
decides or watches a run now should have to know that it no longer does: what waits is refused, and what runs ends. Only
what is being applied is carried to its end, as everywhere.
"""

from collections.abc import Container, Iterable

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.app.sharing import is_elsewhere
from dispatch_daemon.core import decisions, intake, views
from dispatch_daemon.core.composing import Moment, Own, Peer
from dispatch_daemon.core.effects import Effect, Put
from dispatch_daemon.core.records import Box, ContactRecord, Direction, DispatchRecord
from dispatch_protocol.chain import Chain, read_links
from dispatch_protocol.errors import RefusalCode
from dispatch_protocol.keys import DeviceId, Genesis
from dispatch_protocol.lifecycle import DispatchState


def disowned(journal: Journal, own: Own, pinning: Iterable[Effect], moment: Moment) -> list[Effect]:
    """Return what ends everything that devices asked for which the chains that are about to be pinned do not have.

    Whoever pins a chain, by whatever road it came, adds this to what pins it.
    """
    return [
        effect
        for pin in pinning
        if isinstance(pin, Put) and isinstance(pin.record, ContactRecord)
        for effect in _of_one(journal, own, _chain(pin.record), moment)
    ]


def _chain(contact: ContactRecord) -> Chain:
    return Chain.verify(read_links(contact.chain), expect=Genesis.from_hex(contact.genesis))


def _of_one(journal: Journal, own: Own, chain: Chain, moment: Moment) -> list[Effect]:
    peer = Peer(chain.genesis, chain.head)
    effects: list[Effect] = []
    for record in _of_others(journal, chain.genesis.hex, chain.devices):
        if is_elsewhere(journal, own, record):
            continue  # whoever has it ends it
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
