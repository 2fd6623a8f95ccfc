import pytest

from dispatch_broker.core.refusal import STATUS, BrokerCode, Refusal


@pytest.mark.parametrize("code", list(BrokerCode))
def test_every_reason_has_a_status_that_blames_the_caller_or_asks_for_patience(code):
    assert 400 <= STATUS[code] < 500 or STATUS[code] == 503
    assert Refusal(code, "why").status == STATUS[code]
