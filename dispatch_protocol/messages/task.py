"""The task: everything that decides what will happen, in one body signed by the author's device.

Nothing that matters stands outside: whoever reads a task needs no second source for its scope, its files, its steps
or its deadline. Fields for later (mandates, routes, threads) are read as strictly as the others.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from uuid import UUID

from dispatch_protocol import limits
from dispatch_protocol.body import read_word
from dispatch_protocol.budget import Budget
from dispatch_protocol.encoding import JSON, Fields
from dispatch_protocol.errors import MalformedError, RefusalCode, RefusedError
from dispatch_protocol.grant import Version
from dispatch_protocol.head import Head, Party
from dispatch_protocol.keys import DeviceId, Digest, EdgeId
from dispatch_protocol.messages.files import Attachment
from dispatch_protocol.messages.steps import Step, read_steps

AFTER: Final = 32  # predecessors of one dispatch
RETRIES: Final = 10
TIMEOUT_MAX_S: Final = 7 * 86_400
_LINK: Final = re.compile(r"(?:https?://|mailto:)\S+", re.IGNORECASE)


class OnFailure(StrEnum):
    """What becomes of a dispatch whose predecessor did not succeed."""

    CANCEL = "cancel"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the task was composed: a surface (`cli`, `mcp`, `page`, later a channel) and its own reference there."""

    surface: str
    ref: str | None = None

    def write(self) -> dict[str, JSON]:
        """Return the origin as JSON."""
        return {"surface": self.surface, "ref": self.ref}

    @classmethod
    def read(cls, fields: Fields) -> "Origin":
        """Read an origin strictly; raises MalformedError."""
        origin = cls(
            surface=read_word(fields, "surface"),
            ref=fields.optional(fields.text, "ref", min_chars=1, max_chars=limits.NAME_CHARS),
        )
        fields.done()
        return origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One dispatch. Absent texts are None, absent lists empty; `thread` is random; `after` are dispatch digests.

    `owner_device` is the one device of the recipient that may start by itself; `grant_version` is the version the author
    saw, None on one's own dispatches. Durations are in seconds, None where the recipient's limit alone binds.
    """

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

    def write(self) -> dict[str, JSON]:
        """Return the body as JSON, but for its version."""
        return {
            **self.head.write(),
            "principal": self.principal.write(),
            "mandate": self.mandate,
            "origin": None if self.origin is None else self.origin.write(),
            "owner_device": self.owner_device.hex,
            "grant_version": None if self.grant_version is None else self.grant_version.write(),
            "task": self.task,
            "background": self.background,
            "links": list(self.links),
            "deliverable": self.deliverable,
            "project": self.project,
            "attachments": [attachment.write() for attachment in self.attachments],
            "steps": [step.write() for step in self.steps],
            "instructions": self.instructions,
            "meta": dict(self.meta),
            "route": self.route,
            "device": None if self.device_wish is None else self.device_wish.hex,
            "after": [digest.hex for digest in self.after],
            "on_failure": self.on_failure.value,
            "retries": self.retries,
            "timeout": self.timeout_s,
            "budget": self.budget.write(),
            "thread": self.thread.hex,
            "parent": None if self.parent is None else self.parent.hex,
        }

    @classmethod
    def read(cls, fields: Fields) -> "Task":
        """Read a task strictly.

        Raises:
            MalformedError: a field is missing, unknown or beyond its limits.
            RefusedError: `mandate_unsupported`, the author acts for somebody else.
        """
        head = Head.read(fields)
        task = cls(
            head=head,
            principal=_read_principal(fields, head),
            origin=fields.optional(lambda name: Origin.read(fields.fields(name)), "origin"),
            owner_device=DeviceId(fields.hex("owner_device", DeviceId.LENGTH)),
            grant_version=fields.optional(lambda name: Version.read(fields.fields(name)), "grant_version"),
            task=fields.text("task", min_chars=1, max_chars=limits.TASK_CHARS),
            background=_read_text(fields, "background", limits.BACKGROUND_CHARS),
            links=_read_links(fields),
            deliverable=_read_text(fields, "deliverable", limits.DELIVERABLE_CHARS),
            project=_read_text(fields, "project", limits.PROJECT_CHARS),
            attachments=_read_attachments(fields),
            steps=read_steps(fields, "steps"),
            instructions=_read_text(fields, "instructions", limits.BACKGROUND_CHARS),
            meta=fields.pairs(
                "meta",
                max_items=limits.META_PAIRS,
                max_key_chars=limits.META_KEY_CHARS,
                max_value_chars=limits.META_VALUE_CHARS,
            ),
            route=fields.optional(lambda name: read_word(fields, name), "route"),
            device_wish=_read_optional_device(fields, "device"),
            after=tuple(Digest(raw) for raw in fields.hexes("after", Digest.LENGTH, max_items=AFTER)),
            on_failure=fields.choice("on_failure", OnFailure),
            retries=fields.integer("retries", maximum=RETRIES),
            timeout_s=fields.optional(fields.integer, "timeout", minimum=1, maximum=TIMEOUT_MAX_S),
            budget=Budget.read(fields.fields("budget")),
            thread=UUID(bytes=fields.hex("thread", 16)),
            parent=_read_optional_digest(fields, "parent"),
        )
        _check_task(task)
        return task


def _read_principal(fields: Fields, head: Head) -> Party:
    """Read whose wish the task is; today only the author's own. Source: docs/PROTOCOL.md, section 8."""
    principal = Party.read(fields.fields("principal"))
    if fields.raw("mandate") is not None or principal != head.sender:
        raise RefusedError(
            RefusalCode.MANDATE_UNSUPPORTED, "a task on behalf of somebody else than its author"
        )
    return principal


def _read_text(fields: Fields, name: str, max_chars: int) -> str | None:
    """Read a text that is absent (null) or says something: the empty text is no second spelling of absent."""
    return fields.optional(fields.text, name, min_chars=1, max_chars=max_chars)


def is_link(text: str) -> bool:
    """Say whether a text is a link: a page or an address, printable, and nothing that a program would run or open."""
    return _LINK.fullmatch(text) is not None and text.isprintable()


def _read_links(fields: Fields) -> tuple[str, ...]:
    links = fields.texts("links", max_items=limits.LINKS, min_chars=1, max_chars=limits.LINK_CHARS)
    if not all(map(is_link, links)):
        raise MalformedError("a link that is neither http, https nor mailto")
    return links


def _read_attachments(fields: Fields) -> tuple[Attachment, ...]:
    attachments = tuple(
        Attachment.read(entry) for entry in fields.many("attachments", max_items=limits.ATTACHMENTS)
    )
    if len({attachment.name for attachment in attachments}) != len(attachments):
        raise MalformedError("two attachments of one name")
    return attachments


def _read_optional_digest(fields: Fields, name: str) -> Digest | None:
    raw = fields.optional(fields.hex, name, Digest.LENGTH)
    return None if raw is None else Digest(raw)


def _read_optional_device(fields: Fields, name: str) -> DeviceId | None:
    raw = fields.optional(fields.hex, name, DeviceId.LENGTH)
    return None if raw is None else DeviceId(raw)


def _check_task(task: Task) -> None:
    """Refuse fields that contradict each other."""
    head = task.head
    own = head.edge == EdgeId.SELF
    if own != (head.sender.identity == head.recipient.identity):
        raise MalformedError("a task for oneself has no edge, and any other has one")
    if own != (task.grant_version is None):
        raise MalformedError("a task on an edge names the grant's version, and one's own names none")
    if head.re != Digest.ZERO:
        raise MalformedError("a task that concerns another dispatch: its parent and thread say so")
    if not task.task.strip():
        raise MalformedError("a task of nothing but white space")
    if len(set(task.after)) != len(task.after):
        raise MalformedError("a task that waits for one predecessor twice")
    life_ms = head.expires_ms - head.created_ms
    if head.expires_ms == 0:
        if not own:
            raise MalformedError("a task for somebody else that never expires")
    elif not limits.EXPIRY_MIN_S * 1000 <= life_ms <= limits.EXPIRY_MAX_S * 1000:
        raise MalformedError(
            f"a task that lives {life_ms // 1000} s, not {limits.EXPIRY_MIN_S} to {limits.EXPIRY_MAX_S}"
        )
