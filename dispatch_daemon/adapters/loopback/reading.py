"""Reading what was asked: strict JSON and strict queries into the models, complaints into sentences.

Loaded with the models when the first request arrives that says something; see `routes`.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from pydantic import ValidationError

from dispatch_daemon.adapters.loopback.models import MODELS
from dispatch_daemon.ports import ServiceError
from dispatch_protocol.encoding import loads
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.limits import MESSAGE_BYTES

QUERY_FIELDS: Final = 16

# A model's complaint -> code; every other complaint is `invalid`.
_CODES: Final[dict[object, str]] = {
    "string_too_long": "too_long",
    "too_long": "too_long",
    ("task", "too_short"): "empty_task",
    ("files", "too_long"): "too_many_files",
}


def body_arguments(model: str, data: bytes) -> dict[str, Any]:
    """Check a body against its model and return the arguments it stands for; an empty one is an empty object.

    Raises `ServiceError`: `bad_json` for what is not strict JSON, `invalid`, `too_long` or `empty_task` for what the
    model refuses.
    """
    text = data or b"{}"
    try:
        loads(text, max_bytes=MESSAGE_BYTES)
    except MalformedError as error:
        raise ServiceError("bad_json", f"The body cannot be read: {error.detail}.") from None
    try:
        return MODELS[model].model_validate_json(text).arguments()
    except ValidationError as error:
        raise _complaint(error) from None


def query_arguments(model: str, query: str) -> dict[str, Any]:
    """Check a query against its model and return its arguments.

    Raises `ServiceError`: `bad_request` for what is no query, and else like `body_arguments`.
    """
    try:
        pairs = parse_qsl(
            query,
            keep_blank_values=True,
            strict_parsing=bool(query),
            errors="strict",
            max_num_fields=QUERY_FIELDS,
        )
    except ValueError:
        raise ServiceError("bad_request", "The query cannot be read.") from None
    if len(dict(pairs)) != len(pairs):
        raise ServiceError("bad_request", "The query names something twice.")
    try:
        return MODELS[model].model_validate(dict(pairs)).arguments()
    except ValidationError as error:
        raise _complaint(error) from None


def _complaint(error: ValidationError) -> ServiceError:
    """Turn the first complaint of a model into one sentence, which never quotes what was sent: it may be a secret."""
    complaints = error.errors(include_url=False, include_input=False)
    first = complaints[0]
    place = ".".join(str(part)[:64] for part in first["loc"]) or "body"
    words = _length(first) or first["msg"].removeprefix("Value error, ")
    more = f" ({len(complaints) - 1} more)" if len(complaints) > 1 else ""
    return ServiceError(
        _CODES.get((place, first["type"]), _CODES.get(first["type"], "invalid")), f"{place}: {words}{more}."
    )


def _length(complaint: Mapping[str, Any]) -> str | None:
    """Say a length and its limit in words of ours; pydantic counts the characters of a checked text as items."""
    found = complaint.get("ctx", {})
    if complaint["type"] in {"too_short", "string_too_short"} and found.get("min_length") == 1:
        return "It is empty"
    given, limit = found.get("actual_length"), found.get("max_length")
    if complaint["type"] != "too_long" or limit is None:
        return None
    what = "characters" if found.get("field_type") == "Value" else "entries"
    if given is None:  # of a dictionary nobody counts on
        return f"It has more {what} than the limit of {limit:,}"
    return f"It has {given:,} {what}; the limit is {limit:,}"
