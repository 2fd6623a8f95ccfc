"""What the door answers, as models for its OpenAPI document: fields may be added, never renamed.

The daemon builds its answers itself; nothing here runs when a request is served, and an idle daemon never imports
it. Tests hold real answers against these models, so that the description cannot drift from what is sent.
What does not apply yet is null, never absent.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Moment = Annotated[
    str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", examples=["2026-01-02T03:04:05.678Z"])
]
Uuid = Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Fingerprint = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="64 hex digits")]
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


class Answer(BaseModel):
    """An answer; readers must ignore fields they do not know."""

    model_config = ConfigDict(strict=True, frozen=True, extra="allow", defer_build=True)


class Problem(Answer):
    """A problem document (RFC 9457); `code` is stable, `hint` is the next command to type."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    hint: str | None
    candidates: list[str] = []


class Health(Answer):
    """The door answers."""

    ok: bool


class OpenApi(Answer):
    """An OpenAPI 3.1 document."""

    openapi: str


class Device(Answer):
    """A device by its public key."""

    id: Fingerprint
    name: str


class DaemonPlace(Answer):
    """Where the daemon listens and whether it can run dispatches."""

    running: bool
    version: str
    can_run: bool
    socket: str
    door: str


class Whoami(Answer):
    """Who this daemon acts for; `user` is null before the first login."""

    user: str | None
    identity: Fingerprint
    device: Device
    broker: str | None
    daemon: DaemonPlace


class Check(Answer):
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str
    remedy: str | None


class Doctor(Answer):
    """Every check; `ok` only if all are."""

    ok: bool
    checks: list[Check]


class DaemonStatus(Answer):
    """The daemon's process and places."""

    running: bool
    pid: int | None
    version: str
    door: str | None
    socket: str | None


class RecoveryKeyShown(Answer):
    """The recovery key, shown this once."""

    recovery_key: str


class PathShown(Answer):
    """One path of a grant."""

    path: str
    mode: Literal["ro", "rw"]


class ScopesShown(Answer):
    """What a grant allows."""

    tools: list[str]
    mcp_servers: list[str]
    paths: list[PathShown]
    network: list[str]
    approval: Literal["manual", "review", "auto"]
    returns: Literal["status", "result", "trace"]
    max_per_day: int | None
    expires_at: Moment | None


Trust = Literal["unverified", "token", "compared"]
EdgeStatus = Literal["pending", "active", "expired", "revoked"]


class Edge(Answer):
    """One direction of trust."""

    edge_id: Uuid
    direction: Literal["outgoing", "incoming"]
    peer: str
    alias: str | None
    trust: Trust
    online: bool | None
    status: EdgeStatus
    scopes: ScopesShown | None
    can_edit_scopes: bool


class Contacts(Answer):
    """Every edge."""

    edges: list[Edge]


class EdgeActed(Answer):
    """An edge after an act."""

    edge_id: Uuid
    status: EdgeStatus


InvitationStatus = Literal["pending", "accepted", "confirmed", "declined", "expired", "revoked"]


class Invited(Answer):
    """A new invitation; `token` holds the secret and is passed on by the inviter."""

    invitation_id: Uuid
    link: str
    token: str
    emailed: bool
    expires_at: Moment


class InvitationSent(Answer):
    """An invitation of ours."""

    invitation_id: Uuid
    peer: str
    status: InvitationStatus
    link: str
    expires_at: Moment


class InvitationReceived(Answer):
    """An invitation to us; this token holds no secret."""

    invitation_id: Uuid
    token: str
    peer: str
    status: InvitationStatus
    expires_at: Moment


class Invitations(Answer):
    """Invitations in both directions."""

    sent: list[InvitationSent]
    received: list[InvitationReceived]


class InvitationAccepted(Answer):
    """The new edge and what it allows."""

    edge_id: Uuid
    peer: str
    scopes: ScopesShown
    trust: Trust


class InvitationActed(Answer):
    """An invitation after an act."""

    invitation_id: Uuid
    status: InvitationStatus


class Sent(Answer):
    """A dispatch that was taken on: it is journaled, and will be sent."""

    dispatch_id: Uuid
    status: Status
    thread_id: str
    expires_at: Moment | None


class DispatchActed(Answer):
    """A dispatch after an act."""

    dispatch_id: Uuid
    status: Status


class Attachment(Answer):
    """A file that came with a task."""

    name: str
    size_bytes: int
    sha256: Fingerprint


class DispatchListed(Answer):
    """A dispatch in a list; `task` is whole."""

    model_config = ConfigDict(populate_by_name=True)

    dispatch_id: Uuid
    short_id: str
    author: str = Field(alias="from")
    to: str
    task: str
    status: Status
    outcome: Outcome | None
    created_at: Moment
    expires_at: Moment | None
    thread_id: str
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
    cwd: str | None
    started_at: Moment | None
    ended_at: Moment | None
    last_heard: Moment | None
    usage: dict[str, JsonValue] | None


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
    device: str
    flags: list[str]
    expires_at: Moment | None
    grants: list[Literal["once", "always", "session"]]


class Approvals(Answer):
    """Every open question."""

    approvals: list[Approval]


class ApprovalActed(Answer):
    """A question after its answer."""

    request_id: str
    status: str


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


class Receipt(Answer):
    """A signed statement about the dispatch."""

    type: str
    at: Moment
    device: str
    digest: Fingerprint


class Decision(Answer):
    """What the recipient decided."""

    mode: str | None
    target: str | None
    reason: str | None


class Summary(Answer):
    """How it ended, in words."""

    outcome: Outcome | None
    summary: str | None


class DispatchWhole(DispatchListed):
    """Everything known about one dispatch."""

    runs: list[Run]
    events: list[Event]
    approvals: list[Approval]
    artifacts: list[Artifact]
    changeset: list[Change]
    receipts: list[Receipt]
    decision: Decision | None
    result: Summary | None


class Result(Answer):
    """What came back; `bundle` is a path under the home."""

    dispatch_id: Uuid
    outcome: Outcome
    summary: str | None
    files: list[JsonValue]
    bundle: str | None


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
