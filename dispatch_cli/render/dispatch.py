"""One dispatch whole: who asks, the task as written, the run, the changes, the receipts."""

from dispatch_cli.render import times
from dispatch_cli.render.changes import changeset_lines, unapplied_lines
from dispatch_cli.render.fields import Document, inner, items, moment_ms, number, text, words
from dispatch_cli.render.lines import Line, Span, Tone, View, following, followings, joined, line, quote
from dispatch_cli.render.people import People
from dispatch_cli.render.scopes import budget_words, dollars
from dispatch_cli.render.text import count, home_relative, one_line, visible
from dispatch_cli.render.trace import Trace, in_order
from dispatch_cli.render.words import (
    is_for_me,
    is_own,
    next_step,
    presumption,
    short_id,
    status_span,
    typed_id,
    why,
)

_SIGNS_OF_LIFE = frozenset(["heartbeat", "waiting"])


def dispatch_lines(dispatch: Document, people: People, view: View) -> list[Line]:
    """Return one dispatch whole: who asks, the task as written, the run, the changes, the receipts."""
    return [
        *heading_lines(dispatch, people, view),
        *task_lines(dispatch, view),
        *_section("", run_lines(dispatch, view)),
        *_section("", Trace().lines(items(dispatch, "events"), view)),
        *_section("Asks", [_question(approval) for approval in items(dispatch, "approvals")]),
        *_section("Answered for another device", [_verdict(each) for each in items(dispatch, "verdicts")]),
        *_result_lines(dispatch, view),
        *_section(
            "Changes", [*changeset_lines(items(dispatch, "changeset"), view), *unapplied_lines(dispatch)]
        ),
        *_section("Artifacts", [artifact_line(artifact) for artifact in items(dispatch, "artifacts")]),
        *_section("Signed receipts", receipt_lines(items(dispatch, "receipts"), view)),
        *_next_lines(dispatch),
    ]


def heading_lines(dispatch: Document, people: People, view: View) -> list[Line]:
    """Return the id, the two people, the status and the deadline in one line."""
    deadline = moment_ms(dispatch, "expires_at")
    undecided = text(dispatch, "status") in {"queued", "sent", "delivered"}
    sender, recipient = text(dispatch, "from"), text(dispatch, "to")
    between = "from me to me" if is_own(dispatch) else f"{people.known(sender)} → {people.known(recipient)}"
    parts = [
        line(Span(short_id(dispatch), Tone.STRONG)),
        line(between),
        (status_span(dispatch, mine=is_for_me(dispatch)),),
        line(f"until {times.moment(deadline, view.now_ms)}" if deadline and undecided else ""),
    ]
    return [joined(parts)]


def task_lines(dispatch: Document, view: View) -> list[Line]:
    """Return everything the author wrote, whole and quoted: a decision is made on it."""
    lines = quote(text(dispatch, "task"), view)
    for name, label in (
        ("background", "Background"),
        ("deliverable", "Deliverable"),
        ("project", "Project hint"),
    ):
        if text(dispatch, name):
            lines += [line(f"  {label}:"), *quote(text(dispatch, name), view)]
    links = words(dispatch, "links")
    if links:
        lines += [line("  Links:"), *quote("\n".join(links), view)]
    files = items(dispatch, "attachments")
    if files:
        arriving = dispatch.get("files_arriving") is True and is_for_me(dispatch)
        lines += [line("  Files, still arriving:" if arriving else "  Files:"), *map(_file_line, files)]
    budget = budget_words(inner(dispatch, "budget"))
    if budget:
        lines.append(line(f"  Budget: {budget}"))
    meta = inner(dispatch, "meta")
    if meta:
        lines += [line("  Meta:"), *quote("\n".join(f"{key} = {value}" for key, value in meta.items()), view)]
    steps = items(dispatch, "steps")
    if steps:
        lines += [line("  Steps:"), *quote(steps_text(steps), view)]
    return lines


def steps_text(steps: list[Document]) -> str:
    """Return the signed tool calls, verbatim and whole, one numbered block each."""
    import json

    blocks = []
    for index, step in enumerate(steps, 1):
        extras = [f"{name}: {step[name]}" for name in ("save_as", "allow_failure") if step.get(name)]
        head = f"{index}. {text(step, 'tool')}" + (f"   ({', '.join(extras)})" if extras else "")
        given = inner(step, "input")
        shown = [
            f"   {name}: "
            + (value.removesuffix("\n") if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
            for name, value in in_order(given)
        ]
        blocks.append("\n".join([head, *(row.replace("\n", "\n      ") for row in shown)]))
    return "\n".join(blocks)


def _section(title: str, lines: list[Line]) -> list[Line]:
    if not lines:
        return []
    return [line(), line(Span(title, Tone.STRONG)), *lines] if title else [line(), *lines]


def run_lines(dispatch: Document, view: View) -> list[Line]:
    """Return one line for each run of a dispatch: where, by whom, how long, and what it used."""
    lines: list[Line] = []
    mine = is_for_me(
        dispatch
    )  # what runs for this human runs on this machine: only of another one it is said where
    for run in items(dispatch, "runs"):
        started, ended = moment_ms(run, "started_at"), moment_ms(run, "ended_at")
        heard = moment_ms(run, "last_heard")
        took = "" if started is None or ended is None else f"took {times.duration(ended - started)}"
        quiet = "" if ended is not None or heard is None else f"last heard {times.ago(heard, view.now_ms)}"
        cwd = visible(home_relative(text(run, "cwd"), view.user_home))
        parts = [
            (status_span(run, mine=mine),),
            line(f"in {cwd}" if cwd else ""),
            line(f"agent {visible(_by(run))}" if _by(run) else ""),
            line(f"on device {visible(text(run, 'device')[:8])}" if text(run, "device") and not mine else ""),
            line(took or quiet),
            line(_usage(inner(run, "usage"))),
        ]
        lines.append(line("Run   ", *joined(parts)))
        undone = moment_ms(run, "undone_at")
        if undone is not None:
            said = f"Its changes were undone {times.moment(undone, view.now_ms)}."
            lines.append(line("      ", Span(said, Tone.WAITING)))
    return [*lines, *asking_lines(dispatch)] if lines else []


def _by(run: Document) -> str:
    """Return who decides the calls of a run: with the model, where this is the machine that knows it."""
    return text(run, "model") or text(run, "agent")


def asking_lines(dispatch: Document) -> list[Line]:
    """Return why a run asks each call although its edge would let it run, if it does."""
    why = text(inner(dispatch, "decision"), "asks_because")
    return [line("      ", Span(visible(why), Tone.WAITING))] if why else []


def _usage(usage: Document) -> str:
    """Return what a run used: turns of a model, tool calls, tokens, money; empty while nobody has counted."""
    turns, calls, cost = (number(usage, name) for name in ("turns", "tool_calls", "cost_microusd"))
    tokens = [number(usage, name) for name in ("input_tokens", "output_tokens")]
    counted = [count(calls, "call")] if calls else []
    counted += [] if turns is None else [count(turns, "turn")]
    counted += [f"{sum(each or 0 for each in tokens):,} tokens"] if any(tokens) else []
    return ", ".join([*counted, *([dollars(cost)] if cost is not None else [])])


def _question(approval: Document) -> Line:
    command = f"dispatch approve {typed_id(text(approval, 'request_id'))}"
    return line("  ", one_line(text(approval, "title")), "   ", Span(command, Tone.COMMAND))


def _verdict(verdict: Document) -> Line:
    """Return what was answered here to a question of another device, and what became of it."""
    place, state = visible(text(verdict, "on")), text(verdict, "state")
    became = {
        "told": Span(f"told to {place}, not applied yet", Tone.WAITING),
        "applied": Span(f"applied on {place}", Tone.DONE),
        "too_late": Span(f"too late on {place}", Tone.FAILED),
    }.get(state, Span(visible(state)))
    return line(
        "  ", one_line(text(verdict, "title")), f"   {visible(text(verdict, 'said'))} here   ", became
    )


def _result_lines(dispatch: Document, view: View) -> list[Line]:
    result = inner(dispatch, "result")
    if not result:
        said = text(inner(dispatch, "decision"), "reason") or text(inner(dispatch, "error"), "detail")
        doubt = [line(Span(presumption(dispatch), Tone.WAITING))] if presumption(dispatch) else []
        return (_section("Reason", quote(said, view)) if said else []) + doubt
    outcome = visible(text(result, "outcome").replace("_", " "))
    summary = text(result, "summary")
    wrong = [line(Span(f"  {why(dispatch, summary)}", Tone.FAILED))] if why(dispatch, summary) else []
    told = quote(summary, view) if summary else [] if wrong else [line("  no text")]
    return _section(f"Result: {outcome}", told + wrong)


def _file_line(file: Document) -> Line:
    size = number(file, "size_bytes")
    return line(
        f"    {visible(text(file, 'name'))}   ",
        Span("" if size is None else f"{times.size(size)} · sha256 {text(file, 'sha256')[:16]}", Tone.QUIET),
    )


def artifact_line(artifact: Document) -> Line:
    """Return the name and the size of a file that a run produced."""
    size = number(artifact, "size_bytes")
    return line(
        f"  {visible(text(artifact, 'name'))}   ", Span("" if size is None else times.size(size), Tone.QUIET)
    )


def receipt_lines(receipts: list[Document], view: View) -> list[Line]:
    """Return every receipt that says something new; signs of life are counted."""
    told = [receipt for receipt in receipts if text(receipt, "type") not in _SIGNS_OF_LIFE]
    lines = [_receipt(receipt, view) for receipt in told]
    signs = len(receipts) - len(told)
    if signs:
        lines.append(line(Span(f"  and {count(signs, 'sign')} of life in between", Tone.QUIET)))
    return lines


def _receipt(receipt: Document, view: View) -> Line:
    at = moment_ms(receipt, "at")
    when = "" if at is None else times.moment(at, view.now_ms)
    device = visible(text(receipt, "device")[:8])
    kind = visible(text(receipt, "type").replace("_", " "))
    return line(
        f"  {kind:<12} ",
        Span(f"{when}   device {device}   {visible(text(receipt, 'digest')[:16])}", Tone.QUIET),
    )


def _conflict_lines(dispatch: Document) -> list[Line]:
    """Return who has accepted, and who declined, and how to leave it to one of them."""
    yes, no = (_devices(dispatch, name) for name in ("accepted_on", "declined_on"))
    if no:
        said = f"{yes} said yes to it, and {no} no: two devices of one person disagree."
    else:
        said = f"{yes} have each accepted it, so it may run more than once."
    mine = is_for_me(dispatch)
    how = "on each device where it shall not run" if mine else "stop what still runs of it with"
    return [line(Span(said, Tone.DANGER)), following(how, f"dispatch cancel {short_id(dispatch)}")]


def _devices(dispatch: Document, name: str) -> str:
    return " and ".join(
        visible(text(each, "name") or text(each, "device")[:8]) for each in items(dispatch, name)
    )


def _in_doubt_lines(owner: Document, short: str) -> list[Line]:
    """Say that another device may have been given it by one that has left, which nobody here would know."""
    others = _devices(owner, "perhaps")
    said = f"The device that was to run it has left, and may have given it to {others} before: accept it there if you can."
    return [
        line(Span(said, Tone.QUIET)),
        *followings(("if not", f"dispatch accept {short} --here"), ("or", f"dispatch decline {short}")),
    ]


def _next_lines(dispatch: Document) -> list[Line]:
    status, short = text(dispatch, "status"), short_id(dispatch)
    if status == "conflict":
        return [line(), *_conflict_lines(dispatch)]
    if next_step(dispatch):
        return [line(), following("go on with", next_step(dispatch))]
    if items(dispatch, "approvals"):
        return []
    if inner(dispatch, "elsewhere"):
        place = visible(text(inner(dispatch, "elsewhere"), "name"))
        return [line(), line(Span(f"Another device of yours has it: look at it on {place}.", Tone.QUIET))]
    owner = inner(dispatch, "owner")
    if status == "delivered" and owner.get("this") is False:
        place = visible(text(owner, "name"))
        said = line(Span(f"{place} is to run it: accept it there.", Tone.QUIET))
        return [line(), said, following("if that one is silent", f"dispatch accept {short} --here")]
    if status == "delivered" and items(owner, "perhaps"):
        return [line(), *_in_doubt_lines(owner, short)]
    if is_for_me(dispatch) and status in {"delivered", "sent"}:
        pairs = (("run it here with", f"dispatch accept {short}"), ("or", f"dispatch decline {short}"))
        return [line(), *followings(*pairs)]
    if is_for_me(dispatch) and status == "waiting_input":
        pairs = (
            ("take it up with", f"dispatch resume {short}"),
            ("or throw it away", f"dispatch discard {short}"),
        )
        return [line(), *followings(*pairs)]
    if status in {"accepted", "running", "waiting_approval"}:
        return [line(), following("follow it with", f"dispatch watch {short}")]
    if status in {"completed", "failed"}:
        keep = ("keep it with", f"dispatch result {short} --save DIR")
        return [line(), *followings(keep, *undo_steps(dispatch))]
    return []


def undo_steps(dispatch: Document) -> list[tuple[str, str]]:
    """Return the way back from what a run has changed here, while it is kept; else nothing."""
    undoable = is_for_me(dispatch) and any(text(run, "undo_until") for run in items(dispatch, "runs"))
    return [("take its changes back with", f"dispatch undo {short_id(dispatch)}")] if undoable else []
