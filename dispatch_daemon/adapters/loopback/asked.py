"""What every model of the door's requests is made of: its base, and the texts, names and moments in their fields."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from dispatch_protocol import limits

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _no_nul(text: str) -> str:
    """Refuse NUL, which ends a text for the system below us and for nobody else."""
    if "\x00" in text:
        raise ValueError("it should hold no NUL character")
    return text


def _one_line(text: str) -> str:
    """Refuse control characters in what is a name or an address."""
    if any(ord(char) < 32 or ord(char) == 127 for char in text):
        raise ValueError("it should hold no control characters")
    return text


def as_moment(text: str) -> str:
    """Accept an RFC 3339 moment that names its time zone."""
    moment_ms(text)
    return text


def moment_ms(text: str) -> int:
    """Return an RFC 3339 moment as milliseconds since 1970; raises ValueError with a sentence."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError("it should look like 2026-01-02T03:04:05Z") from error
    if moment.tzinfo is None:
        raise ValueError("it should name its time zone, as in 2026-01-02T03:04:05Z")
    return (moment - _EPOCH) // timedelta(milliseconds=1)


Text = Annotated[str, AfterValidator(_no_nul)]
Line = Annotated[str, AfterValidator(_one_line)]
Address = Annotated[Line, Field(min_length=1, max_length=limits.ADDRESS_CHARS)]
Name = Annotated[Line, Field(min_length=1, max_length=limits.NAME_CHARS)]
Place = Annotated[Text, Field(min_length=1, max_length=limits.PATH_CHARS)]
Reason = Annotated[Text, Field(max_length=limits.REASON_CHARS)]
Url = Annotated[Line, Field(min_length=1, max_length=limits.URL_CHARS)]
Token = Annotated[Line, Field(min_length=1, max_length=4_096)]
Face = Literal["cli", "page", "mcp", "api"]
Names = Annotated[list[Name], Field(max_length=limits.GRANT_TOOLS)]


class Asked(BaseModel):
    """A request's body or query: strict, frozen, and nothing it did not name."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", defer_build=True)

    def arguments(self) -> dict[str, Any]:
        """Return the keyword arguments that this request stands for."""
        return dict(self)
