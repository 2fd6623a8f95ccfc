"""The task: everything that decides what will happen, in one body signed by the author's device.

Nothing that matters stands outside: whoever reads a task needs no second source for its scope, its files, its steps
or its deadline. Fields for later (mandates, routes, threads) are read as strictly as the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from dispatch_protocol.encoding import JSON
from dispatch_protocol.grant import Version
from dispatch_protocol.keys import DeviceId, Digest
from dispatch_protocol.messages.budget import Budget
from dispatch_protocol.messages.head import Head, Party


class OnFailure(StrEnum):
    """What becomes of a dispatch whose predecessor did not succeed."""

    CANCEL = "cancel"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the task was composed: a surface (`cli`, `mcp`, `page`, later a channel) and its own reference there."""

    surface: str
    ref: str | None = None


@dataclass(frozen=True, slots=True)
class Blob:
    """Where sealed file bytes lie (SHA-256 of the ciphertext) and the 32-byte key that opens them."""

    address: Digest
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that travels with the task: a bare file name, its size and the SHA-256 of its clear bytes."""

    name: str
    size_bytes: int
    sha256: Digest
    blob: Blob


@dataclass(frozen=True, slots=True)
class Step:
    """One signed tool call of the agent `steps`, in the shape of the steps file."""

    tool: str
    input: Mapping[str, JSON]
    save_as: str | None = None
    allow_failure: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One dispatch. Absent texts are None, absent lists empty; `thread` is random; `after` are dispatch digests."""

    head: Head
    principal: Party
    mandate: None = None
    origin: Origin | None = None
    owner_device: DeviceId
    grant_version: Version | None
    task: str
    background: str | None = None
    links: tuple[str, ...] = ()
    deliverable: str | None = None
    project: str | None = None
    attachments: tuple[Attachment, ...] = ()
    steps: tuple[Step, ...] = ()
    instructions: str | None = None
    meta: Mapping[str, str] = field(default_factory=dict)
    route: str | None = None
    device_wish: DeviceId | None = None
    after: tuple[Digest, ...] = ()
    on_failure: OnFailure = OnFailure.CANCEL
    retries: int = 0
    timeout_s: int | None = None
    budget: Budget = field(default_factory=Budget)
    thread: UUID
    parent: Digest | None = None
