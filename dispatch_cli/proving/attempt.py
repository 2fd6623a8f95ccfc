"""What came of one attack: whether the wall stopped it, and whether the same attack works where that wall is missing.

An attack that would fail anyway proves nothing, so an attempt counts only with its control: the same act against
somebody whose daemon leaves the check out, or the same command without a sandbox.
"""

from collections.abc import Callable
from dataclasses import dataclass

from dispatch_cli.render.fields import Document


@dataclass(frozen=True, slots=True)
class Trial:
    """One side of an attempt: whether the attack did its harm, and what was seen."""

    harmed: bool
    seen: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attack and its control. `stopped_by` is the rule that held; `seen` and `control_seen` what was found."""

    kind: str
    name: str
    does: str
    stopped_by: str
    stopped: bool
    seen: str
    control: bool
    control_seen: str

    @property
    def good(self) -> bool:
        """Say whether this proves what it is for."""
        return self.stopped and self.control

    def document(self) -> Document:
        """Return the attempt as JSON."""
        return {
            "kind": self.kind,
            "name": self.name,
            "does": self.does,
            "stopped_by": self.stopped_by,
            "stopped": self.stopped,
            "seen": self.seen,
            "control": self.control,
            "control_seen": self.control_seen,
        }


class InVainError(Exception):
    """What an attack waits for did not come about in time."""


def tried(play: Callable[[], Trial]) -> Trial | str:
    """Play one side; returns the reason if it could not be played to its end."""
    try:
        return play()
    except InVainError as error:
        return f"waited in vain: {error}"


def judged(
    kind: str, name: str, does: str, stopped_by: str, walled: Trial | str, bare: Trial | str
) -> Attempt:
    """Return the attempt that two trials make; one that was not played to its end proves nothing."""
    return Attempt(
        kind=kind,
        name=name,
        does=does,
        stopped_by=stopped_by,
        stopped=isinstance(walled, Trial) and not walled.harmed,
        seen=walled.seen if isinstance(walled, Trial) else walled,
        control=isinstance(bare, Trial) and bare.harmed,
        control_seen=bare.seen if isinstance(bare, Trial) else bare,
    )
