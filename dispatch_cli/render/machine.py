"""This machine in words: who I am, what the daemon does, what the doctor found."""

from collections.abc import Sequence

from dispatch_cli.render.fields import Document, inner, items, number, text, truth
from dispatch_cli.render.lines import Line, Span, Tone, View, folded, following, line, paragraph
from dispatch_cli.render.text import home_relative, visible


def facts(pairs: Sequence[tuple[str, Line]]) -> list[Line]:
    """Return labels and values in two columns; a fact without a value is left out."""
    widest = max((len(label) for label, _ in pairs), default=0)
    return [line(Span(label.ljust(widest + 2), Tone.QUIET), *value) for label, value in pairs if value]


def whoami_lines(who: Document, view: View) -> list[Line]:
    """Return user, identity, device, broker and daemon."""
    user, broker = text(who, "user"), text(who, "broker")
    lines = facts(
        [
            ("user", line(visible(user)) if user else line(Span("not signed in", Tone.WAITING))),
            ("identity", _identity(text(who, "identity"))),
            ("device", _device(inner(who, "device"))),
            ("broker", line(visible(broker)) if broker else line(Span("none", Tone.QUIET))),
            ("daemon", _daemon(inner(who, "daemon"), view)),
        ]
    )
    if not user:
        lines.append(following("sign in with", "dispatch login --broker URL --email YOU@EXAMPLE.ORG"))
    return lines


def _identity(fingerprint: str) -> Line:
    """Return a fingerprint whole and in one piece: it is copied, not read aloud."""
    return line(visible(fingerprint)) if fingerprint else ()


def _device(device: Document) -> Line:
    name, known = visible(text(device, "name")), visible(text(device, "id")[:16])
    return line(f"{name}   " if name else "", Span(known, Tone.QUIET)) if device else ()


def _daemon(daemon: Document, view: View) -> Line:
    if not truth(daemon, "running"):
        return line(Span("not running", Tone.QUIET))
    runs = "runs tasks" if truth(daemon, "can_run") else "cannot run tasks: see dispatch doctor"
    stopped = _stopped(daemon)
    if stopped:
        runs = ": ".join(stopped)
    socket = visible(home_relative(text(daemon, "socket"), view.user_home))
    return line(
        Span("running", Tone.DONE),
        f" {visible(text(daemon, 'version'))} · ",
        Span(runs, Tone.PLAIN if truth(daemon, "can_run") else Tone.FAILED),
        Span(f" · {socket} · {visible(text(daemon, 'door'))}", Tone.QUIET),
    )


def service_lines(state: Document, view: View) -> list[Line]:
    """Return what the service manager knows of the daemon."""
    unit = visible(home_relative(text(state, "unit"), view.user_home))
    at_boot = "from boot on" if state.get("lingers") is not False else "only while you are signed in"
    return facts(
        [
            ("service", line(unit if truth(state, "installed") else Span("not installed", Tone.QUIET))),
            (
                "now",
                line(
                    Span("running", Tone.DONE)
                    if truth(state, "running")
                    else Span("not running", Tone.WAITING)
                ),
            ),
            ("starts", line(at_boot) if truth(state, "enabled") else line(Span("by hand", Tone.QUIET))),
        ]
    )


def daemon_lines(daemon: Document, view: View) -> list[Line]:
    """Return whether a daemon runs, and where."""
    socket = line(visible(home_relative(text(daemon, "socket"), view.user_home)))
    if not truth(daemon, "running"):
        return [
            *facts([("daemon", line(Span("not running", Tone.QUIET))), ("socket", socket)]),
            following("start it with", "dispatch daemon start"),
        ]
    stopped, broker = _stopped(daemon), inner(daemon, "broker")
    return facts(
        [
            ("daemon", line(Span("running", Tone.DONE), f" {visible(text(daemon, 'version'))}")),
            ("pid", line(str(number(daemon, "pid") or "unknown"))),
            *([(stopped[0], line(Span(stopped[1], Tone.WAITING)))] if stopped else []),
            ("socket", socket),
            ("door", line(visible(text(daemon, "door")))),
            *([("broker", _session(broker))] if broker else []),
        ]
    )


def _stopped(daemon: Document) -> tuple[str, str] | None:
    """Return what a person has done to stop this machine, and what that means; None if nothing."""
    if text(daemon, "panic_at"):
        return "panic", "everything is stopped here"
    return ("paused", "nothing new starts here") if text(daemon, "paused_at") else None


def _session(broker: Document) -> Line:
    """Return how the session with the broker stands."""
    state = visible(text(broker, "state"))
    tone = {"online": Tone.DONE, "refused": Tone.FAILED}.get(state, Tone.WAITING)
    detail = visible(text(broker, "detail"))
    return line(
        Span(state, tone),
        f" · {visible(text(broker, 'url'))}",
        Span(f" · {detail}" if detail else "", Tone.QUIET),
    )


def doctor_lines(report: Document, view: View) -> list[Line]:
    """Return every check with its finding, and under each failure its remedy."""
    checks = items(report, "checks")
    lines = checks_lines(checks, view)
    failed = sum(not truth(check, "ok") for check in checks)
    lines.append(line())
    lines.append(line("All is well." if not failed else f"{failed} of {len(checks)} checks failed."))
    return lines


def checks_lines(checks: Sequence[Document], view: View) -> list[Line]:
    """Return one line a check, and under a failed one its remedy if there is one."""
    widest = max((len(text(check, "name")) for check in checks), default=0)
    lines: list[Line] = []
    for check in checks:
        good = truth(check, "ok")
        mark = Span("✓ ", Tone.DONE) if good else Span("✗ ", Tone.FAILED)
        name = Span(visible(text(check, "name").replace("_", " ")).ljust(widest + 2), Tone.STRONG)
        row = line(mark, name, visible(text(check, "detail")))
        lines += folded(row, view, indent=" " * (widest + 4))
        if not good and text(check, "remedy"):
            lines += paragraph(f"→ {text(check, 'remedy')}", view, indent="    ")
    return lines


def verified_lines(report: Document, view: View) -> list[Line]:
    """Return what the signatures of a bundle prove, check by check."""
    author, recipient = inner(report, "author"), inner(report, "recipient")
    lines = facts(
        [
            ("dispatch", line(visible(text(report, "dispatch_id")))),
            ("author", _party(author)),
            ("recipient", _party(recipient)),
            ("outcome", line(_outcome(report))),
        ]
    )
    lines.append(line())
    lines += checks_lines(items(report, "checks"), view)
    lines.append(line())
    good = truth(report, "ok")
    said = (
        "Every signature and every link holds."
        if good
        else "This bundle proves nothing: at least one check failed."
    )
    lines.append(line(Span(said, Tone.DONE if good else Tone.FAILED)))
    lines.append(line(Span("Addresses are as claimed; the identities are what was signed.", Tone.QUIET)))
    if text(report, "page") == "altered":
        said = "The page around it is not as this version makes it: believe what stands here, and not what it shows."
        lines.append(line(Span(said, Tone.FAILED)))
    return lines


def _outcome(report: Document) -> str:
    """Return how it ended; what was declined has no outcome, and never will."""
    if outcome := text(report, "outcome"):
        return visible(outcome)
    (decided,) = [
        text(each, "detail") for each in items(report, "checks") if text(each, "name") == "decision"
    ] or [""]
    return f"none: {visible(decided)}" if decided.startswith("declined") else "none yet"


def _party(party: Document) -> Line:
    claimed = visible(text(party, "address"))
    address = Span(f"   claims {claimed}" if claimed else "   no address claimed", Tone.QUIET)
    return line(*_identity(text(party, "identity")), address)
