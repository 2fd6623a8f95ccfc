import dataclasses

import pytest

from dispatch_protocol.keys import EdgeId, Genesis
from dispatch_protocol.standing import EdgeStanding, EdgeStatus


def test_the_status_of_an_edge_is_one_of_four_words():
    assert [status.value for status in EdgeStatus] == ["pending", "active", "expired", "revoked"]


def test_what_is_known_cannot_be_changed_on_the_way():
    edge = EdgeStanding(EdgeId(b"\x01" * 16), EdgeStatus.ACTIVE, Genesis(bytes(32)), Genesis(b"\x01" * 32))

    assert edge.expires_ms == 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        edge.status = EdgeStatus.REVOKED
