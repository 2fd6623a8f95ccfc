"""How a dispatch that was waited for ends the command: one table from status and outcome to exit code."""

from dispatch_cli.render.fields import Document, text
from dispatch_protocol.loopback import ENDED

SUCCESS, FAILED, REFUSED, PENDING = 0, 1, 3, 8
_BY_OUTCOME = {"success": SUCCESS, "need_input": PENDING, "blocked": FAILED, "failed": FAILED}
_BY_STATUS = {
    "completed": SUCCESS,
    "failed": FAILED,
    "conflict": FAILED,
    "refused": REFUSED,
    "declined": REFUSED,
    "expired": REFUSED,
    "cancelled": REFUSED,
}


def has_ended(dispatch: Document) -> bool:
    """Say whether there is nothing more to wait for: it ended, or only a human there can go on."""
    return text(dispatch, "status") in ENDED or text(dispatch, "status") == "waiting_input"


def exit_code(dispatch: Document) -> int:
    """Return the exit code of a dispatch that was waited for."""
    status = text(dispatch, "status")
    if status in {"completed", "failed"}:
        return _BY_OUTCOME.get(text(dispatch, "outcome"), _BY_STATUS[status])
    return _BY_STATUS.get(status, PENDING)
