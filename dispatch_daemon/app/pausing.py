"""Whether anything new may start on this machine: a person has said so, and it holds until the same person says else.

It is kept in the journal, so a restart changes nothing. What is running goes on, and what was accepted waits its turn.
"""

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.core.errors import ServiceError

_PAUSED = "paused_ms"


def paused_ms(journal: Journal) -> int | None:
    """Return since when nothing new starts here, or None."""
    since = journal.meta(_PAUSED)
    return since if isinstance(since, int) else None


def keep_paused(journal: Journal, since_ms: int | None) -> None:
    """Remember since when nothing new starts here."""
    journal.remember(_PAUSED, since_ms)


def require_unpaused(journal: Journal) -> None:
    """Refuse to start something on a machine that is paused; raises ServiceError `paused`."""
    if paused_ms(journal) is not None:
        raise ServiceError("paused", "this machine is paused, so nothing new starts here")
