"""From a payload type to its dataclass and back: the one place that knows every message between identities.

A kind that stands here has exactly one decoder. A kind that is known but never travels in an envelope of its own (a
link, an invitation, a session proof), or not yet, is refused as `unsupported` and answered, never met with silence.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from dispatch_protocol.body import read_body, write_body
from dispatch_protocol.encoding import Fields
from dispatch_protocol.errors import RefusalCode, RefusedError
from dispatch_protocol.grant import GrantDocument
from dispatch_protocol.invitation import Acceptance, Confirmation
from dispatch_protocol.messages import comparing, follow_on
from dispatch_protocol.messages.answers import Decision, Receipt
from dispatch_protocol.messages.checkpoint import Checkpoint
from dispatch_protocol.messages.household import Log
from dispatch_protocol.messages.result import Result
from dispatch_protocol.messages.task import Task
from dispatch_protocol.payloads import Kind

Message = (
    Task
    | follow_on.Cancel
    | follow_on.Ack
    | follow_on.Message
    | follow_on.Heard
    | Decision
    | Receipt
    | Result
    | GrantDocument
    | Acceptance
    | Confirmation
    | comparing.Comparison
    | comparing.Reveal
    | Checkpoint
    | Log
)

_READERS: Final[Mapping[Kind, Callable[[Fields], Message]]] = MappingProxyType(
    {
        Kind.TASK: Task.read,
        Kind.CANCEL: follow_on.Cancel.read,
        Kind.ACK: follow_on.Ack.read,
        Kind.MESSAGE: follow_on.Message.read,
        Kind.HEARD: follow_on.Heard.read,
        Kind.DECISION: Decision.read,
        Kind.RECEIPT: Receipt.read,
        Kind.RESULT: Result.read,
        Kind.GRANT: GrantDocument.read,
        Kind.ACCEPTANCE: Acceptance.read,
        Kind.CONFIRMATION: Confirmation.read,
        Kind.COMPARISON: comparing.Comparison.read,
        Kind.REVEAL: comparing.Reveal.read,
        Kind.CHECKPOINT: Checkpoint.read,
        Kind.LOG: Log.read,
    }
)

_KINDS: Final[Mapping[type[Message], Kind]] = MappingProxyType(
    {
        Task: Kind.TASK,
        follow_on.Cancel: Kind.CANCEL,
        follow_on.Ack: Kind.ACK,
        follow_on.Message: Kind.MESSAGE,
        follow_on.Heard: Kind.HEARD,
        Decision: Kind.DECISION,
        Receipt: Kind.RECEIPT,
        Result: Kind.RESULT,
        GrantDocument: Kind.GRANT,
        Acceptance: Kind.ACCEPTANCE,
        Confirmation: Kind.CONFIRMATION,
        comparing.Comparison: Kind.COMPARISON,
        comparing.Reveal: Kind.REVEAL,
        Checkpoint: Kind.CHECKPOINT,
        Log: Kind.LOG,
    }
)


def kind_of(message: Message) -> Kind:
    """Return the kind under which a message is signed."""
    return _KINDS[type(message)]


def encode_body(message: Message) -> bytes:
    """Return the body to sign.

    Raises:
        LocalError: the recipient's own decoder would refuse it; the code says why.
    """
    kind = kind_of(message)
    return write_body(message.write(), kind.value, _READERS[kind])


def decode_body(kind: Kind, body: bytes) -> Message:
    """Read a signed body of this kind; call it only after its signature has been verified.

    Raises:
        MalformedError: not a body of this kind.
        RefusedError: `unsupported` or `mandate_unsupported`.
    """
    read = _READERS.get(kind)
    if read is None:
        raise RefusedError(
            RefusalCode.UNSUPPORTED, f"no message between identities is of the kind {kind.value!r}"
        )
    return read_body(body, kind.value, read)
