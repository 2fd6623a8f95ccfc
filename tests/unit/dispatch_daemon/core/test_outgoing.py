"""A dispatch is checked before it is signed, says everything in one body, and is owed until it ends."""

from dataclasses import replace
from typing import Any

import pytest

from dispatch_daemon.core import outgoing
from dispatch_daemon.core.effects import Effect, Note, Plan, Send, TaskKind
from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.outgoing import Addressee
from dispatch_daemon.core.records import Box, DispatchRecord
from dispatch_daemon.core.requests import SendRequest
from dispatch_protocol import limits
from dispatch_protocol.grant import Version
from dispatch_protocol.keys import Digest, EdgeId
from dispatch_protocol.lifecycle import DispatchState, Outcome
from dispatch_protocol.messages.steps import Step
from dispatch_protocol.messages.task import Task
from dispatch_protocol.signing import dispatch_id
from tests.support.desk import ALICE_OWN, ALICE_PEER, BOB_PEER, MOMENT, puts, received, sends, sent, signed
from tests.support.documents import ALICE, BOB, EDGE, HOUR_MS, NOW_MS

REQUEST = SendRequest(recipient=BOB.email, task="Räume auf", surface="page")
TO_BOB = Addressee(
    peer=BOB_PEER,
    address=BOB.email,
    edge=EDGE.hex,
    box=Box.SENT,
    owner_device=BOB.device,
    grant_version=Version(1, BOB.device),
)
TO_SELF = Addressee(
    peer=ALICE_PEER,
    address="me",
    edge=EdgeId.SELF.hex,
    box=Box.OWN,
    owner_device=ALICE.device,
    grant_version=None,
)
STEPS = (Step(tool="Bash", input={"command": "true"}),)


def asking(**changes: Any) -> SendRequest:
    return replace(REQUEST, **changes)


def compose(
    request: SendRequest = REQUEST, to: Addressee = TO_BOB, steps: tuple[Step, ...] = ()
) -> tuple[DispatchRecord, list[Effect]]:
    return outgoing.compose(request, steps, to, ALICE_OWN, MOMENT, idempotency_key="key")


def task_of(effects: list[Effect]) -> Task:
    (task,) = sends(effects)
    assert isinstance(task, Task)
    return task


# -- limits --------------------------------------------------------------------------------------------

FULL: dict[str, Any] = {
    "task": "x" * limits.TASK_CHARS,
    "background": "x" * limits.BACKGROUND_CHARS,
    "deliverable": "x" * limits.DELIVERABLE_CHARS,
    "project": "x" * limits.PROJECT_CHARS,
    "links": ("https://".ljust(limits.LINK_CHARS, "x"),) * limits.LINKS,
    "meta": {
        f"{number:0{limits.META_KEY_CHARS}}": "x" * limits.META_VALUE_CHARS
        for number in range(limits.META_PAIRS)
    },
    "expires_s": limits.EXPIRY_MAX_S,
    "timeout_s": 1,
}


def test_dispatch_at_every_limit_is_sent_whole() -> None:
    request = asking(**FULL)
    outgoing.check(request)
    task = task_of(compose(request)[1])
    assert (task.task, task.background, task.deliverable, task.project) == (
        FULL["task"],
        FULL["background"],
        FULL["deliverable"],
        FULL["project"],
    )
    assert (task.links, task.meta, task.timeout_s) == (FULL["links"], FULL["meta"], 1)


@pytest.mark.parametrize(
    ("changes", "code", "named"),
    [
        ({"task": ""}, "empty_task", "task"),
        ({"task": " \n\t"}, "empty_task", "task"),
        ({"task": FULL["task"] + "x"}, "too_long", "100,001"),
        ({"background": FULL["background"] + "x"}, "too_long", "background"),
        ({"deliverable": FULL["deliverable"] + "x"}, "too_long", "deliverable"),
        ({"project": FULL["project"] + "x"}, "too_long", "project"),
        ({"links": ("x",) * 11}, "invalid", "11 links"),
        ({"links": ("",)}, "invalid", "link"),
        ({"links": ("javascript:alert(1)",)}, "invalid", "no link"),
        ({"links": ("FILE:///etc/passwd",)}, "invalid", "no link"),
        ({"links": ("x" * 501,)}, "too_long", "link"),
        ({"meta": {str(number): "" for number in range(21)}}, "invalid", "21 meta"),
        ({"meta": {"": "x"}}, "invalid", "meta key"),
        ({"meta": {"k" * 65: "x"}}, "too_long", "meta key"),
        ({"meta": {"k": "x" * 1001}}, "too_long", "meta k"),
        ({"expires_s": 59}, "invalid", "59 s"),
        ({"expires_s": 86_401}, "invalid", "86401 s"),
        ({"timeout_s": 0}, "invalid", "timeout"),
        ({"task": "\ud800"}, "not_encodable", "task"),
    ],
)
def test_what_is_over_a_limit_is_refused_by_its_name(changes: dict[str, Any], code: str, named: str) -> None:
    with pytest.raises(ServiceError) as raised:
        outgoing.check(asking(**changes))
    assert raised.value.code == code
    assert named in raised.value.detail


@pytest.mark.parametrize("seconds", [None, limits.EXPIRY_MIN_S, limits.EXPIRY_MAX_S])
def test_expiry_within_its_bounds_is_taken(seconds: int | None) -> None:
    outgoing.check(asking(expires_s=seconds))


@pytest.mark.parametrize("reason", [None, "", "not today", "x" * limits.REASON_CHARS])
def test_reason_is_free_and_may_be_absent(reason: str | None) -> None:
    outgoing.check_reason(reason)


@pytest.mark.parametrize(
    ("reason", "code"), [("x" * (limits.REASON_CHARS + 1), "too_long"), ("\ud800", "not_encodable")]
)
def test_reason_that_nobody_could_read_is_refused(reason: str, code: str) -> None:
    with pytest.raises(ServiceError) as raised:
        outgoing.check_reason(reason)
    assert raised.value.code == code


# -- composing -----------------------------------------------------------------------------------------


def test_everything_that_decides_stands_in_the_signed_body() -> None:
    _, effects = compose(asking(background="why", expires_s=60), steps=STEPS)
    task = task_of(effects)
    assert (task.task, task.background, task.steps) == ("Räume auf", "why", STEPS)
    assert (task.principal, task.owner_device, task.grant_version) == (
        ALICE.party,
        BOB.device,
        Version(1, BOB.device),
    )
    assert (task.head.recipient, task.head.edge) == (BOB.recipient, EDGE)
    assert (task.head.created_ms, task.head.expires_ms) == (NOW_MS, NOW_MS + 60_000)
    assert task.origin is not None
    assert task.origin.surface == REQUEST.surface == "page"


def test_dispatch_is_named_by_what_will_be_signed() -> None:
    record, effects = compose()
    document = signed(task_of(effects))
    assert record.digest == document.digest.hex
    assert record.dispatch_id == str(dispatch_id(document.digest))
    assert puts(effects, DispatchRecord) == [record]
    assert (record.signed, record.idempotency_key, record.address) == (b"", "key", BOB.email)


def test_dispatch_to_another_is_owed_and_ends_by_itself() -> None:
    record, effects = compose()
    assert (record.state, record.box) == (DispatchState.QUEUED, Box.SENT)
    assert [effect.deliver for effect in effects if isinstance(effect, Send)] == [True]
    (plan,) = [effect for effect in effects if isinstance(effect, Plan)]
    assert (plan.kind, plan.key, plan.not_before_ms) == (TaskKind.EXPIRE, record.digest, NOW_MS + HOUR_MS)
    assert sum(isinstance(effect, Note) for effect in effects) == 1


def test_own_job_is_there_at_once_never_leaves_and_waits_as_long_as_it_must() -> None:
    record, effects = compose(to=TO_SELF)
    assert (record.state, record.box, record.expires_ms) == (DispatchState.DELIVERED, Box.OWN, 0)
    assert [effect.deliver for effect in effects if isinstance(effect, Send)] == [False]
    assert not any(isinstance(effect, Plan) for effect in effects)
    assert task_of(effects).head.expires_ms == 0


def test_own_job_ends_by_itself_if_it_shall() -> None:
    record, effects = compose(asking(expires_s=60), TO_SELF)
    assert record.expires_ms == NOW_MS + 60_000
    assert any(isinstance(effect, Plan) and effect.kind is TaskKind.EXPIRE for effect in effects)


def test_a_follow_up_joins_the_thread_of_what_it_follows_and_names_it() -> None:
    parent = sent()
    record, effects = outgoing.compose(
        asking(), (), TO_BOB, ALICE_OWN, MOMENT, idempotency_key=None, parent=parent
    )
    task = task_of(effects)
    assert (str(task.thread), task.parent) == (parent.thread_id, Digest.from_hex(parent.digest))
    assert record.thread_id == parent.thread_id
    assert task_of(compose()[1]).parent is None


@pytest.mark.parametrize(("text", "code"), [(" \n", "invalid"), ("x" * 8_001, "too_long")])
def test_words_that_their_reader_would_not_take_are_refused(text: str, code: str) -> None:
    outgoing.check_reply("x" * 8_000)
    with pytest.raises(ServiceError) as raised:
        outgoing.check_reply(text)
    assert raised.value.code == code


def test_what_brought_nothing_back_is_asked_for_anew_with_all_that_it_said() -> None:
    request = asking(
        background="why", links=("https://a.example",), meta={"k": "v"}, expires_s=600, timeout_s=5
    )
    record, effects = compose(request)
    again = outgoing.request_again(replace(record, state=DispatchState.DECLINED), task_of(effects))
    assert again == replace(request, steps=None)
    own, effects = compose(to=TO_SELF)
    assert outgoing.request_again(own, task_of(effects)).recipient is None
    assert outgoing.request_again(own, task_of(effects)).expires_s is None
    nowhere = replace(task_of(effects), origin=None)
    assert outgoing.request_again(own, nowhere).surface == "api"


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (received(DispatchState.DECLINED), "wrong_party"),
        (sent(DispatchState.QUEUED), "not_pending"),
        (sent(DispatchState.ACCEPTED), "not_pending"),
        (sent(DispatchState.FINISHED), "not_pending"),
        (sent(DispatchState.FINISHED, outcome=Outcome.BLOCKED), "not_pending"),
        (sent(DispatchState.ACCEPTED, outcome=Outcome.NEED_INPUT), "not_pending"),
        (sent(DispatchState.FINISHED, outcome=Outcome.NEED_INPUT), None),
        (sent(DispatchState.REFUSED), None),
        (sent(DispatchState.EXPIRED), None),
        (sent(DispatchState.DECLINED), None),
        (sent(DispatchState.CANCELLED), None),
    ],
)
def test_only_what_is_ours_and_brought_nothing_back_is_sent_anew(
    record: DispatchRecord, code: str | None
) -> None:
    if code is None:
        outgoing.require_resendable(record)
        return
    with pytest.raises(ServiceError) as raised:
        outgoing.require_resendable(record)
    assert raised.value.code == code


def test_empty_text_is_no_text() -> None:
    task = task_of(compose(asking(background="", deliverable="", project=""))[1])
    assert (task.background, task.deliverable, task.project) == (None, None, None)


@pytest.mark.parametrize(
    ("request_", "steps"),
    [
        (REQUEST, (Step(tool="Bash", input={"command": "x" * limits.STEPS_BYTES}),)),
        (asking(timeout_s=10**9), ()),
    ],
)
def test_what_no_recipient_would_read_is_refused_before_it_is_signed(
    request_: SendRequest, steps: tuple[Step, ...]
) -> None:
    with pytest.raises(ServiceError) as raised:
        compose(request_, steps=steps)
    assert raised.value.code == "invalid"


@pytest.mark.parametrize(
    ("text", "code"), [(" ", "invalid"), ("x" * 8_001, "too_long"), ("\ud800", "not_encodable")]
)
def test_words_of_a_result_that_nobody_would_read_are_refused(text: str, code: str) -> None:
    outgoing.check_text("It was the cable.")
    with pytest.raises(ServiceError) as raised:
        outgoing.check_text(text)
    assert raised.value.code == code
