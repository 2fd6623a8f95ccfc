"""The logs of edges: what this device tells of its own, and what can be found out about another one's.

A log holds, edge by edge, the last word of a device about each dispatch that came to it. Its peer holds those words already, so
a checkpoint tells it nothing new but the order, and binds the device to all of it: who writes another history later signs both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from dispatch_daemon.core.composing import Moment, Own, Peer, head_of, send_of
from dispatch_daemon.core.effects import Effect, Send
from dispatch_daemon.core.records import AnswerRecord
from dispatch_protocol.keys import Digest
from dispatch_protocol.merkle import EMPTY, Tree
from dispatch_protocol.messages.checkpoint import Checkpoint

KIND = "checkpoint"
_LATE_MS = 86_400_000  # a checkpoint goes the same way as its word, so it is there by then or was lost
# The last words about a dispatch; each names the answer before it, and so all of them.
_LAST = frozenset({"result", "declined", "refused", "expired", "cancelled"})
# Of these a device keeps what it says in every case, so that none of them may be left out.
_ALWAYS = frozenset({"result", "declined"})


class Finding(StrEnum):
    """What a device's checkpoints amount to, from the best to the worst."""

    CONSISTENT = "consistent"
    UNSEEN = "unseen"
    UNLOGGED = "unlogged"
    FLOODED = "flooded"
    LEFT_OUT = "left_out"
    REWRITTEN = "rewritten"


@dataclass(frozen=True, slots=True)
class Examined:
    """A log as far as it can be followed: `unseen` are entries that were said to somebody, and have not come here.

    `gap` says that a checkpoint is missing; `contradictions` are the digests of those that tell another history; `unlogged` are last
    words of more than a day ago that no checkpoint has followed; `flooded` says that more came than anybody has to keep.
    """

    tree: Tree
    unseen: tuple[Digest, ...] = ()
    left_out: tuple[Digest, ...] = ()
    contradictions: tuple[Digest, ...] = ()
    unlogged: tuple[Digest, ...] = ()
    gap: bool = False
    flooded: bool = False

    @property
    def finding(self) -> Finding:
        if self.contradictions:
            return Finding.REWRITTEN
        if self.left_out:
            return Finding.LEFT_OUT
        if self.flooded:
            return Finding.FLOODED
        if self.unlogged:
            return Finding.UNLOGGED
        return Finding.UNSEEN if self.unseen or self.gap else Finding.CONSISTENT


def last_words(effects: Sequence[Effect]) -> dict[str, list[Send]]:
    """Return, by edge, what of these effects is the last word about a dispatch of somebody else's."""
    found: dict[str, list[Send]] = {}
    for effect in effects:
        if isinstance(effect, Send) and effect.deliver and effect.keep and effect.keep.type in _LAST:
            found.setdefault(effect.edge, []).append(effect)
    return found


def told(
    own: Own, peer: Peer, edge: str, log: Tree, said: Sequence[Send], moment: Moment, number: int
) -> Send:
    """Return the next checkpoint of an edge's log, which is kept beside the answers as the log's own memory."""
    entries = tuple(Digest.from_hex(send.digest) for send in said)
    message = Checkpoint(
        head=head_of(own, peer, edge=edge, about=None, now_ms=moment.now_ms, nonce=moment.nonce(number)),
        since=log.size,
        entries=entries,
        root=log.grown(entries).root,
    )
    send = send_of(message, deliver=True, keep=True)
    assert send.keep is not None  # noqa: S101 - it was asked for in the line above
    return replace(send, keep=replace(send.keep, about=edge, seq=message.size))


def kept(message: Checkpoint, digest: str, signed: bytes, now_ms: int) -> AnswerRecord:
    """Return the row of another device's checkpoint."""
    return AnswerRecord(
        digest=digest,
        about=message.head.edge.hex,
        kind=KIND,
        type=KIND,
        signed=signed,
        device=message.head.sender.device.hex,
        seq=message.size,
        at_ms=now_ms,
    )


def examine(
    checkpoints: Mapping[Digest, Checkpoint],
    held: Mapping[Digest, tuple[str, int]],
    now_ms: int,
    *,
    flooded: bool = False,
) -> Examined:
    """Follow one device's log of one edge by its checkpoints, and hold it against what came from that device.

    `checkpoints` come in the order in which they were heard, so that of two histories the first one is followed. `held` are the
    last words that have come over this edge: their type, and when they were signed. One that is older than the newest
    checkpoint stands in the log, or was left out of it; one that nothing has followed for a day is in no log.
    """
    entries: list[Digest] = []
    tree, gap = EMPTY, False
    contradictions: list[Digest] = []
    for digest, each in sorted(checkpoints.items(), key=lambda each: (each[1].since, each[1].size)):
        if each.since > len(entries):
            gap = True
            break
        after = _followed(entries, tree, each)
        if after is None:
            contradictions.append(digest)
            continue
        entries += each.entries[len(entries) - each.since :]
        tree = after
    newest_ms = max((each.head.created_ms for each in checkpoints.values()), default=0)
    logged = frozenset(entries)
    missing = {
        digest: at_ms
        for digest, (kind, at_ms) in held.items()
        if kind in _ALWAYS and digest not in logged and not gap
    }
    return Examined(
        tree=tree,
        unseen=tuple(entry for entry in entries if entry not in held),
        left_out=tuple(digest for digest, at_ms in missing.items() if at_ms < newest_ms),
        contradictions=tuple(contradictions),
        unlogged=tuple(digest for digest, at_ms in missing.items() if newest_ms <= at_ms < now_ms - _LATE_MS),
        gap=gap,
        flooded=flooded,
    )


def _followed(entries: Sequence[Digest], tree: Tree, each: Checkpoint) -> Tree | None:
    """Return the log after one more checkpoint, which may repeat some of it; None if it tells another history."""
    known = each.entries[: len(entries) - each.since]
    if known != tuple(entries[each.since : each.since + len(known)]):
        return None
    if each.size < len(entries):  # it repeats what lies further back
        return tree if EMPTY.grown(entries[: each.size]).root == each.root else None
    after = tree.grown(each.entries[len(known) :])
    return after if after.root == each.root else None
