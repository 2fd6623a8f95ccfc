"""Composing what this device signs: heads, answers in their chain, and the digest each will have.

A document's digest does not need its signature, so a decision can chain, record and name what it is about
to say before the key is touched; `app.performer` signs exactly these bytes.
"""

import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

from dispatch_daemon.core.effects import Effect, Put, Send
from dispatch_daemon.core.records import AnswerRecord, Box, DispatchRecord
from dispatch_protocol.chain import Chain
from dispatch_protocol.head import Head, Party, Recipient
from dispatch_protocol.keys import DeviceId, Digest, EdgeId, Genesis
from dispatch_protocol.messages.answers import Answer, Decision, Receipt
from dispatch_protocol.messages.registry import Message, encode_body, kind_of
from dispatch_protocol.messages.result import Result
from dispatch_protocol.messages.task import Task
from dispatch_protocol.payloads import payload_type
from dispatch_protocol.signing import pae


@dataclass(frozen=True, slots=True)
class Own:
    """Who this daemon is: its identity's chain, its device, and the address it is known by (None before login)."""

    chain: Chain
    device: DeviceId
    address: str | None

    @property
    def genesis(self) -> str:
        return self.chain.genesis.hex

    @property
    def party(self) -> Party:
        return Party(identity=self.chain.genesis, device=self.device, head=self.chain.head)


@dataclass(frozen=True, slots=True)
class Moment:
    """The time and the randomness of one decision, drawn by the caller.

    `now_ms` is never earlier than the latest time in the journal. `seed` is 32 random bytes from which
    as many nonces and ids as the decision needs are derived.
    """

    now_ms: int
    seed: bytes

    def nonce(self, number: int = 0) -> bytes:
        """Return the `number`th 16-byte nonce."""
        return hashlib.sha256(b"nonce" + number.to_bytes(4, "big") + self.seed).digest()[:16]

    def secret(self) -> bytes:
        """Return 32 random bytes that nothing else which is drawn from this moment tells anything about."""
        return hashlib.sha256(b"secret" + self.seed).digest()

    def uuid(self, number: int = 0) -> uuid.UUID:
        """Return the `number`th random UUID (version 4)."""
        raw = hashlib.sha256(b"uuid" + number.to_bytes(4, "big") + self.seed).digest()[:16]
        return uuid.UUID(bytes=raw, version=4)


@dataclass(frozen=True, slots=True)
class Peer:
    """Whom a document is for: an identity and its chain's head as this device knows it."""

    genesis: Genesis
    head: Digest

    @property
    def recipient(self) -> Recipient:
        return Recipient(identity=self.genesis, head=self.head)


def head_of(
    own: Own,
    peer: Peer,
    *,
    edge: str,
    about: str | None,
    now_ms: int,
    nonce: bytes,
    expires_ms: int = 0,
) -> Head:
    """Return the head of a document from this device to `peer`."""
    return Head(
        nonce=nonce,
        sender=own.party,
        recipient=peer.recipient,
        edge=EdgeId.from_hex(edge),
        re=Digest.ZERO if about is None else Digest.from_hex(about),
        created_ms=now_ms,
        expires_ms=expires_ms,
    )


def send_of(message: Message, *, deliver: bool, keep: bool) -> Send:
    """Return the effect that signs `message` and owes its delivery; `keep` stores it as evidence."""
    kind = kind_of(message)
    body = encode_body(message)
    name = payload_type(kind)
    digest = hashlib.sha256(pae(name, body)).hexdigest()
    head = message.head
    about = "" if head.re == Digest.ZERO else head.re.hex
    evidence = AnswerRecord(
        digest=digest,
        about=about,
        kind=kind,
        type=answer_type(message),
        signed=b"",
        device=head.sender.device.hex,
        seq=getattr(message, "seq", 0),
        at_ms=head.created_ms,
    )
    return Send(
        payload_type=name,
        body=body,
        digest=digest,
        to=head.recipient.identity.hex,
        edge=head.edge.hex,
        about=about,
        created_ms=head.created_ms,
        expires_ms=head.expires_ms,
        deliver=deliver,
        keep=evidence if keep else None,
        files=has_files(message),
    )


def has_files(message: Message) -> bool:
    """Say whether sealed files travel beside a message."""
    match message:
        case Task(attachments=files) | Result(artifacts=files):
            return any(file.blob is not None for file in files)
        case _:
            return False


def answer_type(message: Message) -> str:
    """Return what a statement says in one word: the receipt's type, the decision, or the kind."""
    match message:
        case Receipt(type=word):
            return word
        case Decision(decision=word):
            return word
        case Result():
            return "result"
        case _:
            return type(message).__name__.lower()


def answer(
    record: DispatchRecord,
    own: Own,
    peer: Peer,
    *,
    now_ms: int,
    nonce: bytes,
    make: Callable[[Head, int, Digest], Answer],
) -> tuple[DispatchRecord, list[Effect]]:
    """Append one answer to the dispatch's chain; returns the record after it and the effects.

    `make` receives the head, the sequence number (from 1) and the digest of the answer before
    (zeros for the first).
    """
    head = head_of(own, peer, edge=record.edge, about=record.digest, now_ms=now_ms, nonce=nonce)
    seq = record.answer_seq + 1
    prev = Digest.from_hex(record.answer_head) if record.answer_head else Digest.ZERO
    send = send_of(make(head, seq, prev), deliver=record.box is not Box.OWN, keep=True)
    after = replace(record, answer_seq=seq, answer_head=send.digest)
    return after, [Put(after), send]
