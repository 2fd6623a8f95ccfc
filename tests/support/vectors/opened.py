"""Envelopes that open: every class, one and several devices, and the edges of what is still allowed."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from dispatch_protocol.compare import commitment
from dispatch_protocol.grant import GrantDocument, Version
from dispatch_protocol.head import Head
from dispatch_protocol.keys import Digest, EdgeId
from dispatch_protocol.lifecycle import Outcome
from dispatch_protocol.merkle import EMPTY
from dispatch_protocol.messages.answers import Decision, Mode, Receipt, ReceiptType, Verdict
from dispatch_protocol.messages.checkpoint import Checkpoint
from dispatch_protocol.messages.comparing import Comparison, Reveal
from dispatch_protocol.messages.follow_on import Ack, Cancel, Heard, Message
from dispatch_protocol.messages.registry import Message as AnyMessage
from dispatch_protocol.messages.registry import kind_of
from dispatch_protocol.messages.result import Result
from dispatch_protocol.payloads import class_of
from dispatch_protocol.scopes import PROFILES, Returns
from dispatch_protocol.seal import seal
from dispatch_protocol.standing import EdgeStatus, Standing
from tests.support.vectors import world
from tests.support.vectors.cases import Case, alice_knows, bob_knows, edge
from tests.support.vectors.fixed import fixed
from tests.support.vectors.forge import Recipient, head_to_bob, made_from, signed_by
from tests.support.vectors.world import (
    ALICE,
    ALICE_LAPTOP,
    BOB,
    BOB_DESKTOP,
    BOB_LAPTOP,
    HOUR_MS,
    NOW_MS,
    Machine,
)

TO_ALICE = (ALICE_LAPTOP.recipient,)
TO_BOB = tuple(machine.recipient for machine in (BOB_LAPTOP, BOB_DESKTOP, world.BOB_PHONE))


def sealed_case(
    label: str,
    message: AnyMessage,
    sender: Machine,
    recipients: Sequence[Recipient],
    *,
    machine: Machine,
    standing: Standing,
) -> Case:
    """Make a case as every daemon makes an envelope, and keep what it was made from."""
    signed, head = signed_by(sender, message), message.head
    content_key = fixed(f"{label} content key")
    ephemerals = [fixed(f"{label} ephemeral {index}") for index in range(len(recipients))]
    envelope = seal(
        signed,
        klass=class_of(kind_of(message)),
        re=head.re,
        from_device=head.sender.device,
        to_genesis=head.recipient.identity,
        edge=head.edge,
        created_ms=head.created_ms,
        expires_ms=head.expires_ms,
        recipients=recipients,
        content_key=content_key,
        ephemerals=ephemerals,
    )
    source = made_from(label, signed, sender, recipients)
    return Case(name=label, envelope=envelope, machine=machine, standing=standing, made_from=source)


def _tasks() -> list[Case]:
    """Tasks from Alice to Bob, and to herself."""

    def from_alice(
        label: str,
        *,
        recipients: Sequence[Recipient] = TO_BOB,
        machine: Machine = BOB_LAPTOP,
        head: dict[str, object] | None = None,
        **changes: object,
    ) -> Case:
        message = world.task(label, head_to_bob(label, **(head or {})))
        return sealed_case(
            label, message, ALICE_LAPTOP, recipients, machine=machine, standing=bob_knows(**changes)
        )

    ahead_ms = NOW_MS + 1_000 + 120_000
    old_laptop = (BOB_LAPTOP.device, BOB_LAPTOP.sealing[1].public)
    to_self = world.head("a task to oneself", ALICE, ALICE_LAPTOP, ALICE, edge=EdgeId.SELF)
    return [
        from_alice("a task for one device", recipients=TO_BOB[:1]),
        from_alice("a task for three devices, opened by the first"),
        from_alice("a task for three devices, opened by another", machine=BOB_DESKTOP),
        from_alice(
            "a task sealed to the key before a rotation",
            recipients=[old_laptop],
            head={"recipient_head": world.BOB_BEFORE_ROTATION},
        ),
        from_alice("a task at the end of its grace", now_ms=NOW_MS + HOUR_MS + 120_000),
        from_alice(
            "a task as long as can be, from a clock as far ahead as can be",
            head={"created_ms": ahead_ms, "expires_ms": ahead_ms + 86_400_000},
        ),
        from_alice(
            "a task from a device whose chain has one link",
            head={"sender_head": ALICE.chain.heads[0]},
            peer=ALICE.chain.at(ALICE.chain.heads[0]),
        ),
        from_alice("a task in the last millisecond of its edge", edge=edge(expires_ms=NOW_MS + 1_001)),
        sealed_case(
            "a task to oneself",
            world.task("a task to oneself", to_self),
            ALICE_LAPTOP,
            TO_ALICE,
            machine=ALICE_LAPTOP,
            standing=alice_knows(peer=ALICE.chain, edge=None),
        ),
    ]


DISPATCH = Digest(fixed("some dispatch"))
RUN, THREAD = UUID(bytes=fixed("run", 16)), UUID(bytes=fixed("thread", 16))
REVOKED = edge(status=EdgeStatus.REVOKED)


def _to_alice(name: str, message: AnyMessage, standing: Standing | None = None) -> Case:
    """Send what Bob says to Alice's laptop."""
    standing = standing or alice_knows()
    return sealed_case(name, message, BOB_LAPTOP, TO_ALICE, machine=ALICE_LAPTOP, standing=standing)


def _to_bob(name: str, message: AnyMessage, standing: Standing | None = None) -> Case:
    """Send what Alice says to Bob's laptop."""
    standing = standing or bob_knows()
    return sealed_case(name, message, ALICE_LAPTOP, TO_BOB[:1], machine=BOB_LAPTOP, standing=standing)


def _back(label: str) -> Head:
    return world.head(label, BOB, BOB_LAPTOP, ALICE, re=DISPATCH)


def _forth(label: str) -> Head:
    return world.head(label, ALICE, ALICE_LAPTOP, BOB, re=DISPATCH)


def _answers() -> list[Case]:
    """What the recipient says: it passes on an edge that is over, too."""
    first = {"seq": 1, "prev": Digest.ZERO}
    result = Result(
        head=_back("result"),
        **first,
        run_id=RUN,
        outcome=Outcome.SUCCESS,
        summary="Es fehlt das Datum.",
        returns=Returns.RESULT,
        agent="steps",
        started_ms=NOW_MS - 2_000,
        ended_ms=NOW_MS - 1_000,
    )
    accepted = Decision(
        head=_back("accepted"), **first, decision=Verdict.ACCEPTED, mode=Mode.MANUAL, run_id=RUN
    )
    declined = Decision(head=_back("declined"), **first, decision=Verdict.DECLINED, reason="Not today.")
    patient = replace(_back("patient"), expires_ms=NOW_MS + 7 * 24 * HOUR_MS)
    delivered = Receipt(head=_back("delivered"), **first, type=ReceiptType.DELIVERED)
    return [
        *_receipts(),
        _to_alice("a decision to accept", accepted),
        _to_alice("a decision to decline, of the same size", declined),
        _to_alice("a receipt on a revoked edge", delivered, alice_knows(edge=REVOKED)),
        _to_alice("a result", result),
        _to_alice("a receipt that may take a week", Receipt(head=patient, **first, type=ReceiptType.EXPIRED)),
        _to_alice(
            "a message from the recipient",
            Message(head=_back("answer"), thread=THREAD, seq=1, text="On my way."),
        ),
        _to_alice(
            "a message on an edge that has expired",
            Message(head=_back("late answer"), thread=THREAD, seq=2, text="It took longer."),
            alice_knows(edge=edge(status=EdgeStatus.EXPIRED)),
        ),
    ]


# What a receipt of each type says beside its type; that a task was delivered, or is expired, stands among the answers.
_SAID: dict[ReceiptType, dict[str, object]] = {
    ReceiptType.REFUSED: {"code": "edge_revoked", "detail": "This is over."},
    ReceiptType.STARTED: {"run_id": RUN, "data": {"agent": "steps"}},
    ReceiptType.HEARTBEAT: {"run_id": RUN, "data": {"state": "running"}},
    ReceiptType.WAITING: {"run_id": RUN, "code": "parked", "data": {"state": "waiting_approval"}},
    ReceiptType.CANCELLED: {"run_id": RUN, "code": "cancelled_by_author"},
    ReceiptType.UNSUPPORTED: {"data": {"payload_type": "application/vnd.dispatch.workspace.v1+json"}},
    ReceiptType.STALE_CHAIN: {"data": {"links": [link.to_json() for link in BOB.chain.links]}},
}


def _receipts() -> list[Case]:
    return [
        _to_alice(
            f"a receipt: {kind}",
            Receipt(head=_back(f"receipt {kind}"), seq=1, prev=Digest.ZERO, type=kind, **said),
        )
        for kind, said in _SAID.items()
    ]


def _follow_ons() -> list[Case]:
    """What the author says after the task, and a grant, which comes while its edge is still pending."""
    grant = GrantDocument(
        head=world.head("a grant", BOB, BOB_LAPTOP, ALICE),
        version=Version(1, BOB_LAPTOP.device),
        scopes=PROFILES["read-only"],
    )
    pending = alice_knows(edge=edge(status=EdgeStatus.PENDING))
    return [
        _to_bob("a cancel on a revoked edge", Cancel(head=_forth("cancel")), bob_knows(edge=REVOKED)),
        _to_bob("an acknowledgement", Ack(head=_forth("ack"), device=BOB_LAPTOP.device, seq=3)),
        _to_bob(
            "a message from the author",
            Message(head=_forth("message"), thread=THREAD, seq=1, text="Please hurry."),
        ),
        _to_bob(
            "that a message is held, on a revoked edge",
            Heard(head=_forth("heard"), message=Digest(fixed("a message"))),
            bob_knows(edge=REVOKED),
        ),
        _to_alice("a grant while its edge is pending", grant, pending),
    ]


def _comparing() -> list[Case]:
    """What two people say to compare, in both directions and on an edge that is over."""

    def lives_a_week(head: Head) -> Head:
        return replace(head, expires_ms=head.created_ms + 7 * 24 * HOUR_MS)

    random = fixed("comparing random")
    asked = Comparison(
        head=lives_a_week(world.head("a comparison", BOB, BOB_LAPTOP, ALICE)),
        from_email="bob@example.org",
        to_email="alice@example.org",
        commitment=commitment(BOB.chain.genesis, random),
    )
    revealed = Reveal(
        head=lives_a_week(world.head("a reveal", ALICE, ALICE_LAPTOP, BOB)),
        mine=Digest(fixed("Alice's comparison")),
        yours=signed_by(BOB_LAPTOP, asked).digest,
        random=random,
    )
    return [
        _to_alice("a comparison", asked),
        _to_bob("a reveal on a revoked edge", revealed, bob_knows(edge=REVOKED)),
    ]


def _checkpoints() -> list[Case]:
    """How far the log of an edge has come, also of one that is over."""
    entries = (Digest(fixed("the last word about one task")), Digest(fixed("and about another")))
    told = Checkpoint(
        head=world.head("a checkpoint", BOB, BOB_LAPTOP, ALICE),
        since=0,
        entries=entries,
        root=EMPTY.grown(entries).root,
    )
    return [_to_alice("a checkpoint on a revoked edge", told, alice_knows(edge=REVOKED))]


def opened() -> list[Case]:
    """Return every envelope that opens."""
    return [*_tasks(), *_answers(), *_follow_ons(), *_comparing(), *_checkpoints()]
