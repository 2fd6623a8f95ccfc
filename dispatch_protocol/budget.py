"""What a run may spend, as a wish of the author and as a limit of the trustor; the lower of the two binds."""

from dataclasses import dataclass

from dispatch_protocol.encoding import JSON, Fields


@dataclass(frozen=True, slots=True)
class Budget:
    """Upper bounds for one run; None is unlimited. Money is counted in millionths of a US dollar."""

    tokens: int | None = None
    turns: int | None = None
    cost_microusd: int | None = None

    def write(self) -> dict[str, JSON]:
        """Return the budget as JSON."""
        return {"tokens": self.tokens, "turns": self.turns, "cost_microusd": self.cost_microusd}

    @classmethod
    def read(cls, fields: Fields) -> "Budget":
        """Read a budget strictly; raises MalformedError."""
        budget = cls(
            tokens=fields.optional(fields.integer, "tokens"),
            turns=fields.optional(fields.integer, "turns"),
            cost_microusd=fields.optional(fields.integer, "cost_microusd"),
        )
        fields.done()
        return budget

    def meet(self, other: "Budget") -> "Budget":
        """Return the lower of the two at every bound."""
        return Budget(
            tokens=lower(self.tokens, other.tokens),
            turns=lower(self.turns, other.turns),
            cost_microusd=lower(self.cost_microusd, other.cost_microusd),
        )


def lower(left: int | None, right: int | None) -> int | None:
    """Return the lower of two bounds, where None is unlimited."""
    if left is None or right is None:
        return right if left is None else left
    return min(left, right)
