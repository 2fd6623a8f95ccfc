"""What an attack is: a name, what the broker does, what comes of it, how a person sees it, and the play itself."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tests.support.hostile_broker.village import Village

Play = Callable[[Village], None]


class Outcome(StrEnum):
    """What comes of an attack; there is no third."""

    DETECTED = "detected"  # the right person, or their daemon's log, names it
    HARMLESS = "harmless"  # nothing differs from what an honest but slow broker could cause


@dataclass(frozen=True)
class Attack:
    """One entry of the table; `play` carries it out, sees to it that it took place, and checks what came of it."""

    name: str
    does: str
    outcome: Outcome
    seen: str
    play: Play


def attack(chapter: list[Attack], name: str, *, does: str, outcome: Outcome, seen: str) -> Any:
    """Enter a play into a chapter of the table."""

    def enter(play: Play) -> Play:
        chapter.append(Attack(name, does, outcome, seen, play))
        return play

    return enter
