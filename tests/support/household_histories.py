"""A machine of histories: a person with several machines, somebody who sends to them, a relay on nobody's side, and thieves.

The machines are the rooms of real daemons. They are paired, stolen, revoked, recovered, stopped in a panic and away for weeks; each
is handed what the relay likes, late, twice or in another order. What may run is judged by `household_judge`, from signed bytes.
"""

import asyncio
import logging
import shutil
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from dispatch_daemon.core.errors import ServiceError
from dispatch_daemon.core.records import DispatchRecord
from dispatch_daemon.core.requests import ScopeChoice
from dispatch_protocol.chain import Chain, write_links
from dispatch_protocol.keys import Digest
from dispatch_protocol.lifecycle import DispatchState
from dispatch_protocol.links import ALL_ROLES, AddDeviceLink, Role, sign_link
from tests.support.burglar import Burglar
from tests.support.documents import BOB, Person, person
from tests.support.far_author import FarAuthor
from tests.support.fate import Fate
from tests.support.household_judge import Judge
from tests.support.own_machine import OwnMachine
from tests.support.sibling_post import SiblingPost

T = TypeVar("T")
PICK = st.integers(0, 2**16)
OFTEN = st.sampled_from([True, True, False])
SELDOM = st.sampled_from([False, False, False, True])
TOOLS = ("Read", "Edit", "Bash")
COUNTS: Counter[str] = Counter()  # how often what came about, in all histories of a process
OPERATIONS = {
    "cut off": "revoke",
    "revoked": "revoke_device",
}  # what a panic lets a human do, as the door calls it
S = DispatchState


class Mistakes(logging.Handler):
    """Collects what a room of the product has logged as its own mistake."""

    def __init__(self, found: list[str]) -> None:
        super().__init__(logging.ERROR)
        self.found = found

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self.found.append(f"{record.getMessage()}: {record.exc_info[1]!r}\n{self.format(record)}")


class Household(RuleBasedStateMachine):
    """The world: `mates` are the machines in their person's hands, `thieves` those who have one, `alice` is who sends."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self.directory = directory
        self.runner = asyncio.Runner()
        self.fate = Fate("household")
        self.made = 0
        second = person("bob's 1")
        chain = added(BOB.chain, BOB, second, self.fate)
        self.post = SiblingPost(chain)
        self.alice = FarAuthor(self.post, self.fate)
        self.judge = Judge(chain.genesis.hex, write_links(self.alice.chain.links))  # type: ignore[arg-type] - JSON is JSON
        self.mistakes = Mistakes(self.judge.found)
        logging.getLogger("dispatch").addHandler(self.mistakes)
        self.mates: list[OwnMachine] = []
        self.thieves: list[Burglar] = []
        for each in (BOB, second):
            self.have(each, chain)

    def have(self, owner: Person, chain: Chain) -> OwnMachine:
        """Have one machine more, that belongs to the chain already."""
        self.made += 1
        home = self.directory / f"home {self.made}"
        mate = OwnMachine(owner, chain, self.post, home, self.fate, self.judge.begins)
        self.mates.append(mate)
        self.judge.joins(mate)
        self.do(mate.wake())
        return mate

    def do(self, what: Awaitable[T]) -> T:
        async def done() -> T:
            return await what

        return self.runner.run(done())

    def asked(self, name: str, mate: OwnMachine, asks: Callable[[], Awaitable[T]]) -> T | None:
        """Let a human ask a machine for something, which may be refused and then brings nothing."""
        try:
            mate.panic.require_calm(OPERATIONS.get(name, name))
            answer = self.do(asks())
        except ServiceError as error:
            if error.code == "internal":
                raise
            COUNTS[f"{name}: {error.code}"] += 1
            return None
        COUNTS[name] += 1
        if not mate.left:
            self.judge.looks(mate)  # what it signed counts by its chain of now
        return answer

    # -- beginning ---------------------------------------------------------------------------------------

    @initialize(robbed=st.booleans())
    def begin(self, robbed: bool) -> None:
        """Let Alice be a friend; perhaps there is a third machine, which was stolen since."""
        self.befriend(self.mates[0], len(TOOLS))
        self.everybody()
        if robbed:
            third = person("bob's 2")
            chain = added(self.mates[0].chain, BOB, third, self.fate)
            self.do(self.mates[0].own_chain.grow(chain, self.mates[0].household.feed))
            mate = self.have(third, chain)
            self.everybody()
            self.robbed_of(mate)

    def robbed_of(self, mate: OwnMachine) -> None:
        """Have a machine taken away, by somebody who goes on in its log."""
        COUNTS["stolen"] += 1
        self.mates.remove(mate)
        self.do(mate.close())
        self.judge.stolen.add(mate.id)
        thief, reading = Burglar(mate.person, mate.chain, self.fate), self.judge.readings[mate.id]
        thief.seq, thief.prev = reading.said, Digest.from_hex(reading.said_digest)
        self.thieves.append(thief)

    def befriend(self, mate: OwnMachine, tools: int) -> None:
        """Let Alice invite, and a machine accept within so many tools."""
        token, document, secret = self.alice.invites()
        choice = ScopeChoice(tools=TOOLS[:tools], approval="manual", max_per_day=10_000)
        asks = partial(mate.accepting.accept_invitation, token=token, choice=choice)
        if self.asked("invited", mate, asks) is not None:
            self.works(mate)
            edge = self.alice.confirms(document, secret)
            if edge is not None:
                self.judge.confirmed.add(edge.hex)

    # -- the machines at work ----------------------------------------------------------------------------

    def works(self, mate: OwnMachine) -> None:
        """Let a machine pay what it owes."""
        if not mate.left:
            self.judge.looks(mate)
            self.do(mate.work())
        self.gone()

    def hands(self, mate: OwnMachine, raw: bytes) -> bool:
        """Hand an envelope to a machine; says whether the relay may forget it."""
        if mate.left:
            return True
        taken = self.do(mate.heard(raw))
        if not mate.left and taken:
            self.judge.hands(mate, raw)
            self.judge.looks(mate)
        return taken

    def gone(self) -> None:
        """Forget the machines that have erased their keys."""
        for mate in [each for each in self.mates if each.left]:
            COUNTS["left"] += 1
            self.do(mate.close())
            self.mates.remove(mate)

    def empties(self, mate: OwnMachine) -> bool:
        """Hand a machine all that waits for it; says whether anything was taken."""
        waiting, taken = self.post.waiting[mate.id], False
        for raw in list(waiting):
            if self.hands(mate, raw):
                waiting.remove(raw)
                taken = True
        return taken

    def everybody(self) -> None:
        """Let all machines work and hear until nobody has anything more to say."""
        for _ in range(12):
            moved = False
            for mate in list(self.mates):
                self.works(mate)
                moved |= not mate.left and self.empties(mate)
            self.gone()
            if not moved:
                return

    def says_yes(self, mate: OwnMachine, record: DispatchRecord, *, here: bool, goes: bool) -> None:
        """Let a human accept at a machine, which may begin at once."""
        name = "accepted here" if here else "accepted"
        run_id = self.asked(name, mate, partial(mate.accept, record, here=here))
        if run_id is not None:
            self.judge.accepts(mate, record.digest, run_id, here=here)
        if goes:
            self.do(mate.run())

    # -- what is known -----------------------------------------------------------------------------------

    def undecided(self, mate: OwnMachine) -> list[DispatchRecord]:
        return [record for record in mate.inbox() if record.state is S.DELIVERED]

    def told_of_alice(self) -> Chain:
        """Return Alice's chain as the relay tells it."""
        return self.post.told[self.judge.author_genesis]

    def going(self) -> list[tuple[OwnMachine, str]]:
        return [(mate, run) for mate in self.mates for run in mate.stage.going]

    @invariant()
    def nothing_was_found(self) -> None:
        assert not self.judge.found, "; ".join(self.judge.found)

    def teardown(self) -> None:
        COUNTS["histories"] += 1
        COUNTS["runs"] += len(self.judge.begun)
        COUNTS["draws"] += self.fate._draws
        logging.getLogger("dispatch").removeHandler(self.mistakes)
        for mate in self.mates:
            self.do(mate.close())
        self.runner.close()
        shutil.rmtree(self.directory)


def added(chain: Chain, by: Person, new: Person, fate: Fate, roles: frozenset[Role] = ALL_ROLES) -> Chain:
    """Return a chain with one device more."""
    link = AddDeviceLink(
        prev=chain.head,
        device=new.device,
        sealing=new.seal.public,
        roles=roles,
        created_ms=fate.now_ms(),
        nonce=fate.random(16),
    )
    return chain.extend([sign_link(link, (by.sign, new.sign))])


def chosen(things: Sequence[T], pick: int) -> T:
    return things[pick % len(things)]
