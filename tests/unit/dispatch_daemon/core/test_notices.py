"""A notice names who and what, once, and never a word of what anybody wrote."""

from dataclasses import replace

import pytest

from dispatch_daemon.core.notices import Notice, NoticeKind, environment, notices_of, sentence
from dispatch_daemon.core.records import ApprovalState, Box, DispatchRecord, MessageRecord
from dispatch_daemon.core.shared_records import QuestionRecord
from dispatch_protocol.lifecycle import DispatchState
from tests.support.desk import approval, own_job, received, sent
from tests.support.documents import ALICE

ASKED = approval()
ANSWERED = approval(request_id="answered", state=ApprovalState.APPROVED)


def kinds(record: DispatchRecord) -> list[NoticeKind]:
    return [notice.kind for notice in notices_of(record, [ASKED, ANSWERED])]


@pytest.mark.parametrize(
    ("record", "called_for"),
    [
        (received(), [NoticeKind.TASK]),
        (received(DispatchState.ACCEPTED), [NoticeKind.QUESTION]),
        (received(DispatchState.WAITING_INPUT), [NoticeKind.PARKED]),
        (received(DispatchState.FINISHED), []),
        (received(DispatchState.EXPIRED), []),
        (sent(DispatchState.QUEUED), []),
        (sent(DispatchState.WAITING_INPUT), []),
        (sent(DispatchState.FINISHED), [NoticeKind.RESULT]),
        (sent(DispatchState.DECLINED), [NoticeKind.RESULT]),
        (sent(DispatchState.EXPIRED), [NoticeKind.RESULT]),
        (sent(DispatchState.CANCELLED), [NoticeKind.RESULT]),
        (sent(DispatchState.CANCELLED, cancel_requested=True), []),
        (replace(own_job(), state=DispatchState.CANCELLED), []),
        (own_job(), []),
        (replace(own_job(), state=DispatchState.ACCEPTED), [NoticeKind.QUESTION]),
        (replace(own_job(), state=DispatchState.FINISHED), [NoticeKind.RESULT]),
    ],
)
def test_somebody_is_called_for_what_waits_for_them_and_for_what_came_back(
    record: DispatchRecord, called_for: list[NoticeKind]
) -> None:
    assert kinds(record) == called_for


def test_each_thing_has_one_key_of_its_own() -> None:
    stages = [
        received(),
        received(DispatchState.ACCEPTED),
        received(DispatchState.WAITING_INPUT),
        replace(received(DispatchState.FINISHED), box=Box.SENT),
    ]
    keys = [notice.key for stage in stages for notice in notices_of(stage, [ASKED])]
    assert len(set(keys)) == 4
    assert keys == [notice.key for stage in stages for notice in notices_of(stage, [ASKED])]


@pytest.mark.parametrize("record", [received(), sent(DispatchState.FINISHED)])
def test_words_that_nobody_has_read_call_whatever_became_of_their_dispatch(record: DispatchRecord) -> None:
    theirs = message(digest="d1", ours=False)
    said = [theirs, replace(theirs, digest="d2", read_ms=1), message(digest="d3", ours=True)]
    last = notices_of(record, (), said)[-1]
    assert (last.kind, last.key, last.who) == (NoticeKind.MESSAGE, "d1", record.address)
    assert len(notices_of(record, (), said)) == len(notices_of(record, ())) + 1


@pytest.mark.parametrize("elsewhere", [True, False])
def test_what_a_run_on_another_machine_asks_calls_here_too_and_nothing_else_of_it(elsewhere: bool) -> None:
    there = QuestionRecord(
        request_id="there",
        digest="d",
        run_id="r",
        device="00",
        subject="s",
        deadline_ms=1,
        about="",
        title="a secret",
        asked_ms=0,
    )
    calls = notices_of(received(), (), elsewhere=elsewhere, asked=[there])
    kinds = [NoticeKind.QUESTION] if elsewhere else [NoticeKind.TASK, NoticeKind.QUESTION]
    assert ([each.kind for each in calls], calls[-1].key) == (kinds, "there")
    assert "secret" not in sentence(calls)


def message(*, digest: str, ours: bool) -> MessageRecord:
    return MessageRecord(
        digest=digest,
        about="",
        ours=ours,
        device="",
        seq=1,
        signed=b"",
        at_ms=0,
        expires_ms=0,
    )


def notice(kind: NoticeKind, who: str, known: str = "abcd1234") -> Notice:
    return Notice(kind, who, known, f"{kind} {who} {known}")


def test_one_line_says_one_thing_or_many() -> None:
    assert (
        sentence([notice(NoticeKind.TASK, "a@x")])
        == "a task: a@x. See it with dispatch ui or dispatch inbox."
    )
    many = [
        *[notice(NoticeKind.TASK, f"{name}@x") for name in "abcda"],
        notice(NoticeKind.QUESTION, "b@x"),
    ]
    assert sentence(many).startswith("5 tasks and a question: a@x, b@x, c@x and 1 more. ")


def test_a_command_is_told_who_what_and_how_many() -> None:
    (one,) = notices_of(received(), [])
    assert environment([one]) == {
        "DISPATCH_NOTICE": sentence([one]),
        "DISPATCH_NOTICE_KIND": "task",
        "DISPATCH_NOTICE_FROM": ALICE.email,
        "DISPATCH_NOTICE_ID": one.short_id,
        "DISPATCH_NOTICE_COUNT": "1",
    }
    several = environment([notice(NoticeKind.TASK, "a@x", "1"), notice(NoticeKind.RESULT, "a@x", "2")])
    assert several["DISPATCH_NOTICE_KIND"] == "several"
    assert several["DISPATCH_NOTICE_FROM"] == "a@x"
    assert (several["DISPATCH_NOTICE_ID"], several["DISPATCH_NOTICE_COUNT"]) == ("", "2")


def test_what_another_device_of_ours_has_decided_waits_for_nobody_here() -> None:
    assert notices_of(received(), [ASKED], elsewhere=True) == []
