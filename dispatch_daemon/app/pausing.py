"""Whether anything new may start on this machine: a person has paused it, or called a panic, and holds to it until they say else.

It is kept in the journal, so a restart changes nothing. What is running goes on, and what was accepted waits its turn.
"""

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.core.errors import ServiceError

_PAUSED = "paused_ms"
_PANIC = "panic_ms"


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


def require_unpaused(journal: Journal) -> None:
    """Refuse to start something where nothing new may start; raises ServiceError `paused` (a panic stops it at the door)."""
    if not may_start(journal):
        raise ServiceError("paused", "this machine is paused, so nothing new starts here")


def _since(journal: Journal, name: str) -> int | None:
    since = journal.meta(name)
    return since if isinstance(since, int) else None
