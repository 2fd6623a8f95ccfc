"""What a human may answer to a question, in words for a session: from its kind and what it offers, as on every other face."""

from dispatch_cli.clock import now_ms
from dispatch_cli.following import milliseconds_left
from dispatch_cli.mcp.session import Answer
from dispatch_cli.render import times
from dispatch_cli.render.fields import Document, items, number, words
from dispatch_cli.render.question import is_changeset, may_review, standing

CALL = {"once": "Allow once", "always": "Always allow", "session": "Allow for this session"}
_ASK = "Ask the human now, verbatim, with the picker:"
_STOP = "Besides, if they say so: deny with stop=true ends the run at once"
_REVIEW = "action='review' asks no more but for calls of MCP servers, and shows the changes at the end"
_SILENCE = "Unanswered, a call is asked once more; then the run is parked, until resume."


def menu(question: Document, questions: Document) -> Answer:
    """Return how a question is put, and how the run's questions stand; `questions` counts them."""
    left = milliseconds_left(question)
    now = now_ms()
    shown = "" if left is None else times.seconds_left(now + left, now)
    stands = standing(questions, shown)
    if is_changeset(question):
        yes = "Apply" if items(question, "input") else "Return it"
        return {
            "ask": f"{_ASK} {yes} (approve) / Discard (deny). No other grant applies.",
            "standing": stands,
            "can_review": False,
        }
    offered = words(question, "grants") or ["once"]
    answers = [f"{said} (grant={grant})" for grant, said in CALL.items() if grant in offered]
    reviews = may_review(question, number(questions, "answered") or 0)
    besides = f"{_STOP}; {_REVIEW}." if reviews else f"{_STOP}."
    return {
        "ask": f"{_ASK} {' / '.join([*answers, 'Deny'])}. {besides} {_SILENCE}",
        "standing": stands,
        "can_review": reviews,
    }
