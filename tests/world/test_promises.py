"""Whatever the relay does and whatever people do in between: never lost, never twice, and everybody agrees.

Alice may dispatch to Bob, and Bob to Carol. A machine lets them send, decide, cancel, revoke and run, lets their
daemons die, and lets the relay hold, drop, repeat, reorder, mix up and lie. After every step it looks at what must
always be so; at the end an honest relay carries what is still owed, and both sides of every dispatch must tell one
story.
"""

import asyncio
import itertools
import os
import shutil
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from dispatch_daemon.app.bundling import write_bundle
from dispatch_daemon.core.records import Box, DispatchRecord, RunRecord
from dispatch_daemon.core.trust_records import Direction
from dispatch_protocol.evidence import verify_bundle
from dispatch_protocol.keys import SigningKey
from dispatch_protocol.lifecycle import DispatchState, Outcome, RunState
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.signing import Signed, sign
from dispatch_protocol.standing import EdgeStatus
from tests.support.documents import ALICE, BOB, person
from tests.support.world import Member, Mood, World, damaged

T = TypeVar("T")
CAROL = person("carol")
PEOPLE = (ALICE, BOB, CAROL)
PICK = st.integers(0, 2**16)
DAY_MS = 86_400_000
RARELY = st.sampled_from([True, False, False])
MOODS = st.sampled_from([*Mood, Mood.HONEST, Mood.HONEST, Mood.SILENT])
S = DispatchState
OPEN = (S.QUEUED, S.SENT, S.DELIVERED, S.ACCEPTED)
SAID = {S.DELIVERED: "delivered", S.ACCEPTED: "accepted", S.DECLINED: "declined"}


class Courier(RuleBasedStateMachine):
    """Three daemons and a relay; everybody here knows each other already."""

    def __init__(self, befriended: Path, directory: Path) -> None:
        super().__init__()
        shutil.copytree(befriended, directory)
        self.directory = directory
        self.runner = asyncio.Runner()
        self.world = World(directory, PEOPLE, word="and then")
        alice, bob, carol = self.world.members
        self.pairs = [(alice, bob), (bob, carol)]
        self.sent: list[tuple[Member, Member, str]] = []
        self.shut: dict[str, set[str]] = {}  # revoked edges, and what had come over each before
        self.lost = False  # whether the relay has lost anything that it had said to keep
        SIGNED.clear()

    def do(self, what: Awaitable[object]) -> None:
        async def done() -> None:
            await what

        self.runner.run(done())

    def by_hand(self, what: Awaitable[object]) -> None:
        """Let a human do something: only then may a machine sign that something is asked, decided or granted."""
        self.do(what)
        SIGNED.clear()

    # -- people ----------------------------------------------------------------------------------------

    @initialize(moods=st.tuples(MOODS, MOODS))
    def begin(self, moods: tuple[Mood, Mood]) -> None:
        for pair, mood in zip(self.pairs, moods, strict=True):
            self.by_hand(self.send_one(*pair, mood))

    @rule(pick=PICK, mood=MOODS)
    def send(self, pick: int, mood: Mood) -> None:
        self.by_hand(self.send_one(*chosen(self.pairs, pick), mood))

    async def send_one(self, author: Member, recipient: Member, mood: Mood) -> None:
        edges = author.journal.edges(Direction.OUTGOING)
        if any(edge.status is EdgeStatus.ACTIVE for edge in edges):
            record = await author.send(recipient, f"task {len(self.sent)}")
            self.sent.append((author, recipient, record.digest))
        self.world.post.mood = mood
        await author.work()

    @precondition(lambda self: self.undecided())
    @rule(pick=PICK, yes=st.booleans())
    def decide(self, pick: int, yes: bool) -> None:
        member, record = chosen(self.undecided(), pick)
        self.by_hand(member.accept(record.digest) if yes else member.decline(record.digest))

    @precondition(lambda self: self.open())
    @rule(pick=PICK, sure=RARELY)
    def cancel(self, pick: int, sure: bool) -> None:
        member, record = chosen(self.open(), pick)
        if sure:
            self.by_hand(member.cancel(record.digest))

    @precondition(lambda self: self.standing())
    @rule(pick=PICK, sure=RARELY)
    def revoke(self, pick: int, sure: bool) -> None:
        author, recipient, edge = chosen(self.standing(), pick)
        if not sure:
            return
        self.by_hand(recipient.revoke(author))
        self.shut[edge] = {record.digest for record in recipient.all(Box.INBOX)}
        for record in recipient.journal.on_edge(edge):  # what is being applied is carried to its end
            assert [run.state for run in recipient.journal.runs(record.digest)] == [RunState.APPLYING]

    @rule(carried=st.booleans())
    def go_on(self, carried: bool) -> None:
        """Accept everything, take every run one step further, and perhaps let everybody hear of it."""
        for member, run in self.going():
            match run.state:
                case RunState.QUEUED:
                    self.do(member.begin(run))
                case RunState.RUNNING:
                    self.do(member.go_on(run, RunState.SETTLING))
                case RunState.SETTLING:
                    self.do(member.go_on(run, RunState.APPLYING))
                case _:
                    self.do(member.finish(run, Outcome.SUCCESS))
        for member, record in self.undecided():
            self.by_hand(member.accept(record.digest))
        if carried:
            self.do(self.world.carry())

    go_further = go_on  # drawn more often than its rivals

    @precondition(lambda self: self.going())
    @rule(pick=PICK, outcome=st.sampled_from(Outcome))
    def run(self, pick: int, outcome: Outcome) -> None:
        member, run = chosen(self.going(), pick)
        if outcome is Outcome.SUCCESS:
            self.do(member.heartbeat(run))
        else:
            self.do(self.end_run(member, run, outcome))

    async def end_run(self, member: Member, run: RunRecord, outcome: Outcome) -> None:
        await member.finish(run, Outcome.SUCCESS if run.state is RunState.APPLYING else outcome)

    # -- daemons and the relay -------------------------------------------------------------------------

    @rule()
    def carry(self) -> None:
        self.do(self.world.carry())

    carry_on = carry  # drawn more often than its rivals

    @rule(pick=PICK, mood=MOODS)
    def work(self, pick: int, mood: Mood) -> None:
        self.world.post.mood = mood
        self.do(chosen(self.world.members, pick).work())

    @precondition(lambda self: self.world.post.waiting)
    @rule(pick=PICK)
    def deliver(self, pick: int) -> None:
        self.do(self.world.post.deliver(chosen(self.world.post.waiting, pick)))

    @precondition(lambda self: self.world.post.waiting)
    @rule(pick=PICK)
    def drop(self, pick: int) -> None:
        self.world.post.waiting.remove(chosen(self.world.post.waiting, pick))
        self.lost = True

    @precondition(lambda self: self.world.post.archive)
    @rule(pick=PICK, at=PICK, how=st.sampled_from(["repeated", "damaged", "mixed up"]))
    def meddle(self, pick: int, at: int, how: str) -> None:
        parcel = chosen(self.world.post.archive, pick)
        if how == "mixed up":
            stranger = next(member for member in self.world.members if member.genesis != parcel.to)
            self.unmoved(stranger.incoming.deliver(parcel.raw))
        elif how == "damaged":
            self.unmoved(self.world.post.deliver(damaged(parcel, at)))
        elif self.world.knows(parcel):
            self.unmoved(self.world.post.deliver(parcel))

    @rule(pick=PICK, when=st.sampled_from(["at rest", "depositing", "forgetting"]))
    def fail(self, pick: int, when: str) -> None:
        member = chosen(self.world.members, pick)
        if when == "at rest":
            member.die()
        elif when == "depositing":
            self.world.post.mood = chosen((Mood.SILENT, Mood.AWAY), pick // 3)
            self.do(member.die_depositing())
        else:
            self.world.post.forget()
            self.lost = True

    @rule(minutes=st.sampled_from([1, 1, 1, 10, 10, 30, 90]))
    def wait(self, minutes: int) -> None:
        for member in self.world.members:
            self.do(member.wait(minutes * 60_000))

    # -- what must always be so ------------------------------------------------------------------------

    def unmoved(self, delivery: Awaitable[object]) -> None:
        """Deliver what must not move anything."""
        before = [self.picture(member) for member in self.world.members]
        self.do(delivery)
        assert [self.picture(member) for member in self.world.members] == before

    def picture(self, member: Member) -> list[object]:
        return [
            (
                record.digest,
                record.state,
                record.answer_seq,
                record.accepted_decisions,
                record.cancel_requested,
            )
            for box in (Box.INBOX, Box.SENT)
            for record in member.all(box)
        ]

    @invariant()
    def nothing_happens_twice(self) -> None:
        for member in self.world.members:
            for record in member.all(Box.INBOX):
                said = [answer for answer in member.journal.answers(record.digest) if answer.seq]
                assert [answer.seq for answer in said] == list(range(1, record.answer_seq + 1))
                assert [answer.type for answer in said].count("accepted") <= 1
                assert len(member.journal.runs(record.digest)) <= 1

    @invariant()
    def nothing_on_the_network_makes_a_machine_decide(self) -> None:
        assert not SIGNED, "no human was there"

    @invariant()
    def only_signed_answers_move_the_author(self) -> None:
        for author, _, digest in self.sent:
            state, heard = author.dispatch(digest).state, author.heard(digest)
            if state in SAID:
                assert SAID[state] in heard
            elif state is S.FINISHED:
                assert {"result", "cancelled"}.intersection(heard)
            assert not heard or state not in (S.QUEUED, S.SENT)

    @invariant()
    def nothing_comes_in_over_a_revoked_edge(self) -> None:
        for _, recipient in self.pairs:
            for record in recipient.all(Box.INBOX):
                if record.digest not in self.shut.get(record.edge, {record.digest}):
                    assert record.state in (S.REFUSED, S.EXPIRED)

    # -- the end ---------------------------------------------------------------------------------------

    def teardown(self) -> None:
        try:
            self.by_hand(self.end())
            for author, recipient, digest in self.sent:
                self.one_story(author, recipient, digest)
            for member in self.world.members:
                assert member.owes() == 0, f"{member.name} still owes what everybody has"
        finally:
            self.world.close()
            self.runner.close()
            shutil.rmtree(self.directory)

    async def end(self) -> None:
        """Carry what is owed, decide what is undecided, let every run end, and wait for what will never be heard."""
        await self.healed()
        for member, record in self.undecided():
            await member.decline(record.digest)
        for member, run in self.going():
            await self.end_run(member, run, Outcome.FAILED)
        await self.healed()
        for member in self.world.members:
            await member.wait(DAY_MS)
        await self.healed()

    async def healed(self) -> None:
        """Let an honest relay carry all that is owed; one that has lost something says so by a new epoch."""
        await self.world.settle()
        if self.lost:
            self.world.post.forget()
            await self.world.settle()

    def one_story(self, author: Member, recipient: Member, digest: str) -> None:
        ours, theirs = author.dispatch(digest), recipient.journal.dispatch(digest)
        if theirs is None:  # it never arrived, and its author knows that nobody will act on it
            assert ours.state in (S.REFUSED, S.EXPIRED, S.CANCELLED)
            return
        assert author.status(digest) == recipient.status(digest)
        assert ours.outcome == theirs.outcome
        assert author.heard(digest) == recipient.said(digest)
        for member, record in ((author, ours), (recipient, theirs)):
            bundle = write_bundle(member.home, member.journal, member.people, record)
            assert verify_bundle(bundle.read_bytes()).ok

    # -- what there is ---------------------------------------------------------------------------------

    def undecided(self) -> list[tuple[Member, DispatchRecord]]:
        return self.found([Box.INBOX], [S.DELIVERED])

    def open(self) -> list[tuple[Member, DispatchRecord]]:
        return self.found([Box.INBOX, Box.SENT], OPEN)

    def found(self, boxes: list[Box], states: Sequence[DispatchState]) -> list[tuple[Member, DispatchRecord]]:
        return [
            (member, record)
            for member in self.world.members
            for box in boxes
            for record in member.all(box)
            if record.state in states
        ]

    def going(self) -> list[tuple[Member, RunRecord]]:
        return [
            (member, run)
            for member in self.world.members
            for run in member.journal.runs_unfinished()
            if run.device == member.person.device.hex
        ]

    def standing(self) -> list[tuple[Member, Member, str]]:
        return [
            (author, recipient, edge.edge)
            for author, recipient in self.pairs
            for edge in recipient.journal.edges(Direction.INCOMING)
            if edge.status is EdgeStatus.ACTIVE
        ]


def chosen(things: Sequence[T], pick: int) -> T:
    return things[pick % len(things)]


DECIDING = {payload_type(kind) for kind in (Kind.TASK, Kind.DECISION, Kind.GRANT)}
SIGNED: list[str] = []  # what was signed since a human last did something, of what only humans decide


@pytest.fixture(autouse=True)
def noted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Note each signature below something that only a human decides."""

    def note(key: SigningKey, kind: str, body: bytes) -> Signed:
        if kind in DECIDING:
            SIGNED.append(kind)
        return sign(key, kind, body)

    monkeypatch.setattr("dispatch_daemon.app.performer.sign", note)


@pytest.mark.timeout(max(60, int(os.environ.get("DISPATCH_TEST_STORIES", "0"))))
def test_every_promise_holds_whatever_happens(tmp_path: Path) -> None:
    befriended = tmp_path / "befriended"
    world = World(befriended, PEOPLE)

    async def befriend() -> None:
        for author, recipient in itertools.pairwise(world.members):
            await world.befriend(author, recipient)

    asyncio.run(befriend())
    world.close()
    names = (tmp_path / f"world {number}" for number in itertools.count())
    run_state_machine_as_test(lambda: Courier(befriended, next(names)), settings=stories())


def stories() -> settings:
    """Tell the same 40 stories each time, or as many new ones as DISPATCH_TEST_STORIES asks for.

    Not shrunk: a failing story is told as it was found, within the test's own time limit.
    """
    asked = os.environ.get("DISPATCH_TEST_STORIES")
    return settings(
        max_examples=int(asked or 40),
        stateful_step_count=40,
        derandomize=asked is None,
        database=None,
        phases=(Phase.explicit, Phase.generate),
    )
