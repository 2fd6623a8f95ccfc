"""Why a run did not succeed, in the words of the side that asks, and nothing of one machine in the words of the other."""

from dataclasses import replace

import pytest

from dispatch_daemon.core import endings
from dispatch_daemon.core.records import Box, DispatchRecord
from dispatch_protocol import loopback
from tests.support.desk import own_job, received, sent

URL = "http://127.0.0.1:9/v1/messages: nobody answers"


def test_what_went_well_has_no_reason() -> None:
    assert endings.error(sent()) is None


@pytest.mark.parametrize("code", list(endings.AUTHOR))
def test_an_author_who_has_the_code_alone_gets_a_sentence_and_a_command(code: str) -> None:
    told = endings.error(replace(sent(), ended_code=code))
    assert told is not None
    assert str(told["detail"]).endswith(".")
    assert str(told["hint"]).startswith(("dispatch followup ", "dispatch reply "))
    assert loopback.short_id(sent().dispatch_id) in str(told["hint"])
    assert endings.signed_words(code, URL) == ""


@pytest.mark.parametrize(
    ("record", "code", "hint"),
    [
        (sent(), "denied", f"dispatch followup {loopback.short_id(sent().dispatch_id)} TASK"),
        (sent(), "a_word_of_another_version", None),
        (received(), "model_unreachable", "dispatch agent test"),
        (own_job(), "model_unreachable", "dispatch agent test"),
        (received(), "budget", f"dispatch edit-edge {received().address} --budget turns=N,tokens=N,usd=X"),
        (own_job(), "budget", None),
        (received(), "denied", None),
    ],
)
def test_the_next_command_is_of_the_side_that_asks(
    record: DispatchRecord, code: str, hint: str | None
) -> None:
    ended = replace(record, ended_code=code, ended_detail="as it was said here")
    assert endings.error(ended) == {"code": code, "detail": "as it was said here", "hint": hint}


def test_what_people_and_steps_said_is_signed_with_the_code() -> None:
    assert endings.signed_words("denied", "Bash was denied: no.") == "Bash was denied: no."


@pytest.mark.parametrize("box", list(Box))
@pytest.mark.parametrize("status", ["sent", "delivered"])
def test_what_waits_for_a_yes_is_said_to_wait_for_whose(status: str, box: Box) -> None:
    whose = "its recipient's" if box is Box.SENT else "your"
    assert endings.unended(status, box) == f"this dispatch has not ended: it waits for {whose} yes"


def test_what_runs_is_said_to_run() -> None:
    assert endings.unended("running", Box.INBOX) == "this dispatch has not ended: it is running"
