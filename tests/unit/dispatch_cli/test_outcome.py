"""Every status has its exit code, and only what has ended ends a wait."""

import pytest

from dispatch_cli.outcome import exit_code, has_ended
from dispatch_protocol.lifecycle import Outcome, Status

ENDS = {
    "completed": 0, "failed": 1, "conflict": 1, "refused": 3, "declined": 3, "expired": 3, "cancelled": 3,
    "waiting_input": 8,
}  # fmt: skip


@pytest.mark.parametrize("status", list(Status))
def test_every_status(status: Status) -> None:
    assert exit_code({"status": status.value}) == ENDS.get(status, 8)
    assert has_ended({"status": status.value}) == (status.value in ENDS)


@pytest.mark.parametrize(("outcome", "code"), list(zip(Outcome, (0, 1, 8, 1), strict=True)))
def test_every_outcome(outcome: Outcome, code: int) -> None:
    assert exit_code({"status": "failed", "outcome": outcome.value}) == code
