"""Mirror of dispatch_broker.core.mailing."""

from dataclasses import replace

import pytest

from dispatch_broker.core.mailing import again_ms, is_wanted
from dispatch_broker.core.records import Account, Invitation, InvitationStatus, Mail
from dispatch_protocol.keys import EdgeId, Genesis

INVITATION = Invitation(
    invitation_id=EdgeId(bytes(16)),
    document=b"{}",
    inviter=Account(Genesis(bytes(32)), "alice@example.org"),
    to_address="bob@example.org",
    status=InvitationStatus.PENDING,
    created_ms=0,
    expires_ms=1_000,
)


@pytest.mark.parametrize("status", InvitationStatus)
def test_only_what_can_still_be_answered_is_mailed(status: InvitationStatus) -> None:
    mail = Mail(replace(INVITATION, status=status), 0)
    assert is_wanted(mail, 0) is (status is InvitationStatus.PENDING)
    assert not is_wanted(mail, 1_000)


def test_pauses_double_up_to_an_hour_and_end_after_about_a_day() -> None:
    due, pauses = 0, []
    for attempts in range(100):
        again = again_ms(Mail(INVITATION, attempts), due)
        if again is None:
            break
        pauses.append(again - due)
        due = again
    assert pauses[:3] == [30_000, 60_000, 120_000]
    assert max(pauses) == 3_600_000
    assert 20 * 3_600_000 < due < 36 * 3_600_000
