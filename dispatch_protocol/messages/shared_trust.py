"""What a person's devices tell each other of other people: who they are, what was granted, who was invited, what is always allowed.

Each entry states how one thing is, as `household` says; what it proves by itself is for whoever takes it in to look at.
"""

from dataclasses import dataclass
from typing import Final, TypedDict

from dispatch_protocol.body import read_word
from dispatch_protocol.encoding import JSON, Fields, b64u
from dispatch_protocol.keys import DeviceId, Digest, EdgeId, Genesis
from dispatch_protocol.limits import (
    ADDRESS_CHARS,
    CHAIN_LINKS,
    NAME_CHARS,
    PATH_CHARS,
    TASK_CHARS,
    URL_CHARS,
)
from dispatch_protocol.signing import Document

_SECRET_BYTES: Final = 16


class _Later(TypedDict, total=False):
    compared_ms: int
    known_before: str | None
    named_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PinEntry:
    """A contact as it is pinned: how well its key is known, its chain, and a second history if one was told."""

    genesis: Genesis
    address: str
    alias: str | None
    trust: str
    links: tuple[Document, ...]
    conflict: tuple[Document, ...] | None
    pinned_ms: int
    compared_ms: int | None = None
    known_before: str | None = None
    named_ms: int = 0

    def write(self) -> dict[str, JSON]:
        """Return the entry as JSON."""
        later: dict[str, JSON] = {} if self.named_ms == 0 else {"named": self.named_ms}
        if self.compared_ms is not None:
            later |= {"compared": self.compared_ms, "known_before": self.known_before}
        return {
            **later,
            "kind": "pin",
            "genesis": self.genesis.hex,
            "address": self.address,
            "alias": self.alias,
            "trust": self.trust,
            "links": _write_documents(self.links),
            "conflict": None if self.conflict is None else _write_documents(self.conflict),
            "pinned": self.pinned_ms,
        }

    @classmethod
    def read(cls, fields: Fields) -> "PinEntry":
        """Read what follows the kind strictly; raises MalformedError."""
        return cls(
            genesis=Genesis(fields.hex("genesis", Genesis.LENGTH)),
            address=fields.text("address", max_chars=ADDRESS_CHARS),
            alias=fields.optional(fields.text, "alias", min_chars=1, max_chars=NAME_CHARS),
            trust=read_word(fields, "trust"),
            links=_read_documents(fields, "links"),
            conflict=fields.optional(lambda name: _read_documents(fields, name), "conflict"),
            pinned_ms=fields.integer("pinned"),
            **cls._read_later(fields),
        )

    @staticmethod
    def _read_later(fields: Fields) -> "_Later":
        """Read what stands there exactly if words were compared, or a name was chosen; who wrote earlier leaves it out."""
        later: _Later = {"named_ms": fields.integer("named", minimum=1)} if fields.has("named") else {}
        if fields.has("compared"):
            later["compared_ms"] = fields.integer("compared")
            later["known_before"] = fields.optional(lambda name: read_word(fields, name), "known_before")
        return later


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeEntry:
    """One directed trust, with the grant as its trustor signed it."""

    edge: EdgeId
    direction: str
    peer: Genesis
    address: str
    status: str
    grant: Document
    created_ms: int
    expires_ms: int

    def write(self) -> dict[str, JSON]:
        """Return the entry as JSON."""
        return {
            "kind": "edge",
            "edge": self.edge.hex,
            "direction": self.direction,
            "peer": self.peer.hex,
            "address": self.address,
            "status": self.status,
            "grant": self.grant.to_json(),
            "created": self.created_ms,
            "expires": self.expires_ms,
        }

    @classmethod
    def read(cls, fields: Fields) -> "EdgeEntry":
        """Read what follows the kind strictly; raises MalformedError."""
        return cls(
            edge=EdgeId(fields.hex("edge", EdgeId.LENGTH)),
            direction=read_word(fields, "direction"),
            peer=Genesis(fields.hex("peer", Genesis.LENGTH)),
            address=fields.text("address", max_chars=ADDRESS_CHARS),
            status=read_word(fields, "status"),
            grant=Document.from_json(fields.raw("grant")),
            created_ms=fields.integer("created"),
            expires_ms=fields.integer("expires"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationEntry:
    """An invitation and how far it got, with its secret: any device of the household may be the one that is answered.

    Only `offered_on` may if that stands: it has promised a way back with it. `also_proved_by`, since `also_proved_ms`, is the alarm of a
    leaked token. Who wrote earlier leaves both out.
    """

    invitation_id: EdgeId
    direction: str
    address: str
    document: Document
    status: str
    created_ms: int
    expires_ms: int
    link: str
    mac_required: bool
    secret: bytes | None
    accepted_by: Genesis | None
    acceptance: Digest | None
    offered_on: DeviceId | None = None
    also_proved_by: Genesis | None = None
    also_proved_ms: int = 0

    def write(self) -> dict[str, JSON]:
        """Return the entry as JSON."""
        later: dict[str, JSON] = {} if self.offered_on is None else {"offered_on": self.offered_on.hex}
        if self.also_proved_by is not None:
            later |= {"also_proved_by": self.also_proved_by.hex, "also_proved": self.also_proved_ms}
        return {
            **later,
            "kind": "invitation",
            "invitation": self.invitation_id.hex,
            "direction": self.direction,
            "address": self.address,
            "document": self.document.to_json(),
            "status": self.status,
            "created": self.created_ms,
            "expires": self.expires_ms,
            "link": self.link,
            "mac_required": self.mac_required,
            "secret": None if self.secret is None else b64u(self.secret),
            "accepted_by": None if self.accepted_by is None else self.accepted_by.hex,
            "acceptance": None if self.acceptance is None else self.acceptance.hex,
        }

    @classmethod
    def read(cls, fields: Fields) -> "InvitationEntry":
        """Read what follows the kind strictly; raises MalformedError."""
        accepted_by = fields.optional(fields.hex, "accepted_by", Genesis.LENGTH)
        acceptance = fields.optional(fields.hex, "acceptance", Digest.LENGTH)
        offers, alarms = fields.has("offered_on"), fields.has("also_proved_by")
        return cls(
            invitation_id=EdgeId(fields.hex("invitation", EdgeId.LENGTH)),
            direction=read_word(fields, "direction"),
            address=fields.text("address", max_chars=ADDRESS_CHARS),
            document=Document.from_json(fields.raw("document")),
            status=read_word(fields, "status"),
            created_ms=fields.integer("created"),
            expires_ms=fields.integer("expires"),
            link=fields.text("link", max_chars=URL_CHARS),
            mac_required=fields.boolean("mac_required"),
            secret=fields.optional(lambda name: fields.base64(name, length=_SECRET_BYTES), "secret"),
            accepted_by=None if accepted_by is None else Genesis(accepted_by),
            acceptance=None if acceptance is None else Digest(acceptance),
            offered_on=DeviceId(fields.hex("offered_on", DeviceId.LENGTH)) if offers else None,
            also_proved_by=Genesis(fields.hex("also_proved_by", Genesis.LENGTH)) if alarms else None,
            also_proved_ms=fields.integer("also_proved") if alarms else 0,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleEntry:
    """A standing yes, or that it was taken back; what was taken back never returns under its id."""

    rule_id: str
    edge: EdgeId
    tool: str
    command: str | None
    path: str | None
    subject: Digest | None
    created_ms: int
    removed: bool

    def write(self) -> dict[str, JSON]:
        """Return the entry as JSON."""
        return {
            "kind": "rule",
            "rule": self.rule_id,
            "edge": self.edge.hex,
            "tool": self.tool,
            "command": self.command,
            "path": self.path,
            "subject": None if self.subject is None else self.subject.hex,
            "created": self.created_ms,
            "removed": self.removed,
        }

    @classmethod
    def read(cls, fields: Fields) -> "RuleEntry":
        """Read what follows the kind strictly; raises MalformedError."""
        subject = fields.optional(fields.hex, "subject", Digest.LENGTH)
        return cls(
            rule_id=fields.text("rule", min_chars=1, max_chars=64),
            edge=EdgeId(fields.hex("edge", EdgeId.LENGTH)),
            tool=fields.text("tool", min_chars=1, max_chars=64),
            command=fields.optional(fields.text, "command", max_chars=TASK_CHARS),
            path=fields.optional(fields.text, "path", min_chars=1, max_chars=PATH_CHARS),
            subject=None if subject is None else Digest(subject),
            created_ms=fields.integer("created"),
            removed=fields.boolean("removed"),
        )


def _write_documents(documents: tuple[Document, ...]) -> list[JSON]:
    return [document.to_json() for document in documents]


def _read_documents(fields: Fields, name: str) -> tuple[Document, ...]:
    values = fields.items(name, max_items=CHAIN_LINKS, min_items=1)
    return tuple(Document.from_json(value) for value in values)
