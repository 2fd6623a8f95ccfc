"""Answers about dispatches: what was asked, what ran, what is to be decided, what came back."""

from typing import Literal

from pydantic import ConfigDict, Field, JsonValue

from dispatch_daemon.adapters.loopback.answers.household import AcceptedOn, DecidedOn, Owner, VerdictSaid
from dispatch_daemon.adapters.loopback.answers.shapes import Answer, Fingerprint, Moment, Uuid

Status = Literal[
    "waiting",
    "held",
    "queued",
    "sent",
    "delivered",
    "accepted",
    "running",
    "waiting_approval",
    "waiting_input",
    "completed",
    "failed",
    "refused",
    "declined",
    "expired",
    "cancelled",
    "conflict",
]
Outcome = Literal["success", "blocked", "need_input", "failed"]


class Sent(Answer):
    """A dispatch that was taken on: it is journaled, and will be sent."""

    dispatch_id: Uuid
    status: Status
    thread_id: str
    expires_at: Moment | None


class FileKept(Answer):
    """A file that was handed over: `file_id` stands for it when a dispatch is sent."""

    file_id: Fingerprint
    size_bytes: int
    sha256: Fingerprint


class DispatchActed(Answer):
    """A dispatch after an act."""

    dispatch_id: Uuid
    status: Status


class HandedOver(DispatchActed):
    """A dispatch that another device of mine runs from now on."""

    device: Fingerprint
    name: str


class Attachment(Answer):
    """A file that came with a task."""

    name: str
    size_bytes: int
    sha256: Fingerprint


class Elsewhere(Answer):
    """Where else a dispatch was decided: on which other device of mine, and how it stands there."""

    device: Fingerprint
    name: str
    status: Status
    at: Moment


class DispatchListed(Answer):
    """A dispatch in a list; `task` is whole."""

    model_config = ConfigDict(populate_by_name=True)

    dispatch_id: Uuid
    short_id: str
    author: str = Field(alias="from")
    to: str
    task: str
    status: Status
    elsewhere: Elsewhere | None
    owner: Owner | None
    outcome: Outcome | None
    created_at: Moment
    expires_at: Moment | None
    thread_id: str
    parent: Uuid | None
    unread: int
    after: list[Uuid]
    attachments: list[Attachment]


class Dispatches(Answer):
    """One page, newest first; `next` is the cursor of the next one, null at the end."""

    dispatches: list[DispatchListed]
    next: str | None


class Run(Answer):
    """One execution."""

    run_id: str
    status: str
    outcome: Outcome | None
    device: str
    agent: str
    model: str | None
    cwd: str | None
    started_at: Moment | None
    ended_at: Moment | None
    last_heard: Moment | None
    usage: dict[str, JsonValue] | None
    undo_until: Moment | None
    originals_bytes: int | None
    undone_at: Moment | None


class Event(Answer):
    """One entry of a run's trace."""

    seq: int
    at: Moment
    run_id: str | None
    type: str
    data: dict[str, JsonValue]


class Approval(Answer):
    """One question; the closing one of a manual or review run is of kind `changeset`."""

    model_config = ConfigDict(populate_by_name=True)

    dispatch_id: Uuid
    request_id: str
    kind: str
    author: str = Field(alias="from")
    tool: str | None
    input: JsonValue
    title: str
    description: str | None
    payload: JsonValue
    device: str | None
    on: str | None
    flags: list[str]
    expires_at: Moment | None
    grants: list[Literal["once", "always", "session"]]
    grant_details: list["GrantMeaning"]
    can_review: bool


class GrantMeaning(Answer):
    """What one answer that means yes covers from now on, in a sentence and in the bounds that it is made of."""

    grant: Literal["once", "always", "session"]
    tool: str | None
    command: str | None
    path: str | None
    meaning: str


class Approvals(Answer):
    """Every open question."""

    approvals: list[Approval]


class ApprovalActed(Answer):
    """A question after its answer: what is applied, through which face of this machine it was given, or on which other one."""

    request_id: str
    kind: Literal["tool", "changeset"]
    status: str
    grant: str | None
    decided_by: Literal["cli", "page", "mcp", "api", "device"] | None
    decided_on: DecidedOn | None
    decided_at: Moment | None


class Artifact(Answer):
    """A file that a run produced."""

    name: str
    kind: str
    mime_type: str
    size_bytes: int
    sha256: Fingerprint
    download_url: str | None


class Change(Answer):
    """One change of a changeset; the path is absolute."""

    op: Literal["create", "modify", "delete", "rename", "mode", "symlink", "mkdir"]
    path: str
    flags: list[str]


class FileDiff(Answer):
    """One path's unified diff."""

    path: str
    text: str
    truncated: bool
    binary: bool


class UndoPreview(Answer):
    """What would be undone, named by `digest`; `drift` are the paths that somebody changed since."""

    dispatch_id: Uuid
    run_id: str
    digest: Fingerprint
    changeset: list[Change]
    diffs: list[FileDiff]
    diff_truncated: bool
    drift: list[str]
    undo_until: Moment


class Undone(Answer):
    """A dispatch whose changes were taken back."""

    dispatch_id: Uuid
    status: Status
    undone_at: Moment | None


class Receipt(Answer):
    """A signed statement about the dispatch."""

    type: str
    at: Moment
    device: str
    digest: Fingerprint


class Decision(Answer):
    """What the recipient decided; `asks_because` says, on their own machine, why it asks although the edge is auto."""

    model_config = ConfigDict(populate_by_name=True)

    mode: str | None
    target: str | None
    asynchronous: bool = Field(alias="async")
    reason: str | None
    asks_because: str | None


class Summary(Answer):
    """How it ended, in words."""

    outcome: Outcome | None
    summary: str | None


class Questions(Answer):
    """How many questions the last run has put, by what became of them."""

    answered: int
    unanswered: int
    open: int


class Message(Answer):
    """Words about a dispatch; `missing_before` counts what the same device said before and is not here."""

    model_config = ConfigDict(populate_by_name=True)

    message_id: Fingerprint
    dispatch_id: Uuid
    mine: bool
    author: str = Field(alias="from")
    device: Fingerprint
    seq: int
    text: str
    surface: str
    audience: str
    at: Moment
    state: Literal["received", "owed", "held", "lost"]
    held_at: Moment | None
    unread: bool
    missing_before: int


class MessageWritten(Message):
    """Words that were taken on: they are journaled, and will be sent."""

    thread_id: str


class MessagesRead(Answer):
    """What is left to read about a dispatch."""

    dispatch_id: Uuid
    unread: int


class ThreadDispatch(DispatchListed):
    """One dispatch of a thread, what was said about it, and its runs."""

    messages: list[Message]
    runs: list[Run]


class Thread(Answer):
    """Every dispatch of one thread with one person, oldest first."""

    thread_id: str
    peer: str
    trust: Literal["unverified", "token", "compared"] | None
    dispatches: list[ThreadDispatch]


class InThread(Answer):
    """Another dispatch of the same thread."""

    dispatch_id: Uuid
    box: Literal["inbox", "sent", "own"]
    task: str


class DispatchWhole(DispatchListed):
    """Everything known about one dispatch."""

    messages: list[Message]
    thread: list[InThread]

    accepted_on: list[AcceptedOn]
    declined_on: list[AcceptedOn]
    runs: list[Run]
    events: list[Event]
    approvals: list[Approval]
    questions: "Questions"
    verdicts: list[VerdictSaid]
    artifacts: list[Artifact]
    changeset: list[Change]
    receipts: list[Receipt]
    decision: Decision | None
    result: Summary | None


class Result(Answer):
    """What came back; `bundle` is a path under the home."""

    dispatch_id: Uuid
    outcome: Outcome | None
    summary: str | None
    files: list[JsonValue]
    bundle: str | None
    undone_at: Moment | None


class Rule(Answer):
    """Something that is always allowed on one edge."""

    rule_id: str


class Rules(Answer):
    """Every standing permission."""

    rules: list[Rule]


class RuleActed(Answer):
    """A rule after an act."""

    rule_id: str
    status: str


class Update(Answer):
    """The data of one event of the stream; `snapshot` is the whole present state, `change` names what moved."""
