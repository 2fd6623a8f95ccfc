"""What Alice's devices tell each other, with every field of every entry filled."""

from typing import Any
from uuid import UUID

from dispatch_protocol.grant import Version
from dispatch_protocol.keys import EdgeId
from dispatch_protocol.lifecycle import Outcome
from dispatch_protocol.messages.household import Entry, Log, LogHead, NameEntry, PanicEntry
from dispatch_protocol.messages.shared_acts import ActsEntry
from dispatch_protocol.messages.shared_questions import Asked, QuestionEntry, QuestionState, VerdictEntry
from dispatch_protocol.messages.shared_trust import EdgeEntry, InvitationEntry, PinEntry, RuleEntry
from dispatch_protocol.messages.shared_work import Deed, DeedEntry, HandoverEntry
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.signing import sign_document
from tests.support.documents import ALICE, BOB, EDGE, NOW_MS, digest, fixed, grant, head, rotated

GRANT = sign_document([BOB.sign], payload_type(Kind.GRANT), grant().encode())
RUN = UUID("00000000-0000-4000-8000-000000000009")
INVITATION = BOB.chain.links[0]  # any document: its content is not read here
QUESTION = QuestionEntry(
    asked=Asked(
        dispatch=digest("dispatch"),
        run_id=RUN,
        request=UUID("00000000-0000-4000-8000-00000000000a"),
        subject=digest("call"),
        grant=Version(1, BOB.device),
        deadline_ms=NOW_MS + 120_000,
        device=ALICE.device,
    ),
    about="tool",
    tool="Bash",
    title="Bash true",
    payload={"input": {"command": "true"}},
    flags=("shell",),
    asked_ms=NOW_MS,
    state=QuestionState.OPEN,
    by=BOB.device,
)
VERDICT = VerdictEntry(asked=QUESTION.asked, approved=True, reason="looks right", said_ms=NOW_MS)
ENTRIES: tuple[Entry, ...] = (
    PinEntry(
        genesis=BOB.chain.genesis,
        address=BOB.email,
        alias="bobby",
        trust="token",
        links=BOB.chain.links,
        conflict=rotated(BOB.chain, "a thief's", BOB).links,
        pinned_ms=NOW_MS,
        compared_ms=NOW_MS + 1,
        known_before="unverified",
        named_ms=NOW_MS + 2,
    ),
    EdgeEntry(
        edge=EDGE,
        direction="outgoing",
        peer=BOB.chain.genesis,
        address=BOB.email,
        status="active",
        grant=GRANT,
        created_ms=NOW_MS,
        expires_ms=NOW_MS + 1,
    ),
    InvitationEntry(
        invitation_id=EDGE,
        direction="outgoing",
        address=BOB.email,
        document=INVITATION,
        status="pending",
        created_ms=NOW_MS,
        expires_ms=NOW_MS + 1,
        link="https://courier.example/i/1",
        mac_required=True,
        secret=fixed("secret", 16),
        accepted_by=BOB.chain.genesis,
        acceptance=digest("acceptance"),
        offered_on=ALICE.device,
        also_proved_by=ALICE.chain.genesis,
        also_proved_ms=NOW_MS,
    ),
    RuleEntry(
        rule_id="rule1",
        edge=EDGE,
        tool="Bash",
        command=None,
        path="/src",
        subject=digest("call"),
        created_ms=NOW_MS,
        removed=False,
    ),
    NameEntry(device=ALICE.device, name="laptop", named_ms=NOW_MS),
    PanicEntry(device=ALICE.device, called_ms=NOW_MS),
    DeedEntry(
        dispatch=digest("dispatch"),
        device=ALICE.device,
        deed=Deed.FINISHED,
        run_id=RUN,
        outcome=Outcome.SUCCESS,
        done_ms=NOW_MS,
    ),
    HandoverEntry(dispatch=digest("dispatch"), turn=2, to=BOB.device, handed_ms=NOW_MS),
    QUESTION,
    VERDICT,
    ActsEntry(since=2, digests=(digest("third act"),), root=digest("all acts")),
)
HEADS = (LogHead(device=ALICE.device, seq=1, digest=digest("first")),)


def household_log(**changes: Any) -> Log:
    """Return the second document of Alice's log with these fields changed."""
    fields: dict[str, Any] = {
        "head": head(ALICE, ALICE, edge=EdgeId.SELF),
        "seq": 2,
        "prev": digest("first"),
        "heads": HEADS,
        "entries": (),
    }
    return Log(**(fields | changes))
