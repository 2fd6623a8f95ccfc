"""Logs at the door: which last words were entered in the log of an edge, by which device, what was decided, and what that amounts to."""

from dispatch_daemon.app.auditing import Auditing
from dispatch_daemon.app.household import Household
from dispatch_daemon.app.people import People
from dispatch_daemon.ports import JsonObject
from dispatch_protocol.encoding import JSON
from dispatch_protocol.keys import EdgeId
from dispatch_protocol.timestamps import format_time

_NEWEST = 50  # acts that are shown


class Logs:
    """The logs of all edges of this home, and what its person's devices have decided."""

    def __init__(self, people: People, auditing: Auditing, household: Household) -> None:
        self._people = people
        self._auditing = auditing
        self._household = household

    async def audit(self) -> JsonObject:
        """Return every log that is known here, one's own and those of other sides, and hold each against what came."""
        own = self._people.own.chain
        logs: list[JSON] = [
            {
                "edge_id": EdgeId.from_hex(edge.edge).uuid,
                "peer": edge.address,
                "identity": edge.peer,
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
        return {"logs": logs, "own": self._own(), "acts": self._acts()}

    def _own(self) -> list[JSON]:
        """Return the private log of each device of this person, as far as it is known here."""
        own, names = self._people.own.device.hex, self._household.shown_names()
        return [
            {
                "device": device,
                "name": names[device][0] if device in names else None,
                "this": device == own,
                "first": found.first,
                "entries": found.size,
                "root": found.root or None,
                "finding": found.finding,
            }
            for device, found in self._household.acting.logs()
        ]

    def _acts(self) -> list[JSON]:
        """Return what was decided on this device last, the newest first."""
        return [
            {
                "n": act.seq,
                "at": format_time(act.at_ms),
                "kind": act.kind,
                "subject": act.subject,
                "actor": act.actor,
                "about": act.about or None,
                "digest": act.digest,
            }
            for act in self._household.acting.newest(_NEWEST)
        ]
