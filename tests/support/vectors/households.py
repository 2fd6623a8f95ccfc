"""What a device makes of what its siblings tell it, document by document: what counts, what is followed, and which log is torn."""

from dataclasses import replace
from typing import Any, Final

from dispatch_protocol.encoding import JSON
from dispatch_protocol.grant import Version
from dispatch_protocol.keys import Digest, EdgeId
from dispatch_protocol.lifecycle import Outcome
from dispatch_protocol.links import Role, SetRolesLink, sign_link
from dispatch_protocol.messages.household import Entry, LogHead
from dispatch_protocol.messages.registry import encode_body
from dispatch_protocol.messages.shared_questions import QuestionState
from dispatch_protocol.messages.shared_work import Deed
from dispatch_protocol.signing import Document
from tests.support.vectors import own_devices as told
from tests.support.vectors.fixed import fixed
from tests.support.vectors.forge import signed_by
from tests.support.vectors.world import (
    ALICE,
    BOB,
    BOB_DESKTOP,
    BOB_LAPTOP,
    BOB_LOST,
    BOB_PHONE,
    MALLORY,
    MALLORY_LAPTOP,
    NOW_MS,
    Machine,
)

# Bob's phone may only run things; his desktop decides, as his laptop does, which hears all of this.
OWN: Final = BOB.chain.extend(
    [
        sign_link(
            SetRolesLink(
                prev=BOB.chain.head,
                created_ms=NOW_MS - 1,
                nonce=fixed("the phone only runs", 16),
                device=BOB_PHONE.device,
                roles=frozenset({Role.RUNNER}),
            ),
            (BOB_LAPTOP.sign,),
        )
    ]
)
PHONE, DESK = BOB_PHONE, BOB_DESKTOP


class Scene:
    """A conversation that is written down; each `says` is the next document of a device's log, unless it says otherwise."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.steps: list[JSON] = []
        self._last: dict[str, tuple[int, Digest]] = {}

    def says(self, by: Machine, *entries: Entry, changes: bool, followed: int, **fields: Any) -> "Scene":
        """Let a device say this: whether it changes anything, and up to where its log is followed then."""
        seq, prev = self._last.get(by.name, (0, Digest.ZERO))
        place: dict[str, Any] = {"seq": seq + 1, "prev": prev, **fields}
        message = told.log(f"{self.name} {len(self.steps)}", *entries, by=by, **place)
        if message.seq >= seq and message.seq > 0:
            self._last[by.name] = (message.seq, signed_by(by, message).digest)
        self.steps.append(
            {
                "by": by.device.hex,
                "body": encode_body(message).decode(),
                "changes": changes,
                "followed": followed,
            }
        )
        return self

    def write(self, *torn: Machine) -> JSON:
        """Return the scene; `torn` are the devices of which two histories were told."""
        return {"name": self.name, "steps": self.steps, "torn": [each.device.hex for each in torn]}


def _edited(label: str, n: int, *parents: Version, by: Machine = DESK, **more: Any) -> Document:
    return told.grant(label, Version(n, by.device), *parents, by=by, tools=("Bash", "Read"), **more)


def _trust() -> list[JSON]:
    return [*_contacts(), *_edges(), *_promises()]


def _contacts() -> list[JSON]:
    before = told.pin(links=ALICE.chain.links[:2])
    return [
        Scene("a contact is learnt once, and grows by its chain from any device")
        .says(PHONE, before, changes=False, followed=1)
        .says(DESK, before, changes=True, followed=1)
        .says(DESK, before, changes=False, followed=2)
        .says(PHONE, told.pin(trust="compared"), changes=True, followed=2)
        .says(DESK, told.pin(trust="compared", compared_ms=1, known_before="token"), changes=True, followed=3)
        .says(DESK, told.pin(), changes=False, followed=4)
        .write(),
        Scene("a chain of somebody else is no contact, and a second history is evidence")
        .says(DESK, told.pin(links=MALLORY.chain.links), changes=False, followed=1)
        .says(DESK, told.pin(), changes=True, followed=2)
        .says(PHONE, told.pin(links=told.other_history()), changes=True, followed=1)
        .write(),
        Scene("of two names the later one holds, and none is from the future")
        .says(DESK, told.pin(alias="al", named_ms=5), changes=True, followed=1)
        .says(DESK, told.pin(alias="old", named_ms=4), changes=False, followed=2)
        .says(PHONE, told.pin(alias="phone's", named_ms=9), changes=False, followed=1)
        .says(DESK, told.pin(alias=None, named_ms=2**53 - 1), changes=True, followed=3)
        .says(DESK, told.pin(alias="next", named_ms=NOW_MS + 1), changes=True, followed=4)
        .says(DESK, told.pin(alias="last", named_ms=NOW_MS), changes=False, followed=5)
        .write(),
    ]


def _edges() -> list[JSON]:
    known = (told.pin(), told.edge())
    foreign = told.grant("a stranger's", Version(1, MALLORY_LAPTOP.device), by=MALLORY_LAPTOP)
    wider = told.edge(grant=_edited("wider", 2, told.FIRST))
    elsewhere = told.edge(grant=told.grant("elsewhere", told.FIRST, edge=EdgeId(b"\7" * 16)))
    leap = told.edge(grant=_edited("leap", 100_000, told.FIRST))
    return [
        Scene("an edge counts with its grant's own proof")
        .says(DESK, told.edge(), changes=False, followed=0)
        .says(DESK, *reversed(known), changes=True, followed=1, seq=1, prev=Digest.ZERO)
        .says(PHONE, wider, changes=False, followed=1)
        .says(DESK, told.edge(grant=foreign), changes=False, followed=2)
        .says(DESK, elsewhere, changes=False, followed=3)
        .says(DESK, leap, changes=False, followed=4)
        .says(DESK, told.edge(peer=MALLORY.genesis), changes=False, followed=5)
        .says(DESK, wider, changes=True, followed=6)
        .says(DESK, told.edge(), changes=False, followed=7)
        .write(),
        Scene("whatever ends an edge counts from any device, and stays")
        .says(DESK, *known, changes=True, followed=1)
        .says(PHONE, told.edge(status="revoked"), changes=True, followed=1)
        .says(DESK, told.edge(status="active"), changes=False, followed=2)
        .write(),
    ]


def _promises() -> list[JSON]:
    return [
        Scene("an invitation goes on, and two who proved it are an alarm")
        .says(PHONE, told.invitation(), changes=False, followed=1)
        .says(DESK, told.invitation(), changes=True, followed=1)
        .says(DESK, told.invitation(status="pending"), changes=False, followed=2)
        .says(PHONE, told.invitation(status="confirmed"), changes=False, followed=2)
        .says(DESK, told.invitation(accepted_by=MALLORY.genesis), changes=True, followed=3)
        .says(PHONE, told.invitation(status="revoked"), changes=True, followed=3)
        .write(),
        Scene("a rule that was removed never returns")
        .says(PHONE, told.rule(), changes=False, followed=1)
        .says(DESK, told.rule(), changes=True, followed=1)
        .says(PHONE, told.rule(removed=True), changes=True, followed=2)
        .says(DESK, told.rule(), changes=False, followed=2)
        .write(),
    ]


def _work() -> list[JSON]:
    closed = told.question(payload=None, state=QuestionState.DENIED, by=BOB_PHONE.device)
    done = told.deed(deed=Deed.FINISHED, outcome=Outcome.SUCCESS)
    further = replace(told.HANDOVER, to=BOB_LAPTOP.device)
    smaller, larger = sorted((told.HANDOVER, further), key=lambda each: each.to)
    lost = told.deed(deed=Deed.DECLINED, run_id=None, device=BOB_LOST.device)
    return [
        Scene("each speaks of its own deeds, and an end stays")
        .says(PHONE, told.deed(), changes=False, followed=1)
        .says(DESK, told.deed(), changes=True, followed=1)
        .says(DESK, done, changes=True, followed=2)
        .says(DESK, told.deed(), changes=False, followed=3)
        .write(),
        Scene("how a device ended something that has left is told on by an approver")
        .says(PHONE, lost, changes=False, followed=1)
        .says(DESK, told.deed(device=BOB_LOST.device), changes=False, followed=1)
        .says(DESK, lost, changes=True, followed=2)
        .write(),
        Scene("of two handovers in one turn the smaller device has it")
        .says(DESK, larger, changes=True, followed=1)
        .says(DESK, smaller, changes=True, followed=2)
        .says(DESK, larger, changes=False, followed=3)
        .says(PHONE, larger, changes=True, followed=1)
        .write(),
        Scene("a question is put by who runs, and closed once")
        .says(PHONE, told.question(), changes=False, followed=1)
        .says(DESK, told.question(), changes=True, followed=1)
        .says(DESK, closed, changes=True, followed=2)
        .says(DESK, told.question(), changes=False, followed=3)
        .says(PHONE, told.VERDICT, changes=False, followed=2)
        .write(),
        Scene("each names itself, and an approver anybody")
        .says(PHONE, told.NAME, changes=False, followed=1)
        .says(DESK, told.NAME, changes=True, followed=1)
        .says(PHONE, replace(told.NAME, device=BOB_PHONE.device), changes=True, followed=2)
        .write(),
        Scene("a panic counts in the log of who calls it")
        .says(PHONE, told.PANIC, changes=False, followed=1)
        .says(DESK, told.PANIC, changes=True, followed=1)
        .write(),
        Scene("of two private logs the first is kept")
        .says(PHONE, told.acts(1, 3), changes=True, followed=1)
        .says(PHONE, told.acts(0, 1), changes=True, followed=2)
        .says(PHONE, told.acts(0, 3), changes=False, followed=3)
        .says(PHONE, told.acts(2, 4, "another"), changes=False, followed=4)
        .says(PHONE, told.acts(3, 4), changes=True, followed=5)
        .write(),
    ]


def _places() -> list[JSON]:
    mine = LogHead(device=BOB_LAPTOP.device, seq=99, digest=Digest(fixed("not mine")))
    phones = LogHead(device=BOB_PHONE.device, seq=5, digest=Digest(fixed("the phone's fifth")))
    desks = LogHead(device=BOB_DESKTOP.device, seq=7, digest=Digest(fixed("the desk's seventh")))
    eighth = {"seq": 8, "prev": desks.digest}
    base = {"seq": 0, "prev": Digest.ZERO}
    return [
        Scene("a log is followed as far as nothing is missing")
        .says(DESK, changes=False, followed=0, seq=3, prev=Digest(fixed("the second")))
        .says(DESK, changes=False, followed=1, seq=1, prev=Digest.ZERO)
        .write(),
        Scene("a base says from where, of its author's log and of what is not known")
        .says(DESK, changes=False, followed=7, heads=(mine, phones, desks), **base)
        .says(DESK, changes=False, followed=8, **eighth)
        .says(DESK, changes=False, followed=8, heads=(replace(phones, seq=9),), **base)
        .says(PHONE, changes=False, followed=6, seq=6, prev=phones.digest)
        .write(),
        Scene("a base has no place, so nothing stands before the first document that comes after it")
        .says(DESK, changes=False, followed=0, **base)
        .says(DESK, changes=False, followed=1)
        .says(DESK, changes=False, followed=2)
        .write(),
        Scene("of two documents in one place the first is kept")
        .says(DESK, changes=False, followed=1)
        .says(DESK, told.NAME, changes=True, followed=1, seq=1, prev=Digest.ZERO)
        .write(DESK),
        Scene("a document that goes on after another one than is held is not followed")
        .says(DESK, changes=False, followed=1)
        .says(DESK, changes=False, followed=1, seq=2, prev=Digest(fixed("another first")))
        .write(DESK),
        Scene("so is one before a document that goes on after another one")
        .says(DESK, changes=False, followed=0, seq=2, prev=Digest(fixed("another first")))
        .says(DESK, changes=False, followed=0, seq=1, prev=Digest.ZERO)
        .write(DESK),
    ]


def household_vectors() -> dict[str, JSON]:
    """Return conversations between Bob's devices as his laptop hears them."""
    return {
        "about": "Documents in the order in which `device` hears them at the time `now`: does one change what it holds "
        "(contacts, edges, invitations, rules, names, deeds, handovers, questions, acts; a panic that is obeyed), and "
        "up to which number is its author's log followed then. `torn` are the devices that have told two histories.",
        "genesis": OWN.genesis.hex,
        "links": [link.to_json() for link in OWN.links],
        "device": BOB_LAPTOP.device.hex,
        "now": NOW_MS + 1_000,
        "scenes": [*_trust(), *_work(), *_places()],
    }
