"""What scripts rely on: every field is there, in its one shape, and what does not apply is null."""

from typing import Any

import pytest

from dispatch_daemon.core import questions, trust_views, views
from dispatch_daemon.core.records import (
    AnswerRecord,
    ApprovalKind,
    ApprovalState,
    Box,
    EventRecord,
    RunRecord,
)
from dispatch_daemon.core.siblings import Shared
from dispatch_protocol.keys import Digest
from dispatch_protocol.lifecycle import DispatchState, Outcome, RunState, Status
from dispatch_protocol.messages.files import Attachment, Blob
from dispatch_protocol.messages.steps import Step
from dispatch_protocol.messages.trace import EventType
from dispatch_protocol.signing import dispatch_id
from tests.support.desk import SCOPES, approval, own_job, received, run, sent
from tests.support.documents import ALICE, BOB, NOW_MS, digest, fixed, task

AT = "2026-01-02T03:04:05.678Z"
DEVICE = BOB.device.hex


def whole(record: Any = None, **more: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "runs": (),
        "events": (),
        "approvals": (),
        "answers": (),
        "own_address": BOB.email,
        "trust": "token",
    }
    return views.dispatch_whole(record or received(), **settings | more)


# -- dispatches ----------------------------------------------------------------------------------------


def test_dispatch_in_a_list_has_every_promised_field() -> None:
    shown = views.dispatch(received(), (), own_address=BOB.email)
    promised = (
        "dispatch_id short_id from to task status outcome created_at expires_at thread_id after attachments"
    )
    assert set(promised.split()) <= set(shown)
    assert (shown["from"], shown["to"], shown["task"]) == (ALICE.email, BOB.email, "Räume auf")
    assert (shown["status"], shown["outcome"], shown["created_at"]) == (Status.DELIVERED, None, AT)
    assert shown["dispatch_id"] == received().dispatch_id
    assert str(shown["dispatch_id"]).replace("-", "").startswith(str(shown["short_id"]))
    assert len(str(shown["short_id"])) == 8


def test_dispatch_says_what_it_follows_and_how_much_was_not_read() -> None:
    first = received()
    follow = received(task=task(parent=Digest.from_hex(first.digest)))
    assert views.dispatch(first, (), own_address=None)["parent"] is None
    shown = views.dispatch(follow, (), own_address=None, unread=3)
    assert (shown["parent"], shown["unread"]) == (first.dispatch_id, 3)
    said = [{"unread": True}, {"unread": False}]
    full = whole(follow, messages=said, thread=[first, follow])
    assert (full["messages"], full["unread"]) == (said, 1)
    assert [(each["dispatch_id"], each["box"]) for each in full["thread"]] == [
        (first.dispatch_id, Box.INBOX),
        (follow.dispatch_id, Box.INBOX),
    ]


@pytest.mark.parametrize(
    ("record", "own_address", "sender", "recipient"),
    [
        (received(), BOB.email, ALICE.email, BOB.email),
        (sent(), ALICE.email, ALICE.email, BOB.email),
        (received(), None, ALICE.email, "me"),
        (own_job(), BOB.email, BOB.email, BOB.email),
        (own_job(), None, "me", "me"),
    ],
)
def test_dispatch_names_both_sides(record: Any, own_address: str | None, sender: str, recipient: str) -> None:
    shown = views.dispatch(record, (), own_address=own_address)
    assert (shown["from"], shown["to"]) == (sender, recipient)


def test_predecessors_are_named_by_the_ids_that_people_type() -> None:
    shown = views.dispatch(received(task=task(after=(digest("x"),))), (), own_address=None)
    assert shown["after"] == [str(dispatch_id(digest("x")))]


def test_attachments_are_listed_without_their_keys() -> None:
    attachment = Attachment("a.txt", 3, digest("a"), Blob(digest("b"), fixed("k")))
    shown = views.dispatch(received(task=task(attachments=(attachment,))), (), own_address=None)
    assert shown["attachments"] == [{"name": "a.txt", "size_bytes": 3, "sha256": digest("a").hex}]


@pytest.mark.parametrize(
    ("record", "error", "heard", "expires"),
    [
        (received(expires_ms=0), None, None, None),
        (
            received(DispatchState.REFUSED, ended_code="daily_limit", last_heard_ms=NOW_MS),
            {"code": "daily_limit", "detail": None, "hint": None},
            AT,
            "2026-01-02T04:04:05.678Z",
        ),
    ],
)
def test_what_does_not_apply_is_null(record: Any, error: Any, heard: str | None, expires: str | None) -> None:
    shown = views.dispatch(record, (), own_address=None)
    assert (shown["error"], shown["last_heard"], shown["expires_at"]) == (error, heard, expires)


@pytest.mark.parametrize(
    ("record", "presumed"),
    [
        (sent(DispatchState.REFUSED), True),
        (sent(DispatchState.CANCELLED), True),
        (sent(DispatchState.EXPIRED), True),
        (sent(DispatchState.REFUSED, answer_seq=1), False),
        (sent(DispatchState.EXPIRED, answer_seq=1), True),
        (sent(DispatchState.EXPIRED, answer_seq=2, ended_code="expired"), False),
        (sent(DispatchState.SENT), False),
        (received(DispatchState.REFUSED), False),
    ],
)
def test_end_that_nobody_signed_is_presumed(record: Any, presumed: bool) -> None:
    assert views.dispatch(record, (), own_address=None)["presumed"] is presumed


@pytest.mark.parametrize(
    ("record", "runs", "status"),
    [
        (received(DispatchState.ACCEPTED), [run(RunState.RUNNING)], Status.RUNNING),
        (received(DispatchState.FINISHED), [run(RunState.CANCELLED)], Status.CANCELLED),
        (received(DispatchState.ACCEPTED, accepted_decisions=2), [run()], Status.CONFLICT),
    ],
)
def test_status_is_the_protocols_one_word(record: Any, runs: list[RunRecord], status: Status) -> None:
    assert views.dispatch(record, runs, own_address=None)["status"] is status


def test_whole_dispatch_shows_what_was_signed_verbatim() -> None:
    asked = task(
        background="why",
        links=("https://example.org",),
        deliverable="a report",
        project="house",
        meta={"k": "v"},
        steps=(Step(tool="Bash", input={"command": "true"}),),
        timeout_s=60,
    )
    shown = whole(received(task=asked))
    assert (shown["background"], shown["links"], shown["deliverable"], shown["project"]) == (
        "why",
        ["https://example.org"],
        "a report",
        "house",
    )
    assert (shown["meta"], shown["timeout_s"], shown["trust"]) == ({"k": "v"}, 60, "token")
    assert shown["steps"] == [
        {"tool": "Bash", "input": {"command": "true"}, "save_as": None, "allow_failure": False}
    ]
    assert shown["author"]["identity"] == ALICE.chain.genesis.hex
    assert shown["author"]["device"] == ALICE.device.hex


def test_whole_dispatch_without_a_run_has_empty_lists_and_no_result() -> None:
    shown = whole()
    for name in ("runs", "events", "approvals", "artifacts", "changeset", "left_behind", "diffs", "receipts"):
        assert shown[name] == []
    assert (shown["decision"], shown["result"]) == (None, None)


def test_whole_dispatch_shows_what_its_last_run_left() -> None:
    artifact = {
        "name": "a",
        "kind": "file",
        "mime_type": "text/plain",
        "size_bytes": 1,
        "sha256": "00",
        "secret": 1,
    }
    last = run(
        RunState.COMPLETED,
        changeset=({"op": "create", "path": "/src/a", "flags": []},),
        left_behind=({"path": "/tmp/x", "reason": "scratch"},),
        diffs=({"path": "/src/a", "text": "+a"},),
        artifacts=(artifact,),
    )
    record = received(DispatchState.FINISHED, outcome=Outcome.SUCCESS, summary="done")
    shown = whole(record, runs=[run(RunState.FAILED), last])
    assert shown["changeset"] == [{"op": "create", "path": "/src/a", "flags": []}]
    assert shown["left_behind"] == list(last.left_behind)
    assert shown["diffs"] == list(last.diffs)
    assert shown["artifacts"] == [
        {key: value for key, value in artifact.items() if key != "secret"} | {"download_url": None}
    ]
    assert shown["result"] == {"outcome": Outcome.SUCCESS, "summary": "done"}
    assert len(shown["runs"]) == 2


def test_only_open_questions_and_answers_in_their_order_are_shown() -> None:
    def answer(seq: int, *, held: bool = False) -> AnswerRecord:
        return AnswerRecord(
            digest=f"{seq}",
            about=received().digest,
            kind="receipt",
            type="delivered",
            signed=b"",
            device=BOB.device.hex,
            seq=seq,
            at_ms=NOW_MS,
            held=held,
        )

    shown = whole(
        runs=[run()],
        approvals=[approval(), approval(request_id="b", state=ApprovalState.DENIED)],
        answers=[answer(1), answer(3, held=True), answer(0)],
    )
    (asked,) = shown["approvals"]
    assert (asked["request_id"], asked["device"]) == (approval().request_id, run().device)
    assert shown["receipts"] == [
        {"type": "delivered", "at": AT, "device": BOB.device.hex, "digest": "1", "seq": 1}
    ]


def test_run_shows_where_and_how_it_went() -> None:
    shown = views.run_view(run(RunState.FAILED, outcome=Outcome.FAILED, code="step_failed"))
    promised = "run_id status outcome device agent cwd started_at ended_at last_heard usage"
    assert set(promised.split()) <= set(shown)
    assert (shown["status"], shown["outcome"], shown["code"]) == (
        RunState.FAILED,
        Outcome.FAILED,
        "step_failed",
    )
    assert (shown["started_at"], shown["ended_at"]) == (AT, None)
    assert shown["scopes"] == trust_views.scopes_view(
        SCOPES
    )  # as the grant shows them, not as they are signed
    assert views.run_view(run(scopes=None))["scopes"] is None  # at the author's side


def test_event_is_one_entry_of_the_trace() -> None:
    event = EventRecord(
        digest="d", seq=3, at_ms=NOW_MS, type=EventType.TOOL_CALL, data={"tool": "Read"}, run_id="r"
    )
    assert views.event_view(event) == {
        "seq": 3,
        "at": AT,
        "run_id": "r",
        "type": "tool_call",
        "data": {"tool": "Read"},
    }


@pytest.mark.parametrize(
    ("record", "said", "shown"),
    [
        (received(), DEVICE, {"device": DEVICE, "name": "laptop"}),
        (received(), "cd" * 32, {"device": "cd" * 32, "name": None}),
        (own_job(), DEVICE, {"device": DEVICE, "name": "laptop"}),
        (received(), None, None),
        # What the other side's books say of devices is no word about these here, and may be anything.
        (sent(), DEVICE, {"device": DEVICE, "name": None}),
        (sent(), ["laptop"], None),
    ],
)
def test_device_at_which_something_was_answered_has_its_name(record: Any, said: Any, shown: Any) -> None:
    event = EventRecord(
        digest="d", seq=1, at_ms=NOW_MS, type=EventType.APPROVAL_DECIDED, data={"decided_on": said}
    )
    told = whole(record, events=[event], shared=Shared(names={DEVICE: "laptop"}))
    assert [each["data"]["decided_on"] for each in told["events"]] == [shown]


# -- questions -----------------------------------------------------------------------------------------


def test_question_about_a_call_shows_the_whole_call() -> None:
    shown = views.approval_view(
        approval(flags=("shell",)), received(), run(), own_address=BOB.email, trust="token"
    )
    promised = (
        "dispatch_id request_id kind from tool input title description payload device flags expires_at grants"
    )
    assert set(promised.split()) <= set(shown)
    assert (shown["tool"], shown["input"], shown["from"]) == ("Bash", {"command": "true"}, ALICE.email)
    assert (shown["flags"], shown["grants"]) == (["shell"], ["once", "always", "session"])
    assert shown["expires_at"] == "2026-01-02T03:06:05.678Z"
    assert (shown["can_review"], shown["device"]) == (True, DEVICE)
    assert shown["grant_details"] == questions.meanings(approval(), run())


def test_closing_question_shows_the_changes_and_is_answered_once() -> None:
    changes = [{"op": "create", "path": "/src/a"}]
    asked = approval(kind=ApprovalKind.CHANGESET, tool=None, payload={"changes": changes})
    shown = views.approval_view(asked, received(), run(), own_address=None, trust=None)
    assert (shown["tool"], shown["input"], shown["grants"]) == (None, changes, ["once"])


@pytest.mark.parametrize(("own_address", "sender"), [(BOB.email, BOB.email), (None, "me")])
def test_question_of_ones_own_job_comes_from_oneself(own_address: str | None, sender: str) -> None:
    shown = views.approval_view(approval(), own_job(), run(), own_address=own_address, trust=None)
    assert (shown["from"], shown["device"]) == (sender, DEVICE)


def test_questions_of_the_last_run_are_counted_by_what_became_of_them() -> None:
    asked = [approval(state=state) for state in ApprovalState] + [approval(run_id="another")]
    assert views.questions_view(asked, run()) == {"answered": 2, "unanswered": 1, "open": 1}
    assert whole(runs=[])["questions"] == {"answered": 0, "unanswered": 0, "open": 0}


def test_lists_show_ones_own_jobs_by_their_box() -> None:
    assert views.dispatch(own_job(), (), own_address=None)["box"] is Box.OWN


def test_question_about_a_call_outside_offers_no_review_instead() -> None:
    asked = approval(tool="mcp__files__note")
    shown = views.approval_view(asked, received(), run(), own_address=BOB.email, trust="token")
    assert (shown["tool"], shown["can_review"]) == ("mcp__files__note", False)
