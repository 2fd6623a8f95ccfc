"""The private log: what was decided on this device that nobody else holds, in a tree over digests (RFC 6962).

An entry is made of the decision itself, in its commit, by whichever room decided it. The other devices are told the digests: whoever
takes this machine and rewrites what was decided on it has to contradict them, or to be silent from then on.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from dispatch_daemon.core.composing import Own
from dispatch_daemon.core.effects import Effect, Enter, Forget, Put
from dispatch_daemon.core.records import ApprovalRecord, ApprovalState, Record
from dispatch_daemon.core.shared_records import ActRecord, HandoverRecord, QuestionRecord
from dispatch_daemon.core.trust_records import (
    ContactRecord,
    Direction,
    EdgeRecord,
    InvitationRecord,
    InvitationStatus,
    RuleRecord,
)
from dispatch_protocol.encoding import JSON, dumps
from dispatch_protocol.keys import Digest
from dispatch_protocol.merkle import EMPTY, Tree
from dispatch_protocol.messages.shared_acts import ACTS, ActsEntry
from dispatch_protocol.signing import Document
from dispatch_protocol.standing import EdgeStatus

Before = Callable[
    [Record], Record | None
]  # what the journal holds in the place of a record that is about to be written


class Finding(StrEnum):
    """What a private log amounts to, from the best to the worst."""

    CONSISTENT = "consistent"
    GAP = "gap"
    REWRITTEN = "rewritten"


@dataclass(frozen=True, slots=True)
class Examined:
    """A log as far as it is known here: it begins with the entry `first` and has `size` by now."""

    first: int
    size: int
    root: str
    finding: Finding


# -- what was decided ------------------------------------------------------------------------------------


def decided(effects: Sequence[Effect], before: Before) -> list[tuple[Enter, str | None]]:
    """Return what these effects decide, and by which other device's word where it was not this one's; most decide nothing."""
    found: list[tuple[Enter, str | None]] = []
    for effect in effects:
        match effect:
            case Enter():
                found.append((effect, None))
            case Forget(rule):
                found.append((Enter("rule_removed", rule.rule_id, rule.edge), None))
            case Put(ApprovalRecord() as asked):
                found += _approval(asked, before(asked))
            case Put(record):
                found += [(each, None) for each in _of(record, before(record))]
            case _:
                pass
    return found


def _approval(asked: ApprovalRecord, held: Record | None) -> list[tuple[Enter, str | None]]:
    """Return a human's yes or no; what was closed by time or with its run was decided by nobody."""
    words = {ApprovalState.APPROVED: "approved", ApprovalState.DENIED: "denied"}
    answered = asked.decided_by is not None and asked.state in words
    if not answered or (isinstance(held, ApprovalRecord) and held.state is asked.state):
        return []
    return [(Enter(words[asked.state], asked.request_id, asked.subject), asked.decided_on)]


def _of(record: Record, held: Record | None) -> list[Enter]:
    match record:
        case EdgeRecord():
            return _edge(record, held if isinstance(held, EdgeRecord) else None)
        case ContactRecord():
            if not isinstance(held, ContactRecord):
                return [Enter("pinned", record.genesis)]
            return [] if held.trust is record.trust else [Enter(f"known_as_{record.trust}", record.genesis)]
        case InvitationRecord(direction=Direction.OUTGOING, status=InvitationStatus.PENDING) if held is None:
            return [Enter("invited", record.invitation_id, Document.from_json(record.document).digest.hex)]
        case RuleRecord() if held is None:
            return [Enter("rule_added", record.rule_id, record.edge)]
        case HandoverRecord():
            return [Enter("handed_over", record.digest, record.taker)]
        case QuestionRecord() if record.said is not None and getattr(held, "said", None) is None:
            return [Enter(f"said_{record.said}", record.request_id, record.subject)]
        case _:
            return []


def _edge(record: EdgeRecord, held: EdgeRecord | None) -> list[Enter]:
    """Return that an edge was ended here, or what was granted: what others grant, they have signed."""
    ended = record.status is EdgeStatus.REVOKED
    if ended:
        return [] if held is not None and held.status is record.status else [Enter("revoked", record.edge)]
    if record.direction is Direction.OUTGOING or (held is not None and held.grant == record.grant):
        return []
    return [Enter("granted", record.edge, Document.from_json(record.grant).digest.hex)]


def entered(
    decided: Iterable[tuple[Enter, str | None]], own: Own, log: Tree, now_ms: int
) -> tuple[list[ActRecord], Tree]:
    """Return the entries that follow a log, and the log after them."""
    records: list[ActRecord] = []
    for act, by in decided:
        record = ActRecord(
            device=own.device.hex,
            seq=log.size + 1,
            digest="",
            at_ms=now_ms,
            kind=act.kind,
            subject=act.subject,
            actor=by or own.device.hex,
            principal=own.genesis,
            about=act.about,
        )
        digest = leaf(record)
        log = log.grown((digest,))
        records.append(replace(record, digest=digest.hex, root=log.root.hex))
    return records, log


def leaf(record: ActRecord) -> Digest:
    """Return what an entry is in the tree: the digest of everything that it says, and of its place."""
    said: dict[str, JSON] = {
        "about": record.about,
        "actor": record.actor,
        "at": record.at_ms,
        "device": record.device,
        "kind": record.kind,
        "n": record.seq,
        "principal": record.principal,
        "subject": record.subject,
        "v": 1,
    }
    return Digest(hashlib.sha256(dumps(said)).digest())


# -- what is told of it ----------------------------------------------------------------------------------


def told(records: Sequence[ActRecord]) -> list[ActsEntry]:
    """Return entries that follow each other as the other devices are told of them."""
    parts = [records[at : at + ACTS] for at in range(0, len(records), ACTS)]
    return [
        ActsEntry(
            since=part[0].seq - 1,
            digests=tuple(Digest.from_hex(each.digest) for each in part),
            root=Digest.from_hex(part[-1].root),
        )
        for part in parts
    ]


def taken(
    entry: ActsEntry, teller: str, held: Mapping[int, ActRecord], now_ms: int
) -> tuple[list[Effect], bool]:
    """Take in what another device tells of its log; returns also whether that is another history than what it told before.

    Of two histories the first one is kept: what is held never changes, but that a root may come to it.
    """
    effects: list[Effect] = []
    contradicts = False
    last = entry.since + len(entry.digests)
    for seq, digest in enumerate(entry.digests, start=entry.since + 1):
        root = entry.root.hex if seq == last else ""
        known = held.get(seq)
        if known is None:
            effects.append(Put(ActRecord(device=teller, seq=seq, digest=digest.hex, at_ms=now_ms, root=root)))
        elif known.digest != digest.hex or (root and known.root not in ("", root)):
            contradicts = True
        elif root and not known.root:
            effects.append(Put(replace(known, root=root)))
    return ([], True) if contradicts else (effects, False)


# -- what it amounts to ----------------------------------------------------------------------------------


def tree_of(records: Sequence[ActRecord]) -> Tree:
    """Return the tree over a whole log."""
    return EMPTY.grown(Digest.from_hex(each.digest) for each in records)


def examine(records: Sequence[ActRecord], own: str, *, rewritten: bool) -> Examined:
    """Follow a log (which is not empty) by what is held of it; of this device's own, `own`, each entry is made anew.

    One that began before this device was there is followed from the first entry that is known here.
    """
    first, size, root = records[0].seq, records[-1].seq, records[-1].root
    tree = EMPTY
    gap = size - first + 1 != len(records)
    for each in records:
        tree = tree.grown((Digest.from_hex(each.digest),))
        whole = first == 1 and not gap
        made_so = each.device != own or leaf(each).hex == each.digest
        rewritten |= not made_so or (whole and each.root not in ("", tree.root.hex))
    finding = Finding.REWRITTEN if rewritten else Finding.GAP if gap else Finding.CONSISTENT
    return Examined(first, size, root, finding)
