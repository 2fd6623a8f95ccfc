"""What people ask of the daemon, as plain values: nothing here is trusted until a decision has looked at it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dispatch_protocol.budget import Budget
from dispatch_protocol.encoding import JSON


@dataclass(frozen=True, slots=True)
class FileChoice:
    """One file to go with a dispatch: the id under which it was handed over, and the name it travels under."""

    file_id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendRequest:
    """A dispatch as a person composes it; absent fields are None or empty, never guessed."""

    recipient: str | None  # None for whoever is the other side of `parent`
    task: str
    steps: Sequence[dict[str, JSON]] | None = None
    background: str | None = None
    links: Sequence[str] = ()
    deliverable: str | None = None
    project: str | None = None
    meta: Mapping[str, str] = field(default_factory=dict)
    expires_s: int | None = None
    timeout_s: int | None = None
    budget: Budget = field(default_factory=Budget)
    files: Sequence[FileChoice] = ()
    device: str | None = (
        None  # the one of the recipient's devices that is to run it, by the beginning of its id; None for their owner
    )
    parent: str | None = None  # the dispatch that it follows up, in the same thread and with the same person
    surface: str = "api"  # the face through which it was composed, as that face says itself


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeChoice:
    """What the human chose to grant: explicit tools or a profile, never a silent default.

    `paths` holds (absolute path, "ro" | "rw"). `expires_at_ms` 0 is never. A None field was not mentioned: the default, or when an edge is edited what
    it was.
    """

    tools: Sequence[str] | None = None
    profile: str | None = None
    paths: Sequence[tuple[str, str]] | None = None
    mcp_servers: Sequence[str] | None = None
    network: Sequence[str] | None = None
    approval: str | None = None
    returns: str | None = None
    max_per_day: int | None = None
    budget: Budget | None = None
    max_runtime_s: int | None = None
    approval_timeout_s: int | None = None
    expires_at_ms: int | None = None
