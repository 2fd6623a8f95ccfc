"""Finding what a person means by an id: whole, or a prefix of at least four characters that only one has."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from dispatch_daemon.adapters.journal import Journal
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.records import DispatchRecord

MIN_PREFIX = 4
_ALPHABET = frozenset("0123456789abcdef-")
T = TypeVar("T")


def find(
    typed: str, noun: str, like: Callable[[str], Sequence[T]], identify: Callable[[T], str], *, hint: str
) -> T:
    """Return the one thing whose id begins with what was typed.

    Raises:
        ServiceError: `not_found`, or `ambiguous` with the candidates.
    """
    prefix = typed.strip().lower()
    if len(prefix) < MIN_PREFIX or not _ALPHABET.issuperset(prefix):
        raise ServiceError(
            "not_found",
            f"{typed[:64]!r} is no {noun} id; type at least {MIN_PREFIX} of its characters",
            hint=hint,
        )
    found = like(prefix)
    exact = [thing for thing in found if identify(thing) == prefix]
    if exact:
        return exact[0]
    if not found:
        raise ServiceError("not_found", f"there is no {noun} {typed[:64]}", hint=hint)
    if len(found) > 1:
        raise ServiceError(
            "ambiguous",
            f"{typed} could be {len(found)} {noun}s",
            candidates=[identify(thing) for thing in found],
        )
    return found[0]


def find_dispatch(journal: Journal, typed: str) -> DispatchRecord:
    """Return the dispatch that an id or a unique prefix of one names; raises as `find`."""
    return find(
        typed,
        "dispatch",
        journal.dispatches_like,
        lambda record: record.dispatch_id,
        hint="dispatch inbox",
    )
