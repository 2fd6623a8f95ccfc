"""One question with its answer, and whoever can be asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

Json = dict[str, Any]


@dataclass(frozen=True)
class Finding:
    """One question: what should be said, and what was."""

    name: str
    wanted: Any
    said: Any

    @property
    def right(self) -> bool:
        return bool(self.wanted == self.said)


class Asked(Protocol):
    """An implementation, wherever it runs."""

    def ask(self, act: str, **what: Any) -> Json:
        """Ask one thing."""


class InProcess:
    """An implementation that is asked without a pipe; what it has been asked first of each kind is remembered."""

    def __init__(self, acts: Mapping[str, Callable[..., Json]]) -> None:
        self.acts = dict(acts)
        self.first: dict[str, tuple[Json, Json]] = {}

    def ask(self, act: str, **what: Any) -> Json:
        answer = self.acts[act](**what)
        self.first.setdefault(act, ({"do": act, **what}, answer))
        return answer
