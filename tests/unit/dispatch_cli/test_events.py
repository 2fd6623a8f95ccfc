"""Server-sent events: the same events whatever the pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch_cli.events import EVENT_BYTES, Event, Events
from dispatch_cli.http1 import GarbledError

STREAM = (
    b'retry: 1000\nevent: snapshot\ndata: {"a": 1}\n\n: still here\n\r\n'
    b"event: change\ndata: one\ndata:two\r\nid: 7\n\ndata: bare\n\nevent: nothing\n\n"
)
EVENTS = [Event("snapshot", '{"a": 1}'), Event("change", "one\ntwo"), Event("message", "bare")]


@given(st.lists(st.integers(1, len(STREAM) - 1), max_size=8).map(sorted))
def test_events_whatever_the_pieces(cuts: list[int]) -> None:
    events = Events()
    found = []
    for start, end in zip([0, *cuts], [*cuts, len(STREAM)], strict=True):
        found += events.feed(STREAM[start:end])
    assert found == EVENTS


def test_an_event_that_never_ends_is_refused() -> None:
    events = Events()
    with pytest.raises(GarbledError):
        events.feed(b"x" * (EVENT_BYTES + 1))


def test_an_event_that_is_no_text_is_refused() -> None:
    with pytest.raises(GarbledError):
        Events().feed(b"data: \xff\n\n")
