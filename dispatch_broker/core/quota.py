"""What one party may use before the broker says 429: every limit in one record, and the arithmetic of rates.

A quota exists for every input, because whatever is not counted is what a hostile or broken client will fill. The
numbers are far above what people do and far below what hurts the machine.
"""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

from dispatch_broker.core.refusal import BrokerCode, Refusal
from dispatch_protocol.envelope import EnvelopeClass

_MINUTE_MS = 60_000
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` events in any `per_ms` milliseconds, in a burst or spread."""

    count: int
    per_ms: int


@dataclass(frozen=True, slots=True)
class Usage:
    """What waits in mailboxes: rows and the bytes of their envelopes."""

    rows: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """Every quota of the broker, with its default."""

    frames: Rate = Rate(50_000, 10_000)  # per connection; beyond it the connection is read more slowly
    calls: Rate = Rate(200, 10_000)  # per connection
    requests: Rate = Rate(3_000, 10_000)  # plain HTTP, per address of the network
    logins: Rate = Rate(30, 10 * _MINUTE_MS)  # per e-mail address
    logins_everybody: Rate = Rate(3_000, _MINUTE_MS)
    sign_ins: Rate = Rate(60, 10 * _MINUTE_MS)  # begun, per address of the network
    open_sign_ins: int = 20_000  # waiting for a proof at the same time
    login_mails: Rate = Rate(5, 60 * _MINUTE_MS)  # codes, per e-mail address
    typed_codes: Rate = Rate(
        60, 10 * _MINUTE_MS
    )  # steps on the page, each with a code, per address of the network
    connections: int = 16  # per account
    handshakes: int = 512  # connections that have not proven a device yet
    handshake_ms: int = 10_000
    open_invitations: int = 100  # per account
    mails: Rate = Rate(
        20, 24 * 60 * _MINUTE_MS
    )  # per account: each goes to somebody who has not asked for it
    deposited: Usage = Usage(20_000, 256 * _MIB)  # per depositing account, until acknowledged
    waiting: Usage = Usage(40_000, 512 * _MIB)  # per receiving device
    blobs: Usage = Usage(
        5_000, 1024 * _MIB
    )  # per depositing account, until fetched or over; unfinished ones too
    blob_bytes: int = 65 * _MIB  # of one blob
    blob_writers: int = 4  # blobs that one account may be leaving at once
    in_flight: Usage = Usage(256, 4 * _MIB)  # per connection, sent and not yet acknowledged
    unsent_bytes: int = 1 * _MIB  # answers to one connection that it has not read yet


class Throttle:
    """One rate for one party: the generic cell rate algorithm, whose whole state is one integer."""

    __slots__ = ("_free_us", "_interval_us", "_span_us")

    def __init__(self, rate: Rate) -> None:
        self._span_us = rate.per_ms * 1000
        self._interval_us = self._span_us // rate.count
        self._free_us = 0

    def take(self, now_ms: int) -> bool:
        """Use one event if the rate allows it now; a refused one is not counted."""
        now_us = now_ms * 1000
        after_us = max(self._free_us, now_us) + self._interval_us
        if after_us - now_us > self._span_us:
            return False
        self._free_us = after_us
        return True

    def delay_ms(self, now_ms: int, events: int) -> int:
        """Use `events` in any case and return how long to pause so that the rate holds, 0 when it does."""
        now_us = now_ms * 1000
        self._free_us = max(self._free_us, now_us) + events * self._interval_us
        return max(0, self._free_us - now_us - self._span_us) // 1000


class Throttles:
    """One rate for many parties, remembering at most `keys` of them: the longest unused are forgotten."""

    __slots__ = ("_keys", "_parties", "_rate")

    def __init__(self, rate: Rate, keys: int) -> None:
        self._rate = rate
        self._keys = keys
        self._parties: OrderedDict[Hashable, Throttle] = OrderedDict()

    def take(self, party: Hashable, now_ms: int) -> bool:
        """Use one event of `party` if its rate allows it now."""
        throttle = self._parties.get(party)
        if throttle is None:
            throttle = self._parties[party] = Throttle(self._rate)
            if len(self._parties) > self._keys:
                self._parties.popitem(last=False)
        self._parties.move_to_end(party)
        return throttle.take(now_ms)


def room(klass: EnvelopeClass, held: Usage, quota: Usage, adding: Usage, whose: str) -> Refusal | None:
    """Refuse what would overfill a mailbox, or None.

    Tasks may use four fifths of it; the rest is kept for what ends tasks (cancels, decisions, results), so that a
    full mailbox can still be emptied honestly.
    """
    fifths = 4 if klass is EnvelopeClass.TASK else 5
    if held.rows + adding.rows > quota.rows * fifths // 5:
        return Refusal(
            BrokerCode.QUOTA, f"{whose} holds {held.rows} undelivered envelopes, as many as it may"
        )
    if held.size_bytes + adding.size_bytes > quota.size_bytes * fifths // 5:
        return Refusal(
            BrokerCode.QUOTA, f"{whose} holds {held.size_bytes} undelivered bytes, as many as it may"
        )
    return None
