"""One document of every kind with every field filled, every list with something in it, and nothing null that may say something.

Whoever wants to know all that a kind can say reads these: the tables of docs/protocol/FIELDS.md are made from them, and the
vectors of bodies are these documents with one place changed.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from dispatch_protocol.budget import Budget
from dispatch_protocol.encoding import dumps, loads
from dispatch_protocol.first_contact import Secret, with_mac
from dispatch_protocol.grant import GrantDocument, Version
from dispatch_protocol.invitation import Acceptance, Confirmation, InvitationDocument, MacRule
from dispatch_protocol.keys import Digest, SealingKey
from dispatch_protocol.lifecycle import Outcome
from dispatch_protocol.limits import BODY_BYTES
from dispatch_protocol.links import (
    ALL_ROLES,
    AddDeviceLink,
    GenesisLink,
    IdentityKind,
    RecoverLink,
    RevokeDeviceLink,
    RotateSealingLink,
    SetRolesLink,
)
from dispatch_protocol.merkle import EMPTY
from dispatch_protocol.messages.answers import Decision, Mode, Receipt, ReceiptType, Verdict
from dispatch_protocol.messages.checkpoint import Checkpoint
from dispatch_protocol.messages.files import Artifact, Attachment, Blob
from dispatch_protocol.messages.follow_on import Ack, Cancel, Heard, Message
from dispatch_protocol.messages.registry import decode_body
from dispatch_protocol.messages.result import Result
from dispatch_protocol.messages.shared_trust import RuleEntry
from dispatch_protocol.messages.steps import Step
from dispatch_protocol.messages.task import Origin
from dispatch_protocol.messages.trace import Change, ChangeOp, Confinement, Event, EventType, FileDiff, Usage
from dispatch_protocol.paths import PathGrant, PathMode
from dispatch_protocol.payloads import Kind, payload_type
from dispatch_protocol.scopes import TOOLS, Returns, Scopes
from dispatch_protocol.session import SessionProof
from dispatch_protocol.signing import Document, edge_id, sign_document
from tests.support import documents, household
from tests.support.documents import ALICE, BOB, HOUR_MS, NOW_MS, RUN, THREAD, digest, fixed, head

_DISPATCH: Final = digest("dispatch")
_BLOB: Final = Blob(digest("blob"), fixed("key"))
_BACK: Final = {"seq": 2, "prev": digest("the answer before")}
_SECRET: Final = Secret(fixed("secret", 16))

INVITATION: Final = InvitationDocument(
    nonce=fixed("invitation", 16),
    sender=ALICE.party,
    from_email=ALICE.email,
    to_email=BOB.email,
    broker="https://courier.example",
    mac=MacRule.REQUIRED,
    created_ms=NOW_MS,
    expires_ms=NOW_MS + HOUR_MS,
)
_INVITED: Final = sign_document([ALICE.sign], payload_type(Kind.INVITATION), INVITATION.encode())
_EDGE: Final = edge_id(_INVITED.digest)
SCOPES: Final = Scopes(
    tools=TOOLS,
    mcp_servers=("files", "mail"),
    paths=(PathGrant("/src", PathMode.RW), PathGrant("/src/vendor", PathMode.RO)),
    network=("a.example", "b.example:8080"),
    budget=Budget(tokens=1_000, turns=3, cost_microusd=9),
    expires_at_ms=NOW_MS + HOUR_MS,
)


def _granted(*, back: Digest | None = None) -> Document:
    """Sign a first grant of Bob's to Alice, or of hers for the way back."""
    trustor, other = (BOB, ALICE) if back is None else (ALICE, BOB)
    edge = _EDGE if back is None else edge_id(back)
    grant = GrantDocument(
        head=head(trustor, other, edge=edge), version=Version(1, trustor.device), scopes=SCOPES
    )
    return sign_document([trustor.sign], payload_type(Kind.GRANT), grant.encode())


def _receipt(kind: ReceiptType, **said: Any) -> Receipt:
    return Receipt(head=head(BOB, ALICE, re=_DISPATCH), **_BACK, type=kind, run_id=RUN, **said)


TASK: Final = documents.task(
    origin=Origin("cli", "terminal 1"),
    background="It was written in a hurry.",
    links=("https://example.org/a", "mailto:bob@example.org"),
    deliverable="A list.",
    project="notes",
    attachments=(Attachment("plan.pdf", 12, digest("plan"), _BLOB),),
    steps=(Step("Bash", {"command": "true"}, save_as="out.txt", allow_failure=True),),
    instructions="Be brief.",
    meta={"ticket": "17"},
    route="desktop-local",
    device_wish=BOB.device,
    after=(digest("one"), digest("two")),
    retries=1,
    timeout_s=60,
    budget=SCOPES.budget,
    parent=digest("parent"),
)
RESULT: Final = Result(
    head=head(BOB, ALICE, re=_DISPATCH),
    **_BACK,
    run_id=RUN,
    outcome=Outcome.FAILED,
    summary="Half of it is green.",
    returns=Returns.TRACE,
    agent="steps",
    started_ms=NOW_MS,
    ended_ms=NOW_MS + 5,
    code="step_failed",
    changeset=(
        Change(
            op=ChangeOp.MODIFY,
            path="/src/a",
            kind="file",
            old_mode=0o644,
            new_mode=0o755,
            size_bytes=1,
            sha256=digest("a"),
            target="/src/b",
            flags=("executable",),
        ),
    ),
    changeset_digest=digest("changeset"),
    diffs=(FileDiff(path="/src/a", text="+a\n"),),
    artifacts=(
        Artifact(
            name="r.txt", kind="file", mime_type="text/plain", size_bytes=1, sha256=digest("r"), blob=_BLOB
        ),
    ),
    events=(Event(seq=1, at_ms=NOW_MS, type=EventType.MESSAGE, data={"text": "hi"}),),
    usage=Usage(tool_calls=2, turns=3, input_tokens=4, output_tokens=5, cost_microusd=6),
    confinement=Confinement(layers=("namespaces",), limits_by="cgroup", warnings=("no landlock",)),
)
ENTRIES: Final = tuple(
    replace(entry, command="true") if isinstance(entry, RuleEntry) else entry for entry in household.ENTRIES
)
# Whatever travels in an envelope, by a name of its own; a kind that has several shapes stands here in each.
MESSAGES: Final[Mapping[str, Any]] = {
    "task": TASK,
    "cancel": Cancel(head=head(re=_DISPATCH), reason="No longer needed."),
    "ack": Ack(head=head(re=_DISPATCH), device=BOB.device, seq=3),
    "message": Message(head=head(re=_DISPATCH), thread=THREAD, seq=1, text="Please hurry."),
    "heard": Heard(head=head(re=_DISPATCH), message=digest("message")),
    "decision": Decision(
        head=head(BOB, ALICE, re=_DISPATCH),
        **_BACK,
        decision=Verdict.ACCEPTED,
        mode=Mode.MANUAL,
        reason="Gladly.",
        run_id=RUN,
    ),
    "receipt": _receipt(ReceiptType.REFUSED, code="edge_revoked", detail="This is over."),
    "receipt: started": _receipt(ReceiptType.STARTED, data={"agent": "steps"}),
    "receipt: waiting": _receipt(ReceiptType.WAITING, code="parked", data={"state": "waiting_approval"}),
    "receipt: unsupported": _receipt(ReceiptType.UNSUPPORTED, data={"payload_type": "text/plain"}),
    "receipt: stale_chain": _receipt(
        ReceiptType.STALE_CHAIN, data={"links": [link.to_json() for link in BOB.chain.links]}
    ),
    "result": RESULT,
    "grant": documents.grant(
        version=Version(3, BOB.device),
        parents=(Version(1, BOB.device), Version(2, ALICE.device)),
        scopes=SCOPES,
    ),
    "acceptance": with_mac(
        _SECRET,
        Acceptance(
            head=head(BOB, ALICE, edge=_EDGE),
            invitation=_INVITED.digest,
            from_email=BOB.email,
            to_email=ALICE.email,
            links=BOB.chain.links,
            grant=_granted(),
            mac=None,
        ),
    ),
    "confirmation": with_mac(
        _SECRET,
        Confirmation(
            head=head(edge=_EDGE),
            invitation=_INVITED.digest,
            acceptance=digest("acceptance"),
            mac=None,
            offer=_granted(back=digest("acceptance")),
        ),
    ),
    "comparison": documents.comparison(),
    "reveal": documents.reveal(),
    "checkpoint": Checkpoint(
        head=head(BOB, ALICE),
        since=0,
        entries=(digest("first"), digest("second")),
        root=EMPTY.grown((digest("first"), digest("second"))).root,
    ),
    "log": household.household_log(entries=ENTRIES),
}
_LINK: Final[Mapping[str, Any]] = {"created_ms": NOW_MS, "nonce": fixed("link", 16)}
_LATER: Final[Mapping[str, Any]] = {"prev": digest("the link before"), **_LINK}
_SEAL: Final = SealingKey(fixed("another sealing key")).public
LINKS: Final[Mapping[str, Any]] = {
    "genesis": GenesisLink(
        kind=IdentityKind.PERSON, device=ALICE.device, sealing=_SEAL, recovery=ALICE.recovery.public, **_LINK
    ),
    "add_device": AddDeviceLink(device=BOB.device, sealing=_SEAL, roles=ALL_ROLES, **_LATER),
    "revoke_device": RevokeDeviceLink(device=BOB.device, **_LATER),
    "rotate_sealing": RotateSealingLink(device=BOB.device, sealing=_SEAL, **_LATER),
    "set_roles": SetRolesLink(device=BOB.device, roles=ALL_ROLES, **_LATER),
    "recover": RecoverLink(
        epoch=1, survivors=frozenset({ALICE.device}), device=(BOB.device, _SEAL), **_LATER
    ),
}
PROOF: Final = SessionProof(
    url="https://courier.example",
    challenge=fixed("challenge"),
    nonce=fixed("nonce"),
    genesis=ALICE.chain.genesis,
    device=ALICE.device,
    counter=1,
)


def written(document: Any) -> dict[str, Any]:
    """Return the body of a sample as JSON of its own, with its version."""
    body: Any = loads(dumps({**document.write(), "v": 1}), max_bytes=BODY_BYTES)
    return dict(body)


def kind_of_sample(name: str) -> Kind:
    """Return the kind under which a sample of `MESSAGES` is signed."""
    return Kind(name.partition(":")[0])


def reader_of(name: str) -> Callable[[bytes], object]:
    """Return what reads the body of a sample of `MESSAGES`."""
    kind = kind_of_sample(name)
    return lambda body: decode_body(kind, body)
