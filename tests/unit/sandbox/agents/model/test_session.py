"""A conversation is taken up exactly as it was set aside, or not at all."""

import json
from typing import Any

import pytest

from sandbox.agents.model import session
from sandbox.agents.model.conversation import Asked, Call, Reply, Returned, Tokens
from sandbox.agents.model.session import Pause
from sandbox.errors import SessionError

CALLS = (Call("a", "Read", {"file_path": "x"}), Call("b", "Bash", None))
PAUSE = Pause(
    turns=(
        Asked("do it"),
        Reply(text="first", reasoning="hm", calls=CALLS[:1], tokens=Tokens(3, 4), thinking=({"type": "t"},)),
        (Returned("a", ok=True, output="out"),),
    ),
    reply=Reply(text="second", calls=CALLS, cut=True),
    returned=(Returned("a", ok=False, output="no"),),
    spent_turns=2,
    spent=Tokens(5, 6),
)


def stored() -> dict[str, Any]:
    value: dict[str, Any] = json.loads(json.dumps(session.write(PAUSE)))
    return value


def test_pause_survives_being_stored() -> None:
    assert session.read(stored()) == PAUSE


@pytest.mark.parametrize(
    "change",
    [
        {"turns": None},
        {"turns": [{"said": "x"}]},
        {"turns": ["x"]},
        {"reply": {}},
        {"reply": None},
        {"returned": [{"call_id": "a"}]},
        {"returned": [{"call_id": "a", "ok": True, "output": "x"}] * 2},
        {"spent_turns": "2"},
        {"spent_turns": True},
        {"spent": {"input": 1, "other": 2}},
    ],
)
def test_what_is_no_conversation_is_refused_whole(change: dict[str, Any]) -> None:
    with pytest.raises(SessionError):
        session.read(stored() | change)


def test_session_that_lacks_a_part_is_refused() -> None:
    for name in stored():
        with pytest.raises(SessionError):
            session.read({key: value for key, value in stored().items() if key != name})
