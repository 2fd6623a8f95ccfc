"""The registry of payload types: what kinds of documents exist, how they are called and which class may carry them.

A signature is over the type as well as the body, so bytes signed as one kind can never be read as another. The class is
all the relay learns, and it is coarse on purpose: with a finer one it would know an acceptance from a refusal.
"""

from enum import StrEnum
from typing import Final

from dispatch_protocol.envelope import EnvelopeClass

_PREFIX: Final = "application/vnd.dispatch."
_SUFFIX: Final = ".v1+json"


class Kind(StrEnum):
    """Every kind of document of version 1."""

    TASK = "task"
    CANCEL = "cancel"
    ACK = "ack"
    MESSAGE = "message"
    HEARD = "heard"
    DECISION = "decision"
    RECEIPT = "receipt"
    RESULT = "result"
    GRANT = "grant"
    INVITATION = "invitation"
    ACCEPTANCE = "acceptance"
    CONFIRMATION = "confirmation"
    COMPARISON = "comparison"
    REVEAL = "reveal"
    LINK = "link"
    SESSION = "session"
    CHECKPOINT = "checkpoint"
    RELEASE = "release"
    LOG = "log"


_CLASSES: Final = {
    Kind.TASK: EnvelopeClass.TASK,
    Kind.CANCEL: EnvelopeClass.FOLLOW_ON,
    Kind.ACK: EnvelopeClass.FOLLOW_ON,
    Kind.MESSAGE: EnvelopeClass.FOLLOW_ON,
    Kind.HEARD: EnvelopeClass.FOLLOW_ON,
    Kind.DECISION: EnvelopeClass.ANSWER,
    Kind.RECEIPT: EnvelopeClass.ANSWER,
    Kind.RESULT: EnvelopeClass.ANSWER,
}


def payload_type(kind: Kind) -> str:
    """Return the payload type that is signed with every document of this kind."""
    return f"{_PREFIX}{kind.value}{_SUFFIX}"


def kind_of(payload_type: str) -> Kind | None:
    """Return the kind that a payload type names, or None if this version does not know it."""
    return _KINDS.get(payload_type)


def class_of(kind: Kind) -> EnvelopeClass:
    """Return the one class of envelope that may carry this kind; whatever is about trust itself is class 4."""
    return _CLASSES.get(kind, EnvelopeClass.TRUST)


_KINDS: Final = {payload_type(kind): kind for kind in Kind}
