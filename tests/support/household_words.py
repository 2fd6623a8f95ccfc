"""Words of one of Bob's machines to another one of his, as the household's log has them, sealed and signed."""

from uuid import UUID

from dispatch_protocol.keys import Digest, EdgeId
from dispatch_protocol.messages.household import Entry, Log
from tests.support.besieged_desk import Desk
from tests.support.vectors import world
from tests.support.vectors.forge import forge, signed_by
from tests.support.vectors.world import Machine

RUN = UUID("00000000-0000-4000-8000-000000000009")


def letter(by: Machine, to: Desk, *entries: Entry) -> bytes:
    """Seal the first document of a machine's log; each has its own nonce, and a repeat is the very same bytes."""
    label = f"{by.name} says {entries!r}"
    head = world.head(label, world.BOB, by, world.BOB, edge=EdgeId.SELF)
    log = Log(head=head, seq=1, prev=Digest.ZERO, heads=(), entries=entries)
    return forge(label, signed_by(by, log), log, [to.machine.recipient])
