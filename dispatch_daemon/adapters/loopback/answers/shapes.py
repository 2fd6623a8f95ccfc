"""What every answer is made of: how times, ids and digests are spelt, and what a refusal looks like."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Moment = Annotated[
    str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", examples=["2026-01-02T03:04:05.678Z"])
]
Uuid = Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Fingerprint = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="64 hex digits")]


class Answer(BaseModel):
    """An answer; readers must ignore fields they do not know."""

    model_config = ConfigDict(strict=True, frozen=True, extra="allow", defer_build=True)


class Problem(Answer):
    """A problem document (RFC 9457); `code` is stable, `hint` is the next command to type."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    hint: str | None
    candidates: list[str] = []
    applied: dict[str, JsonValue] | None = None
