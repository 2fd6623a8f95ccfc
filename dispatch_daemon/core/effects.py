"""What a decision wants done: frozen effects in a list, performed in one place (`app.performer`).

What is `Durable` is committed together, before anything is answered; `StopRun` and `Resolve` act on this process
after the commit. A planned task is a row of the effects table, the one owner of everything that is still to be done.
"""

from dataclasses import dataclass
from enum import StrEnum

from dispatch_daemon.core.records import AnswerRecord, Record
from dispatch_daemon.core.trust_records import RuleRecord
from dispatch_protocol.encoding import JSON
from dispatch_protocol.messages.trace import EventType


class TaskKind(StrEnum):
    """Everything this daemon may owe to the future; each is idempotent, or says that it may not be repeated."""

    DEPOSIT = "deposit"
    UPLOAD = "upload"  # leave a document's files at the relay; then the document is deposited
    FETCH = "fetch"  # get the files that came with a dispatch, or with its result
    RELAY_CALL = "relay_call"
    EXPIRE = "expire"
    RUN = "run"
    ANSWER_DEADLINE = "answer_deadline"
    HEARTBEAT = "heartbeat"
    RETENTION = "retention"
    UNDO = "undo"  # take back what a run changed here, as a human has seen it
    BEAT = "beat"  # say to one's other devices how far they are followed here, if nothing else was said
    ROTATE = "rotate"  # replace this device's sealing key in time, and destroy the one before it
    ORIGINALS = "originals"  # remove what an apply replaced: its time, or the room for it, is over


@dataclass(frozen=True, slots=True)
class Put:
    """Insert or replace one record."""

    record: Record


@dataclass(frozen=True, slots=True)
class Forget:
    """Remove one standing rule."""

    record: RuleRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Sign these exact bytes; unless they are for oneself, owe their delivery to every device of `to`.

    `digest` is the document's identity, known before it is signed. `keep` is the evidence row that the
    signature completes. `edge` is the envelope's edge, `about` the digest of the dispatch it concerns.
    """

    payload_type: str
    body: bytes
    digest: str
    to: str
    edge: str
    about: str
    created_ms: int
    expires_ms: int
    deliver: bool = True
    keep: AnswerRecord | None = None
    files: bool = False  # whether files travel beside it, which have to be at the relay first


@dataclass(frozen=True, slots=True)
class Note:
    """Add an entry to a dispatch's trace; the journal numbers it."""

    digest: str
    at_ms: int
    type: EventType
    data: dict[str, JSON]
    run_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Owe a task: not before `not_before_ms`, once per (kind, key); a second one replaces the first."""

    kind: TaskKind
    key: str
    not_before_ms: int
    payload: dict[str, JSON]


@dataclass(frozen=True, slots=True)
class Unplan:
    """Owe it no longer."""

    kind: TaskKind
    key: str


@dataclass(frozen=True, slots=True)
class StopRun:
    """Kill the run's sandbox now and discard what it wrote."""

    run_id: str
    code: str


@dataclass(frozen=True, slots=True)
class Resolve:
    """Tell the waiting run what the human (or the deadline) answered."""

    request_id: str


@dataclass(frozen=True, slots=True)
class Enter:
    """Enter in this device's private log that its person decided something which no record of the journal says by itself."""

    kind: str
    subject: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Settle:
    """The recipient holds this document: owe its delivery no longer."""

    digest: str


@dataclass(frozen=True, slots=True)
class SettleAbout:
    """The matter is over for the other side: owe it nothing more about this dispatch."""

    about: str


Durable = Put | Forget | Send | Note | Plan | Unplan | Settle | SettleAbout
Effect = Durable | StopRun | Resolve | Enter
