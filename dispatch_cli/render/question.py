"""One question to the human: who asks, the call verbatim, what is unusual about it, what each answer means.

Nothing of a call is ever cut here: the dangerous end of a command must not be behind an ellipsis.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dispatch_cli.render import times
from dispatch_cli.render.changes import changeset_lines, diff_lines
from dispatch_cli.render.dispatch import artifact_line
from dispatch_cli.render.fields import Document, inner, items, moment_ms, number, text, words
from dispatch_cli.render.lines import Line, Span, Tone, View, joined, line, quote, width_of
from dispatch_cli.render.people import People
from dispatch_cli.render.text import count, home_relative, one_line, visible, wrapped
from dispatch_cli.render.trace import call_line, in_order
from dispatch_cli.render.words import typed_id

CHANGESET = "changeset"
REVIEW = "review"
OFFER_AFTER = 3  # answers, before a person is offered to be asked no more
_DIFF_SHOWN_LINES = 60
_ALL = float("inf")
_CALLED = {"session": "this run"}  # as its key says it
_LEAVES = frozenset({"result", "trace"})  # what of a run its author sees, if it is more than how it ended


@dataclass(frozen=True, slots=True)
class Choice:
    """One key of a question: what it decides, and how it is said long and short."""

    key: str
    said: str
    brief: str
    decision: str = ""
    grant: str | None = None

    @property
    def is_safe(self) -> bool:
        """Say whether this is the answer that changes nothing, and so the default."""
        return self.decision == "deny"


def is_changeset(approval: Document) -> bool:
    """Say whether the question is the closing one, about the changes."""
    return text(approval, "kind") == CHANGESET


def reviewed(dispatch: Document) -> str:
    """Say what holds once a run asks no more: what goes to a granted server stands in no changeset, so it still asks."""
    servers = [
        word for run in items(dispatch, "runs")[-1:] for word in words(inner(run, "scopes"), "mcp_servers")
    ]
    if not servers:
        return "This run asks no more."
    return f"This run asks no more inside the wall, and still for each call of {visible(', '.join(servers))}."


def choices(approval: Document, answered: int = 0) -> list[Choice]:
    """Return what may be answered, the refusal last; `answered` counts the questions of this run before it."""
    if is_changeset(approval) and not _changes(approval):
        return [
            Choice("y", "Return it", "y return", "approve"),
            *([Choice("l", "look", "l look")] if files_of(approval) else []),
            Choice("n", "discard", "N discard", "deny"),
        ]
    if is_changeset(approval):
        return [
            Choice("y", "Apply", "y apply", "approve"),
            Choice("l", "look", "l look"),
            Choice("n", "discard", "N discard", "deny"),
        ]
    always = _bound(approval)
    offered = words(approval, "grants") or ["once"]
    every = [
        Choice("o", "Allow once", "o once", "approve", "once"),
        Choice("a", f"always, for {always}", "a always", "approve", "always"),
        Choice("s", "this run", "s run", "approve", "session"),
    ]
    rest = [Choice("r", "review the rest", "r review", REVIEW)] if may_review(approval, answered) else []
    deny = Choice("d", "Deny", "D deny", "deny")
    return [*(choice for choice in every if choice.grant in offered), *rest, deny]


def may_review(approval: Document, answered: int) -> bool:
    """Say whether a person is offered to be asked no more: after a few answers, where the run allows it."""
    return answered >= OFFER_AFTER and approval.get("can_review") is True


def _bound(approval: Document) -> str:
    """Return in few words what `always` is bound to; the whole sentence stands above the keys."""
    tool = visible(text(approval, "tool"))
    for detail in items(approval, "grant_details"):
        if text(detail, "grant") == "always" and text(detail, "path"):
            return f"{tool} in {visible(text(detail, 'path'))}"
    return "this command" if tool == "Bash" else tool


def silence(approval: Document) -> str:
    """Return what becomes of a question that nobody answers: no call is made, and none is thrown away at once."""
    if text(approval, "kind") == "tool":
        return "it is asked once more, and then the run is parked"
    return "it counts as a no"


def standing(questions: Document, left: str) -> str:
    """Return `4 answered, 1 open, 70 s left`; of a first question only its time."""
    answered, waiting = number(questions, "answered") or 0, number(questions, "open") or 0
    missed = number(questions, "unanswered") or 0
    if not answered and not missed and waiting <= 1:
        return left
    parts = [f"{answered} answered", *([f"{missed} unanswered"] if missed else []), f"{waiting} open"]
    return ", ".join([*parts, f"{left} left"] if left else parts)


def prompt_line(options: Sequence[Choice], left: str, width: int | None) -> Line:
    """Return the keys and the seconds left; on a narrow screen in short words, never without the refusal."""
    full = joined([line(f"{option.said} [{_key(option)}]") for option in options])
    row = line("  ", *full, Span(f"   {left}", Tone.WAITING))
    if width is None or width_of(row) < width:
        return row
    brief = "  ".join(option.brief for option in options)
    return line(brief, Span(f"  {left}", Tone.WAITING))


def _key(option: Choice) -> str:
    return option.key.upper() if option.is_safe else option.key


def question_lines(approval: Document, view: View, *, named: bool = False, whole: bool = False) -> list[Line]:
    """Return everything a person needs to see before answering; `named` calls already stand on the screen.

    `whole` shows all of a long diff, where no key could ask for the rest.
    """
    place = text(approval, "on")
    if place and approval.get("payload") is None:
        said = f"  It shows more than is told to this device: look at it on {visible(place)}."
        return [line(Span(said, Tone.DANGER))]
    if is_changeset(approval):
        return _changeset_lines(approval, view, _ALL if whole else _DIFF_SHOWN_LINES)
    tool, given = text(approval, "tool"), inner(approval, "input")
    lines = [*([] if named else [call_line(tool, given, view)]), *verbatim(tool, given, view)]
    described = text(approval, "description")
    if described:
        room = None if view.width is None else view.width - 2
        lines += [line("  ", Span(row, Tone.QUIET)) for row in wrapped(described, room)]
    lines += [line("  ", Span(f"! {visible(flag)}", Tone.DANGER)) for flag in words(approval, "flags")]
    return lines + _meaning_lines(approval, view)


def _meaning_lines(approval: Document, view: View) -> list[Line]:
    """Return what each lasting yes would cover from now on, one sentence each."""
    room = None if view.width is None else view.width - 4
    lines: list[Line] = []
    for detail in items(approval, "grant_details"):
        if text(detail, "grant") != "once":
            grant = text(detail, "grant")
            said = f"{_CALLED.get(grant, visible(grant))}: {visible(text(detail, 'meaning'))}"
            first, *more = wrapped(said, room) or [""]
            lines.append(line("  ", Span(f"· {first}", Tone.QUIET)))
            lines += [line("    ", Span(row, Tone.QUIET)) for row in more]
    return lines


def verbatim(tool: str, given: Mapping[str, Any], view: View) -> list[Line]:
    """Return the whole input of a call: text as text, everything else as JSON, nothing left out."""
    lines: list[Line] = []
    for name, value in in_order(given):
        body = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
        body = body.removesuffix("\n")
        tone = _tone(tool, name)
        if "\n" in body or tone is not Tone.PLAIN:
            lines += [line(Span(f"  {visible(name)}:", Tone.QUIET)), *quote(body, view, tone=tone)]
        else:
            lines += quote(f"{visible(name)}: {body}", view)
    return lines


def _tone(tool: str, name: str) -> Tone:
    if (tool, name) in {("Write", "content"), ("Edit", "new_string")}:
        return Tone.ADDED
    return Tone.REMOVED if (tool, name) == ("Edit", "old_string") else Tone.PLAIN


def _changes(approval: Document) -> list[Document]:
    for holder in (approval, inner(approval, "input"), inner(approval, "payload")):
        for name in ("input", "changes", "changeset"):
            if items(holder, name):
                return items(holder, name)
    return []


def diffs_of(approval: Document) -> list[Document]:
    """Return the diffs that came with the closing question."""
    return items(inner(approval, "payload"), "diffs") or items(inner(approval, "input"), "diffs")


def _changeset_lines(approval: Document, view: View, shown: float) -> list[Line]:
    payload = inner(approval, "payload")
    changes = _changes(approval)
    head = f"{count(len(changes), 'file')} would change:" if changes else "No file would change."
    lines = [line(Span(head, Tone.STRONG)), *changeset_lines(changes, view)]
    lines += [line("  ", Span(f"! {visible(flag)}", Tone.DANGER)) for flag in words(approval, "flags")]
    left_behind = items(payload, "left_behind")
    if left_behind:
        lines.append(line(Span(f"  {count(len(left_behind), 'path')} would be left behind:", Tone.WAITING)))
        lines += [
            line(f"    {visible(text(item, 'path'))}   ", Span(visible(text(item, "reason")), Tone.QUIET))
            for item in left_behind
        ]
    summary = text(payload, "summary") or text(payload, "result")
    leaves = "returns" not in payload or text(payload, "returns") in _LEAVES
    where = "that would leave this machine" if leaves else "that would stay on this machine"
    if summary:
        lines += [line(f"The answer {where}:"), *quote(summary, view)]
    files = items(payload, "artifacts")
    if files:
        lines += [line(f"Files {where}:"), *(_file_line(file, view) for file in files)]
    if text(payload, "returns") == "trace":
        lines.append(line("Every call, and what came of it, would leave too."))
    diff = diff_lines(diffs_of(approval), view)
    if len(diff) <= shown:
        return lines + diff
    return [*lines, line(Span(f"  The diff has {len(diff)} lines; l shows all of it.", Tone.WAITING))]


def _file_line(file: Document, view: View) -> Line:
    """Return a file's name, its size, and where it can be looked at."""
    place = visible(home_relative(text(file, "path"), view.user_home))
    return line(*artifact_line(file), Span(f"   {place}" if place else "", Tone.QUIET))


def files_of(approval: Document) -> list[Document]:
    """Return the files that a closing question is about and that lie on this machine, to be looked at."""
    return [file for file in items(inner(approval, "payload"), "artifacts") if text(file, "path")]


def whole_diff_lines(approval: Document, view: View) -> list[Line]:
    """Return the whole diff, however long."""
    return diff_lines(diffs_of(approval), view) or [
        line(Span("  No diff came with these changes.", Tone.QUIET))
    ]


def waiting_lines(approvals: Sequence[Document], people: People, view: View) -> list[Line]:
    """Return every open question with the command that answers it, for those who do not stay."""
    if not approvals:
        return [line("Nothing waits for an answer.")]
    lines: list[Line] = []
    for approval in approvals:
        deadline = moment_ms(approval, "expires_at")
        request_id = typed_id(text(approval, "request_id"))
        left = (
            ""
            if deadline is None
            else f"{times.seconds_left(deadline, view.now_ms)} left; unanswered, {silence(approval)}"
        )
        head = joined(
            [
                line(Span(typed_id(text(approval, "dispatch_id")), Tone.STRONG)),
                line(f"from {people.known(text(approval, 'from'))}"),
                line(one_line(text(approval, "title"))),
                line(f"on {visible(text(approval, 'on'))}" if text(approval, "on") else ""),
                line(Span(left, Tone.WAITING)),
            ]
        )
        lines += [head, *question_lines(approval, view)]
        lines.append(line("  allow it with   ", Span(f"dispatch approve {request_id}", Tone.COMMAND)))
        lines += [line("  deny it with    ", Span(f"dispatch deny {request_id}", Tone.COMMAND)), line()]
    return lines[:-1]
