"""A conversation with a model, in words that belong to no vendor: what was asked, answered, called and returned.

The two protocols differ in how they write this and in nothing else that matters here, so the loop is written
once over these values and each protocol is a pair of pure functions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sandbox.tools.foreign import ForeignTool


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call as the model wrote it; `input` is None where its arguments were no JSON object."""

    call_id: str
    tool: str
    input: Mapping[str, object] | None


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens that a reply cost, as the endpoint counted them; 0 where it said nothing."""

    input: int = 0
    output: int = 0

    @property
    def total(self) -> int:
        return self.input + self.output

    def __add__(self, other: "Tokens") -> "Tokens":
        return Tokens(self.input + other.input, self.output + other.output)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model said in one turn. `cut` says that it stopped at the length limit, in the middle of something.

    `thinking` holds the vendor's own blocks, signed by the vendor and sent back to it untouched.
    """

    text: str = ""
    reasoning: str = ""
    calls: tuple[Call, ...] = ()
    tokens: Tokens = field(default_factory=Tokens)
    cut: bool = False
    refused: bool = False
    thinking: tuple[Mapping[str, object], ...] = ()


@dataclass(frozen=True, slots=True)
class Returned:
    """What came of one call, as the model reads it."""

    call_id: str
    ok: bool
    output: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person, or this program in a person's place, says to the model."""

    text: str


Turn = Asked | Reply | tuple[Returned, ...]


@dataclass(frozen=True, slots=True)
class Conversation:
    """Everything one request to a model carries: who it is to be, what was said so far, which tools it has.

    `tools` are those inside; `foreign` are those of servers outside, as these describe them.
    """

    system: str
    turns: tuple[Turn, ...]
    tools: frozenset[str]
    foreign: tuple[ForeignTool, ...] = ()

    def then(self, *turns: Turn) -> "Conversation":
        """Return the conversation with these turns at its end."""
        return replace(self, turns=(*self.turns, *turns))


class ModelError(Exception):
    """A model could not be asked, or did not answer as its protocol says; `code` is a stable word."""

    def __init__(self, code: str, detail: str, *, again: bool = False, after_s: float | None = None) -> None:
        """Say what happened; `again` where the same request may go through later, at the earliest in `after_s`."""
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.again = again
        self.after_s = after_s
