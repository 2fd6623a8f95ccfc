"""What the journal remembers of one's other devices and the work that all of them hold, one frozen record a noun.

It stands apart from `records` because it is hearsay: what another own device says, beside what this one knows itself.
"""

from dataclasses import dataclass

from dispatch_protocol.lifecycle import Outcome
from dispatch_protocol.messages.shared_work import Deed


@dataclass(frozen=True, slots=True, kw_only=True)
class DeedRecord:
    """What another own device (`device`) says that it did with a dispatch (`digest`) which this one may hold too."""

    digest: str
    device: str
    deed: Deed
    done_ms: int
    run_id: str | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoverRecord:
    """A dispatch (`digest`) that one own device gave to another one; `turn` counts from 1 those of one dispatch."""

    digest: str
    turn: int
    giver: str
    taker: str
    handed_ms: int
