"""`accept` on a terminal: the run as it happens, and each question answered here.

The daemon decides nothing by itself while a person looks: a question stands until a key answers it, until
somebody answers it elsewhere, or until its time is over; then it is asked once more, and after that the run is parked.
"""

import time
from dataclasses import dataclass

from dispatch_cli.client import segment
from dispatch_cli.door import dispatch_path
from dispatch_cli.errors import CliError
from dispatch_cli.following import REFRESH_S, Wakes, milliseconds_left
from dispatch_cli.invocation import Invocation
from dispatch_cli.keys import ENTER, LEAVE, Keys
from dispatch_cli.looking import looked_lines
from dispatch_cli.moving import Moving
from dispatch_cli.outcome import has_ended
from dispatch_cli.progress import Progress
from dispatch_cli.render import times
from dispatch_cli.render.fields import Document, inner, items, number, text
from dispatch_cli.render.lines import Line, Span, Tone, View, line
from dispatch_cli.render.question import (
    REVIEW,
    Choice,
    choices,
    is_changeset,
    prompt_line,
    question_lines,
    reviewed,
    silence,
    standing,
)
from dispatch_cli.render.trace import Trace
from dispatch_cli.render.words import status_span

_TICK_S = 1.0


@dataclass(slots=True)
class _Asked:
    """A question on the screen."""

    approval: Document
    options: list[Choice]

    @property
    def request_id(self) -> str:
        """Return the id that an answer names."""
        return text(self.approval, "request_id")

    def chosen(self, key: str) -> Choice | None:
        """Return the choice of a key; Enter means the safe one."""
        for option in self.options:
            if key == option.key or (key == ENTER and option.is_safe):
                return option
        return None


class Stay:
    """One accepted dispatch, watched and answered until it ends."""

    def __init__(self, invocation: Invocation, dispatch_id: str) -> None:
        self._invocation = invocation
        self._id = dispatch_id
        self._progress = Progress()
        self._trace = Trace()
        self._answered: set[str] = set()
        self._asked: _Asked | None = None
        self._questions: Document = {}
        self._dispatch: Document = {}
        self._prompted = False

    def follow(self) -> Document:
        """Show the run, ask every question, and return the dispatch as it ended."""
        begun = time.monotonic()
        with (
            Wakes(self._invocation, self._id) as wakes,
            Moving(self._invocation.err) as moving,
            Keys() as keys,
        ):
            dispatch = self._look(moving, keys)
            looked = time.monotonic()
            while not has_ended(dispatch):
                self._set(moving, dispatch, time.monotonic() - begun)
                woken, ready = wakes.wait(_TICK_S, keys)
                answered = self._take_key(moving, keys) if ready else False
                if woken or answered or time.monotonic() - looked > REFRESH_S:
                    dispatch = self._look(moving, keys)
                    looked = time.monotonic()
        return dispatch

    def _look(self, moving: Moving, keys: Keys) -> Document:
        """Fetch the present state, tell what is new, and put the next question."""
        dispatch = self._invocation.door.dispatch(self._id)
        self._questions, self._dispatch = inner(dispatch, "questions"), dispatch
        news = self._progress.since(dispatch)
        told = [event for event in news.events if not self._is_ours(event)]
        moving.show(self._invocation.out, self._trace.lines(told, self._invocation.view))
        waiting = [
            item for item in items(dispatch, "approvals") if text(item, "request_id") not in self._answered
        ]
        if self._asked is not None and self._asked.request_id not in {
            text(item, "request_id") for item in waiting
        }:
            self._gone(moving, dispatch)
        if self._asked is None and waiting:
            self._put(moving, keys, waiting[0])
        return dispatch

    def _is_ours(self, event: Document) -> bool:
        """Say whether an event only repeats what was answered on this screen."""
        answered = text(inner(event, "data"), "request_id") in self._answered
        return answered and text(event, "type") == "approval_decided"

    def _put(self, moving: Moving, keys: Keys, approval: Document) -> None:
        """Show a question whole; keys typed before it do not count."""
        self._asked = _Asked(approval, choices(approval, number(self._questions, "answered") or 0))
        self._prompted = False
        named = text(inner(approval, "payload"), "call_id") in self._trace.calls
        moving.show(self._invocation.err, question_lines(approval, self._invocation.err_view, named=named))
        self._invocation.ring()
        keys.forget()

    def _gone(self, moving: Moving, dispatch: Document) -> None:
        """Say that the question is over without us: what became of it follows in the trace."""
        asked, self._asked = self._asked, None
        if asked is None:
            return
        left = milliseconds_left(asked.approval)
        late = left is not None and left <= 0
        if not late and has_ended(dispatch):
            return  # the run is over, and how it ended is told next
        said = f"  ✗ nobody answered in time: {silence(asked.approval)}" if late else "  · answered elsewhere"
        moving.show(self._invocation.err, [line(Span(said, Tone.FAILED if late else Tone.QUIET))])

    def _set(self, moving: Moving, dispatch: Document, passed_s: float) -> None:
        """Keep the moving line true: the keys and the seconds left, or what the run is doing."""
        if self._asked is None:
            passed = times.duration(int(passed_s * 1000))
            moving.set(line("  ", status_span(dispatch, mine=True), Span(f" · {passed}", Tone.QUIET)))
            return
        prompt = self._prompt(self._asked)
        moving.set(prompt)
        if not self._invocation.err.can_move and not self._prompted:
            self._invocation.err.show([prompt])
        self._prompted = True

    def _prompt(self, asked: _Asked) -> Line:
        view: View = self._invocation.err_view
        left = milliseconds_left(asked.approval)
        shown = "" if left is None else times.seconds_left(view.now_ms + left, view.now_ms)
        return prompt_line(asked.options, standing(self._questions, shown), view.width)

    def _take_key(self, moving: Moving, keys: Keys) -> bool:
        """Take one key; return whether it answered a question."""
        key = keys.read()
        if key == LEAVE:
            raise KeyboardInterrupt
        option = self._asked.chosen(key) if self._asked is not None else None
        if self._asked is None or option is None:
            return False
        if not option.decision:
            moving.show(self._invocation.err, looked_lines(self._asked.approval, self._invocation.err_view))
            self._prompted = False
            return False
        self._decide(moving, self._asked, option)
        return True

    def _decide(self, moving: Moving, asked: _Asked, option: Choice) -> None:
        """Send an answer and say what holds now: the daemon's word, not the key's."""
        body: Document = {
            "decision": option.decision,
            "dispatch_id": text(asked.approval, "dispatch_id"),
            "by": "cli",
        }
        if option.grant is not None and not is_changeset(asked.approval):
            body["grant"] = option.grant
        self._asked = None
        self._answered.add(asked.request_id)
        try:
            if option.decision == REVIEW:
                self._invocation.door.post(dispatch_path(self._id, REVIEW), {"by": "cli"})
            else:
                self._invocation.door.post(f"/v1/approvals/{segment(asked.request_id)}", body)
        except CliError as error:
            if error.code != "not_pending":
                raise
            said = Span(f"  ✗ too late: {error.message}", Tone.FAILED)
        else:
            said = _said(option, self._dispatch, changeset=is_changeset(asked.approval))
        moving.show(self._invocation.err, [line(said)])


def _said(option: Choice, dispatch: Document, *, changeset: bool) -> Span:
    if option.is_safe:
        return Span("  ✗ discarded" if changeset else "  ✗ denied", Tone.FAILED)
    if changeset:
        return Span("  ✓ approved", Tone.DONE)
    if option.decision == REVIEW:
        words = reviewed(dispatch)
        return Span(f"  ✓ allowed; {words[:1].lower()}{words[1:]} You review its changes.", Tone.DONE)
    reach = {"always": "allowed, from now on always", "session": "allowed for this run"}
    return Span(f"  ✓ {reach.get(option.grant or '', 'allowed once')}", Tone.DONE)
