"""Accepting, in sentences: who asks for what, how it runs, how it ended."""

from dispatch_cli.render.changes import changeset_lines
from dispatch_cli.render.dispatch import task_lines, undo_steps
from dispatch_cli.render.fields import Document, inner, items, text
from dispatch_cli.render.lines import Line, Span, Tone, View, folded, following, followings, joined, line
from dispatch_cli.render.people import People
from dispatch_cli.render.scopes import scopes_line
from dispatch_cli.render.sending import outcome_lines
from dispatch_cli.render.text import count, home_relative, visible
from dispatch_cli.render.words import approval_words, is_own, short_id


def asks_lines(dispatch: Document, people: People, view: View) -> list[Line]:
    """Return who asks, how they are known, and everything they wrote."""
    sender = text(dispatch, "from")
    if is_own(dispatch):
        who = "You ask, signed by your own device:"
    else:
        known = people.known(sender)
        address = visible(sender)
        who = f"{known} asks, signed:" if address in known else f"{known} <{address}> asks, signed:"
    return [line(Span(who, Tone.STRONG)), *task_lines(dispatch, view)]


def runs_lines(dispatch: Document, view: View) -> list[Line]:
    """Return `Runs in ~/src/api · confined · may Read, Glob · no network · you approve each call`."""
    run = (items(dispatch, "runs") or [{}])[-1]
    cwd = visible(home_relative(text(run, "cwd"), view.user_home))
    agent, scopes = visible(text(run, "model") or text(run, "agent")), inner(run, "scopes")
    row = joined(
        [
            line(f"Runs in {cwd}" if cwd else "Runs here"),
            line(f"agent {agent}, confined" if agent else "confined"),
            scopes_line(
                scopes, view, anywhere=False, own=text(dispatch, "box") == "own", agent=text(run, "agent")
            )
            if scopes
            else line(f"no network · {approval_words('manual', text(run, 'agent'))}"),
        ]
    )
    return folded(row, view)


def ended_lines(dispatch: Document, view: View) -> list[Line]:
    """Return how it ended here, and what the sender now has."""
    status, short = text(dispatch, "status"), short_id(dispatch)
    changes = items(dispatch, "changeset")
    reviewed = any(text(inner(event, "data"), "kind") == "changeset" for event in items(dispatch, "events"))
    seen = {"result": None, "decision": None} if reviewed and status == "completed" else {}
    if status == "waiting_input":
        return _parked_lines(dispatch)
    lines = outcome_lines({**dispatch, "changeset": [], **seen}, view)
    lines = lines[:-1] if status in {"completed", "failed"} else lines
    if status == "completed" and changes:
        lines.append(line(f"Applied: {count(len(changes), 'path')} changed."))
        lines += [] if reviewed else changeset_lines(changes, view)
    if status in {"completed", "failed"}:
        whose = "The" if is_own(dispatch) else f"{visible(text(dispatch, 'from'))} gets the"
        tail = "result and a signed receipt are kept." if whose == "The" else "result and a signed receipt."
        lines.append(line(f"{whose} {tail}"))
        lines += followings(("more with", f"dispatch status {short}"), *undo_steps(dispatch))
    return lines


def _parked_lines(dispatch: Document) -> list[Line]:
    """Return that a run was set aside, and the two things that may be done about it."""
    short = short_id(dispatch)
    detail = visible(text(inner(dispatch, "error"), "detail"))
    return [
        line(Span("Parked: nobody answered, so nothing goes on and nothing is lost.", Tone.WAITING)),
        *([line(Span(detail, Tone.QUIET))] if detail else []),
        following("take it up with", f"dispatch resume {short}"),
        following("throw it away with", f"dispatch discard {short}"),
    ]
