"""What somebody is called for: that something waits for them, or that what they sent has come back.

A notice appears on a locked screen and passes through programs of others, so it holds a name that a signature vouches
for, a kind and an id, and never a word of what anybody wrote. It decides nothing.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from dispatch_daemon.core.records import (
    ENDED,
    ApprovalRecord,
    ApprovalState,
    Box,
    DispatchRecord,
    MessageRecord,
)
from dispatch_daemon.core.shared_records import QuestionRecord
from dispatch_daemon.core.threads import is_unread
from dispatch_protocol.lifecycle import DispatchState
from dispatch_protocol.loopback import short_id

NAMED = 3  # people who are named in one line


class NoticeKind(StrEnum):
    """What somebody is called for."""

    TASK = "task"
    QUESTION = "question"
    PARKED = "parked run"
    RESULT = "result"
    MESSAGE = "message"


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that somebody is called for; `key` is the same whenever it is seen again."""

    kind: NoticeKind
    who: str
    short_id: str
    key: str


def notices_of(
    record: DispatchRecord,
    approvals: Sequence[ApprovalRecord],
    said: Sequence[MessageRecord] = (),
    *,
    elsewhere: bool = False,
    asked: Sequence[QuestionRecord] = (),
) -> list[Notice]:
    """Return everything about a dispatch that its human is called for, as it stands now; `said` was said about it.

    What another device of theirs has decided (`elsewhere`) waits for nobody here, but for what its run asks (`asked`, what may
    be answered here): that machine may have nobody before it.
    """
    known = short_id(record.dispatch_id)
    unread = [each for each in said if is_unread(each)]
    wrote = [Notice(NoticeKind.MESSAGE, record.address, known, each.digest) for each in unread]
    there = [Notice(NoticeKind.QUESTION, record.address, known, each.request_id) for each in asked]
    return there + wrote if elsewhere else _standing(record, approvals, known) + there + wrote


def _standing(record: DispatchRecord, approvals: Sequence[ApprovalRecord], known: str) -> list[Notice]:
    """Return what a dispatch itself calls for."""
    if record.box is Box.SENT or record.state in ENDED:
        by_myself = record.state is DispatchState.CANCELLED and (
            record.cancel_requested or record.box is Box.OWN
        )
        if record.box is Box.INBOX or record.state not in ENDED or by_myself:
            return []
        return [Notice(NoticeKind.RESULT, record.address, known, f"{record.digest} result")]
    if record.state is DispatchState.DELIVERED:
        own = record.box is Box.OWN  # whoever sent it to themselves knows that it waits
        return [] if own else [Notice(NoticeKind.TASK, record.address, known, record.digest)]
    if record.state is DispatchState.WAITING_INPUT:
        return [Notice(NoticeKind.PARKED, record.address, known, f"{record.digest} parked")]
    return [
        Notice(NoticeKind.QUESTION, record.address, known, approval.request_id)
        for approval in approvals
        if approval.state is ApprovalState.OPEN
    ]


def sentence(notices: Sequence[Notice]) -> str:
    """Return one line for one notice or for many; at least one is given."""
    kinds = Counter(notice.kind for notice in notices)
    things = " and ".join(_count(kind, number) for kind, number in kinds.items())
    people = list(dict.fromkeys(notice.who for notice in notices))
    named = ", ".join(people[:NAMED])
    more = f" and {len(people) - NAMED} more" if len(people) > NAMED else ""
    return f"{things}: {named}{more}. See it with dispatch ui or dispatch inbox."


def environment(notices: Sequence[Notice]) -> dict[str, str]:
    """Return what a command is told in its environment; `ID` is empty where the notices are about several."""
    kinds = {notice.kind for notice in notices}
    ids = {notice.short_id for notice in notices}
    return {
        "DISPATCH_NOTICE": sentence(notices),
        "DISPATCH_NOTICE_KIND": next(iter(kinds)).value if len(kinds) == 1 else "several",
        "DISPATCH_NOTICE_FROM": ",".join(dict.fromkeys(notice.who for notice in notices)),
        "DISPATCH_NOTICE_ID": next(iter(ids)) if len(ids) == 1 else "",
        "DISPATCH_NOTICE_COUNT": str(len(notices)),
    }


def _count(kind: NoticeKind, number: int) -> str:
    return f"a {kind}" if number == 1 else f"{number} {kind}s"
