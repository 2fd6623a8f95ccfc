"""When a mail is sent, sent again and given up: pointless ones are not sent, busy servers are asked for a day."""

from dispatch_broker.core.records import InvitationStatus, Mail

_FIRST_MS = 30_000
_LONGEST_MS = 60 * 60 * 1000
_ATTEMPTS = 30  # with pauses that double up to an hour: about a day


def is_wanted(mail: Mail, now_ms: int) -> bool:
    """Say whether the invitation can still be answered."""
    return mail.invitation.at(now_ms) is InvitationStatus.PENDING


def again_ms(mail: Mail, now_ms: int) -> int | None:
    """Return when a mail that could not be sent is due again, None if it is given up."""
    if mail.attempts + 1 >= _ATTEMPTS:
        return None
    return now_ms + min(_LONGEST_MS, _FIRST_MS << min(mail.attempts, 20))
