"""A machine of histories: one daemon against an identity that is hunted, its thief, and a relay on nobody's side.

Devices join, are stolen, revoked, recovered and stay away for weeks; the identity is invited again and cut off again; its
thief has the same keys and a history of their own; and the relay tells of the two chains whichever it likes, keeps tasks for
weeks, and repeats them. What is allowed is judged by the second reading of the protocol (`independent_evidence`), from the
chain that the daemon has pinned and from the books of this machine.
"""

import asyncio
import json
import shutil
from collections.abc import Awaitable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from dispatch_daemon.core.records import Box, DispatchRecord, RunRecord
from dispatch_daemon.core.requests import ScopeChoice
from dispatch_protocol.errors import DispatchError
from dispatch_protocol.keys import EdgeId
from dispatch_protocol.lifecycle import DispatchState, Outcome, RunState
from dispatch_protocol.messages.registry import encode_body
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.signing import sign
from tests.support.documents import BOB
from tests.support.hunted import DAY_MS, HOUR_MS, Hunted, Sent
from tests.support.independent_bytes import pae, signed_by
from tests.support.independent_evidence import epoch_of, follow_chain
from tests.support.speaker import relabelled
from tests.support.world import World

T = TypeVar("T")
S = DispatchState
PICK = st.integers(0, 2**16)
OFTEN = st.sampled_from([True, True, False])
TOOLS = ("Read", "Edit", "Bash")
GRACE_MS = 120_000
NOT_ONE = ("ambiguous", "not_pending", "peer_unknown")


class Histories(RuleBasedStateMachine):
    """Bob's daemon, and the one who is hunted."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self.directory = directory
        self.runner = asyncio.Runner()
        self.world = World(directory, (BOB,), word="hunted")
        (self.bob,) = self.world.members
        self.dora = Hunted("dora", self.bob, self.world.post)
        self.granted: dict[str, tuple[str, ...] | None] = {}  # by edge: the tools, None once it was revoked
        self.bounds: dict[str, tuple[int, int | None]] = {}  # by edge: how many a day, and when it ends
        self.fresh: set[str] = set()  # what was let in
        self.came: list[tuple[str, int]] = []  # over which edge, and when
        self.begun: dict[
            str, tuple[str, ...]
        ] = {}  # by digest: the tools that were granted when it was accepted
        self.held: tuple[int, list[str]] = (0, [])  # the epoch and heads that were pinned at the last look

    def do(self, what: Awaitable[T]) -> T:
        async def done() -> T:
            return await what

        return self.runner.run(done())

    def asked(self, what: Awaitable[T], *codes: str) -> T | None:
        """Ask for something that may be refused by one of these codes, and then brings nothing."""
        try:
            return self.do(what)
        except DispatchError as error:
            if error.code not in codes:
                raise
            return None

    # -- the history of the identity -------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        self.invite(len(TOOLS))

    @precondition(lambda self: len(self.dora.owners) < 4)
    @rule(pick=PICK, told=OFTEN)
    def join(self, pick: int, told: bool) -> None:
        dora, new = self.dora, self.dora.new()
        dora.chain = dora.adds(dora.chain, chosen(dora.owners, pick), new)
        dora.owners.append(new)
        self.told(told)

    @precondition(lambda self: len(self.dora.owners) > 1)
    @rule(pick=PICK)
    def steal(self, pick: int) -> None:
        device = self.dora.owners.pop(pick % len(self.dora.owners))
        self.dora.stolen.append(device)
        self.dora.false = self.dora.chain

    @precondition(lambda self: [each for each in self.dora.stolen if each.id in self.dora.chain.devices])
    @rule(pick=PICK, by=PICK, told=OFTEN)
    def revoke(self, pick: int, by: int, told: bool) -> None:
        dora = self.dora
        there = [each for each in dora.stolen if each.id in dora.chain.devices]
        dora.chain = dora.revokes(dora.chain, chosen(dora.owners, by), chosen(there, pick))
        self.told(told)

    @precondition(lambda self: self.thieves())
    @rule(pick=PICK, other=PICK, grows=st.booleans())
    def turn(self, pick: int, other: int, grows: bool) -> None:
        """Let the thief add a device of their own, or throw an owner's out, in a history of the thief's."""
        dora, thief = self.dora, chosen(self.thieves(), pick)
        victims = [each for each in dora.owners if each.id in dora.false.devices]
        if grows or not victims:
            new = dora.new()
            dora.false = dora.adds(dora.false, thief, new)
            dora.thiefs.append(new)
        else:
            dora.false = dora.revokes(dora.false, thief, chosen(victims, other))

    @precondition(lambda self: self.dora.stolen)
    @rule(pick=PICK, told=OFTEN)
    def recover(self, pick: int, told: bool) -> None:
        self.dora.recovers(pick % len(self.dora.chain.links))
        self.told(told)

    def told(self, told: bool) -> None:
        """Let the relay tell at once what the owner did, or go on telling what it told before."""
        if told:
            self.dora.told = self.dora.chain
            self.dora.hears()

    # -- what people decide ----------------------------------------------------------------------------

    @rule(
        tools=st.integers(1, len(TOOLS)),
        most=st.sampled_from([10_000, 10_000, 1, 3]),
        lasts=st.sampled_from([None, None, 2 * HOUR_MS, 30 * HOUR_MS]),
    )
    def invite(self, tools: int, most: int = 10_000, lasts: int | None = None) -> None:
        """Invite once more and be accepted: the new yes takes the place of the older ones (ADR 97)."""
        ends = None if lasts is None else self.bob.clock.now_ms() + lasts
        choice = ScopeChoice(tools=TOOLS[:tools], approval="manual", max_per_day=most, expires_at_ms=ends)
        edge = self.asked(self.dora.befriended(choice=choice), "chain_forked")
        if edge is not None:
            self.end_all()
            if self.active(edge):
                self.granted[edge.hex] = TOOLS[:tools]
                self.bounds[edge.hex] = (most, ends)

    @precondition(lambda self: self.edges())
    @rule(tools=st.integers(1, len(TOOLS)))
    def edit(self, tools: int) -> None:
        choice, peer = ScopeChoice(tools=TOOLS[:tools]), self.dora.first.address
        edited = self.asked(self.bob.contacts.edit_edge(peer=peer, choice=choice), *NOT_ONE, "edge_pending")
        if edited is not None:
            self.end_all()
            self.granted[hexed(edited)] = TOOLS[:tools]

    @precondition(lambda self: self.edges())
    @rule(sure=st.booleans())
    def cut_off(self, sure: bool) -> None:
        if sure:
            peer = self.dora.first.address
            if self.asked(self.bob.contacts.revoke(peer=peer, outgoing=False), *NOT_ONE) is not None:
                self.end_all()

    def end_all(self) -> None:
        """Take back every edge that was granted so far."""
        self.granted = dict.fromkeys(self.granted)

    @precondition(lambda self: self.undecided())
    @rule(pick=PICK, yes=st.sampled_from([True, True, False]))
    def decide(self, pick: int, yes: bool) -> None:
        record = chosen(self.undecided(), pick)
        if self.asked(self.decided(record, yes), "edge_revoked", "edge_expired", "chain_forked") is None:
            return
        if yes:
            assert record.digest not in self.begun, "it was accepted twice"
            tools = self.granted[record.edge]
            assert tools is not None, "it was accepted over an edge that was cut off"
            assert not self.ended(record.edge), "it was accepted over an edge that has ended"
            self.begun[record.digest] = tools

    async def decided(self, record: DispatchRecord, yes: bool) -> bool:
        self.bob.dispatches.require_edge(record)
        await (self.bob.accept(record.digest) if yes else self.bob.decline(record.digest))
        return True

    @precondition(lambda self: self.going())
    @rule(pick=PICK)
    def go_on(self, pick: int) -> None:
        run = chosen(self.going(), pick)
        match run.state:
            case RunState.QUEUED:
                self.do(self.bob.begin(run))
            case RunState.RUNNING:
                self.do(self.bob.go_on(run, RunState.SETTLING))
            case _:
                self.do(self.bob.finish(run, Outcome.SUCCESS))

    # -- what is said, by whomever ---------------------------------------------------------------------

    @rule(
        who=PICK,
        head=PICK,
        edge=PICK,
        age=st.sampled_from([0, 0, 0, HOUR_MS, 30 * HOUR_MS, 20 * DAY_MS, -30 * HOUR_MS]),
        span=st.sampled_from([HOUR_MS, 12 * HOUR_MS, DAY_MS]),
        kept=st.sampled_from([False, False, False, True]),
    )
    def send(self, who: int, head: int, edge: int, age: int, span: int, kept: bool) -> None:
        dora = self.dora
        devices = [*dora.owners, *dora.owners, *dora.stolen, *dora.thiefs]
        chains = [dora.chain, dora.chain, dora.false, dora.told]
        edges = [EdgeId.from_hex(each) for each in self.granted] or [EdgeId(b"n" * 16)]
        sent = dora.says(chosen(devices, who), chosen(chains, head), chosen(edges, edge), age, span)
        if not kept:
            self.arrives(sent.raw)

    send_more = send  # drawn more often than its rivals

    @precondition(lambda self: self.dora.sent)
    @rule(pick=PICK, how=st.sampled_from(["kept", "kept", "relabelled", "forged"]))
    def carry(self, pick: int, how: str) -> None:
        """Deliver what was kept, or again what was delivered, or a lie made of it."""
        sent = chosen(self.dora.sent, pick)
        match how:
            case "kept":
                self.arrives(sent.raw)
            case "relabelled":
                edges = [EdgeId.from_hex(each) for each in self.granted] or [sent.edge]
                self.unmoved(relabelled(sent.raw, edge=chosen(edges, pick // 7), re=sent.signed.digest))
            case _:
                self.unmoved(self.forged(sent))

    def forged(self, sent: Sent) -> bytes:
        """Sign what a device said with a key of nobody's, in that device's name."""
        dora, named = self.dora, self.dora.owners[-1]
        dora.device, dora.edge = named, sent.edge
        named.chain = dora.chain
        head = dora.head(created_ms=dora.now_ms(), expires_ms=dora.now_ms() + HOUR_MS)
        task = dora.task("forged", head=head)
        forged = sign(dora.new().signing, payload_type(Kind.TASK), encode_body(task))
        return dora.enveloped(forged, head)

    @rule(which=PICK, links=PICK)
    def tell(self, which: int, links: int) -> None:
        """Let the relay tell the owner's chain, the thief's, or only the beginning of either."""
        whole = chosen([self.dora.chain, self.dora.chain, self.dora.false], which)
        upto = len(whole.links) if links % 3 else 1 + links % len(whole.links)
        self.dora.told = type(whole).verify(whole.links[:upto], expect=whole.genesis)
        self.dora.hears()

    @rule(span=st.sampled_from([2_000, 2_000, HOUR_MS, 13 * HOUR_MS, 21 * DAY_MS]))
    def wait(self, span: int) -> None:
        """Let time pass: the daemon was offline, for a moment or for weeks."""
        self.world_later(span)
        self.do(self.bob.wait(0))

    def world_later(self, span_ms: int) -> None:
        self.bob.fate._now_ms += span_ms

    @rule()
    def die(self) -> None:
        self.bob.die()

    # -- what must always be so ------------------------------------------------------------------------

    def arrives(self, raw: bytes) -> None:
        """Deliver an envelope, and judge what was let in."""
        before = {record.digest for record in self.bob.all(Box.INBOX)}
        self.do(self.bob.incoming.deliver(raw))
        for record in self.bob.all(Box.INBOX):
            if record.digest not in before and record.state is S.DELIVERED:
                self.judge(record)
                self.fresh.add(record.digest)
                self.came.append((record.edge, self.bob.clock.now_ms()))

    def unmoved(self, raw: bytes) -> None:
        """Deliver what must not let anything in."""
        before = [record.digest for record in self.bob.all(Box.INBOX) if record.state is not S.REFUSED]
        self.do(self.bob.incoming.deliver(raw))
        after = [record.digest for record in self.bob.all(Box.INBOX) if record.state is not S.REFUSED]
        assert set(after) <= set(before)

    def judge(self, record: DispatchRecord) -> None:
        """See that what was let in was signed by a device of the pinned chain, over an edge in force, in time."""
        sent = next(each for each in self.dora.sent if each.signed.digest.hex == record.digest)
        assert record.signed == sent.signed.encode()
        said = json.loads(sent.signed.body)
        device = said["from"]["device"]
        assert signed_by(device, sent.signed.signature, pae(sent.signed.payload_type, sent.signed.body))
        states, heads = self.pinned()
        assert said["from"]["head"] in heads
        assert device in states[heads.index(said["from"]["head"])]
        assert device in states[-1], "the device is revoked in the newest chain that is known"
        assert self.granted.get(record.edge) is not None, "the edge was cut off"
        assert not self.ended(record.edge), "the edge has ended"
        since = self.bob.clock.now_ms() - DAY_MS
        today = [at for edge, at in self.came if edge == record.edge and at > since]
        assert len(today) < self.bounds[record.edge][0], "more came than a day may bring"
        assert said["expires"] + GRACE_MS >= self.bob.clock.now_ms() - 1_000
        assert said["expires"] <= self.bob.clock.now_ms() + DAY_MS + GRACE_MS

    def ended(self, edge: str) -> bool:
        """Say whether an edge that was granted for a time is over, by a second and more."""
        ends = self.bounds[edge][1]
        return ends is not None and self.bob.clock.now_ms() > ends + 1_000

    def pinned(self) -> tuple[list[Any], list[str]]:
        """Return the states and heads of the chain that the daemon holds, as another reader finds them."""
        contact = self.bob.journal.contact(self.dora.first.genesis.hex)
        assert contact is not None
        _, states, heads = follow_chain(list(contact.chain), self.dora.first.genesis.hex)
        return states, heads

    @invariant()
    def what_waits_or_runs_is_of_a_device_that_counts(self) -> None:
        if self.bob.journal.contact(self.dora.first.genesis.hex) is None:
            return
        states, _ = self.pinned()
        open_ = (S.DELIVERED, S.ACCEPTED, S.WAITING_INPUT)
        for record in self.bob.all(Box.INBOX):
            if record.state in open_ and not self.applying(record):
                assert self.bob_reads(record) in states[-1], "its device is revoked, and it goes on"

    @invariant()
    def each_is_run_at_most_once_and_within_the_grant(self) -> None:
        for record in self.bob.all(Box.INBOX):
            runs = self.bob.journal.runs(record.digest)
            assert len(runs) <= 1
            if not runs:
                continue
            assert record.digest in self.begun, "nobody has accepted it"
            assert record.digest in self.fresh, "it never passed the list"
            scopes: Any = runs[0].scopes
            assert set(scopes["tools"]) <= set(self.begun[record.digest])

    @invariant()
    def what_is_pinned_only_grows_or_is_recovered(self) -> None:
        contact = self.bob.journal.contact(self.dora.first.genesis.hex)
        if contact is None:
            return
        epoch, heads = epoch_of(list(contact.chain)), self.pinned()[1]
        before, known = self.held
        assert epoch > before or (epoch == before and heads[: len(known)] == known)
        self.held = (epoch, heads)

    def teardown(self) -> None:
        self.world.close()
        self.runner.close()
        shutil.rmtree(self.directory)

    # -- what there is ---------------------------------------------------------------------------------

    def bob_reads(self, record: DispatchRecord) -> str:
        sent = next(each for each in self.dora.sent if each.signed.digest.hex == record.digest)
        return sent.device.id.hex

    def thieves(self) -> list[Any]:
        dora = self.dora
        return [each for each in (*dora.stolen, *dora.thiefs) if each.id in dora.false.devices]

    def active(self, edge: EdgeId) -> bool:
        record = self.bob.journal.edge(edge.hex)
        return record is not None and record.status == "active"

    def edges(self) -> list[str]:
        return [edge for edge, tools in self.granted.items() if tools]

    def undecided(self) -> list[DispatchRecord]:
        return [record for record in self.bob.all(Box.INBOX) if record.state is S.DELIVERED]

    def going(self) -> list[RunRecord]:
        return self.bob.journal.runs_unfinished()

    def applying(self, record: DispatchRecord) -> bool:
        return any(run.state is RunState.APPLYING for run in self.bob.journal.runs(record.digest))


def hexed(answer: Mapping[str, Any]) -> str:
    return str(answer["edge_id"]).replace("-", "")


def chosen(things: Sequence[T], pick: int) -> T:
    return things[pick % len(things)]
