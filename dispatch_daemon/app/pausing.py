"""Whether anything new may start on this machine: a person has paused it, or called a panic, and holds to it until they say else.

It is kept in the journal, so a restart changes nothing. What is running goes on, and what was accepted waits its turn.
"""

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.core.errors import ServiceError
from dispatch_protocol.envelope import Envelope, EnvelopeClass
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.grant import GrantDocument, GrantStatus
from dispatch_protocol.keys import EdgeId
from dispatch_protocol.messages.registry import decode_body
from dispatch_protocol.payloads import Kind, kind_of
from dispatch_protocol.signing import Signed

_PAUSED = "paused_ms"
_PANIC = "panic_ms"
_ENDS = frozenset({Kind.LOG, Kind.RECEIPT, Kind.CHECKPOINT})


def paused_ms(journal: Journal) -> int | None:
    """Return since when this machine is paused, or None."""
    return _since(journal, _PAUSED)


def panic_ms(journal: Journal) -> int | None:
    """Return since when there is a panic, or None; a machine that was paused before it is so after it."""
    return _since(journal, _PANIC)


def keep_paused(journal: Journal, since_ms: int | None) -> None:
    """Remember since when this machine is paused."""
    journal.remember(_PAUSED, since_ms)


def keep_panic(journal: Journal, since_ms: int | None) -> None:
    """Remember since when there is a panic."""
    journal.remember(_PANIC, since_ms)


def may_start(journal: Journal) -> bool:
    """Say whether anything new may start here."""
    return paused_ms(journal) is None and panic_ms(journal) is None


def may_take(journal: Journal, raw: bytes) -> bool:
    """Say whether an envelope may be taken in: in a panic only one that one's own devices sent each other."""
    if panic_ms(journal) is None:
        return True
    try:
        header = Envelope.decode(raw).header
    except MalformedError:
        return True  # it is none, and is dropped
    return (header.klass, header.edge) == (EnvelopeClass.TRUST, EdgeId.SELF)


def may_leave(journal: Journal, signed: Signed) -> bool:
    """Say whether a document may leave: in a panic only what tells one's own devices, or that something or some trust ended here."""
    return panic_ms(journal) is None or kind_of(signed.payload_type) in _ENDS or ends_trust(signed)


def ends_trust(signed: Signed) -> bool:
    """Say whether a document of this machine takes back all that its recipient was granted."""
    if kind_of(signed.payload_type) is not Kind.GRANT:
        return False
    grant = decode_body(Kind.GRANT, signed.body)
    return isinstance(grant, GrantDocument) and grant.status is GrantStatus.REVOKED


def require_unpaused(journal: Journal) -> None:
    """Refuse to start something where nothing new may start; raises ServiceError `paused` (a panic stops it at the door)."""
    if not may_start(journal):
        raise ServiceError("paused", "this machine is paused, so nothing new starts here")


def _since(journal: Journal, name: str) -> int | None:
    since = journal.meta(name)
    return since if isinstance(since, int) else None
