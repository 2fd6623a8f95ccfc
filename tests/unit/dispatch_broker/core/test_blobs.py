import pytest

from dispatch_broker.core import blobs
from dispatch_broker.core.blobs import TTL_MS, Offer, admit
from dispatch_broker.core.effects import DropBlob, KeepBlob
from dispatch_broker.core.quota import Quotas, Usage
from dispatch_broker.core.records import EdgeStatus
from dispatch_broker.core.refusal import BrokerCode, Refusal
from tests.support.broker_facts import ALICE, BOB, CAROL, HOUR_MS, NOW_MS, digest, edge

ADDRESS = digest("blob")
QUOTAS = Quotas(blobs=Usage(3, 100), blob_bytes=50)


NOTHING = Usage(0, 0)


def offered(depositor=ALICE, over=None, size=10, held=NOTHING, expires_ms=NOW_MS + HOUR_MS):
    offer = Offer(
        address=ADDRESS,
        size_bytes=size,
        expires_ms=expires_ms,
        depositor=depositor,
        edge=edge() if over is None else over,
        held=held,
    )
    return admit(offer, QUOTAS, NOW_MS)


def code_of(decision):
    assert isinstance(decision, Refusal)
    return decision.code


def test_a_blob_is_kept_for_the_other_side_of_its_edge_and_for_nobody_else():
    assert offered() == KeepBlob(
        address=ADDRESS,
        size_bytes=10,
        depositor=ALICE.genesis,
        reader=BOB.genesis,
        expires_ms=NOW_MS + HOUR_MS,
    )
    assert offered(BOB).reader == ALICE.genesis


def test_it_is_kept_eight_days_at_most():
    assert offered(expires_ms=2**53 - 1).expires_ms == NOW_MS + TTL_MS


def test_nobody_leaves_anything_over_an_edge_that_is_not_theirs():
    assert code_of(offered(CAROL)) is BrokerCode.NO_EDGE
    missing = Offer(address=ADDRESS, size_bytes=1, expires_ms=0, depositor=ALICE, edge=None, held=Usage(0, 0))
    assert code_of(admit(missing, QUOTAS, NOW_MS)) is BrokerCode.NO_EDGE


@pytest.mark.parametrize(
    "over, code",
    [
        (edge(EdgeStatus.PENDING), BrokerCode.NO_EDGE),
        (edge(EdgeStatus.REVOKED), BrokerCode.EDGE_REVOKED),
        (edge(expires_ms=NOW_MS), BrokerCode.EDGE_EXPIRED),
    ],
)
def test_files_of_a_task_need_an_active_edge(over, code):
    assert code_of(offered(over=over)) is code


def test_files_of_an_answer_pass_whatever_became_of_the_edge_but_not_before_it_is_one():
    assert isinstance(offered(BOB, edge(EdgeStatus.REVOKED)), KeepBlob)
    assert isinstance(offered(BOB, edge(expires_ms=NOW_MS)), KeepBlob)
    assert code_of(offered(BOB, edge(EdgeStatus.PENDING))) is BrokerCode.NO_EDGE


def test_one_blob_and_all_blobs_of_a_depositor_are_bounded():
    assert isinstance(offered(size=50, held=Usage(2, 50)), KeepBlob)
    assert code_of(offered(size=51)) is BrokerCode.TOO_LARGE
    assert code_of(offered(size=50, held=Usage(2, 51))) is BrokerCode.QUOTA
    assert code_of(offered(held=Usage(3, 0))) is BrokerCode.QUOTA


def test_a_reader_that_has_a_blob_lets_it_go():
    assert blobs.forget(ADDRESS, BOB.genesis) == (DropBlob(ADDRESS, BOB.genesis),)
