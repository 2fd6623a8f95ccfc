"""The household at work: tells one's other devices what they have to know, and takes in what they tell.

It stands behind the performer: whatever is decided about a contact, an edge, an invitation or a rule is owed to the
other devices in the same commit, by whichever room decided it, so nobody can forget to. With one device nothing is.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from dispatch_daemon.adapters.journal import Journal, Task
from dispatch_daemon.app.acting import Acting
from dispatch_daemon.app.clock import Clock
from dispatch_daemon.app.consulting import Consulting
from dispatch_daemon.app.disowned import disowned
from dispatch_daemon.app.edges import Ending
from dispatch_daemon.app.own_chain import UNFED
from dispatch_daemon.app.pausing import panic_ms
from dispatch_daemon.app.people import People
from dispatch_daemon.app.performer import Performer
from dispatch_daemon.app.sharing import NAMES, TORN, Sharing, names, shown_names, torn_logs
from dispatch_daemon.core import behind, household, own_log, pins, proofs
from dispatch_daemon.core.devices import Names
from dispatch_daemon.core.effects import Effect, Enter, Plan, Put, TaskKind
from dispatch_daemon.core.records import Record
from dispatch_daemon.core.trust_records import ContactRecord, Direction, EdgeRecord
from dispatch_protocol.errors import DispatchError, RefusalCode, RefusedError
from dispatch_protocol.keys import DeviceId, Digest, EdgeId, Genesis
from dispatch_protocol.limits import EXPIRY_GRACE_MS
from dispatch_protocol.messages.household import Entry, Log, LogHead, NameEntry, PanicEntry
from dispatch_protocol.messages.shared_acts import ActsEntry
from dispatch_protocol.messages.shared_questions import QuestionEntry, VerdictEntry
from dispatch_protocol.messages.shared_trust import EdgeEntry, InvitationEntry, PinEntry, RuleEntry
from dispatch_protocol.messages.shared_work import DeedEntry, HandoverEntry
from dispatch_protocol.signing import Signed
from dispatch_protocol.unseal import Opened

_REMOVED = "removed_rules"
_TOLD_AGAIN = "told_again_ms"
_FOLLOWED_BY = "followed_by"
_KEPT_MS = 30 * 86_400_000  # what others said is kept as evidence for so long
_AT_A_TIME = 100  # documents that are told again, at most once a day
log = logging.getLogger("dispatch.household")


class Household:
    """What the devices of this person know together."""

    def __init__(self, journal: Journal, people: People, clock: Clock, performer: Performer) -> None:
        self._journal = journal
        self._people = people
        self._clock = clock
        self._performer = performer
        self._ending = Ending(journal, people, clock)
        self._sharing = Sharing(journal, people)
        self._consulting = Consulting(journal, people, clock)
        self.acting = Acting(journal, people, clock)
        self.on_panic: Callable[[PanicEntry], None] | None = None
        performer.household = self.told

    async def feed_recovered(self) -> None:
        """Give everything that is known here to all, if a device has come with the recovery key and got it from nobody."""
        own = self._people.own
        if self._journal.meta(UNFED) is not True or own.device not in own.chain.devices:
            return
        await self._performer.perform(self.feed())
        self._journal.remember(UNFED, value=False)
        await self._journal.database.committed()

    # -- telling ---------------------------------------------------------------------------------------

    def told(self, effects: Sequence[Effect]) -> Sequence[Effect]:
        """Return the effects that tell the other devices of these, if there are other devices and anything to tell."""
        entries = household.told_by(effects)
        self._forget_rules(entries)
        acted = self.acting.entered(effects)
        entered = [Put(act) for act in acted]
        if len(self._people.own.chain.devices) == 1:
            return entered
        entries += self._sharing.told(effects, self._clock.now_ms())
        entries += (*self._consulting.told(effects), *self.acting.told(acted))
        if not entries:
            return ()
        heads = own_log.after(effects, self.heads(), self._people.own.device)
        return [*entered, *own_log.told(entries, self._people.own, heads, self._clock.moment())]

    async def tell(self, *entries: Entry, decided: Sequence[Enter] = ()) -> None:
        """Tell the other devices something that is no record of the journal, in the commit that enters what was `decided`."""
        effects: list[Effect] = [*decided]
        if len(self._people.own.chain.devices) > 1:
            effects += own_log.told(entries, self._people.own, self.heads(), self._clock.moment())
        await self._performer.perform(effects)

    def feed(self) -> list[Effect]:
        """Return the effects that give a new device everything that is known here."""
        records: tuple[Record, ...] = (
            *self._journal.contacts(),
            *self._journal.edges(),
            *self._journal.invitations(),
            *self._journal.rules(),
        )
        entries = [
            *(entry for record in records for entry in household.entries_of(record)),
            *(household.removed(rule) for rule in self._removed()),
            *self._sharing.fed(self._clock.now_ms()),
            *self.acting.fed(),
            *(
                NameEntry(device=DeviceId.from_hex(device), name=name, named_ms=at)
                for device, (name, at) in self.names().items()
            ),
        ]
        return own_log.fed(entries, self._people.own, self.heads(), self._clock.moment())

    def heads(self) -> list[LogHead]:
        """Return how far every log is followed here."""
        return [
            LogHead(device=DeviceId.from_hex(device), seq=seq, digest=Digest.from_hex(digest))
            for device, seq, digest, _ in self._journal.logs.heads()
        ]

    def heard_ms(self) -> dict[str, int]:
        """Return when each device's log last went on, as far as it is followed without a gap."""
        return {device: at_ms for device, _, _, at_ms in self._journal.logs.heads()}

    # -- taking in -------------------------------------------------------------------------------------

    async def take(self, opened: Opened, message: Log) -> None:
        """Take in what another own device tells; an entry that cannot be taken in harms no other.

        A document that says more than is understood yet, of links that have not come, is not followed: it is told again.
        """
        await self._apply(opened, message)
        teller = opened.header.from_device
        effects: list[Effect] = []
        early = False
        said_ms = min(message.head.created_ms, self._clock.now_ms() + EXPIRY_GRACE_MS)
        for entry in sorted(message.entries, key=lambda entry: not isinstance(entry, PinEntry)):
            try:
                effects += self._taken(_by(entry, said_ms), effects, teller)
            except (DispatchError, ValueError) as error:
                early |= isinstance(error, RefusedError) and error.reason is RefusalCode.CHAIN_UNKNOWN
                log.warning("an entry of %s that cannot be taken in: %s", teller.hex[:8], error)
        if not early:
            effects += self._followed(opened, message)
        self._forget_rules(message.entries)
        ended = self._ended(effects)
        await self._performer.perform([*effects, *ended, *self.told(ended)], heard=True)
        for entry in message.entries:
            if isinstance(entry, PinEntry):
                self._people.forget_cached(entry.genesis.hex)
        await self._make_up_for(message)

    async def _apply(self, opened: Opened, message: Log) -> None:
        """Apply what a human said at another device, and tell all of them; before the word is kept, so that none is lost."""
        if panic_ms(self._journal) is not None:
            return  # nothing goes on here that an answer could let go on
        for entry in message.entries:
            if isinstance(entry, VerdictEntry):
                await self._performer.perform(self._consulting.applied(entry, opened.header.from_device))

    def _followed(self, opened: Opened, message: Log) -> list[Effect]:
        """Follow a document, unless it tells a second history of its log: of two the first is kept."""
        digest, teller = opened.signed.digest.hex, opened.header.from_device.hex
        logs, seq = self._journal.logs, message.seq
        same, before = logs.held(teller, seq), logs.held(teller, seq - 1)
        if own_log.contradicts(message, digest, same, before, logs.named_before(teller, seq + 1)):
            log.error("%s tells a second history of its log; the first one is kept", teller[:8])
            torn = torn_logs(self._journal)
            self._journal.remember(TORN, [*(each for each in torn if each != teller), teller])
            return []
        return own_log.followed(
            message,
            digest,
            opened.signed.encode(),
            self.heads(),
            self.heard_ms(),
            self._clock.now_ms(),
            self._people.own.device,
            self._people.own.chain.devices,
        )

    async def _make_up_for(self, message: Log) -> None:
        """Tell whoever has not followed, a day later, what was said here once more: it was lost on the way.

        Who has joined since it was said is given a feed instead: the old documents cannot be sealed to that device. So is who has
        lost what they had followed before, when nobody keeps the words of it any more.
        """
        self._note_followed(message)
        told_ms, now_ms = self._journal.meta(_TOLD_AGAIN), self._clock.now_ms()
        if message.seq == 0 or (isinstance(told_ms, int) and now_ms - told_ms < behind.BEAT_MS):
            return
        own, teller = self._people.own, message.head.sender.device
        lacks, until_ms = own_log.next_unheard(message, own.device), message.head.created_ms - behind.BEAT_MS
        documents = self._journal.logs.said(own.device.hex, lacks, until_ms, _AT_A_TIME)
        if not documents:
            if own_log.lacks_departed(message, self.heads(), own.chain.devices):
                log.warning("%s lacks what a device has said that has left; it is told on", teller.hex[:8])
                self._journal.remember(_TOLD_AGAIN, now_ms)
                await self._performer.perform(self.feed())
            return
        log.warning("%s lacks what was said here; it is told again", teller.hex[:8])
        self._journal.remember(_TOLD_AGAIN, now_ms)
        lacking = [Signed.decode(document) for document in documents]
        whole = own_log.place_of(lacking[0]) == lacks
        if whole and all(own_log.was_for(signed, teller, own.chain) for signed in lacking):
            await self._performer.perform([own_log.again(signed) for signed in lacking])
        else:
            await self._performer.perform(self.feed())

    # -- letting go of words that nobody can lack any more ---------------------------------------------

    def _note_followed(self, message: Log) -> None:
        """Note how far whoever says something has followed what was said here."""
        held, teller = self._followed_by(), message.head.sender.device.hex
        seq = own_log.next_unheard(message, self._people.own.device) - 1
        if held.get(teller) != seq:
            self._journal.remember(_FOLLOWED_BY, {**held, teller: seq})

    def _followed_by(self) -> dict[str, int]:
        held = self._journal.meta(_FOLLOWED_BY)
        return {device: int(str(seq)) for device, seq in held.items()} if isinstance(held, dict) else {}

    def _forget_words(self) -> None:
        """Let go of what every other device has followed, and of what was heard long ago: the places stay, and so does each digest."""
        own, held, now_ms = self._people.own, self._followed_by(), self._clock.now_ms()
        others = [held.get(device.hex, 0) for device in own.chain.devices if device != own.device]
        logs = self._journal.logs
        logs.forget_words(own.device.hex, min(others, default=0), now_ms)
        for device, seq, _, _ in logs.heads():
            if device != own.device.hex:
                logs.forget_words(device, seq, now_ms - _KEPT_MS)

    # -- saying that one is there ----------------------------------------------------------------------

    def plan(self, at_ms: int) -> Plan:
        """Return the plan to say, once nothing else was said for a day, how far the others are followed here."""
        return Plan(kind=TaskKind.BEAT, key="household", not_before_ms=at_ms, payload={})

    async def beat(self, task: Task) -> None:
        """Say it if it is time, and what was said last has left this machine."""
        del task  # there is one
        own, now_ms = self._people.own, self._clock.now_ms()
        rows = self._journal.logs.heads()
        mine = next((row for row in rows if row[0] == own.device.hex), None)
        due_ms = now_ms if mine is None else mine[3] + behind.BEAT_MS
        waits = mine is not None and self._journal.outbox.row(mine[2]) is not None
        silent = waits or panic_ms(self._journal) is not None  # in a panic nothing leaves
        if due_ms <= now_ms and not silent and own.device in own.chain.devices:
            await self.tell()
        self._forget_words()
        await self._performer.perform([self.plan(due_ms if due_ms > now_ms else now_ms + behind.BEAT_MS)])

    def _ended(self, taken: Sequence[Effect]) -> list[Effect]:
        """Return what ends here by what another device has learnt or decided, each edge and each contact judged once."""
        edges = {
            effect.record.edge: effect.record
            for effect in taken
            if isinstance(effect, Put) and isinstance(effect.record, EdgeRecord)
        }
        over = [
            effect
            for edge in edges.values()
            if edge.direction is Direction.INCOMING
            for effect in self._ending.all_of(edge)
        ]
        if any(isinstance(effect, Put) and isinstance(effect.record, ContactRecord) for effect in taken):
            self._journal.tasks.hasten(
                TaskKind.DEPOSIT, self._clock.now_ms()
            )  # some may wait for a newer key
        moment = self._clock.moment()
        return over + disowned(self._journal, self._people.own, taken, moment, besides=over)

    def _taken(self, entry: Entry, before: Sequence[Effect], teller: DeviceId) -> list[Effect]:
        match entry:
            case PinEntry() | EdgeEntry() | InvitationEntry() | RuleEntry():
                return self._trusted(entry, before, teller)
            case DeedEntry() | HandoverEntry():
                return self._sharing.taken(entry, teller)
            case QuestionEntry():
                return self._consulting.taken(entry, teller)
            case VerdictEntry():
                return []  # applied before, where it is for this device
            case ActsEntry():
                return self.acting.taken(entry, teller)
            case NameEntry():
                if entry.device == teller or proofs.decides(self._people.own.chain, teller):
                    self._name(entry)
                return []
            case PanicEntry():
                if self.on_panic is not None and entry.device == teller:
                    self.on_panic(entry)
                return []

    def _trusted(
        self,
        entry: PinEntry | EdgeEntry | InvitationEntry | RuleEntry,
        before: Sequence[Effect],
        teller: DeviceId,
    ) -> list[Effect]:
        """Take in what another device tells of other people."""
        own = self._people.own.chain
        decides = proofs.decides(own, teller)
        match entry:
            case PinEntry():
                return household.pin(entry, self._contact(entry.genesis, before), decides=decides)
            case EdgeEntry():
                known, contact = self._edge(entry.edge, before), self._contact(entry.peer, before)
                peer = None if contact is None else pins.chain_of(contact)
                return household.edge(entry, known, own, peer, decides=decides)
            case InvitationEntry():
                invited = self._journal.invitation(entry.invitation_id.hex)
                return household.invitation(entry, invited, self._clock.now_ms(), decides=decides)
            case RuleEntry():
                rule = next((rule for rule in self._journal.rules() if rule.rule_id == entry.rule_id), None)
                gone = entry.rule_id in self._removed()
                return household.rule(entry, rule, was_removed=gone, decides=decides)

    def _contact(self, genesis: Genesis, before: Sequence[Effect]) -> ContactRecord | None:
        """Return a contact as an earlier entry of the same document has left it."""
        told = (effect.record for effect in reversed(before) if isinstance(effect, Put))
        same = (each for each in told if isinstance(each, ContactRecord) and each.genesis == genesis.hex)
        return next(same, None) or self._journal.contact(genesis.hex)

    def _edge(self, edge: EdgeId, before: Sequence[Effect]) -> EdgeRecord | None:
        """Return an edge as an earlier entry of the same document has left it."""
        told = (effect.record for effect in reversed(before) if isinstance(effect, Put))
        same = (each for each in told if isinstance(each, EdgeRecord) and each.edge == edge.hex)
        return next(same, None) or self._journal.edge(edge.hex)

    # -- names, and rules that were taken back ---------------------------------------------------------

    def names(self) -> dict[str, tuple[str, int]]:
        """Return what devices are called and since when, by their ids in hex."""
        return names(self._journal)

    def shown_names(self) -> Names:
        """Return the same as they are shown: where two are called the same, with the beginning of their ids."""
        return shown_names(self._journal, self._people.own)

    async def rename(self, device: DeviceId, name: str) -> None:
        """Call a device something, here and on one's other devices."""
        entry = NameEntry(device=device, name=name, named_ms=self._clock.now_ms())
        self._name(entry)
        await self.tell(entry)
        await self._journal.database.committed()

    def _name(self, entry: NameEntry) -> None:
        known = self.names()
        held = known.get(entry.device.hex)
        if held is None or (held[1], held[0]) < (entry.named_ms, entry.name):
            known[entry.device.hex] = (entry.name, entry.named_ms)
            self._journal.remember(NAMES, {each: [name, at] for each, (name, at) in known.items()})

    def _removed(self) -> list[str]:
        held = self._journal.meta(_REMOVED)
        return [str(rule) for rule in held] if isinstance(held, list) else []

    def _forget_rules(self, entries: Sequence[Entry]) -> None:
        """Note which rules were taken back, so that no late word brings one back."""
        held = self._removed()
        gone = [
            entry.rule_id
            for entry in entries
            if isinstance(entry, RuleEntry) and entry.removed and entry.rule_id not in held
        ]
        if gone:
            self._journal.remember(_REMOVED, [*held, *gone])


def _by(entry: Entry, said_ms: int) -> Entry:
    """Return an entry as of when it was said: what happened later than that has not happened, and would never be outdone."""
    match entry:
        case NameEntry() | PinEntry():
            return replace(entry, named_ms=min(entry.named_ms, said_ms))
        case PanicEntry():
            return replace(entry, called_ms=min(entry.called_ms, said_ms))
        case _:
            return entry
