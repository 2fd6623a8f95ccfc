"""Every place where a program may die, made from its effect types: nobody has to remember to add one.

An effect that is kept may be cut off before its commit, or after it and before anybody was answered; one that acts on
the process before it has acted, or after it and before whoever asked goes on. Within one kind of effect, what its
words say (a state, a kind of document or of task) tells one point from another.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum, StrEnum
from typing import Any, get_args

from dispatch_broker.core import effects as broker
from dispatch_daemon.core import effects as daemon

_PAYLOAD_PREFIX, _PAYLOAD_SUFFIX = "application/vnd.dispatch.", ".v1+json"


class Moment(StrEnum):
    """How far an effect had come."""

    UNKEPT = "before its commit"
    KEPT = "kept, and nobody told"
    UNDONE = "before it acted"
    DONE = "acted, and nobody told"


@dataclass(frozen=True)
class Remembered:
    """A value that a daemon keeps beside its records: its identity's chain, that it was revoked, that there is a panic."""

    key: str


@dataclass(frozen=True)
class Stored:
    """A write to the place of the private keys: `keys`, or their `end`."""

    what: str


KEEPING = (Moment.UNKEPT, Moment.KEPT)
ACTING = (Moment.UNDONE, Moment.DONE)


@dataclass(frozen=True)
class Point:
    """One place: a kind of effect, what it was about, and how far it had come."""

    effect: str
    about: str
    moment: Moment

    def __str__(self) -> str:
        return " ".join(word for word in (self.effect, self.about, f"({self.moment})") if word)


def is_kept(effect: object) -> bool:
    """Say whether an effect is a row of somebody's memory."""
    return isinstance(effect, (Remembered, *get_args(daemon.Durable), *get_args(broker.Row)))


def points_of(effect: object, moment: Moment) -> Point:
    """Return the point that an effect passes."""
    return Point(type(effect).__name__, " ".join(_words(effect)), moment)


def every(*unions: Any) -> set[tuple[str, Moment]]:
    """Return every kind of point that these unions of effects ask for."""
    return {
        (kind.__name__, moment)
        for union in unions
        for kind in get_args(union)
        for moment in (KEEPING if kind in (*get_args(daemon.Durable), *get_args(broker.Row)) else ACTING)
    }


def of_daemon() -> set[tuple[str, Moment]]:
    """Return the points that a daemon must be able to die at; what is to be entered in its private log is a record by then."""
    return {point for point in every(daemon.Effect) if point[0] != daemon.Enter.__name__}


def of_broker() -> set[tuple[str, Moment]]:
    """Return the points that a broker must be able to die at."""
    return every(broker.Effect)


def _words(effect: object) -> Iterator[str]:
    """Name what an effect is about: the record it puts, and every word of a closed list that it or its record says."""
    if isinstance(effect, Remembered | Stored):
        yield from vars(effect).values()
        return
    record = getattr(effect, "record", None)
    if record is not None:
        yield type(record).__name__.removesuffix("Record")
    for thing in (effect, *(getattr(effect, name, None) for name in ("record", "edge", "invitation"))):
        if not is_dataclass(thing):
            continue
        for field in fields(thing):
            value = getattr(thing, field.name)
            if isinstance(value, Enum):
                yield str(value.value)
            elif field.name == "payload_type":
                yield str(value).removeprefix(_PAYLOAD_PREFIX).removesuffix(_PAYLOAD_SUFFIX)
