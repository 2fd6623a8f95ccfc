import pytest

from dispatch_protocol.chain import write_links
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.keys import Digest
from dispatch_protocol.messages.answers import Decision, Mode, Receipt, ReceiptType, Verdict
from tests.support.documents import ALICE, BOB, RUN, altered, digest, head, read, without

FIRST = {"head": head(BOB, ALICE, re=digest("dispatch")), "seq": 1, "prev": Digest.ZERO}
ACCEPTED = Decision(**FIRST, decision=Verdict.ACCEPTED, mode=Mode.MANUAL, run_id=RUN)
DECLINED = Decision(**FIRST, decision=Verdict.DECLINED, reason="not today")
DATA = {
    ReceiptType.STARTED: {"agent": "steps"},
    ReceiptType.HEARTBEAT: {"state": "running"},
    ReceiptType.WAITING: {"state": "waiting_approval"},
    ReceiptType.UNSUPPORTED: {"payload_type": "application/vnd.dispatch.song.v1+json"},
    ReceiptType.STALE_CHAIN: {"links": write_links(BOB.chain.links)},
}


def receipt(kind: ReceiptType) -> Receipt:
    code = "edge" if kind in {ReceiptType.REFUSED, ReceiptType.CANCELLED} else None
    return Receipt(**FIRST, type=kind, code=code, detail="why", run_id=RUN, data=DATA.get(kind, {}))


class TestDecision:
    @pytest.mark.parametrize("value", [ACCEPTED, DECLINED])
    def test_reading_is_the_inverse_of_writing(self, value):
        assert read(Decision.read, value.write()) == value

    @pytest.mark.parametrize("place", list(ACCEPTED.write()))
    def test_every_field_is_needed(self, place):
        with pytest.raises(MalformedError):
            read(Decision.read, without(ACCEPTED.write(), place))

    @pytest.mark.parametrize(
        "value, place, new",
        [
            (ACCEPTED, "mode", None),
            (ACCEPTED, "run_id", None),
            (ACCEPTED, "decision", "declined"),
            (DECLINED, "mode", "auto"),
            (DECLINED, "run_id", RUN.hex),
            (DECLINED, "reason", ""),
            (DECLINED, "re", "0" * 64),
            (DECLINED, "seq", 2),
            (DECLINED, "more", 1),
        ],
    )
    def test_strictly(self, value, place, new):
        with pytest.raises(MalformedError):
            read(Decision.read, altered(value.write(), place, new))


class TestReceipt:
    @pytest.mark.parametrize("kind", ReceiptType)
    def test_reading_is_the_inverse_of_writing(self, kind):
        assert read(Receipt.read, receipt(kind).write()) == receipt(kind)

    def test_most_of_it_may_be_absent(self):
        bare = Receipt(**FIRST, type=ReceiptType.DELIVERED)
        assert read(Receipt.read, bare.write()) == bare

    @pytest.mark.parametrize("place", list(receipt(ReceiptType.STARTED).write()))
    def test_every_field_is_needed(self, place):
        with pytest.raises(MalformedError):
            read(Receipt.read, without(receipt(ReceiptType.STARTED).write(), place))

    @pytest.mark.parametrize("kind", [ReceiptType.REFUSED, ReceiptType.CANCELLED])
    def test_a_no_says_why(self, kind):
        with pytest.raises(MalformedError, match="without a code"):
            read(Receipt.read, altered(receipt(kind).write(), "code", None))

    @pytest.mark.parametrize("kind", ReceiptType)
    def test_data_is_closed_for_every_type(self, kind):
        with pytest.raises(MalformedError, match="data"):
            read(Receipt.read, altered(receipt(kind).write(), "data.more", 1))

    @pytest.mark.parametrize("kind", DATA)
    def test_data_that_a_type_has_is_needed(self, kind):
        with pytest.raises(MalformedError, match="data"):
            read(Receipt.read, altered(receipt(kind).write(), "data", {}))

    @pytest.mark.parametrize(
        "kind, place, value",
        [
            (ReceiptType.STARTED, "data.agent", "The Agent"),
            (ReceiptType.WAITING, "data.state", "bored"),
            (ReceiptType.STALE_CHAIN, "data.links", []),
            (ReceiptType.STALE_CHAIN, "data.links", [{}]),
            (ReceiptType.UNSUPPORTED, "data.payload_type", ""),
            (ReceiptType.DELIVERED, "data", []),
            (ReceiptType.DELIVERED, "type", "enjoyed"),
            (ReceiptType.REFUSED, "code", "No Edge"),
            (ReceiptType.REFUSED, "detail", ""),
        ],
    )
    def test_strictly(self, kind, place, value):
        with pytest.raises(MalformedError):
            read(Receipt.read, altered(receipt(kind).write(), place, value))
