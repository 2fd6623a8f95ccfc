"""Logs as JSON lines on standard error: what happened, to which short ids, and never what it was about.

Addresses, documents and the details of errors (which may quote what somebody sent) stay out of it by construction:
`say` takes words, numbers and ids.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Protocol

from aiohttp.http_exceptions import HttpProcessingError

ROOT = "dispatch_broker"


class Hex(Protocol):
    """An id of the protocol, whatever it names."""

    @property
    def hex(self) -> str:
        """The id in full."""
        ...


def short(value: Hex) -> str:
    """Return the eight digits by which an id is told apart in a log."""
    return value.hex[:8]


def say(logger: logging.Logger, event: str, /, level: int = logging.INFO, **fields: str | int) -> None:
    """Log one event with its fields."""
    if logger.isEnabledFor(level):
        logger.log(level, event, extra={"fields": fields})


class JsonLines(logging.Formatter):
    """One JSON object a line; a traceback, if there ever is one, names code and never values."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one record."""
        line: dict[str, str | int] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.msg if record.name.startswith(ROOT) else f"{record.name}: {record.getMessage()}",
        }
        line.update(getattr(record, "fields", {}))
        if record.exc_info and isinstance(record.exc_info[1], HttpProcessingError):
            # Bytes of a stranger that are no HTTP: the error quotes them, and it is no mistake of ours.
            return json.dumps(line | {"level": "info", "event": "bad_http"}, ensure_ascii=True)
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=True)


def configure(level: str) -> None:
    """Send every log of this process to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger(ROOT).setLevel(level)
