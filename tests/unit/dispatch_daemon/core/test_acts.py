"""What is decided on a device enters its private log once, and a log that is rewritten contradicts what the others hold."""

from dataclasses import replace
from typing import Any

import pytest

from dispatch_daemon.core import acts
from dispatch_daemon.core.acts import Finding
from dispatch_daemon.core.composing import Own
from dispatch_daemon.core.effects import Effect, Enter, Forget, Put, Resolve
from dispatch_daemon.core.records import ApprovalRecord, ApprovalState, Door, Record
from dispatch_daemon.core.shared_records import ActRecord, HandoverRecord, QuestionRecord
from dispatch_daemon.core.trust_records import (
    ContactRecord,
    Direction,
    InvitationRecord,
    InvitationStatus,
    RuleRecord,
    Trust,
)
from dispatch_protocol.keys import Digest
from dispatch_protocol.merkle import EMPTY
from dispatch_protocol.messages.shared_acts import ACTS
from dispatch_protocol.standing import EdgeStatus
from tests.support.desk import ALICE_OWN, approval, edge, puts, received
from tests.support.documents import ALICE, BOB, NOW_MS, digest

OWN = ALICE_OWN
THIEF = "ab" * 32
YES = approval(state=ApprovalState.APPROVED, decided_by=Door.CLI, decided_ms=NOW_MS)
CONTACT = ContactRecord(
    genesis=BOB.chain.genesis.hex, address=BOB.email, trust=Trust.TOKEN, chain=(), pinned_ms=NOW_MS
)
INVITATION = InvitationRecord(
    invitation_id="12" * 16,
    direction=Direction.OUTGOING,
    address=BOB.email,
    document=BOB.chain.links[0].to_json(),
    status=InvitationStatus.PENDING,
    created_ms=NOW_MS,
    expires_ms=NOW_MS,
    link="",
    mac_required=True,
)
RULE = RuleRecord(rule_id="r1", edge=edge().edge, tool="Bash", command="true", created_ms=NOW_MS)
HANDED = HandoverRecord(digest=digest("x").hex, turn=1, giver=ALICE.device.hex, taker=THIEF, handed_ms=1)
QUESTION = QuestionRecord(
    request_id="q",
    digest=digest("x").hex,
    run_id="r",
    device=THIEF,
    subject=digest("call").hex,
    deadline_ms=NOW_MS,
    about="tool",
    title="Bash true",
    asked_ms=NOW_MS,
)


def decided(effect: Effect, before: Record | None = None) -> list[tuple[str, str, str | None]]:
    found = acts.decided([effect], lambda _: before)
    return [(act.kind, act.subject, by) for act, by in found]


@pytest.mark.parametrize(
    "effect, before, kind, subject",
    [
        (Enter("paused", "me"), None, "paused", "me"),
        (Forget(RULE), None, "rule_removed", "r1"),
        (Put(RULE), None, "rule_added", "r1"),
        (Put(YES), approval(), "approved", YES.request_id),
        (Put(replace(YES, state=ApprovalState.DENIED)), approval(), "denied", YES.request_id),
        (Put(YES), None, "approved", YES.request_id),
        (Put(CONTACT), None, "pinned", CONTACT.genesis),
        (Put(replace(CONTACT, trust=Trust.COMPARED)), CONTACT, "known_as_compared", CONTACT.genesis),
        (Put(INVITATION), None, "invited", INVITATION.invitation_id),
        (Put(HANDED), None, "handed_over", HANDED.digest),
        (Put(replace(QUESTION, said="approved")), QUESTION, "said_approved", "q"),
        (Put(edge()), None, "granted", edge().edge),
        (Put(edge(grant=BOB.chain.links[0].to_json())), edge(), "granted", edge().edge),
        (Put(edge(status=EdgeStatus.REVOKED)), edge(), "revoked", edge().edge),
        (
            Put(edge(Direction.OUTGOING, status=EdgeStatus.REVOKED)),
            edge(Direction.OUTGOING),
            "revoked",
            edge().edge,
        ),
    ],
)
def test_what_a_person_decides_is_an_act(
    effect: Effect, before: Record | None, kind: str, subject: str
) -> None:
    assert decided(effect, before) == [(kind, subject, None)]


@pytest.mark.parametrize(
    "effect, before",
    [
        (Resolve("x"), None),
        (Put(received()), None),
        (Put(approval()), None),
        (Put(approval(state=ApprovalState.EXPIRED)), approval()),
        (Put(replace(YES, state=ApprovalState.WITHDRAWN)), approval()),
        (Put(YES), YES),
        (Put(replace(CONTACT, alias="al")), CONTACT),
        (Put(INVITATION), INVITATION),
        (Put(replace(INVITATION, direction=Direction.INCOMING)), None),
        (Put(replace(RULE, command="false")), RULE),
        (Put(QUESTION), None),
        (Put(replace(QUESTION, said="denied")), replace(QUESTION, said="denied")),
        (Put(edge(Direction.OUTGOING)), None),
        (Put(edge(expires_ms=1)), edge()),
        (Put(edge(status=EdgeStatus.REVOKED)), edge(status=EdgeStatus.REVOKED)),
    ],
)
def test_what_others_decide_or_was_decided_before_is_none(effect: Effect, before: Record | None) -> None:
    assert decided(effect, before) == []


def test_an_answer_of_another_device_is_that_ones_act() -> None:
    assert decided(Put(replace(YES, decided_on=THIEF))) == [("approved", YES.request_id, THIEF)]


def log(*kinds: str, own: Own = OWN) -> list[ActRecord]:
    """Return the log of a device on which this was decided."""
    return acts.entered([(Enter(kind, "x"), None) for kind in kinds], own, EMPTY, NOW_MS)[0]


def test_a_log_grows_by_what_is_decided() -> None:
    first, second = log("paused", "resumed")
    assert (first.seq, second.seq, second.kind, second.actor) == (1, 2, "resumed", ALICE.device.hex)
    assert (second.principal, second.at_ms) == (OWN.genesis, NOW_MS)
    tree = EMPTY.grown([acts.leaf(first), acts.leaf(second)])
    assert acts.tree_of([first, second]) == tree
    assert (first.digest, second.root) == (acts.leaf(first).hex, tree.root.hex)
    (third,), grown = acts.entered([(Enter("paused", "x"), THIEF)], OWN, tree, NOW_MS)
    assert (third.seq, third.actor, grown.size) == (3, THIEF, 3)
    assert third.digest != first.digest, "what is decided twice are two acts"


@pytest.mark.parametrize(
    "field", ["about", "actor", "at_ms", "device", "kind", "seq", "principal", "subject"]
)
def test_everything_that_an_act_says_is_in_its_leaf(field: str) -> None:
    (act,) = log("paused")
    other: Any = 7 if isinstance(getattr(act, field), int) else "else"
    assert acts.leaf(replace(act, **{field: other})) != acts.leaf(act)


# -- what another device holds of it ---------------------------------------------------------------------


def taken(told: list[ActRecord], held: list[ActRecord] | None = None) -> tuple[list[ActRecord], bool]:
    """Let one entry be taken in about these by who holds those."""
    (entry,) = acts.told(told)
    effects, contradicts = acts.taken(
        entry, ALICE.device.hex, {each.seq: each for each in held or []}, NOW_MS
    )
    return puts(effects, ActRecord), contradicts


def test_another_device_holds_the_digests_and_nothing_else() -> None:
    mine = log("paused", "resumed")
    held, contradicts = taken(mine)
    assert not contradicts
    assert [(each.seq, each.digest, each.root, each.kind) for each in held] == [
        (1, mine[0].digest, "", ""),
        (2, mine[1].digest, mine[1].root, ""),
    ]
    assert taken(mine, held) == ([], False), "once more changes nothing"
    assert taken(mine[1:], held) == ([], False)
    (rooted,), _ = taken(mine[:1], held)
    assert (rooted.seq, rooted.root) == (1, mine[0].root), "a place of which the root was not known"


def test_whoever_rewrites_a_log_contradicts_what_was_told() -> None:
    mine, theirs = log("paused", "resumed"), log("resumed", "resumed")
    held, _ = taken(mine)
    assert taken(theirs, held) == ([], True), "another entry in its place"
    assert taken(theirs[:1], held) == ([], True)
    rooted = [replace(mine[1], root=digest("another").hex)]
    assert taken(rooted, held) == ([], True), "another root over what was rewritten before"
    after, contradicts = taken(log("resumed", "resumed", "paused")[2:], held)
    assert not contradicts
    assert acts.examine([*held, *after], THIEF, rewritten=False).finding is Finding.REWRITTEN


def test_a_long_log_is_told_in_parts() -> None:
    mine = log(*["paused"] * (ACTS + 1))
    first, second = acts.told(mine)
    assert (first.since, len(first.digests), second.since, len(second.digests)) == (0, ACTS, ACTS, 1)
    assert second.root == Digest.from_hex(mine[-1].root)
    assert acts.told([]) == []


# -- what it amounts to ----------------------------------------------------------------------------------


def finding(records: list[ActRecord], *, rewritten: bool = False) -> Finding:
    return acts.examine(records, ALICE.device.hex, rewritten=rewritten).finding


def test_ones_own_log_is_made_anew_from_what_it_says() -> None:
    mine = log("paused", "resumed", "paused")
    found = acts.examine(mine, ALICE.device.hex, rewritten=False)
    assert (found.first, found.size, found.root, found.finding) == (
        1,
        3,
        mine[-1].root,
        Finding.CONSISTENT,
    )
    assert finding([mine[0], replace(mine[1], kind="granted"), mine[2]]) is Finding.REWRITTEN
    assert finding([*mine[:2], replace(mine[2], root=digest("x").hex)]) is Finding.REWRITTEN
    assert finding([mine[0], mine[2]]) is Finding.GAP
    assert finding(mine, rewritten=True) is Finding.REWRITTEN


def test_a_log_that_began_before_is_followed_from_what_is_known() -> None:
    found = acts.examine(taken(log("paused", "resumed", "paused")[1:])[0], THIEF, rewritten=False)
    assert (found.first, found.size, found.finding) == (2, 3, Finding.CONSISTENT)


def test_an_approval_is_looked_up_before() -> None:
    seen: list[Record] = []

    def before(record: Record) -> ApprovalRecord:
        seen.append(record)
        return approval()

    assert acts.decided([Put(YES)], before)
    assert seen == [YES]
