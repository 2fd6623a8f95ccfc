"""A daemon dies at every single moment of a story, one story each: before each commit, after it, after each decision.

The real programs die at each kind of effect (`tests/crashes`); here nothing is left out, because a life costs nothing.
"""

import shutil
from functools import partial
from pathlib import Path
from typing import get_args

import pytest

from dispatch_daemon.app.bundling import write_bundle
from dispatch_daemon.core.effects import Effect
from dispatch_daemon.core.records import Box
from dispatch_daemon.core.requests import SendRequest
from dispatch_daemon.core.trust_records import Direction
from dispatch_protocol.evidence import verify_bundle
from dispatch_protocol.lifecycle import DispatchState, Outcome, RunState
from dispatch_protocol.standing import EdgeStatus
from tests.support.documents import ALICE, BOB
from tests.support.mortal_member import DeathError, Doom, MortalMember, insist
from tests.support.world import World

PARTS = 4
OVER = {"completed", "failed", "declined", "cancelled", "refused"}
NEXT = {RunState.RUNNING: RunState.SETTLING, RunState.SETTLING: RunState.APPLYING}
# A rule is taken back, a run stopped and a machine paused at the door of a whole daemon: tests/crashes dies there.
ELSEWHERE = {"Forget", "Resolve", "Enter"}


class Story:
    """Four tasks from Alice to Bob: one is done, one declined, one cancelled while it runs, one left to a revoked edge."""

    def __init__(self, directory: Path) -> None:
        self.world = World(directory, [ALICE, BOB], word="and then", member=MortalMember)
        alice, bob = self.world.members
        assert isinstance(alice, MortalMember)
        assert isinstance(bob, MortalMember)
        self.alice, self.bob = alice, bob
        self.members = (alice, bob)

    async def tell(self, doom: Doom) -> None:
        """Live through all of it, whoever dies in between."""
        for member in self.members:
            member.doom = doom
        for what in ("done", "declined", "cancelled", "left"):
            await insist(self.members, partial(self.send, what))
        await self.carry()
        await insist(self.members, self.decline)
        for what in ("done", "cancelled"):
            await insist(self.members, partial(self.accept, what))
            await insist(self.members, partial(self.begin, what))
        await self.carry()
        await insist(self.members, self.cancel)
        for _ in NEXT:
            await insist(self.members, self.go_on)
        await insist(self.members, self.finish)
        await self.carry()
        await insist(self.members, self.revoke)
        await self.carry()
        for member in self.members:
            member.doom = None

    async def carry(self) -> None:
        """Carry until nobody has anything more to say; what a dead daemon did not confirm is delivered again."""
        moved = True
        while moved:
            moved = False
            for member in self.members:
                handed = len(self.world.post.archive)
                await insist(self.members, member.work)
                moved = moved or len(self.world.post.archive) > handed
            while self.world.post.waiting:
                await insist(self.members, self.deliver)
                moved = True

    async def deliver(self) -> None:
        if not self.world.post.waiting:
            return
        parcel = self.world.post.waiting[0]
        member = self.world.post.members[parcel.to]
        assert isinstance(member, MortalMember)
        await member.incoming.deliver(parcel.raw)
        if member.dead:
            raise DeathError
        self.world.post.waiting.remove(parcel)

    # -- what people do, and do again if nobody answered ------------------------------------------------

    async def send(self, what: str) -> None:
        request = SendRequest(recipient=BOB.email, task=what)
        await self.alice.sending.send(request=request, idempotency_key=what)

    def digest(self, what: str) -> str:
        record = self.alice.journal.dispatch_for_key(what)
        assert record is not None
        return record.digest

    def undecided(self, what: str) -> bool:
        return self.bob.dispatch(self.digest(what)).state is DispatchState.DELIVERED

    async def decline(self) -> None:
        if self.undecided("declined"):
            await self.bob.decline(self.digest("declined"))

    async def accept(self, what: str) -> None:
        if self.undecided(what):
            await self.bob.accept(self.digest(what))

    async def begin(self, what: str) -> None:
        (run,) = self.bob.journal.runs(self.digest(what))
        if run.state is RunState.QUEUED:
            await self.bob.begin(run)

    async def cancel(self) -> None:
        if self.alice.dispatch(self.digest("cancelled")).state is DispatchState.ACCEPTED:
            await self.alice.cancel(self.digest("cancelled"))
        await self.carry_once()

    async def carry_once(self) -> None:
        await self.alice.work()
        while self.world.post.waiting:
            await self.deliver()

    async def go_on(self) -> None:
        (run,) = self.bob.journal.runs(self.digest("done"))
        if run.state in NEXT:
            await self.bob.go_on(run, NEXT[run.state])

    async def finish(self) -> None:
        (run,) = self.bob.journal.runs(self.digest("done"))
        if run.state is RunState.APPLYING:
            await self.bob.finish(run, Outcome.SUCCESS)

    async def revoke(self) -> None:
        if any(edge.status is EdgeStatus.ACTIVE for edge in self.bob.journal.edges(Direction.INCOMING)):
            await self.bob.revoke(self.alice)

    # -- what must be so at the end --------------------------------------------------------------------

    def judge(self) -> None:
        sent, received = self.alice.all(Box.SENT), self.bob.all(Box.INBOX)
        assert sorted(each.digest for each in sent) == sorted(each.digest for each in received)
        assert len(sent) == 4
        for record in sent:
            digest = record.digest
            assert self.alice.status(digest) == self.bob.status(digest)
            assert self.alice.status(digest) in OVER
            assert self.alice.heard(digest) == self.bob.said(digest)
            for word in ("delivered", "accepted", "started", "result"):
                assert self.bob.said(digest).count(word) <= 1
            assert len(self.bob.journal.runs(digest)) <= 1
            for member in self.members:
                bundle = write_bundle(member.home, member.journal, member.people, member.dispatch(digest))
                assert verify_bundle(bundle.read_bytes()).ok
        assert [member.owes() for member in self.members] == [0, 0]


@pytest.fixture
async def befriended(tmp_path: Path) -> Path:
    """The homes of two who have met already; every story begins with a copy."""
    world = World(tmp_path / "befriended", [ALICE, BOB])
    await world.befriend(*world.members)
    world.close()
    return tmp_path / "befriended"


async def told(befriended: Path, doom: Doom) -> Story:
    directory = befriended.with_name(f"told {doom.at}")
    shutil.copytree(befriended, directory)
    story = Story(directory)
    try:
        await story.tell(doom)
        story.judge()
    finally:
        story.world.close()
        shutil.rmtree(directory)
    return story


async def test_the_story_passes_every_effect(befriended: Path) -> None:
    doom = Doom()
    await told(befriended, doom)
    assert {kind.__name__ for kind in get_args(Effect)} - doom.seen == ELSEWHERE
    assert doom.passed > 100
    print(f"{doom.passed} moments")


@pytest.mark.parametrize("part", range(PARTS))
async def test_death_at_any_moment_breaks_no_promise(befriended: Path, part: int) -> None:
    doom = Doom()
    await told(befriended, doom)
    for at in range(part, doom.passed, PARTS):
        fatal = Doom(at)
        story = await told(befriended, fatal)
        assert sum(member.lives for member in story.members) == 3, f"nobody died at {at}"
