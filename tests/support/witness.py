"""Somebody who watches a run and answers its questions: the daemon's part of an execution, without the daemon."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Witness:
    """Keeps what a run tells, in order, and allows what `allows` says; everything by default."""

    allows: Callable[[str], bool] = lambda _tool: True
    parked: bool = False
    told: list[tuple[str, Any]] = field(default_factory=list)

    def of(self, kind: str) -> list[Any]:
        return [what for told, what in self.told if told == kind]

    async def started(self, confinement: dict[str, Any]) -> None:
        self.told.append(("started", confinement))

    async def proposed(self, call_id: str, tool: str, arguments: dict[str, Any]) -> None:
        self.told.append(("proposed", (call_id, tool, arguments)))

    async def allowed(self, call_id: str, tool: str, arguments: dict[str, Any]) -> tuple[bool, str]:
        self.told.append(("asked", (call_id, tool, arguments)))
        return self.allows(tool), "as the test says"

    async def finished(self, result: dict[str, Any]) -> None:
        self.told.append(("finished", result))

    async def said(self, text: str) -> None:
        self.told.append(("said", text))

    async def thought(self, text: str) -> None:
        self.told.append(("thought", text))

    async def noted(self, text: str) -> None:
        self.told.append(("noted", text))

    async def crossed(self, what: str, code: str, *, allowed: bool) -> None:
        self.told.append(("crossed", (allowed, what, code)))
