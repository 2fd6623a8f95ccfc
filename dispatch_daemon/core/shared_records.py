"""What the journal remembers of one's other devices and the work that all of them hold, one frozen record a noun.

It stands apart from `records` because it is hearsay: what another own device says, beside what this one knows itself.
"""

from dataclasses import dataclass

from dispatch_protocol.encoding import JSON
from dispatch_protocol.lifecycle import Outcome
from dispatch_protocol.messages.shared_questions import QuestionState
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


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionRecord:
    """A question of a run on another own device (`device`), as that one has told it.

    `payload` is what it shows, None if that was too large to be told. `by` is the device whose human closed it. `said` is
    what a human has answered here (`approved` or `denied`), no more than a word until the other device has applied it.
    """

    request_id: str
    digest: str
    run_id: str
    device: str
    subject: str
    deadline_ms: int
    about: str
    title: str
    asked_ms: int
    state: QuestionState = QuestionState.OPEN
    tool: str | None = None
    payload: dict[str, JSON] | None = None
    flags: tuple[str, ...] = ()
    grant_n: int | None = None
    grant_device: str | None = None
    by: str | None = None
    said: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseholdRecord:
    """One document of a device's household log, ours or another own device's, exactly as signed.

    An empty `signed` is one that nobody can lack any more; a digest of "base" and the device is where a feed began: the log is
    followed from there. `at_ms` is when it came here.
    """

    digest: str
    device: str
    seq: int
    prev: str
    at_ms: int
    signed: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ActRecord:
    """One entry of a device's private log: the `seq`-th thing that was decided there, of which `digest` is the leaf.

    `kind`, `subject`, `about` (a digest or nothing), by whom and for whom are known of this device's own alone; of another
    one's they are empty. `root` is that of the log up to here, empty where its device has not said it.
    """

    device: str
    seq: int
    digest: str
    at_ms: int
    root: str = ""
    kind: str = ""
    subject: str = ""
    actor: str = ""
    principal: str = ""
    about: str = ""
