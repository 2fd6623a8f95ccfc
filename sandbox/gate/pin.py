"""What a run may ask its model for, whatever stands in a request: the model and the longest answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.gate.refusal import GateRefusalError, malformed, number

MAX_TOKENS = 32_000


@dataclass(frozen=True, slots=True)
class Pin:
    """The owner's model, and how long one answer may be, in tokens."""

    model: str
    max_tokens: int = MAX_TOKENS

    def check_model(self, given: Mapping[str, Any]) -> str:
        """Return the model; an agent that asks for another is told so, not served quietly by this one."""
        asked = given.get("model")
        if asked != self.model:
            shown = repr(asked)[:80]
            raise GateRefusalError("gate_model", f"the model here is {self.model!r}, not {shown}")
        return self.model

    def bound(self, asked: object) -> int:
        """Return how long the answer may be: what was asked, within the pin."""
        if asked is None:
            return self.max_tokens
        wanted = number(asked, "max_tokens")
        if not isinstance(wanted, int) or wanted < 1:
            malformed("max_tokens is no number of tokens")
        return min(wanted, self.max_tokens)
