"""Server-sent events, read as they come (WHATWG HTML, section 9.2), without I/O.

The daemon first sends the whole present state and then what changes; comment lines only say that it lives.
"""

from dataclasses import dataclass

from dispatch_cli.http1 import GarbledError

EVENT_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its name (`message` if none was given) and its data."""

    name: str
    data: str


class Events:
    """Turns the bytes of a stream into events, whatever pieces they come in."""

    def __init__(self) -> None:
        self._buffer = b""
        self._name = ""
        self._data: list[str] = []

    def feed(self, data: bytes) -> list[Event]:
        """Return the events that these bytes complete."""
        self._buffer += data
        if len(self._buffer) > EVENT_BYTES:
            raise GarbledError("an event never ends")
        *rows, self._buffer = self._buffer.split(b"\n")
        found = [self._take(row.removesuffix(b"\r")) for row in rows]
        return [event for event in found if event is not None]

    def _take(self, row: bytes) -> Event | None:
        if not row:
            return self._dispatch()
        try:
            field, _, value = row.decode("utf-8").partition(":")
        except UnicodeDecodeError as error:
            raise GarbledError("an event is not UTF-8") from error
        value = value.removeprefix(" ")
        if field == "event":
            self._name = value
        elif field == "data":
            self._data.append(value)
        return None

    def _dispatch(self) -> Event | None:
        name, data = self._name or "message", self._data
        self._name, self._data = "", []
        return Event(name, "\n".join(data)) if data else None
