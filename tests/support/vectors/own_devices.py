"""What Bob's devices tell each other: one document for each kind of entry, and the ones that are none, a field each."""

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from dispatch_protocol.encoding import JSON, dumps, loads
from dispatch_protocol.grant import GrantDocument, GrantStatus, Version
from dispatch_protocol.keys import Digest, EdgeId
from dispatch_protocol.lifecycle import Outcome
from dispatch_protocol.limits import BODY_BYTES
from dispatch_protocol.links import RotateSealingLink, sign_link
from dispatch_protocol.merkle import EMPTY
from dispatch_protocol.messages.household import Entry, Log, LogHead, NameEntry, PanicEntry
from dispatch_protocol.messages.shared_acts import ActsEntry
from dispatch_protocol.messages.shared_questions import Asked, QuestionEntry, QuestionState, VerdictEntry
from dispatch_protocol.messages.shared_trust import EdgeEntry, InvitationEntry, PinEntry, RuleEntry
from dispatch_protocol.messages.shared_work import Deed, DeedEntry, HandoverEntry
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.scopes import Scopes
from dispatch_protocol.signing import Document, sign, sign_document
from tests.support.vectors import world
from tests.support.vectors.cases import Case, bob_knows
from tests.support.vectors.fixed import fixed
from tests.support.vectors.forge import almost_honest
from tests.support.vectors.opened import sealed_case
from tests.support.vectors.world import (
    ALICE,
    ALICE_LAPTOP,
    BOB,
    BOB_DESKTOP,
    BOB_LAPTOP,
    BOB_PHONE,
    MALLORY,
    NOW_MS,
    Machine,
)

TASK: Final = Digest(fixed("a task for Bob"))
RUN: Final = UUID(bytes=fixed("a run of Bob's", 16))


def grant(
    label: str,
    version: Version,
    *parents: Version,
    by: Machine = BOB_LAPTOP,
    edge: EdgeId = world.EDGE,
    status: str = "active",
    tools: tuple[str, ...] = ("Read",),
) -> Document:
    """Return a version of what Bob grants Alice, signed by one of his devices."""
    document = GrantDocument(
        head=world.head(label, BOB, by, ALICE, edge=edge),
        version=version,
        parents=parents,
        scopes=Scopes(tools=tools),
        status=GrantStatus(status),
    )
    return sign_document([by.sign], payload_type(Kind.GRANT), document.encode())


FIRST: Final = Version(1, BOB_LAPTOP.device)
GRANT: Final = grant("the first grant", FIRST)


def other_history() -> tuple[Document, ...]:
    """Return a second history of Alice's chain, as a thief of her first device would make it."""
    before = ALICE.chain.at(ALICE.chain.heads[1])
    assert before is not None
    link = RotateSealingLink(
        prev=before.head,
        created_ms=NOW_MS,
        nonce=fixed("another history", 16),
        device=ALICE_LAPTOP.device,
        sealing=world.machine("thief").sealing[0].public,
    )
    return before.extend([sign_link(link, (ALICE_LAPTOP.sign,))]).links


def pin(**changes: Any) -> PinEntry:
    """Return Alice as Bob has pinned her."""
    fields: dict[str, Any] = {
        "genesis": ALICE.genesis,
        "address": "alice@example.org",
        "alias": None,
        "trust": "token",
        "links": ALICE.chain.links,
        "conflict": None,
        "pinned_ms": NOW_MS,
    }
    return PinEntry(**(fields | changes))


def edge(**changes: Any) -> EdgeEntry:
    """Return the edge from Alice to Bob as Bob holds it."""
    fields: dict[str, Any] = {
        "edge": world.EDGE,
        "direction": "incoming",
        "peer": ALICE.genesis,
        "address": "alice@example.org",
        "status": "active",
        "grant": GRANT,
        "created_ms": NOW_MS,
        "expires_ms": 0,
    }
    return EdgeEntry(**(fields | changes))


def invitation(**changes: Any) -> InvitationEntry:
    """Return the invitation that Alice sent, as Bob has answered it."""
    fields: dict[str, Any] = {
        "invitation_id": world.EDGE,
        "direction": "incoming",
        "address": "alice@example.org",
        "document": world.INVITATION,
        "status": "accepted",
        "created_ms": NOW_MS - world.HOUR_MS,
        "expires_ms": NOW_MS + world.HOUR_MS,
        "link": "",
        "mac_required": True,
        "secret": world.SECRET,
        "accepted_by": BOB.genesis,
        "acceptance": Digest(fixed("an acceptance")),
    }
    return InvitationEntry(**(fields | changes))


def rule(**changes: Any) -> RuleEntry:
    """Return a standing yes."""
    fields: dict[str, Any] = {
        "rule_id": "r1",
        "edge": world.EDGE,
        "tool": "Bash",
        "command": "pytest -q",
        "path": None,
        "subject": None,
        "created_ms": NOW_MS,
        "removed": False,
    }
    return RuleEntry(**(fields | changes))


ASKED: Final = Asked(
    dispatch=TASK,
    run_id=RUN,
    request=UUID(bytes=fixed("a question of Bob's", 16)),
    subject=Digest(fixed("what is shown")),
    grant=FIRST,
    deadline_ms=NOW_MS + 120_000,
    device=BOB_DESKTOP.device,
)


def question(**changes: Any) -> QuestionEntry:
    """Return a question about the changes of a run on the desktop."""
    fields: dict[str, Any] = {
        "asked": ASKED,
        "about": "changeset",
        "tool": None,
        "title": "1 change",
        "payload": {"changes": [{"op": "create", "path": "/src/neu – 🎈"}]},
        "flags": ("instructions",),
        "asked_ms": NOW_MS,
        "state": QuestionState.OPEN,
        "by": None,
    }
    return QuestionEntry(**(fields | changes))


def deed(**changes: Any) -> DeedEntry:
    """Return what the desktop did with a task."""
    fields: dict[str, Any] = {
        "dispatch": TASK,
        "device": BOB_DESKTOP.device,
        "deed": Deed.ACCEPTED,
        "run_id": RUN,
        "outcome": None,
        "done_ms": NOW_MS,
    }
    return DeedEntry(**(fields | changes))


def acts(since: int, upto: int, label: str = "act") -> ActsEntry:
    """Return what a device tells of its private log: everything after the first entries, up to another one."""
    digests = [Digest(fixed(f"{label} {number}")) for number in range(upto)]
    return ActsEntry(since=since, digests=tuple(digests[since:]), root=EMPTY.grown(digests).root)


VERDICT: Final = VerdictEntry(asked=ASKED, approved=True, reason="looks right", said_ms=NOW_MS)
NAME: Final = NameEntry(device=BOB_DESKTOP.device, name="Büro", named_ms=NOW_MS)
PANIC: Final = PanicEntry(device=BOB_DESKTOP.device, called_ms=NOW_MS)
HANDOVER: Final = HandoverEntry(dispatch=TASK, turn=1, to=BOB_PHONE.device, handed_ms=NOW_MS)

TOLD: Final[dict[str, tuple[Entry, ...]]] = {
    "a contact": (pin(),),
    "a contact who was compared and is called something": (
        pin(alias="al", trust="compared", compared_ms=NOW_MS, known_before="token", named_ms=NOW_MS),
    ),
    "a contact with two histories": (pin(conflict=other_history()),),
    "an edge": (edge(),),
    "an invitation": (invitation(),),
    "an invitation that offers a way back, and leaked": (
        invitation(
            offered_on=BOB_DESKTOP.device, also_proved_by=MALLORY.genesis, also_proved_ms=NOW_MS, secret=None
        ),
    ),
    "a rule, and one that was taken back": (
        rule(),
        rule(rule_id="r2", command=None, path="/src", subject=Digest(fixed("a call")), removed=True),
    ),
    "a name": (NAME,),
    "a panic": (PANIC,),
    "a handover": (HANDOVER,),
    "a question": (question(),),
    "a question that is closed": (
        question(payload=None, state=QuestionState.APPROVED, by=BOB_PHONE.device, asked_ms=NOW_MS),
    ),
    "a verdict": (VERDICT,),
    "the beginning of a private log, and how it goes on": (acts(0, 2), acts(2, 3)),
    "deeds, with and without an outcome": (
        deed(),
        deed(deed=Deed.FINISHED, outcome=Outcome.SUCCESS),
        deed(deed=Deed.FINISHED, outcome=None),
        deed(deed=Deed.DECLINED, run_id=None),
    ),
}


def log(label: str, *entries: Entry, by: Machine = BOB_DESKTOP, **changes: Any) -> Log:
    """Return a document of a device's log, the first one unless said otherwise."""
    fields: dict[str, Any] = {
        "head": world.head(label, BOB, by, BOB, edge=EdgeId.SELF),
        "seq": 1,
        "prev": Digest.ZERO,
        "heads": (),
        "entries": entries,
    }
    return Log(**(fields | changes))


_FOLLOWED: Final = LogHead(
    device=BOB_LAPTOP.device, seq=7, digest=Digest(fixed("a document of the laptop's"))
)


def told_by_own() -> list[Case]:
    """Return documents of the desktop's log as the laptop opens them."""
    documents = {
        "told: nothing, but how far the others are followed": log("beat", heads=(_FOLLOWED,)),
        "told: where a log begins that is fed": log("base", seq=0, heads=(_FOLLOWED,)),
        **{f"told: {name}": log(name, *entries) for name, entries in TOLD.items()},
    }
    others = (BOB_LAPTOP.recipient, BOB_PHONE.recipient)
    return [
        sealed_case(
            name,
            message,
            BOB_DESKTOP,
            others,
            machine=BOB_LAPTOP,
            standing=bob_knows(peer=BOB.chain, edge=None),
        )
        for name, message in documents.items()
    ]


Changed = Callable[[dict[str, Any]], None]


def _without(name: str) -> Changed:
    return lambda entry: entry.pop(name)


def _with(**fields: JSON) -> Changed:
    return lambda entry: entry.update(fields)


_WRONG: Final[dict[str, tuple[Entry, Changed]]] = {
    "an entry of an unknown kind": (NAME, _with(kind="workspace")),
    "an entry with a field too many": (NAME, _with(why="")),
    "an entry with a field too few": (PANIC, _without("called")),
    "a contact without a link": (pin(), _with(links=[])),
    "a contact whose trust is no word": (pin(), _with(trust="Token")),
    "a contact that was called something at no time": (pin(), _with(named=0)),
    "a contact that was compared and was known by nothing before": (pin(), _with(compared=1)),
    "an edge whose grant is no document": (edge(), _with(grant={})),
    "an invitation with half a secret": (invitation(), _with(secret="AAECAwQFBgc")),
    "an invitation that leaked at no time": (invitation(), _with(also_proved_by=MALLORY.genesis.hex)),
    "a rule without an id": (rule(), _with(rule="")),
    "a rule that is neither there nor not": (rule(), _with(removed=None)),
    "a device without a name": (NAME, _with(name="")),
    "a handover in no turn": (HANDOVER, _with(turn=0)),
    "a question that shows what is closed": (question(), _with(state="denied")),
    "a question that is in no state": (question(), _with(state="applied")),
    "a question that shows more than can be told": (question(), _with(payload={"a": "x" * 65_536})),
    "a verdict that is neither yes nor no": (VERDICT, _with(approved=None)),
    "a verdict with an empty reason": (VERDICT, _with(reason="")),
    "acts that are none": (acts(0, 1), _with(digests=[])),
    "acts that name half a digest": (acts(0, 1), _with(digests=["00" * 16])),
    "a deed that ran and names no run": (deed(), _with(run_id=None)),
    "a deed that did not run and names one": (deed(), _with(deed="declined")),
    "a deed that is over and has not ended": (deed(), _with(outcome="success")),
}


def _in_document(change: Changed) -> Callable[[bytes], bytes]:
    def rewrite(body: bytes) -> bytes:
        value: Any = loads(body, max_bytes=BODY_BYTES)
        change(value)
        return dumps(value)

    return rewrite


def _in_entry(change: Changed) -> Callable[[bytes], bytes]:
    return _in_document(lambda value: change(value["entries"][0]))


def _malformed(what: str, message: Log, rewrite: Callable[[bytes], bytes]) -> Case:
    return almost_honest(
        9,
        "body_malformed",
        f"told: {what}",
        message=message,
        signer=BOB_DESKTOP,
        signed=lambda signed: sign(BOB_DESKTOP.sign, signed.payload_type, rewrite(signed.body)),
        standing=bob_knows(peer=BOB.chain, edge=None),
    )


def not_told_by_own() -> list[Case]:
    """Return what is signed as a document of a log, and is none."""
    nothing = {"device": BOB_LAPTOP.device.hex, "seq": 0, "digest": "00" * 32}
    documents: dict[str, Changed] = {
        "a log on an edge": _with(edge=world.EDGE.hex),
        "a log about a dispatch": _with(re=TASK.hex),
        "a log for somebody else": lambda value: value["to"].update(identity=ALICE.genesis.hex),
        "a log that begins after something": _with(prev=TASK.hex),
        "a log that goes on after nothing": _with(seq=2),
        "a log that follows a document without a number": _with(heads=[nothing]),
        "a log whose entries are none": _with(entries={}),
    }
    return [
        *(_malformed(what, log(what), _in_document(change)) for what, change in documents.items()),
        *(_malformed(what, log(what, entry), _in_entry(change)) for what, (entry, change) in _WRONG.items()),
    ]
