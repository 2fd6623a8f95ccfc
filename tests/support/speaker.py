"""Somebody who holds real keys and keeps no rules: signs and seals to one other identity whatever a test likes.

Nothing here sends anything; whoever holds the relay delivers what comes out.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

from dispatch_protocol.chain import Chain
from dispatch_protocol.envelope import Envelope
from dispatch_protocol.grant import GrantDocument, Version
from dispatch_protocol.head import Head, Party, Recipient
from dispatch_protocol.invitation import Acceptance, InvitationDocument
from dispatch_protocol.keys import DeviceId, Digest, EdgeId
from dispatch_protocol.messages.answers import Decision, Mode, Receipt, ReceiptType, Verdict
from dispatch_protocol.messages.registry import Message, encode_body, kind_of
from dispatch_protocol.messages.steps import Step
from dispatch_protocol.messages.task import Task
from dispatch_protocol.payloads import Kind, class_of, payload_type
from dispatch_protocol.payloads import kind_of as kind_named
from dispatch_protocol.scopes import Scopes
from dispatch_protocol.seal import seal
from dispatch_protocol.signing import Document, Signed, sign, sign_document
from tests.support.device import Device, now_ms

HOUR_MS = 3_600_000


class Speaker:
    """One identity of one device; `their` is the chain of whom it speaks to, `edge` the edge between the two."""

    def __init__(self, name: str) -> None:
        self.device = Device(name)
        self.edge = EdgeId.SELF
        self.their: Chain | None = None
        self.version = Version(1, DeviceId(bytes(32)))
        self._answers: dict[Digest, tuple[int, Digest]] = {}

    @property
    def party(self) -> Party:
        """This contact as documents name it."""
        return Party(self.device.genesis, self.device.id, self.device.chain.head)

    def acceptance_of(self, document: Document, **scopes: Any) -> Acceptance:
        """Return a yes to the victim's invitation."""
        invitation = InvitationDocument.decode(document.body)
        self.version = Version(1, self.device.id)
        first = GrantDocument(
            head=self.head(), version=self.version, scopes=Scopes(**({"tools": ("Read", "Bash")} | scopes))
        )
        return Acceptance(
            head=self.head(),
            invitation=document.digest,
            from_email=invitation.to_email,
            to_email=invitation.from_email,
            links=self.device.chain.links,
            grant=sign_document([self.device.signing], payload_type(Kind.GRANT), first.encode()),
            mac=None,
        )

    # -- speaking --------------------------------------------------------------------------------------

    def head(self, *, re: Digest = Digest.ZERO, expires_ms: int = 0, **changes: Any) -> Head:
        """Return an honest head, but for what a test changes."""
        assert self.their is not None
        fields: dict[str, Any] = {
            "nonce": secrets.token_bytes(16),
            "sender": self.party,
            "recipient": Recipient(self.their.genesis, self.their.head),
            "edge": self.edge,
            "re": re,
            "created_ms": now_ms(),
            "expires_ms": expires_ms,
        }
        return Head(**(fields | changes))

    def task(self, words: str = "Do it", steps: Iterable[Mapping[str, Any]] = (), **changes: Any) -> Task:
        """Return a task for the victim, but for what a test changes."""
        assert self.their is not None
        fields: dict[str, Any] = {
            "head": self.head(expires_ms=now_ms() + HOUR_MS),
            "principal": self.party,
            "owner_device": next(iter(self.their.devices)),
            "grant_version": self.version,
            "task": words,
            "steps": tuple(
                Step(**({"save_as": None, "allow_failure": False} | dict(step))) for step in steps
            ),
            "thread": uuid4(),
        }
        return Task(**(fields | changes))

    def signed(self, message: Message) -> Signed:
        """Sign a message as it is."""
        return sign(self.device.signing, payload_type(kind_of(message)), encode_body(message))

    def sealed(self, message: Message | Signed) -> bytes:
        """Sign and seal a message for the victim."""
        signed = message if isinstance(message, Signed) else self.signed(message)
        head = None if isinstance(message, Signed) else message.head
        return self.enveloped(signed, head)

    def enveloped(self, signed: Signed, head: Head | None, **changes: Any) -> bytes:
        """Seal signed bytes under a header that a test may change."""
        assert self.their is not None
        kind = kind_named(signed.payload_type)
        fields: dict[str, Any] = {
            "klass": class_of(kind) if kind is not None else 1,
            "re": head.re if head else Digest.ZERO,
            "from_device": self.device.id,
            "to_genesis": self.their.genesis,
            "edge": head.edge if head else self.edge,
            "created_ms": head.created_ms if head else now_ms(),
            "expires_ms": head.expires_ms if head else 0,
            "recipients": self.their.recipients,
            "content_key": secrets.token_bytes(32),
            "ephemerals": [secrets.token_bytes(32) for _ in self.their.recipients],
        }
        return seal(signed, **(fields | changes))

    # -- answering what the victim sent ----------------------------------------------------------------

    def then(self, about: Digest, make: Callable[[Head, int, Digest], Message]) -> bytes:
        """Return the next answer of this device's chain about a dispatch, sealed."""
        last, prev = self._answers.get(about, (0, Digest.ZERO))
        seq = last + 1
        message = make(self.head(re=about), seq, prev)
        signed = self.signed(message)
        self._answers[about] = (seq, signed.digest)
        return self.enveloped(signed, message.head)

    def receipt(self, about: Digest, kind: ReceiptType, **fields: Any) -> bytes:
        """Return the next receipt about a dispatch, sealed."""
        return self.then(
            about, lambda head, seq, prev: Receipt(head=head, seq=seq, prev=prev, type=kind, **fields)
        )

    def accepted(self, about: Digest, **fields: Any) -> bytes:
        """Return a yes to a dispatch, sealed."""
        chosen: dict[str, Any] = {"decision": Verdict.ACCEPTED, "mode": Mode.AUTO, "run_id": uuid4()} | fields
        return self.then(about, lambda head, seq, prev: Decision(head=head, seq=seq, prev=prev, **chosen))


def relabelled(raw: bytes, **changes: Any) -> bytes:
    """Return an envelope whose header says something else, as a relay could rewrite it."""
    envelope = Envelope.decode(raw)
    return Envelope(replace(envelope.header, **changes), envelope.wraps, envelope.ciphertext).encode()
