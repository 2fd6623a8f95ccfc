"""What the journal remembers, one frozen record a noun.

The core reads and returns these; the journal stores them and nothing else. Bytes that somebody signed are
kept as they came (`signed`), because evidence that was re-encoded is no evidence. Ids of people, devices
and documents are lower-case hex here: the journal is read by humans too.
"""

from dataclasses import dataclass
from enum import StrEnum

from dispatch_daemon.core.shared_records import (
    ActRecord,
    DeedRecord,
    HandoverRecord,
    HouseholdRecord,
    QuestionRecord,
)
from dispatch_daemon.core.trust_records import (
    ComparisonRecord,
    ContactRecord,
    EdgeRecord,
    InvitationRecord,
    RuleRecord,
)
from dispatch_protocol.encoding import JSON
from dispatch_protocol.lifecycle import DispatchState, Outcome, RunState
from dispatch_protocol.messages.trace import EventType

# Where a dispatch may end, for good or until a signed answer corrects it.
ENDED = (
    DispatchState.FINISHED,
    DispatchState.REFUSED,
    DispatchState.DECLINED,
    DispatchState.EXPIRED,
    DispatchState.CANCELLED,
)


class Box(StrEnum):
    """Where a dispatch is listed: one's own jobs stand in both lists."""

    INBOX = "inbox"
    SENT = "sent"
    OWN = "own"


class ApprovalKind(StrEnum):
    """What a question is about: one tool call, or everything a run would change."""

    TOOL = "tool"
    CHANGESET = "changeset"


class ApprovalState(StrEnum):
    """Where a question stands; every state but the first is final."""

    OPEN = "open"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class GrantChoice(StrEnum):
    """How far one yes reaches: this call, this call on this edge for good, this call in this run."""

    ONCE = "once"
    ALWAYS = "always"
    SESSION = "session"


class Door(StrEnum):
    """Through which face of this machine a human answered, as that face says itself; `api` is any other program."""

    DEVICE = "device"  # another own device, where a human has said so
    CLI = "cli"
    PAGE = "page"
    MCP = "mcp"
    API = "api"


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchRecord:
    """One signed task and where it stands on this machine.

    `signed` is the task as its author's device signed it; `digest` its identity. `answer_seq` and
    `answer_head` are the last link of the recipient's chain of answers: ours when we are the recipient,
    the verified one when we are the author, where 0 says that nobody has answered yet.
    """

    digest: str
    dispatch_id: str
    box: Box
    peer: str
    address: str
    edge: str
    state: DispatchState
    signed: bytes
    thread_id: str
    created_ms: int
    expires_ms: int
    arrived_ms: int
    answer_seq: int = 0
    answer_head: str = ""
    accepted_decisions: int = 0
    declined_decisions: int = 0
    decision: dict[str, JSON] | None = None
    outcome: Outcome | None = None
    summary: str | None = None
    ended_code: str | None = None
    ended_detail: str | None = None
    cancel_requested: bool = False
    last_heard_ms: int | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One execution of a dispatch: on the recipient's machine the run, on the author's what is known of it.

    `parked_ms` stands while what the run wrote and where its agent stopped are kept to be taken up again.
    `undo_until_ms` stands while what its apply replaced is kept, which takes `originals_bytes`. `model` is the agent as its
    owner chose it, with its model; it is told to nobody else, who has the word `agent`.
    """

    run_id: str
    digest: str
    state: RunState
    created_ms: int
    cwd: str | None = None
    device: str | None = None
    agent: str | None = None
    outcome: Outcome | None = None
    code: str | None = None
    detail: str | None = None
    started_ms: int | None = None
    ended_ms: int | None = None
    last_heard_ms: int | None = None
    scopes: dict[str, JSON] | None = None
    confinement: dict[str, JSON] | None = None
    changeset: tuple[dict[str, JSON], ...] = ()
    changeset_digest: str | None = None
    left_behind: tuple[dict[str, JSON], ...] = ()
    diffs: tuple[dict[str, JSON], ...] = ()
    artifacts: tuple[dict[str, JSON], ...] = ()
    usage: dict[str, JSON] | None = None
    parked_ms: int | None = None
    undo_until_ms: int | None = None
    originals_bytes: int | None = None
    undone_ms: int | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecord:
    """One entry of a dispatch's trace; `type` is a word of the protocol's closed list."""

    digest: str
    seq: int
    at_ms: int
    type: EventType
    data: dict[str, JSON]
    run_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRecord:
    """One question to the human of this machine.

    `subject` is the SHA-256 of exactly what was shown: the call, or the changes, words and files of a result. `flags` are
    words of warning. `deadline_ms` is when silence becomes a no.
    """

    request_id: str
    digest: str
    run_id: str
    kind: ApprovalKind
    title: str
    subject: str
    payload: dict[str, JSON]
    asked_ms: int
    deadline_ms: int
    tool: str | None = None
    flags: tuple[str, ...] = ()
    state: ApprovalState = ApprovalState.OPEN
    grant: GrantChoice | None = None
    reason: str | None = None
    decided_ms: int | None = None
    decided_by: Door | None = None
    decided_on: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """A file that was handed over to be sent: its sealed bytes lie under `file_id`, their address; `key` opens them."""

    file_id: str
    key: bytes
    size_bytes: int
    sha256: str
    created_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRecord:
    """One signed statement about a dispatch, ours or the peer's, exactly as signed.

    `seq` is its place in its device's chain of answers, 0 for what has none: a cancel, or an answer that contradicts
    the chain. `held` says that it waits for its predecessor.
    """

    digest: str
    about: str
    kind: str
    type: str
    signed: bytes
    device: str
    seq: int
    at_ms: int
    held: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRecord:
    """Words about a dispatch (`about`), ours or the other side's, exactly as signed; `seq` counts those of its device.

    `held_ms` is when the other side was known to hold ours, and `receipt` the signed bytes that say so; `read_ms` is
    when theirs was read on this machine.
    """

    digest: str
    about: str
    ours: bool
    device: str
    seq: int
    signed: bytes
    at_ms: int
    expires_ms: int
    held_ms: int | None = None
    receipt: bytes | None = None
    read_ms: int | None = None
    idempotency_key: str | None = None


Record = (
    DispatchRecord
    | RunRecord
    | EventRecord
    | ApprovalRecord
    | FileRecord
    | RuleRecord
    | ContactRecord
    | ComparisonRecord
    | EdgeRecord
    | InvitationRecord
    | AnswerRecord
    | MessageRecord
    | HouseholdRecord
    | ActRecord
    | DeedRecord
    | HandoverRecord
    | QuestionRecord
)
