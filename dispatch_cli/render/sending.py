"""What happens to what I sent, in sentences: on its way, and how it ended."""

from dispatch_cli.render import times
from dispatch_cli.render.changes import changeset_lines, diff_lines, unapplied_lines
from dispatch_cli.render.dispatch import artifact_line, receipt_lines
from dispatch_cli.render.fields import Document, inner, items, moment_ms, text, words
from dispatch_cli.render.lines import Line, Span, Tone, View, following, joined, line, quote
from dispatch_cli.render.people import People, short
from dispatch_cli.render.text import count, home_relative, visible
from dispatch_cli.render.words import (
    is_for_me,
    is_own,
    next_step,
    presumption,
    reason,
    short_id,
    status_span,
    why,
)

_ENDS = {
    "completed": ("Done.", Tone.DONE),
    "failed": ("Failed.", Tone.FAILED),
    "refused": ("Refused.", Tone.FAILED),
    "declined": ("Declined.", Tone.FAILED),
    "expired": ("Expired: nobody decided in time.", Tone.FAILED),
    "cancelled": ("Cancelled.", Tone.QUIET),
    "conflict": ("Conflict: two devices of theirs have answered it, and not the same.", Tone.DANGER),
    "waiting_input": ("Needs input there before it can go on.", Tone.WAITING),
}
_BLOCKED = {
    "budget": "Blocked: a budget was used up. Nothing was changed.",
    "tool_not_granted": "Blocked: a tool is not granted. Nothing was changed.",
    "halted": "Blocked: it was stopped. Nothing was changed.",
}
_OUTCOMES = {
    "blocked": ("Blocked: a call or the changes were denied. Nothing was changed.", Tone.FAILED),
    "need_input": ("Needs input before it can go on.", Tone.WAITING),
}


def sent_lines(dispatch: Document, people: People, view: View) -> list[Line]:
    """Return `Sent to bob@example.org (compared) · 4f2a91c0 · waits for bob until 15:40`."""
    recipient, short_form = text(dispatch, "to"), short_id(dispatch)
    deadline = moment_ms(dispatch, "expires_at")
    until = f" until {times.moment(deadline, view.now_ms)}" if deadline else ""
    status = text(dispatch, "status")
    if is_own(dispatch):
        return [
            line(f"Waits for you on this machine · {short_form}{until}"),
            following("run it with", f"dispatch accept {short_form}"),
        ]
    waits = {
        "queued": line(Span("queued: it goes out as soon as the broker answers", Tone.WAITING)),
        "sent": line(f"waits for {short(recipient)}{until}"),
        "delivered": line(f"waits for {short(recipient)}{until}"),
    }.get(status, (status_span(dispatch, mine=is_for_me(dispatch)),))
    verb = "Queued for" if status == "queued" else "Sent to"
    return [
        joined([line(f"{verb} {people.known(recipient)}"), line(short_form), waits]),
        following("follow it with", f"dispatch watch {short_form}"),
    ]


def outcome_lines(dispatch: Document, view: View) -> list[Line]:
    """Return how a dispatch ended, what it said and what it changed; or that it has not ended yet."""
    status, outcome, short_form = text(dispatch, "status"), text(dispatch, "outcome"), short_id(dispatch)
    known = _OUTCOMES.get(outcome) if status in {"failed", "completed"} else None
    code = text(inner(dispatch, "error"), "code")
    if known is not None and outcome == "blocked" and code in _BLOCKED:
        known = (_BLOCKED[code], known[1])
    end = known or _ENDS.get(status)
    if end is None:
        return [
            line("Still pending: ", status_span(dispatch, mine=is_for_me(dispatch)), "."),
            following("follow it with", f"dispatch watch {short_form}"),
        ]
    lines = [line(Span(end[0], end[1]), *_took(dispatch))]
    said = reason(dispatch)
    if said:
        lines += quote(said, view)
    if said and why(dispatch, said):
        lines.append(line(Span(why(dispatch, said), Tone.FAILED)))
    if presumption(dispatch):
        lines.append(line(Span(presumption(dispatch), Tone.WAITING)))
    changes = items(dispatch, "changeset")
    if changes and status == "completed":
        lines.append(line(f"{count(len(changes), 'path')} changed:"))
        lines += changeset_lines(changes, view)
    if next_step(dispatch):
        lines.append(following("go on with", next_step(dispatch)))
    if status in {"completed", "failed"}:
        lines.append(following("more with", f"dispatch result {short_form}"))
    return lines


def _took(dispatch: Document) -> Line:
    for run in reversed(items(dispatch, "runs")):
        started, ended = moment_ms(run, "started_at"), moment_ms(run, "ended_at")
        if started is not None and ended is not None:
            return line(Span(f" It took {times.duration(ended - started)}.", Tone.QUIET))
    return ()


def result_lines(result: Document, dispatch: Document, view: View) -> list[Line]:
    """Return what came back: outcome, text, changes with their diff, files, receipts, and where the proof lies."""
    lines = outcome_lines(
        {**dispatch, "result": None, "changeset": [], "decision": None, "receipts": []}, view
    )[:1]
    summary = text(result, "summary")
    if summary:
        lines += quote(summary, view)
    if failed := why(dispatch, summary):
        lines.append(line(Span(failed, Tone.FAILED)))
    if next_step(dispatch):
        lines.append(following("go on with", next_step(dispatch)))
    changes = items(result, "changeset") or items(dispatch, "changeset")
    if changes:
        lines += [line(Span("Changes", Tone.STRONG)), *changeset_lines(changes, view)]
        lines += unapplied_lines({**dispatch, "changeset": changes})
        undone = moment_ms(result, "undone_at")
        if undone is not None:
            said = f"  These were undone {times.moment(undone, view.now_ms)}."
            lines.append(line(Span(said, Tone.WAITING)))
    lines += diff_lines(items(result, "diffs") or items(dispatch, "diffs"), view)
    artifacts = items(result, "artifacts")
    if artifacts:
        lines += [line(Span("Artifacts", Tone.STRONG)), *(artifact_line(artifact) for artifact in artifacts)]
    lines += [line(f"  {visible(home_relative(path, view.user_home))}") for path in words(result, "files")]
    receipts = items(result, "receipts")
    if receipts:
        lines += [line(Span("Signed receipts", Tone.STRONG)), *receipt_lines(receipts, view)]
    bundle = text(result, "bundle")
    if bundle:
        lines.append(
            following(
                "check the signatures with",
                f"dispatch verify {visible(home_relative(bundle, view.user_home))}",
            )
        )
    return lines
