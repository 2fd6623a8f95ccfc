"""The daemon's ports: what the loopback door may ask of the daemon, and what the daemon asks of others.

The door knows HTTP and nothing else; the daemon knows dispatches and nothing of HTTP. They meet in
`DoorService`, whose answers are JSON objects in the shapes the outside relies on. Tests put small real
programs behind these ports instead of replacing parts of the daemon.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from dispatch_protocol.encoding import JSON

JsonObject = dict[str, JSON]


class ServiceError(Exception):
    """A request that the daemon understood and will not carry out.

    `code` is a stable word of `dispatch_protocol.loopback`, which gives its HTTP status and exit code.
    `detail` says what happened and why; `hint` is the next command to type.
    """

    def __init__(
        self, code: str, detail: str, *, hint: str | None = None, candidates: Sequence[str] = ()
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.hint = hint
        self.candidates = tuple(candidates)


@dataclass(frozen=True, slots=True, kw_only=True)
class SendRequest:
    """A dispatch as a person composes it; absent fields are None or empty, never guessed."""

    recipient: str
    task: str
    steps: Sequence[JsonObject] | None = None
    background: str | None = None
    links: Sequence[str] = ()
    deliverable: str | None = None
    project: str | None = None
    meta: Mapping[str, str] = field(default_factory=dict)
    expires_s: int | None = None
    timeout_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeChoice:
    """What the human chose to grant: explicit tools or a profile, never a silent default.

    `paths` holds (absolute path, "ro" | "rw"); a None field was not mentioned.
    """

    tools: Sequence[str] | None = None
    profile: str | None = None
    paths: Sequence[tuple[str, str]] = ()
    mcp_servers: Sequence[str] | None = None
    network: Sequence[str] | None = None
    approval: str | None = None
    returns: str | None = None
    max_per_day: int | None = None
    expires_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """One thing for a watcher: `snapshot` is the whole present state, `change` is what moved since."""

    kind: Literal["snapshot", "change"]
    data: JsonObject


class DoorService(Protocol):
    """What the loopback door asks of the daemon; every answer is a JSON object, every refusal a `ServiceError`."""

    async def whoami(self) -> JsonObject: ...
    async def doctor(self) -> JsonObject: ...
    async def daemon_status(self) -> JsonObject: ...
    async def stop(self) -> JsonObject: ...
    async def login(self, *, broker: str | None, email: str, dev: bool, token: str | None) -> JsonObject: ...
    async def recovery_key(self) -> JsonObject: ...

    async def contacts(self) -> JsonObject: ...
    async def invitations(self) -> JsonObject: ...
    async def invite(self, *, email: str, link_only: bool) -> JsonObject: ...
    async def accept_invitation(self, *, token: str, choice: ScopeChoice) -> JsonObject: ...
    async def decline_invitation(self, *, token: str) -> JsonObject: ...
    async def revoke(self, *, peer: str, outgoing: bool) -> JsonObject: ...

    async def send(self, *, request: SendRequest, idempotency_key: str | None) -> JsonObject: ...
    async def dispatches(self, *, box: str, cursor: str | None, limit: int) -> JsonObject: ...
    async def dispatch(self, *, dispatch_id: str) -> JsonObject: ...
    async def accept(self, *, dispatch_id: str, cwd: str | None, caller_cwd: str | None) -> JsonObject: ...
    async def decline(self, *, dispatch_id: str, reason: str | None) -> JsonObject: ...
    async def cancel(self, *, dispatch_id: str, reason: str | None) -> JsonObject: ...
    async def result(self, *, dispatch_id: str) -> JsonObject: ...

    async def approvals(self) -> JsonObject: ...
    async def decide(
        self,
        *,
        request_id: str,
        decision: str,
        grant: str | None,
        reason: str | None,
        dispatch_id: str | None,
    ) -> JsonObject: ...
    async def rules(self) -> JsonObject: ...
    async def remove_rule(self, *, rule_id: str) -> JsonObject: ...

    def subscribe(self, *, dispatch_id: str | None) -> AsyncIterator[Update]:
        """Yield one snapshot, then changes until the watcher leaves; unknown `dispatch_id`: `ServiceError`."""
        ...
