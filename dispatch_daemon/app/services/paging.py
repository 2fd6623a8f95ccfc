"""Where a page of a list ends and the next one begins: a cursor that names a place in the order, not a number of rows.

So a list that grows meanwhile neither repeats a row nor leaves one out.
"""

import base64

from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.records import DispatchRecord
from dispatch_protocol.limits import SAFE_INTEGER


def cursor_of(record: DispatchRecord) -> str:
    """Return the cursor of the page that begins after a dispatch."""
    raw = f"{record.arrived_ms}.{record.digest}".encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def read_cursor(cursor: str | None) -> tuple[int, str] | None:
    """Return when the dispatch before a page arrived, and its digest; None for the first page.

    Raises:
        ServiceError: `bad_request`.
    """
    if cursor is None:
        return None
    try:
        moment, _, digest = (
            base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii").partition(".")
        )
        if 0 <= int(moment) <= SAFE_INTEGER:
            return int(moment), digest
    except ValueError:
        pass
    raise ServiceError("bad_request", "this cursor is not one that a listing gave")
