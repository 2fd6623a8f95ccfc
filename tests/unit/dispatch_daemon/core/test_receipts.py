"""Receipts are links of the chain of answers, with what their type carries."""

from dispatch_daemon.core.receipts import receipt
from dispatch_protocol.messages.answers import Receipt, ReceiptType
from tests.support.desk import ALICE_PEER, BOB_OWN, MOMENT, received, run, sends


def test_receipt_names_its_run_and_its_reason() -> None:
    after, effects = receipt(
        received(),
        BOB_OWN,
        ALICE_PEER,
        MOMENT,
        ReceiptType.CANCELLED,
        code="edge_revoked",
        detail="gone",
        run=run(),
    )
    (said,) = sends(effects)
    assert isinstance(said, Receipt)
    assert (said.type, said.code, said.detail) == (ReceiptType.CANCELLED, "edge_revoked", "gone")
    assert str(said.run_id) == run().run_id
    assert after.answer_seq == 1


def test_receipt_without_a_run_carries_none_and_several_differ() -> None:
    _, one = receipt(received(), BOB_OWN, ALICE_PEER, MOMENT, ReceiptType.DELIVERED)
    _, two = receipt(received(), BOB_OWN, ALICE_PEER, MOMENT, ReceiptType.DELIVERED, number=1)
    (first,), (second,) = sends(one), sends(two)
    assert isinstance(first, Receipt)
    assert first.run_id is None
    assert first.head.nonce != second.head.nonce


def test_empty_detail_is_no_detail() -> None:
    _, effects = receipt(
        received(), BOB_OWN, ALICE_PEER, MOMENT, ReceiptType.CANCELLED, code="cancelled", detail=""
    )
    (said,) = sends(effects)
    assert isinstance(said, Receipt)
    assert said.detail is None


def test_heartbeat_says_what_the_run_does() -> None:
    _, effects = receipt(
        received(),
        BOB_OWN,
        ALICE_PEER,
        MOMENT,
        ReceiptType.HEARTBEAT,
        run=run(),
        data={"state": "running"},
    )
    (said,) = sends(effects)
    assert isinstance(said, Receipt)
    assert said.data == {"state": "running"}
