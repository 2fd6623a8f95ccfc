"""Internals stay out of what is signed: whatever can end a run says it to its own machine, and a code to the sender.

The codes are read from the source, so one that is added has to be thought about here as well.
"""

import re
from pathlib import Path

import pytest

from dispatch_daemon.core import endings

ROOT = Path(__file__).resolve().parents[2]
PLACES = ("sandbox", "dispatch_daemon/adapters/executor")
RAISED = re.compile(r'Error\(\s*"([a-z][a-z_]*)"\s*,')
SAID = "/home/bob/.dispatch/runs/7/upper: http://127.0.0.1:11434, /home/bob/.secrets/model.key"
ANSWERED_INSIDE = "gate_"  # the gate answers a program inside the wall with these; none of them ends a run
OF_THE_TASK = {
    "steps_invalid": "it speaks of the steps that the sender has signed",
    "artifact_refused": "it answers whoever names files of work done by hand, at their own terminal",
}


def codes() -> list[str]:
    """Return every code with which the sandbox, or what reaches it, gives up."""
    sources = (path.read_text() for place in PLACES for path in (ROOT / place).rglob("*.py"))
    found = {code for source in sources for code in RAISED.findall(source)}
    return sorted(code for code in found if not code.startswith(ANSWERED_INSIDE) and code not in OF_THE_TASK)


def test_the_codes_are_found() -> None:
    assert {"layer_unreadable", "journal_damaged", "model_unreachable", "agent_garbled"} <= set(codes())
    assert len(codes()) > 30


@pytest.mark.parametrize("code", codes())
def test_what_the_machine_says_of_an_end_is_not_signed(code: str) -> None:
    assert endings.signed_words(code, SAID) == ""


@pytest.mark.parametrize("code", codes())
def test_each_code_has_a_sentence_for_the_sender(code: str) -> None:
    words, command = endings.AUTHOR[code]
    assert words.endswith(".")
    assert command.startswith(("dispatch followup ", "dispatch reply "))
