"""A task arrives: it may be decided, or its author gets a signed reason."""

from dataclasses import replace

import pytest

from dispatch_daemon.core import intake
from dispatch_daemon.core.effects import Effect, Plan, TaskKind, Unplan
from dispatch_daemon.core.records import DispatchRecord
from dispatch_daemon.core.shared_records import HandoverRecord
from dispatch_protocol.errors import RefusalCode
from dispatch_protocol.keys import Digest
from dispatch_protocol.lifecycle import DispatchState
from dispatch_protocol.limits import ATTACHMENT_BYTES, EXPIRY_GRACE_MS
from dispatch_protocol.messages.answers import Receipt, ReceiptType
from dispatch_protocol.messages.files import Attachment, Blob
from dispatch_protocol.messages.task import Task
from tests.support.broker_facts import header
from tests.support.desk import ALICE_PEER, BOB_OWN, MOMENT, puts, sends, signed
from tests.support.documents import ALICE, BOB, HOUR_MS, NOW_MS, digest, fixed, task


def receive(body: Task, *, arrivals: int = 0) -> list[Effect]:
    record = intake.arrived(signed(body), body, address=ALICE.email, now_ms=NOW_MS)
    return intake.receive(record, body, BOB_OWN, ALICE_PEER, MOMENT, arrivals_today=arrivals, max_per_day=50)


def said(effects: list[Effect]) -> Receipt:
    (message,) = sends(effects)
    assert isinstance(message, Receipt)
    return message


def test_arrival_keeps_the_bytes_and_tells_the_author() -> None:
    effects = receive(task())
    (record,) = puts(effects, DispatchRecord)
    assert record.state is DispatchState.DELIVERED
    assert record.signed == signed(task()).encode()
    assert said(effects).type is ReceiptType.DELIVERED
    (plan,) = [effect for effect in effects if isinstance(effect, Plan)]
    assert (plan.kind, plan.not_before_ms) == (TaskKind.EXPIRE, NOW_MS + HOUR_MS + EXPIRY_GRACE_MS + 1)


ATTACHMENT = Attachment("a.txt", 1, digest("a"), Blob(digest("b"), fixed("k")))


@pytest.mark.parametrize(
    ("body", "arrivals", "code"),
    [
        (task(attachments=(replace(ATTACHMENT, size_bytes=ATTACHMENT_BYTES + 1),)), 0, "file_too_large"),
        (
            task(attachments=(ATTACHMENT, replace(ATTACHMENT, name="b", size_bytes=2**53 - 1))),
            0,
            "file_too_large",
        ),
        (task(after=(digest("x"),)), 0, "dependencies_unsupported"),
        (task(owner_device=ALICE.device), 0, "owner_unknown"),
        (task(), 50, "daily_limit"),
    ],
)
def test_what_cannot_be_taken_in_is_refused_in_words(body: Task, arrivals: int, code: str) -> None:
    effects = receive(body, arrivals=arrivals)
    (record,) = puts(effects, DispatchRecord)
    assert (record.state, record.ended_code) == (DispatchState.REFUSED, code)
    assert (said(effects).type, said(effects).code) == (ReceiptType.REFUSED, code)


def test_files_are_owed_to_the_device_that_will_run_it_and_to_no_other() -> None:
    with_file = task(attachments=(replace(ATTACHMENT, size_bytes=ATTACHMENT_BYTES),))
    plans = [effect for effect in receive(with_file) if isinstance(effect, Plan)]
    assert [plan.kind for plan in plans] == [TaskKind.FETCH, TaskKind.EXPIRE]
    elsewhere = replace(BOB_OWN, device=ALICE.device)
    record = intake.arrived(signed(with_file), with_file, address=ALICE.email, now_ms=NOW_MS)
    effects = intake.receive(
        record, with_file, elsewhere, ALICE_PEER, MOMENT, arrivals_today=0, max_per_day=50
    )
    assert [effect.kind for effect in effects if isinstance(effect, Plan)] == [TaskKind.EXPIRE]


def test_files_that_are_not_what_was_signed_end_it_with_a_signed_reason() -> None:
    (record,) = puts(receive(task(attachments=(ATTACHMENT,))), DispatchRecord)
    effects = intake.spoilt(
        record, BOB_OWN, ALICE_PEER, MOMENT, code=RefusalCode.BLOB_CHUNK, detail="the file a.txt"
    )
    (after,) = puts(effects, DispatchRecord)
    assert (after.state, after.ended_code) == (DispatchState.REFUSED, "blob_chunk")
    assert (said(effects).type, said(effects).code) == (ReceiptType.REFUSED, "blob_chunk")
    unplanned = [effect.kind for effect in effects if isinstance(effect, Unplan)]
    assert unplanned == [TaskKind.FETCH, TaskKind.EXPIRE]


def test_refusals_of_the_opening_list_have_their_own_receipts() -> None:
    assert intake.refusal_type(RefusalCode.MANDATE_UNSUPPORTED) is ReceiptType.UNSUPPORTED
    assert intake.refusal_type(RefusalCode.UNSUPPORTED) is ReceiptType.UNSUPPORTED
    assert intake.refusal_type(RefusalCode.STALE_CHAIN) is ReceiptType.STALE_CHAIN
    assert intake.refusal_type(RefusalCode.EDGE_REVOKED) is ReceiptType.REFUSED


def refused(code: RefusalCode) -> Receipt:
    body = task()
    record = intake.arrived(signed(body), body, address=ALICE.email, now_ms=NOW_MS)
    return said(intake.refuse(record, BOB_OWN, ALICE_PEER, MOMENT, code=code, detail="why"))


def test_stale_chain_is_answered_with_our_links() -> None:
    receipt = refused(RefusalCode.STALE_CHAIN)
    assert receipt.type is ReceiptType.STALE_CHAIN
    assert receipt.data == {"links": [link.to_json() for link in BOB.chain.links]}


def test_unsupported_is_answered_with_the_type() -> None:
    receipt = refused(RefusalCode.MANDATE_UNSUPPORTED)
    assert receipt.type is ReceiptType.UNSUPPORTED
    assert receipt.data == {"payload_type": "application/vnd.dispatch.task.v1+json"}


def test_late_task_is_expired_not_refused() -> None:
    body = task()
    record = intake.arrived(signed(body), body, address=ALICE.email, now_ms=NOW_MS)
    effects = intake.refuse(record, BOB_OWN, ALICE_PEER, MOMENT, code=RefusalCode.EXPIRED, detail="late")
    (kept,) = puts(effects, DispatchRecord)
    assert (kept.state, said(effects).type) == (DispatchState.EXPIRED, ReceiptType.EXPIRED)


def test_unreadable_document_has_a_stand_in() -> None:
    record = intake.unreadable(header(), peer="p", address="a", now_ms=NOW_MS)
    assert Digest.from_hex(record.digest) == header().digest
    assert (record.state, record.signed) == (DispatchState.SENT, b"")


def test_files_are_owed_by_whoever_is_to_run_it_and_by_nobody_else() -> None:
    body = task(attachments=(ATTACHMENT,))
    record = intake.arrived(signed(body), body, address=ALICE.email, now_ms=NOW_MS)
    elsewhere = HandoverRecord(
        digest=record.digest, turn=1, giver=BOB.device.hex, taker=ALICE.device.hex, handed_ms=NOW_MS
    )
    effects = intake.receive(
        record,
        body,
        BOB_OWN,
        ALICE_PEER,
        MOMENT,
        arrivals_today=0,
        max_per_day=50,
        handovers=[elsewhere],
    )
    assert [effect.kind for effect in effects if isinstance(effect, Plan)] == [TaskKind.EXPIRE]
