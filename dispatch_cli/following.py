"""Following a dispatch: the whole state again whenever the daemon says that something moved.

The stream of events only wakes; what is shown always comes from the dispatch itself, so a missed, merged
or unknown event can never make the picture wrong. A stream that breaks is opened again.
"""

import select
import time
from typing import Protocol, Self

from dispatch_cli.client import SILENCE_S, Stream
from dispatch_cli.clock import now_ms
from dispatch_cli.errors import CliError
from dispatch_cli.invocation import Invocation
from dispatch_cli.moving import Moving
from dispatch_cli.outcome import has_ended
from dispatch_cli.render import times
from dispatch_cli.render.fields import Document, moment_ms
from dispatch_cli.render.lines import line
from dispatch_cli.render.words import is_for_me, status_span

REFRESH_S = 15.0  # ask again even if nothing was said: a lost wake-up costs this much at most
_REOPEN_LIMIT = 5
_REOPEN_WAIT_S = 0.2


class Descriptor(Protocol):
    """Anything that `select` can wait for."""

    def fileno(self) -> int:
        """Return the descriptor."""
        ...


class Wakes:
    """The daemon's word that something moved, for one dispatch or (None) for everything."""

    def __init__(self, invocation: Invocation, dispatch_id: str | None) -> None:
        self._invocation = invocation
        self._dispatch_id = dispatch_id
        self._stream: Stream | None = None
        self._heard = time.monotonic()
        self._failures = 0

    def __enter__(self) -> Self:
        """Open the stream before the first look, so that nothing falls between them."""
        self._open()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the stream."""
        if self._stream is not None:
            self._stream.close()

    def wait(self, timeout_s: float, *also: Descriptor) -> tuple[bool, list[Descriptor]]:
        """Wait for a wake-up, one of `also`, or the time; return whether it was a wake-up, and who is ready."""
        stream = self._stream
        if stream is None:
            return True, self._reopen()
        if stream.has_early:
            return self._receive(stream), []
        ready: list[Descriptor] = select.select([stream, *also], [], [], max(timeout_s, 0.0))[0]
        others = [item for item in ready if item is not stream]
        if stream in ready:
            return self._receive(stream), others
        if time.monotonic() - self._heard > SILENCE_S:
            self._lose(stream)
            return True, others
        return False, others

    def _receive(self, stream: Stream) -> bool:
        """Take all that is there: many small changes are one wake-up."""
        self._heard = time.monotonic()
        events = stream.receive(1.0)
        while not stream.ended and select.select([stream], [], [], 0)[0]:
            events += stream.receive(1.0)
        if events:
            self._failures = 0
        if stream.ended:
            self._lose(stream)
            return True
        return bool(events)

    def _lose(self, stream: Stream) -> None:
        stream.close()
        self._stream = None
        self._failures += 1

    def _reopen(self) -> list[Descriptor]:
        if self._failures > _REOPEN_LIMIT:
            raise CliError(
                "daemon_unreachable",
                "The daemon of this machine keeps breaking off its stream of events.",
                hint="dispatch daemon logs",
            )
        if self._failures > 1:
            time.sleep(_REOPEN_WAIT_S * 2**self._failures)
        self._open()
        return []

    def _open(self) -> None:
        self._stream = self._invocation.door.watch(self._dispatch_id)
        self._heard = time.monotonic()


def wait_for_end(invocation: Invocation, dispatch_id: str, wait_s: float) -> Document:
    """Return the dispatch once it has ended, or as it is when the time is over."""
    begun = time.monotonic()
    with Wakes(invocation, dispatch_id) as wakes, Moving(invocation.err) as moving:
        dispatch = invocation.door.dispatch(dispatch_id)
        asked = time.monotonic()
        while not has_ended(dispatch):
            left = wait_s - (time.monotonic() - begun)
            if left <= 0:
                break
            passed = times.duration(int((time.monotonic() - begun) * 1000))
            moving.set(line(status_span(dispatch, mine=is_for_me(dispatch)), f" · {passed}"))
            woken, _ = wakes.wait(min(left, 1.0))
            if woken or time.monotonic() - asked > REFRESH_S:
                dispatch = invocation.door.dispatch(dispatch_id)
                asked = time.monotonic()
    return dispatch


def milliseconds_left(document: Document) -> int | None:
    """Return the time until a question's deadline."""
    deadline = moment_ms(document, "expires_at")
    return None if deadline is None else deadline - now_ms()
