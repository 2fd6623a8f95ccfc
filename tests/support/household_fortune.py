"""The rules of household histories that are nobody's wish, or a thief's: machines come and go, the relay does as it likes, time passes."""

from functools import partial

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from dispatch_daemon.adapters.relay import RelayRejectedError
from dispatch_daemon.core import devices
from dispatch_protocol.chain import write_links
from dispatch_protocol.envelope import Envelope, EnvelopeClass
from dispatch_protocol.errors import DispatchError
from dispatch_protocol.keys import DeviceId, Digest
from dispatch_protocol.links import Role, sign_link
from dispatch_protocol.messages.household import Entry
from dispatch_protocol.messages.shared_work import Deed
from tests.support.burglar import Burglar
from tests.support.documents import BOB, person
from tests.support.far_author import DAY_MS, HOUR_MS
from tests.support.household_histories import (
    ALL_ROLES,
    COUNTS,
    OFTEN,
    PICK,
    SELDOM,
    Household,
    added,
    chosen,
)
from tests.support.own_machine import OwnMachine

MOST = 3  # machines in the hands of their person
SPANS = [*[2_000] * 6, HOUR_MS, HOUR_MS, 13 * HOUR_MS, DAY_MS, 8 * DAY_MS, 21 * DAY_MS]
SOME = st.lists(PICK, max_size=2)


class Fortune(Household):
    """What befalls a household."""

    # -- its own machines --------------------------------------------------------------------------------

    @precondition(lambda self: 0 < len(self.mates) < MOST and len(self.post.own.devices) < 5)
    @rule(pick=PICK, roles=st.sampled_from([ALL_ROLES, ALL_ROLES, frozenset({Role.RUNNER})]), works=OFTEN)
    def pair(self, pick: int, roles: frozenset[Role], works: bool) -> None:
        mate = chosen(self.mates, pick)
        held = mate.chain.devices.get(mate.person.device)
        if held is None or Role.APPROVER not in held.roles:
            return
        new = person(f"bob's {self.made}")
        chain = added(mate.chain, mate.person, new, self.fate, roles)
        COUNTS["paired"] += 1
        self.do(mate.own_chain.grow(chain, mate.household.feed))
        if works:
            self.works(mate)
        self.have(new, chain)

    @precondition(lambda self: self.mates)
    @rule(pick=PICK, whom=PICK, works=OFTEN, sure=SELDOM)
    def revoke(self, pick: int, whom: int, works: bool, sure: bool) -> None:
        """End a machine, most often one that was stolen."""
        mate = chosen(self.mates, pick)
        lost = [each.id.hex for each in self.thieves if each.id in mate.chain.devices]
        if not lost and not sure:
            return
        device = chosen([*lost, *lost, *lost, *(each.hex for each in sorted(mate.chain.devices))], whom)
        self.asked("revoked", mate, partial(mate.devices.revoke_device, device=device))
        if works:
            self.works(mate)
        self.gone()

    @precondition(lambda self: self.mates)
    @rule(pick=PICK, whom=PICK, owner=st.booleans(), works=OFTEN)
    def set_roles(self, pick: int, whom: int, owner: bool, works: bool) -> None:
        mate = chosen(self.mates, pick)
        device = chosen(sorted(mate.chain.devices), whom).hex
        roles = None if owner else ["approver", "runner"]
        asks = partial(mate.devices.set_device, device=device, roles=roles, owner=owner)
        self.asked("roles", mate, asks)
        if works:
            self.works(mate)

    @precondition(lambda self: self.mates)
    @rule(pick=PICK, last_words=OFTEN, sure=SELDOM)
    def lose(self, pick: int, last_words: bool, sure: bool) -> None:
        """Let somebody take a machine away, if one is left."""
        if not sure or (len(self.mates) == 1 and self.thieves):
            return
        mate = chosen(self.mates, pick)
        if last_words:
            self.works(mate)
        if mate in self.mates:
            self.robbed_of(mate)

    @rule(keep=SOME, sure=SELDOM)
    def recover(self, keep: list[int], sure: bool) -> None:
        """Take the identity back with the recovery key, on a new machine; whoever is named survives."""
        if not sure or len(self.mates) >= MOST or self.post.own.epoch > 2:
            return
        hands = [each.person.device for each in self.mates]
        found = self.post.own
        survivors = frozenset(chosen(hands, each) for each in keep if hands)
        survivors &= {device for state in found.states for device in state}
        new = person(f"bob's {self.made}")
        now_ms, nonce = self.fate.now_ms(), self.fate.random(16)
        try:
            pair = (new.device, new.seal.public)
            base, link = devices.recovery(found, survivors, pair, now_ms=now_ms, nonce=nonce)
        except DispatchError:
            return
        chain = base.extend([sign_link(link, (BOB.recovery, new.sign))])
        COUNTS["recovered"] += 1
        self.post.tell(write_links(chain.links))
        self.have(new, chain)

    # -- panic -------------------------------------------------------------------------------------------

    @precondition(lambda self: self.mates)
    @rule(pick=PICK, sure=SELDOM)
    def panic(self, pick: int, sure: bool) -> None:
        mate = chosen(self.mates, pick)
        if sure:
            COUNTS["panics"] += 1
            self.judge.looks(mate)
            self.do(mate.call_panic())
            self.judge.readings[mate.id].panicked = True

    @precondition(lambda self: any(each.panic.since_ms is not None for each in self.mates))
    @rule(pick=PICK)
    def calm(self, pick: int) -> None:
        mate = chosen([each for each in self.mates if each.panic.since_ms is not None], pick)
        self.do(mate.panic.panic_machine(off=True))
        self.judge.readings[mate.id].panicked = False

    # -- the relay and time ------------------------------------------------------------------------------

    @precondition(lambda self: any(self.post.waiting[each.id] for each in self.mates))
    @rule(pick=PICK, which=PICK, first=st.booleans())
    def carry(self, pick: int, which: int, first: bool) -> None:
        """Hand a machine one of the envelopes that wait for it, the oldest or another one."""
        mate = chosen([each for each in self.mates if self.post.waiting[each.id]], pick)
        waiting = self.post.waiting[mate.id]
        raw = waiting[0] if first else chosen(waiting, which)
        if self.hands(mate, raw):
            waiting.remove(raw)
        self.gone()

    @precondition(lambda self: self.mates)
    @rule(pick=PICK)
    def carry_all(self, pick: int) -> None:
        self.empties(chosen(self.mates, pick))
        self.gone()

    carry_more = carry_again = carry_all

    @precondition(lambda self: any(self.post.kept[each.id] for each in self.mates))
    @rule(pick=PICK, which=PICK, task=OFTEN, then=OFTEN)
    def repeat(self, pick: int, which: int, task: bool, then: bool) -> None:
        """Hand a machine once more, or too early, what was ever for it; perhaps its human says yes to what waits then."""
        mate = chosen([each for each in self.mates if self.post.kept[each.id]], pick)
        kept = self.post.kept[mate.id]
        tasks = [raw for raw in kept if Envelope.decode(raw).header.klass is EnvelopeClass.TASK]
        self.hands(mate, chosen(tasks if task and tasks else kept, which))
        self.gone()
        waits = self.undecided(mate) if then and mate in self.mates else []
        if waits:
            self.says_yes(mate, waits[0], here=False, goes=True)

    @rule(links=st.integers(0, 2))
    def hide(self, links: int) -> None:
        self.post.hidden = links

    @precondition(lambda self: self.mates)
    @rule(pick=PICK)
    def learn(self, pick: int) -> None:
        """Let a machine ask for its own chain, and for Alice's."""
        mate = chosen(self.mates, pick)
        for genesis in (self.judge.genesis, self.judge.author_genesis):
            if not mate.left:
                mate.chains._fruitless.clear()
                self.do(mate.chains.learn(genesis))
        if not mate.left:
            self.judge.looks(mate)
        self.gone()

    @rule(span=st.sampled_from(SPANS), works=st.lists(OFTEN, min_size=3, max_size=3))
    def wait(self, span: int, works: list[bool]) -> None:
        """Let time pass, in which some machines are on at the end, and some are not."""
        self.fate._now_ms += span
        for mate, on in zip(list(self.mates), works, strict=False):
            if on:
                self.works(mate)

    @precondition(lambda self: self.mates)
    @rule(pick=PICK)
    def die(self, pick: int) -> None:
        mate = chosen(self.mates, pick)
        self.judge.looks(mate)
        self.do(mate.die())
        self.gone()

    @rule()
    def all_meet(self) -> None:
        """Let an honest relay carry everything, and see that what two have run is shown as a conflict."""
        self.post.hidden = 0
        for _ in range(2):
            for mate in list(self.mates):
                if mate in self.mates:
                    self.learn_of(mate)
            self.everybody()
        self.shown()

    def learn_of(self, mate: OwnMachine) -> None:
        mate.chains._fruitless.clear()
        self.do(mate.chains.learn(self.judge.genesis))
        self.gone()

    def shown(self) -> None:
        if len({mate.chain.head for mate in self.mates}) != 1 or any(
            each.panic.since_ms is not None for each in self.mates
        ):
            return
        there = {mate.id for mate in self.mates}
        for task, on in self.judge.conflicts().items():
            if not on <= there:
                continue
            for mate in self.mates:
                record = mate.journal.dispatch(task)
                if record is not None:
                    COUNTS["conflicts"] += 1
                    assert mate.status(record) == "conflict", "two have run it, and it is not shown"

    # -- thieves -----------------------------------------------------------------------------------------

    @precondition(lambda self: self.thieves)
    @rule(
        pick=PICK,
        kinds=st.lists(st.integers(0, 9), min_size=1, max_size=3),
        place=st.sampled_from(["next", "next", "next", "again", "leap", "base"]),
        what=PICK,
        to=st.integers(0, 3),
        up_to_date=OFTEN,
        name=st.none() | st.none() | PICK,
        at_once=OFTEN,
    )
    def thief_says(
        self,
        pick: int,
        kinds: list[int],
        place: str,
        what: int,
        to: int,
        up_to_date: bool,
        name: int | None,
        at_once: bool,
    ) -> None:
        """Let a thief say something, in their machine's name or in another one's."""
        thief = chosen(self.thieves, pick)
        if up_to_date:
            thief.learns(self.post.own)
        order = sorted(thief.chain.devices)
        named = None if name is None else chosen(order, name)
        entries = [entry for kind in kinds for entry in self.lies(thief, named or thief.id, kind, what)]
        some = partial(_is_in, order, to)
        raw = thief.says(entries, some, place=place, name=None if named == thief.id else named)
        if raw is None:
            return
        COUNTS["thieves' words"] += 1
        self.post.take(raw)
        if at_once:
            for mate in list(self.mates):
                self.empties(mate)
            self.gone()

    thief_says_more = thief_says

    def lies(self, thief: Burglar, by: DeviceId, kind: int, what: int) -> list[Entry]:
        """Return what a thief may say in the name of a device."""
        tasks = [each.signed.digest for each in self.alice.sent[-4:]] or [Digest.ZERO]
        task, device = chosen(tasks, what), chosen(sorted(thief.chain.devices), what // 5)
        edge, alice = chosen(self.alice.edges, what // 3), self.alice.chain
        match kind:
            case 0 | 1 | 2:
                turn = 1 + (what // 7) % 2 if kind else 1
                if by == thief.id:
                    self.judge.handed.setdefault((task.hex, turn, by.hex), set()).add(device.hex)
                return [thief.hands(task, turn, device)]
            case 3:
                return [thief.did(task, device, chosen([*Deed], what))]
            case 4:
                return [thief.did(task, by, chosen([*Deed], what))]
            case 5:
                return [thief.grants(edge, alice, 1 + what % 9)]
            case 6:
                owner = chosen(self.alice.owners, what)
                return [thief.grants(edge, alice, 1 + what % 9, by=owner.signing)]
            case 7:
                return [thief.pins(self.told_of_alice()), thief.names(device)]
            case 8 if what % 4 == 0:
                return [thief.grants(edge, alice, 1 + what % 9, status="revoked")]
            case 9 if what % 6 == 0:
                return [thief.panics(by)]
        return []

    @precondition(lambda self: self.thieves)
    @rule(pick=PICK, how=st.integers(0, 5), whom=PICK, sure=SELDOM)
    def thief_turns(self, pick: int, how: int, whom: int, sure: bool) -> None:
        """Let a thief change the chain: a machine of their own, another owner, or an end of somebody."""
        thief = chosen(self.thieves, pick)
        thief.learns(self.post.own)
        if not sure or len(thief.chain.devices) > 4:
            return
        device: DeviceId = chosen(sorted(thief.chain.devices), whom)
        try:
            if how == 0:
                chain = thief.revokes(device)
            elif how < 3:
                chain = thief.states(device, ALL_ROLES)
            else:
                new = person(f"thief's {self.made}")
                self.made += 1
                chain = thief.adds(new)
                self.thieves.append(Burglar(new, chain, self.fate))
                self.judge.stolen.add(new.device.hex)
            self.post.tell(write_links(chain.links))
        except (DispatchError, RelayRejectedError):
            return
        COUNTS["thieves' links"] += 1
        thief.chain = chain if thief.id in chain.devices else thief.chain


def _is_in(order: list[DeviceId], group: int, device: DeviceId) -> bool:
    """Say whether a device is one of those that a thief means: all of them, or every third one."""
    return group == 0 or order.index(device) % 3 == group - 1
