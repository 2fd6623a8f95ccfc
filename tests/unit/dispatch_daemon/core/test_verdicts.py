"""A verdict of another device is applied to exactly the question that it is about, once, from who may say so."""

from dataclasses import replace
from typing import Any

import pytest

from dispatch_daemon.core import approvals, verdicts
from dispatch_daemon.core.composing import Own
from dispatch_daemon.core.effects import Effect, Put
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.reach import call_subject
from dispatch_daemon.core.records import ApprovalKind, ApprovalRecord, ApprovalState, Door, GrantChoice
from dispatch_daemon.core.shared_records import QuestionRecord
from dispatch_protocol.chain import Chain
from dispatch_protocol.grant import Version
from dispatch_protocol.keys import DeviceId, Digest, SealingKey, SigningKey
from dispatch_protocol.links import AddDeviceLink, RevokeDeviceLink, Role, sign_link
from dispatch_protocol.messages.registry import encode_body
from dispatch_protocol.messages.shared_questions import (
    SHOWN_BYTES,
    QuestionEntry,
    QuestionState,
    VerdictEntry,
)
from tests.support.desk import MOMENT, approval, at, puts, received, run
from tests.support.documents import BOB, NOW_MS, digest, fixed
from tests.support.household import household_log

LAPTOP, WATCH = SigningKey(fixed("laptop")), SigningKey(fixed("watch"))
GRANT = Version(1, BOB.device)
CALL = {"command": "true"}
ASKED = approval(subject=call_subject("Bash", CALL))


def added(chain: Chain, key: SigningKey, *roles: Role) -> Chain:
    link = AddDeviceLink(
        prev=chain.head,
        device=key.device,
        sealing=SealingKey(fixed(key.device.hex)).public,
        roles=frozenset(roles),
        created_ms=NOW_MS,
        nonce=bytes(16),
    )
    return chain.extend([sign_link(link, (BOB.sign, key))])


def without(chain: Chain, key: SigningKey) -> Chain:
    link = RevokeDeviceLink(prev=chain.head, device=key.device, created_ms=NOW_MS, nonce=bytes(16))
    return chain.extend([sign_link(link, (BOB.sign,))])


CHAIN = added(added(BOB.chain, LAPTOP, Role.APPROVER), WATCH, Role.RUNNER)
DESK = Own(CHAIN, BOB.device, BOB.email)
ON_LAPTOP, ON_WATCH = Own(CHAIN, LAPTOP.device, BOB.email), Own(CHAIN, WATCH.device, BOB.email)


def code(raised: pytest.ExceptionInfo[ServiceError]) -> str:
    return raised.value.code


def question(record: ApprovalRecord = ASKED, grant: Version | None = GRANT) -> QuestionRecord:
    """Return a question of the desk's as the laptop takes it in."""
    (put,) = verdicts.taken(verdicts.told(record, DESK, grant), None)
    assert isinstance(put, Put)
    assert isinstance(put.record, QuestionRecord)
    return put.record


def said(
    asked: QuestionRecord | None = None, *, approved: bool = True, own: Own = ON_LAPTOP
) -> QuestionRecord:
    (put,) = verdicts.say(asked or question(), own, "desk", NOW_MS, approved=approved, reason="fine")
    assert isinstance(put, Put)
    assert isinstance(put.record, QuestionRecord)
    return put.record


def apply(
    entry: VerdictEntry,
    record: ApprovalRecord = ASKED,
    *,
    by: DeviceId = LAPTOP.device,
    own: Own = DESK,
    grant: Version | None = GRANT,
    now_ms: int = NOW_MS,
) -> list[Effect]:
    return verdicts.applied(entry, by, record, received(), run(), own, grant, at(now_ms))


# -- there and back --------------------------------------------------------------------------------------


@pytest.mark.parametrize("grant", [GRANT, None])
@pytest.mark.parametrize(
    ("approved", "state", "reach"),
    [(True, ApprovalState.APPROVED, GrantChoice.ONCE), (False, ApprovalState.DENIED, None)],
)
def test_what_is_said_on_the_laptop_is_applied_on_the_desk_and_known_on_both(
    grant: Version | None, approved: bool, state: ApprovalState, reach: GrantChoice | None
) -> None:
    answered = said(question(grant=grant), approved=approved)
    assert verdicts.standing(answered, ON_LAPTOP) == "told"
    (closed,) = puts(apply(verdicts.verdict(answered, NOW_MS), grant=grant), ApprovalRecord)
    assert (closed.state, closed.grant, closed.reason) == (state, reach, "fine")
    assert (closed.decided_by, closed.decided_on) == (Door.DEVICE, LAPTOP.device.hex)
    assert approvals.applied(closed)["decided_on"] == {"device": LAPTOP.device.hex, "name": None}
    (put,) = verdicts.taken(verdicts.told(closed, DESK, grant), answered)
    assert isinstance(put, Put)
    assert isinstance(put.record, QuestionRecord)
    assert (verdicts.standing(put.record, ON_LAPTOP), put.record.payload) == ("applied", None)


def test_who_was_not_first_is_told_so() -> None:
    closed = replace(ASKED, state=ApprovalState.DENIED, decided_by=Door.CLI, decided_ms=NOW_MS)
    with pytest.raises(ServiceError) as raised:
        apply(verdicts.verdict(said(), NOW_MS), closed)
    assert code(raised) == "not_pending"
    (put,) = verdicts.taken(verdicts.told(closed, DESK, GRANT), said())
    assert isinstance(put, Put)
    assert isinstance(put.record, QuestionRecord)
    assert verdicts.standing(put.record, ON_LAPTOP) == "too_late"
    with pytest.raises(ServiceError):
        apply(verdicts.verdict(said(), NOW_MS), now_ms=ASKED.deadline_ms)


@pytest.mark.parametrize(
    "other",
    [
        {"dispatch": digest("another task")},
        {"run_id": MOMENT.uuid()},
        {"request": MOMENT.uuid()},
        {"subject": digest("another call")},
        {"grant": Version(2, BOB.device)},
        {"grant": None},
        {"deadline_ms": ASKED.deadline_ms + 1},
        {"device": WATCH.device},
    ],
)
def test_a_verdict_about_anything_else_is_worth_nothing(other: dict[str, Any]) -> None:
    entry = verdicts.verdict(said(), NOW_MS)
    with pytest.raises(ServiceError) as raised:
        apply(replace(entry, asked=replace(entry.asked, **other)))
    assert code(raised) == "verdict_mismatch"


def test_who_may_not_answer_or_has_left_is_not_heard() -> None:
    entry = verdicts.verdict(said(), NOW_MS)
    for by, own in (
        (WATCH.device, DESK),
        (LAPTOP.device, replace(DESK, chain=without(CHAIN, LAPTOP))),
    ):
        with pytest.raises(ServiceError) as raised:
            apply(entry, by=by, own=own)
        assert code(raised) == "not_approver"


# -- on the other device ---------------------------------------------------------------------------------


def test_a_question_is_told_whole_or_not_at_all() -> None:
    assert verdicts.told(ASKED, DESK, GRANT).payload == ASKED.payload
    deep: Any = {}
    for _ in range(40):
        deep = {"deeper": deep}
    for odd in ({"input": {"command": "x" * SHOWN_BYTES}}, {"input": {"command": "\ud800"}}, {"input": deep}):
        entry = verdicts.told(replace(ASKED, payload=odd, flags=("odd",)), DESK, GRANT)
        assert (entry.payload, entry.title, entry.flags) == (None, "", ())
        encode_body(household_log(entries=(entry,)))
    warned = verdicts.told(replace(ASKED, flags=("it " * 100,)), DESK, GRANT)
    encode_body(household_log(entries=(warned,)))
    assert warned.flags == ("it " * 100,)
    closed = verdicts.told(replace(ASKED, state=ApprovalState.EXPIRED), DESK, GRANT)
    assert (closed.payload, closed.by, closed.state) == (None, None, QuestionState.EXPIRED)
    answered = replace(ASKED, state=ApprovalState.DENIED, decided_by=Door.PAGE)
    assert verdicts.told(answered, DESK, GRANT).by == BOB.device


def test_a_question_is_taken_in_once_and_what_is_closed_stays_so() -> None:
    entry = verdicts.told(ASKED, DESK, GRANT)
    assert verdicts.taken(entry, question()) == []
    over = verdicts.told(replace(ASKED, state=ApprovalState.WITHDRAWN), DESK, GRANT)
    closed = replace(question(), state=QuestionState.WITHDRAWN, payload=None)
    assert verdicts.taken(over, question()) == [Put(closed)]
    assert verdicts.taken(entry, closed) == verdicts.taken(over, closed) == []
    (early,) = verdicts.taken(replace(over, by=BOB.device), None)
    assert isinstance(early, Put)
    assert isinstance(early.record, QuestionRecord)
    assert (early.record.state, early.record.by) == (QuestionState.WITHDRAWN, BOB.device.hex)


@pytest.mark.parametrize("payload", [{"input": {"command": "rm"}}, {"input": "true"}])
def test_a_question_that_shows_another_call_is_not_shown(payload: dict[str, Any]) -> None:
    entry: QuestionEntry = replace(verdicts.told(ASKED, DESK, GRANT), payload=payload)
    with pytest.raises(ValueError, match="another call"):
        verdicts.taken(entry, None)


def test_what_was_too_large_to_be_told_is_refused_a_yes_and_not_a_no() -> None:
    hidden = replace(question(), payload=None)
    with pytest.raises(ServiceError) as raised:
        said(hidden)
    assert code(raised) == "look_there"
    assert said(hidden, approved=False).said == "denied"


@pytest.mark.parametrize(
    ("asked", "own", "refusal", "words"),
    [
        (question(), ON_WATCH, "not_approver", "may not answer"),
        (replace(question(), said="approved"), ON_LAPTOP, "not_pending", "has not applied"),
        (replace(question(), deadline_ms=NOW_MS), ON_LAPTOP, "not_pending", "time is over"),
        (replace(question(), state=QuestionState.DENIED), ON_LAPTOP, "not_pending", "it was denied on desk"),
        (
            replace(question(), state=QuestionState.APPROVED, said="approved", by=LAPTOP.device.hex),
            ON_LAPTOP,
            "not_pending",
            "was applied on desk",
        ),
        (replace(question(), device="ab" * 32), ON_LAPTOP, "not_pending", "none of your devices"),
    ],
)
def test_what_cannot_be_answered_here_is_said_in_words(
    asked: QuestionRecord, own: Own, refusal: str, words: str
) -> None:
    assert not verdicts.is_open(asked, own, NOW_MS)
    with pytest.raises(ServiceError) as raised:
        said(asked, own=own)
    assert code(raised) == refusal
    assert words in str(raised.value)


def test_a_device_that_has_left_answers_nothing() -> None:
    assert not verdicts.is_open(question(), replace(ON_LAPTOP, chain=without(CHAIN, LAPTOP)), NOW_MS)


# -- shown -----------------------------------------------------------------------------------------------


def test_it_is_shown_whole_with_where_it_runs() -> None:
    shown = verdicts.view(question(), "desk", sender="alice@example.org", own=ON_LAPTOP)
    assert (shown["input"], shown["on"], shown["state"], shown["grants"]) == (CALL, "desk", "open", ["once"])
    assert str(shown["description"]).endswith(", on desk")
    changes = replace(question(), about=ApprovalKind.CHANGESET, payload={"changes": [1]})
    assert verdicts.view(changes, "desk", sender="a", own=ON_LAPTOP)["input"] == [1]
    files: Any = [{"name": "a", "path": "/etc/passwd"}, "nonsense"]
    there = replace(changes, payload={"changes": [1], "artifacts": files})
    assert verdicts.view(there, "desk", sender="a", own=ON_LAPTOP)["payload"] == {
        "changes": [1],
        "artifacts": [{"name": "a"}],
    }, "what lies there on this machine is something else"
    hidden = verdicts.view(replace(question(), payload=None), "desk", sender="a", own=ON_LAPTOP)
    assert (hidden["payload"], "more than is told here" in str(hidden["description"])) == (None, True)


@pytest.mark.parametrize(("approved", "grant"), [(True, "once"), (False, None)])
def test_what_was_said_is_not_said_to_hold(approved: bool, grant: str | None) -> None:
    answered = verdicts.answered_view(said(approved=approved), "desk", ON_LAPTOP, by=Door.CLI, now_ms=NOW_MS)
    assert (answered["status"], answered["grant"], answered["on"]) == ("told", grant, "desk")
    assert (answered["request_id"], answered["decided_on"]) == (str(ASKED.request_id), None)
    assert Digest.from_hex(ASKED.digest)
