"""What the executor is given and gives back: a run to be made, who watches it, how it settled, and why there was none."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal, Protocol

from dispatch_daemon.adapters.executor.asking import Order
from dispatch_protocol.encoding import JSON
from sandbox.agents.model.loop import Spent
from sandbox.changes.change import Changeset
from sandbox.job import ARTIFACTS, ATTACHMENTS, Frozen


class WallError(Exception):
    """The sandbox refused or failed; `code` is stable, `remedy` says what to do about it."""

    def __init__(self, code: str, detail: str, remedy: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.remedy = remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec:
    """What one run may see and do; `identities` are (path, device, inode) as the owner granted them.

    With `steps` these are followed; without, a model works on `order`. `unpack` makes the directory of the files that
    came with the task, and fills it. `resume` takes up what was set aside.
    """

    ARTIFACTS: ClassVar[str] = ARTIFACTS  # where inside what is returned is written
    ATTACHMENTS: ClassVar[str] = ATTACHMENTS  # and where what came with the task lies

    run_id: str
    cwd: str
    paths: Sequence[tuple[str, Literal["ro", "rw"]]]
    identities: Mapping[str, tuple[int, int]]
    tools: frozenset[str]
    network: Sequence[str]
    steps: Sequence[Mapping[str, JSON]]
    wall_s: float
    unpack: Callable[[Path], None] | None = None
    order: Order | None = None
    resume: bool = False
    servers: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """A run that has ended inside, with everything it would change, nothing of it applied yet."""

    outcome: Literal["success", "blocked", "failed"]
    code: str
    detail: str
    frozen: Frozen
    changeset: Changeset | None
    changes: tuple[dict[str, JSON], ...] = ()
    diffs: tuple[dict[str, JSON], ...] = ()
    left_behind: tuple[dict[str, JSON], ...] = ()
    artifacts: tuple[dict[str, JSON], ...] = ()
    flags: tuple[str, ...] = field(default=())
    spent: Spent = field(default_factory=Spent)
    resumable: bool = False


class Observer(Protocol):
    """What a run tells and asks while it goes on."""

    async def started(self, confinement: dict[str, JSON]) -> None: ...

    async def proposed(self, call_id: str, tool: str, arguments: dict[str, JSON]) -> None: ...

    async def allowed(self, call_id: str, tool: str, arguments: dict[str, JSON]) -> tuple[bool, str]: ...

    @property
    def parked(self) -> bool: ...  # whether nobody answers any more, and the run is to be set aside

    async def finished(self, result: dict[str, JSON]) -> None: ...

    async def said(self, text: str) -> None: ...

    async def thought(self, text: str) -> None: ...

    async def noted(self, text: str) -> None: ...

    async def crossed(self, what: str, code: str, *, allowed: bool) -> None: ...
