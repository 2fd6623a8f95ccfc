"""What the stage is told: the mounts to make, and the command to become.

It travels as `marshal`, between two processes of the same interpreter where the launcher is the trusted one:
the stage needs no import to read it.
"""

import marshal
from dataclasses import dataclass

from sandbox.job import Mode


@dataclass(frozen=True, slots=True)
class Mount:
    """One grant for the stage: where it is, what it must be, and the descriptor number that will name it.

    `slot` is the name of its directories below `upper/`, `work/` and `merged/`, empty for a read-only grant.
    `copied` is true when the overlay goes over the copy in `copy/SLOT` instead of the grant itself.
    """

    path: str
    mode: Mode
    identity: tuple[int, int]
    number: int
    slot: str
    copied: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything the stage needs; `launcher` is the process whose death must be the run's."""

    state_dir: str
    launcher: int
    mounts: tuple[Mount, ...]
    command: tuple[str, ...]

    def encode(self) -> bytes:
        """Encode for `overlay.main`: (state_dir, launcher, [(path, identity, number, slot, copied)], command)."""
        mounts = [(each.path, each.identity, each.number, each.slot, each.copied) for each in self.mounts]
        return marshal.dumps((self.state_dir, self.launcher, mounts, self.command))
