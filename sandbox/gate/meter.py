"""What a run has used of its model and may still use: turns, tokens and money, reserved before and counted after.

A call reserves its longest answer before it leaves, so calls made together cannot spend the same tokens twice. What an
endpoint counts is believed; where it counts nothing, or nobody waited for its count, the run is charged what it could
have cost: leaving early is no discount.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.gate.refusal import GateRefusalError
from sandbox.oneline import one_line
from sandbox.price import Price, dollars, turns

_BYTES_A_TOKEN = 4
_LINE_BYTES = 1 << 20


@dataclass(slots=True)
class Meter:
    """The bounds of a run (None for none) and what it used; `over` says in words which bound it ran into."""

    turns_allowed: int
    tokens_allowed: int | None = None
    cost_allowed: int | None = None  # in millionths of a US dollar, at this price
    price: Price | None = None
    turns: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    reserved: int = 0
    over: str = ""

    @property
    def room(self) -> int | None:
        """How many tokens are left for an answer; None where nobody counts."""
        tokens = None
        if self.tokens_allowed is not None:
            tokens = self.tokens_allowed - self.input_tokens - self.output_tokens - self.reserved
        return min((room for room in (tokens, self._affordable) if room is not None), default=None)

    @property
    def _affordable(self) -> int | None:
        """How long an answer the rest of the money buys; None where nobody counts it."""
        if self.cost_allowed is None or self.price is None:
            return None
        return self.price.affordable(
            self.cost_allowed - self.price.cost(self.input_tokens, self.output_tokens + self.reserved)
        )

    def check(self) -> None:
        """Refuse a call for which nothing is left; raises GateRefusalError `gate_budget`."""
        room = self.room
        if self.turns >= self.turns_allowed:
            self.over = f"the agent has used {turns(self.turns_allowed)}"
        elif self.cost_allowed is not None and self.price is None:
            self.over = "a limit in money was set, and what this model costs is not known here"
        elif self._affordable == 0 and self.cost_allowed is not None and self.price is not None:
            cost = self.price.cost(self.input_tokens, self.output_tokens)
            self.over = f"the agent has cost {dollars(cost)} of {dollars(self.cost_allowed)}"
        elif room is not None and room <= 0:
            used = self.input_tokens + self.output_tokens
            self.over = f"the agent has used {used:,} of {self.tokens_allowed:,} tokens"
        if self.over:
            raise GateRefusalError("gate_budget", self.over)


class Count:
    """Counts one call while its answer streams by, without holding more of it than a line."""

    def __init__(self, meter: Meter, request_bytes: int, longest: int) -> None:
        self._meter = meter
        self._request_bytes = request_bytes
        self._longest = longest
        self._line = bytearray()
        self._skipping = False
        self._input = self._output = 0
        self._seen = 0
        self.error = ""
        meter.turns += 1
        meter.reserved += longest

    def take(self, piece: bytes) -> None:
        """Look at a piece of a stream of events."""
        self._seen += len(piece)
        *whole, rest = piece.split(b"\n")
        for line in whole:
            self._end_line(line)
        if not self._skipping and len(self._line) + len(rest) <= _LINE_BYTES:
            self._line += rest
        else:
            self._line.clear()
            self._skipping = True

    def _end_line(self, line: bytes) -> None:
        if not self._skipping and len(self._line) + len(line) <= _LINE_BYTES:
            full = bytes(self._line + line)
            if full.startswith(b"data:"):
                self.take_document(full[5:])
        self._line.clear()
        self._skipping = False

    def take_document(self, document: bytes) -> None:
        """Look at one JSON document of an answer: an event of a stream, or all of it."""
        try:
            value = json.loads(document)
        except (ValueError, RecursionError):
            return
        if not isinstance(value, dict):
            return
        told = [
            value,
            *(part for part in (value.get("message"), value.get("response")) if isinstance(part, dict)),
        ]
        for each in told:
            usage, error = each.get("usage"), each.get("error")
            if isinstance(usage, dict):
                self._count(usage)
            if each.get("type") == "error" or (error and "choices" not in each):
                self.error = one_line(str(error or each.get("message")))

    def _count(self, usage: Mapping[str, Any]) -> None:
        cached = _tokens(usage, "cache_creation_input_tokens") + _tokens(usage, "cache_read_input_tokens")
        self._input = max(
            self._input, _tokens(usage, "input_tokens") + cached, _tokens(usage, "prompt_tokens")
        )
        self._output = max(self._output, _tokens(usage, "output_tokens"), _tokens(usage, "completion_tokens"))

    def settle(self, *, whole: bool) -> None:
        """Charge the call: as counted if the answer came to its end, else as if it had been the longest."""
        self._meter.reserved -= self._longest
        self._meter.input_tokens += self._input or self._request_bytes // _BYTES_A_TOKEN
        estimated = min(self._longest, self._seen // _BYTES_A_TOKEN)
        self._meter.output_tokens += (
            (self._output or estimated) if whole else max(self._output, self._longest)
        )

    def cancel(self) -> None:
        """Charge nothing but the turn: the endpoint refused, or was not reached."""
        self._meter.reserved -= self._longest


def _tokens(usage: Mapping[str, Any], name: str) -> int:
    value = usage.get(name)
    return value if type(value) is int and 0 < value < 1 << 40 else 0
