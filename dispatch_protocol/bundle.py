"""A bundle: one file that holds a dispatch as evidence, so that anybody can check it offline.

It holds only signed bytes (the task, both identities' chains, every answer) and, unsigned and shown as claimed, the
addresses. Bundles are JSON, each document in its DSSE form, so that other programs can read them too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dispatch_protocol.chain import read_links, write_links
from dispatch_protocol.encoding import JSON, Fields, dumps, loads
from dispatch_protocol.keys import DeviceId
from dispatch_protocol.limits import ADDRESS_CHARS, CHAIN_LINKS
from dispatch_protocol.signing import Document, Signature, Signed

FORMAT: Final = "dispatch-bundle/1"
BUNDLE_BYTES: Final = 64 * 1024 * 1024
ANSWERS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a dispatch: the address it is known by (a claim, or None) and its chain's links in full."""

    address: str | None
    links: tuple[Document, ...]

    def write(self) -> dict[str, JSON]:
        """Return the side as JSON."""
        return {"address": self.address, "links": write_links(self.links)}

    @classmethod
    def read(cls, fields: Fields) -> "Side":
        """Read a side strictly; raises MalformedError."""
        side = cls(
            address=fields.optional(fields.text, "address", min_chars=1, max_chars=ADDRESS_CHARS),
            links=read_links(fields.items("links", max_items=CHAIN_LINKS, min_items=1)),
        )
        fields.done()
        return side


@dataclass(frozen=True, slots=True)
class Bundle:
    """A dispatch as evidence: the author's task and the recipient's answers (decisions, receipts, results), as signed."""

    author: Side
    recipient: Side
    task: Document
    answers: tuple[Document, ...]

    def encode(self) -> bytes:
        """Return the bundle's file."""
        return dumps(
            {
                "format": FORMAT,
                "author": self.author.write(),
                "recipient": self.recipient.write(),
                "task": self.task.to_json(),
                "answers": write_links(self.answers),
            }
        )

    @classmethod
    def decode(cls, data: bytes) -> "Bundle":
        """Read a bundle strictly; raises MalformedError. It is read, not verified."""
        fields = Fields(loads(data, max_bytes=BUNDLE_BYTES), "bundle")
        fields.constant("format", FORMAT)
        bundle = cls(
            author=Side.read(fields.fields("author")),
            recipient=Side.read(fields.fields("recipient")),
            task=Document.from_json(fields.raw("task")),
            answers=read_links(fields.items("answers", max_items=ANSWERS)),
        )
        fields.done()
        return bundle


def as_document(signed: Signed, signer: DeviceId) -> Document:
    """Return what travelled in an envelope in the form that bundles hold: the same bytes, with the signer named."""
    return Document(signed.payload_type, signed.body, (Signature(signer.raw, signed.signature),))


def bundle_of(
    *,
    task: tuple[Signed, DeviceId],
    answers: Sequence[tuple[Signed, DeviceId]],
    author: Side,
    recipient: Side,
) -> Bundle:
    """Return the bundle of a dispatch from what the journal keeps: each signed document with its signer."""
    return Bundle(author, recipient, as_document(*task), tuple(as_document(*answer) for answer in answers))
