"""What is new since the last look at a dispatch: each event, status and question is told once."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from dispatch_cli.render.fields import Document, items, number, text


@dataclass(slots=True)
class News:
    """What moved between two looks."""

    events: list[Document] = field(default_factory=list)
    status: str | None = None
    asked: list[Document] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Say whether anything moved."""
        return bool(self.events or self.asked or self.status is not None)


class Progress:
    """Remembers what was told about one dispatch."""

    def __init__(self) -> None:
        self._events: set[tuple[str, int]] = set()
        self._status: tuple[str, str] | None = None
        self._asked: set[str] = set()

    def since(self, dispatch: Document) -> News:
        """Return what is new in this state, and remember it."""
        news = News(events=list(self._new_events(dispatch)))
        status = (text(dispatch, "status"), text(dispatch, "outcome"))
        if status != self._status:
            self._status = status
            news.status = status[0]
        for approval in items(dispatch, "approvals"):
            request_id = text(approval, "request_id")
            if request_id not in self._asked:
                self._asked.add(request_id)
                news.asked.append(approval)
        return news

    def _new_events(self, dispatch: Document) -> Iterator[Document]:
        for event in items(dispatch, "events"):
            key = (text(event, "run_id"), number(event, "seq") or 0)
            if key not in self._events:
                self._events.add(key)
                yield event
