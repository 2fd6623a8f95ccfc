"""One route of the door: which request it answers, and which method of `DoorService` it calls.

Bodies and answers are named and not imported: a daemon that nobody has asked anything yet needs no models.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal


class Kind(StrEnum):
    """How a route is answered."""

    CALL = "call"  # one call of the service
    STREAM = "stream"  # server-sent events
    DOWNLOAD = "download"  # one call of the service, answered with a file; its address is a secret used once
    UPLOAD = "upload"  # one call of the service, with the body as bytes
    LINK = "link"  # by the door itself, on the Unix socket alone: a link that opens the page
    SESSION = "session"  # by the door itself: a page's token for a link's code, which needs no other
    CLOSING = "closing"  # by the door itself: the end of all pages
    HEALTH = "health"  # by the door itself
    DESCRIPTION = "description"  # the OpenAPI document


@dataclass(frozen=True, slots=True)
class Route:
    """One thing that may be asked; `operation` is a method of `DoorService` and the operation id.

    `body` and `query` name classes of `models`, `answer` one of `answers` (or bytes). They are named and not imported, because
    pydantic is a quarter of an idle daemon, and one that nobody has asked anything yet needs none of it.
    """

    method: Literal["GET", "POST", "DELETE"]
    path: str
    operation: str
    summary: str
    answer: str
    body: str | None = None
    query: str | None = None
    status: int = 200
    keyed: bool = False  # takes an Idempotency-Key, so that a retry changes nothing
    page: bool = False  # whether the page may ask it; what nobody has thought of it may not
    kind: Kind = Kind.CALL
    segments: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "segments", tuple(self.path.split("/")))

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names that stand in braces in the path."""
        return tuple(name[1:-1] for name in self.segments if name.startswith("{"))

    def match(self, segments: Sequence[str]) -> dict[str, str] | None:
        """Return the raw parameters if the path is this route's, else None."""
        if len(segments) != len(self.segments):
            return None
        found: dict[str, str] = {}
        for own, given in zip(self.segments, segments, strict=True):
            if own.startswith("{"):
                found[own[1:-1]] = given
            elif own != given:
                return None
        return found
