"""What the devices of one person tell each other of the dispatches that all of them hold.

They are entries of the household log, apart from those about trust: they are about work, of which the devices that may do
it have to know who does. What an entry says is the word of the device whose log it stands in, and of nobody else.
"""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from dispatch_protocol.encoding import JSON, Fields
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.keys import DeviceId, Digest
from dispatch_protocol.lifecycle import Outcome


class Deed(StrEnum):
    """What a device did with a dispatch; every deed but the first is the end of it there."""

    ACCEPTED = "accepted"
    FINISHED = "finished"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeedEntry:
    """What `device` did with a dispatch that all of them hold; `run_id` stands exactly where it accepted.

    `outcome` is how the run ended; one that was cancelled has none.
    """

    dispatch: Digest
    device: DeviceId
    deed: Deed
    run_id: UUID | None
    outcome: Outcome | None
    done_ms: int

    def write(self) -> dict[str, JSON]:
        """Return the entry as JSON."""
        return {
            "kind": "deed",
            "dispatch": self.dispatch.hex,
            "device": self.device.hex,
            "deed": self.deed.value,
            "run_id": None if self.run_id is None else self.run_id.hex,
            "outcome": None if self.outcome is None else self.outcome.value,
            "done": self.done_ms,
        }

    @classmethod
    def read(cls, fields: Fields) -> "DeedEntry":
        """Read what follows the kind strictly; raises MalformedError."""
        run_id = fields.optional(fields.hex, "run_id", 16)
        entry = cls(
            dispatch=Digest(fields.hex("dispatch", Digest.LENGTH)),
            device=DeviceId(fields.hex("device", DeviceId.LENGTH)),
            deed=fields.choice("deed", Deed),
            run_id=None if run_id is None else UUID(bytes=run_id),
            outcome=fields.optional(lambda name: fields.choice(name, Outcome), "outcome"),
            done_ms=fields.integer("done"),
        )
        if (entry.run_id is not None) != (entry.deed in (Deed.ACCEPTED, Deed.FINISHED)):
            raise MalformedError(f"{fields.where} names a run exactly where it was accepted")
        if entry.outcome is not None and entry.deed is not Deed.FINISHED:
            raise MalformedError(f"{fields.where} names an outcome of what has not finished")
        return entry


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoverEntry:
    """The device in whose log it stands gives a dispatch, which it was the owner of, to device `to` for good.

    `turn` counts the handovers of this dispatch from 1: each may be said only by whom the one before gave it to.
    """

    dispatch: Digest
    turn: int
    to: DeviceId
    handed_ms: int

    def write(self) -> dict[str, JSON]:
        """Return the entry as JSON."""
        return {
            "kind": "handover",
            "dispatch": self.dispatch.hex,
            "turn": self.turn,
            "to": self.to.hex,
            "handed": self.handed_ms,
        }

    @classmethod
    def read(cls, fields: Fields) -> "HandoverEntry":
        """Read what follows the kind strictly; raises MalformedError."""
        return cls(
            dispatch=Digest(fields.hex("dispatch", Digest.LENGTH)),
            turn=fields.integer("turn", minimum=1),
            to=DeviceId(fields.hex("to", DeviceId.LENGTH)),
            handed_ms=fields.integer("handed"),
        )
