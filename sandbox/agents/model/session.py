"""A conversation set aside in the middle of a turn, as plain JSON, and taken up again.

It lies on this machine between two runs of one task, so it is read as carefully as it was written and no more is made
of it: every part becomes the value that it was, or the session is refused whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sandbox.agents.agent import Session
from sandbox.agents.model.conversation import Asked, Call, Reply, Returned, Tokens, Turn
from sandbox.errors import SessionError


@dataclass(frozen=True, slots=True)
class Pause:
    """Where a conversation stopped: what was said, the reply under way, and what came of its calls so far."""

    turns: tuple[Turn, ...]
    reply: Reply
    returned: tuple[Returned, ...]
    spent_turns: int
    spent: Tokens


def write(pause: Pause) -> dict[str, object]:
    """Return the pause as plain JSON."""
    return {
        "turns": [_write_turn(turn) for turn in pause.turns],
        "reply": asdict(pause.reply),
        "returned": [asdict(each) for each in pause.returned],
        "spent_turns": pause.spent_turns,
        "spent": asdict(pause.spent),
    }


def read(session: Session) -> Pause:
    """Return the pause that was written.

    Raises:
        SessionError: It is no conversation of this agent.
    """
    try:
        pause = Pause(
            tuple(_read_turn(turn) for turn in _items(session["turns"])),
            _read_reply(session["reply"]),
            tuple(Returned(**each) for each in _items(session["returned"])),
            _number(session["spent_turns"]),
            Tokens(**_object(session["spent"])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise SessionError(f"it is no conversation: {error}") from error
    if len(pause.returned) >= len(pause.reply.calls):
        raise SessionError("none of its calls is open")
    return pause


def _write_turn(turn: Turn) -> dict[str, object]:
    match turn:
        case Asked(text):
            return {"asked": text}
        case Reply():
            return {"reply": asdict(turn)}
        case _:
            return {"returned": [asdict(each) for each in turn]}


def _read_turn(value: object) -> Turn:
    turn = _object(value)
    if "asked" in turn:
        return Asked(str(turn["asked"]))
    if "reply" in turn:
        return _read_reply(turn["reply"])
    return tuple(Returned(**each) for each in _items(turn["returned"]))


def _read_reply(value: object) -> Reply:
    fields = _object(value)
    calls = tuple(Call(**each) for each in _items(fields.pop("calls")))
    tokens = Tokens(**_object(fields.pop("tokens")))
    thinking = tuple(_items(fields.pop("thinking")))
    return Reply(**fields, calls=calls, tokens=tokens, thinking=thinking)


def _items(value: object) -> Sequence[dict[str, Any]]:
    if not isinstance(value, list | tuple):
        raise TypeError("a list was expected")
    return [_object(each) for each in value]


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError("an object was expected")
    return dict(value)


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("a number was expected")
    return value
