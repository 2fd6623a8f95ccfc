"""The rules of household histories that are people's: what is sent, decided, handed over, granted and changed, on whichever machine."""

from functools import partial

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from dispatch_daemon.core.records import DispatchRecord
from dispatch_daemon.core.requests import ScopeChoice
from dispatch_protocol.keys import DeviceId
from tests.support.far_author import HOUR_MS
from tests.support.household_histories import COUNTS, OFTEN, PICK, SELDOM, TOOLS, Household, chosen
from tests.support.own_machine import OwnMachine


class People(Household):
    """Alice and Bob."""

    # -- Alice -------------------------------------------------------------------------------------------

    @rule(
        by=PICK,
        edge=PICK,
        to=st.none() | PICK,
        age=st.sampled_from([0, 0, 0, HOUR_MS, 13 * HOUR_MS]),
        up_to_date=OFTEN,
        at_once=OFTEN,
        then=st.none() | PICK,
    )
    def send(
        self, by: int, edge: int, to: int | None, age: int, up_to_date: bool, at_once: bool, then: int | None
    ) -> None:
        """Let a device of Alice's, or the thief of one, ask for something; perhaps somebody says yes to something at once."""
        alice = self.alice
        if up_to_date:
            alice.their = self.post.own
            self.is_friend_again(by)
        device = chosen([*alice.owners, *alice.owners, *alice.stolen], by)
        named = None if to is None else chosen(sorted(alice.their.devices), to)
        chain = alice.chain if device in alice.owners else chosen([alice.chain, self.told_of_alice()], by)
        sent = alice.says(device, chain, chosen([*alice.edges, *alice.edges[-1:] * 3], edge), named, age)
        COUNTS["sent"] += 1
        self.post.take(sent.raw)
        if at_once:
            for mate in list(self.mates):
                self.empties(mate)
        if then is not None and self.pairs():
            self.says_yes(*chosen(self.pairs(), then), here=then % 5 == 0, goes=then % 4 > 0)

    send_more = send_again = send_once_more = send  # drawn more often than its rivals

    @precondition(lambda self: len(self.alice.owners) < 2)
    @rule(told=OFTEN)
    def alice_joins(self, told: bool) -> None:
        self.alice.joins()
        if told:
            self.alice.tells()

    @precondition(lambda self: len(self.alice.owners) > 1)
    @rule()
    def alice_is_robbed(self) -> None:
        self.alice.stolen.append(self.alice.owners.pop())

    @precondition(lambda self: self.alice.stolen)
    @rule(told=OFTEN)
    def alice_revokes(self, told: bool) -> None:
        for device in self.alice.stolen:
            if device.id in self.alice.chain.devices:
                self.alice.revokes(device)
        if told:
            self.alice.tells()

    # -- Bob decides -------------------------------------------------------------------------------------

    @precondition(lambda self: self.pairs())
    @rule(pick=PICK, here=SELDOM, goes=OFTEN, works=OFTEN)
    def accept(self, pick: int, here: bool, goes: bool, works: bool) -> None:
        mate, record = chosen(self.pairs(), pick)
        self.says_yes(mate, record, here=here, goes=goes)
        if works:
            self.works(mate)

    accept_more = accept_again = accept_once_more = accept_still_more = accept

    @precondition(lambda self: self.pairs())
    @rule(pick=PICK, sure=SELDOM)
    def decline(self, pick: int, sure: bool) -> None:
        mate, record = chosen(self.pairs(), pick)
        if sure:
            asks = partial(mate.dispatches.decline, dispatch_id=record.dispatch_id, reason=None)
            self.asked("declined", mate, asks)

    @precondition(lambda self: self.pairs())
    @rule(pick=PICK, to=PICK, works=OFTEN)
    def hand_over(self, pick: int, to: int, works: bool) -> None:
        mate, record = chosen(self.pairs(), pick)
        taker = chosen(sorted(mate.chain.devices), to)
        asks = partial(mate.handing.hand_over, dispatch_id=record.dispatch_id, device=taker.hex)
        if self.asked("handed over", mate, asks) is not None:
            self.note_handover(record.digest, mate, taker)
        if works:
            self.works(mate)

    hand_over_more = hand_over

    def note_handover(self, task: str, mate: OwnMachine, taker: DeviceId) -> None:
        """Let the judge know who was given a task, in which turn."""
        places = mate.journal.handovers(task)
        turn = max(each.turn for each in places if each.giver == mate.id and each.taker == taker.hex)
        self.judge.handed.setdefault((task, turn, mate.id), set()).add(taker.hex)

    @precondition(lambda self: self.mates)
    @rule(pick=PICK)
    def go_on(self, pick: int) -> None:
        mate = chosen(self.mates, pick)
        self.do(mate.run())
        self.works(mate)

    @precondition(lambda self: self.going())
    @rule(pick=PICK, works=OFTEN)
    def finish(self, pick: int, works: bool) -> None:
        mate, run = chosen(self.going(), pick)
        COUNTS["finished"] += 1
        self.do(mate.finish(run))
        if works:
            self.works(mate)

    # -- Bob grants --------------------------------------------------------------------------------------

    @precondition(lambda self: self.mates)
    @rule(pick=PICK, tools=st.integers(1, len(TOOLS)), sure=SELDOM)
    def invited_again(self, pick: int, tools: int, sure: bool) -> None:
        if sure:
            self.befriend(chosen(self.mates, pick), tools)

    def is_friend_again(self, pick: int) -> None:
        """Let Alice be invited anew on a machine that grants her nothing any more, and have it told."""
        if self.mates:
            mate = chosen(self.mates, pick)
            if not any(self.judge.readings[mate.id].grants(edge.hex) for edge in self.alice.edges):
                self.befriend(mate, len(TOOLS))
                self.works(mate)

    @precondition(lambda self: self.mates)
    @rule(
        pick=PICK,
        tools=st.integers(1, len(TOOLS)),
        approval=st.sampled_from(["manual", "review", "auto"]),
        works=OFTEN,
    )
    def edit(self, pick: int, tools: int, approval: str, works: bool) -> None:
        mate = chosen(self.mates, pick)
        choice = ScopeChoice(tools=TOOLS[:tools], approval=approval)
        asks = partial(mate.contacts.edit_edge, peer=self.alice.first.address, choice=choice)
        self.asked("edited", mate, asks)
        if works:
            self.works(mate)

    @precondition(lambda self: self.mates)
    @rule(pick=PICK, sure=SELDOM, works=OFTEN)
    def cut_off(self, pick: int, sure: bool, works: bool) -> None:
        mate = chosen(self.mates, pick)
        if sure:
            asks = partial(mate.contacts.revoke, peer=self.alice.first.address, outgoing=False)
            self.asked("cut off", mate, asks)
        if sure and works:
            self.works(mate)

    # -- what there is -----------------------------------------------------------------------------------

    def pairs(self) -> list[tuple[OwnMachine, DispatchRecord]]:
        """Return what waits for a human, the newest of it, on each machine; oftener on the one that is to run it."""
        found = [(mate, record) for mate in self.mates for record in self.undecided(mate)[:4]]
        mine = [(mate, record) for mate, record in found if self.judge.may_run(mate.id, record)]
        return [*mine, *mine, *mine, *found]
