"""Every failure a person sees: what, why, and the next command to type.

A code decides the exit code and the default next step (`dispatch_protocol.loopback` holds that one table);
sentences come from whoever noticed the failure.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from dispatch_protocol import loopback


class CliError(Exception):
    """A failure that ends the command.

    `hint` is the next command to type; without one the table's default stands. `candidates` are the ids
    that an ambiguous prefix could mean, `applied` is what holds because somebody else was first. `exit_code` overrides the table, for a code that is not in it.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        hint: str | None = None,
        candidates: Sequence[str] = (),
        applied: Mapping[str, Any] | None = None,
        exit_code: int | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.hint = hint or loopback.hint(code)
        self.exit_code = loopback.exit_code(code) if exit_code is None else exit_code
        self.candidates = tuple(candidates)
        self.applied = None if applied is None else dict(applied)

    def document(self) -> dict[str, Any]:
        """Return the one JSON document of a failed command."""
        error: dict[str, Any] = {"code": self.code, "message": self.message, "hint": self.hint}
        if self.candidates:
            error["candidates"] = list(self.candidates)
        if self.applied is not None:
            error["applied"] = self.applied
        return {"error": error}


def problem(status: int, value: Mapping[str, Any]) -> CliError:
    """Turn the daemon's problem document (RFC 9457) into an error.

    A code that this version does not know keeps its name; its HTTP status then decides the exit code.
    """
    said, usual = value.get("code"), loopback.code_of_status(status)
    code = said if isinstance(said, str) and said else usual
    detail = value.get("detail") or value.get("title") or f"The daemon answered with status {status}."
    hint = value.get("hint")
    candidates, applied = value.get("candidates"), value.get("applied")
    return CliError(
        code,
        str(detail),
        hint=hint if isinstance(hint, str) else None,
        exit_code=loopback.exit_code(code if code in loopback.CODES else usual),
        candidates=[str(item) for item in candidates] if isinstance(candidates, list) else (),
        applied=applied if isinstance(applied, Mapping) else None,
    )
