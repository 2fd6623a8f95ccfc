"""Logs at the door: which last words were entered in the log of an edge, by which device, and what that amounts to."""

from dispatch_daemon.app.auditing import Auditing
from dispatch_daemon.app.people import People
from dispatch_daemon.ports import JsonObject
from dispatch_protocol.encoding import JSON
from dispatch_protocol.keys import EdgeId


class Logs:
    """The logs of all edges of this home."""

    def __init__(self, people: People, auditing: Auditing) -> None:
        self._people = people
        self._auditing = auditing

    async def audit(self) -> JsonObject:
        """Return every log that is known here, one's own and those of other sides, and hold each against what came."""
        own = self._people.own.chain
        logs: list[JSON] = [
            {
                "edge_id": EdgeId.from_hex(edge.edge).uuid,
                "peer": edge.address,
                "alias": None
                if (contact := self._people.journal.contact(edge.peer)) is None
                else contact.alias,
                "direction": edge.direction,
                "device": device,
                "ours": any(device == each.hex for state in own.states for each in state),
                "entries": found.tree.size,
                "root": found.tree.root.hex,
                "finding": found.finding,
                "unseen": len(found.unseen),
                "gap": found.gap,
                "unlogged": len(found.unlogged),
                "left_out": [each.hex for each in found.left_out],
                "contradictions": [each.hex for each in found.contradictions],
            }
            for edge, device, found in self._auditing.logs()
        ]
        return {"logs": logs}
