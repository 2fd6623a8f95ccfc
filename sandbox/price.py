"""What a model costs, as the owner of this machine says it: no price is known here that nobody has told."""

from dataclasses import dataclass

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """Millionths of a US dollar for a million tokens, in and out."""

    input: int
    output: int

    def cost(self, input_tokens: int, output_tokens: int) -> int:
        """Return what so many tokens cost in millionths of a dollar, rounded up."""
        return -(-(input_tokens * self.input + output_tokens * self.output) // _MILLION)

    def affordable(self, microusd: int) -> int | None:
        """Return how many tokens of an answer so much money buys; None where they cost nothing."""
        return max(0, microusd) * _MILLION // self.output if self.output else None


def dollars(microusd: int) -> str:
    """Return an amount as people read it, to the cent or as exactly as it needs: `$0.50`, `$0.0013`."""
    whole, part = divmod(microusd, _MILLION)
    return f"${whole}.{f'{part:06}'.rstrip('0'):0<2}"


def turns(allowed: int) -> str:
    """Return a number of turns that is used up: `its only turn`, `its 5 turns`."""
    return "its only turn" if allowed == 1 else f"its {allowed} turns"
