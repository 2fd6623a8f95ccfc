"""Bundles that prove what came of a dispatch, and bundles that prove nothing, each wrong in one respect."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from dispatch_protocol.bundle import Bundle, Side, as_document
from dispatch_protocol.encoding import JSON, b64u
from dispatch_protocol.keys import Digest
from dispatch_protocol.lifecycle import Outcome
from dispatch_protocol.messages.answers import Answer, Decision, Mode, Receipt, ReceiptType, Verdict
from dispatch_protocol.messages.registry import Message, encode_body, kind_of
from dispatch_protocol.messages.result import Result
from dispatch_protocol.payloads import payload_type
from dispatch_protocol.scopes import Returns
from dispatch_protocol.signing import Document, sign
from tests.support.vectors import world
from tests.support.vectors.fixed import fixed

RUN: Final = UUID(bytes=fixed("evidence run", 16))


def signed(message: Message, machine: world.Machine) -> Document:
    """Sign a message with a machine's key."""
    return as_document(
        sign(machine.sign, payload_type(kind_of(message)), encode_body(message)), machine.device
    )


TASK: Final = signed(
    world.task(
        "evidence",
        world.head(
            "evidence", world.ALICE, world.ALICE_LAPTOP, world.BOB, expires_ms=world.NOW_MS + world.HOUR_MS
        ),
    ),
    world.ALICE_LAPTOP,
)

Maker = Callable[..., Answer]


def answers(*makers: Maker, by: world.Machine = world.BOB_LAPTOP, re: Digest = TASK.digest) -> list[Document]:
    """Return one device's chain of answers to Alice."""
    made: list[Document] = []
    for number, make in enumerate(makers, start=1):
        head = world.head(
            f"evidence {number}", world.BOB, by, world.ALICE, re=re, created_ms=world.NOW_MS + number
        )
        made.append(signed(make(head=head, seq=number, prev=made[-1].digest if made else Digest.ZERO), by))
    return made


def delivered(**place: Any) -> Receipt:
    """State that the task arrived."""
    return Receipt(**place, type=ReceiptType.DELIVERED)


def accepted(**place: Any) -> Decision:
    """Accept the task."""
    return Decision(**place, decision=Verdict.ACCEPTED, mode=Mode.MANUAL, run_id=RUN)


def declined(**place: Any) -> Decision:
    """Decline the task."""
    return Decision(**place, decision=Verdict.DECLINED, reason="not today")


def result(**place: Any) -> Result:
    """Return what came of the run."""
    return Result(
        **place,
        run_id=RUN,
        outcome=Outcome.SUCCESS,
        summary="done",
        returns=Returns.RESULT,
        agent="steps",
        started_ms=world.NOW_MS,
        ended_ms=world.NOW_MS + 5,
    )


def bundle(*given: Document, **changes: Any) -> Bundle:
    """Return Alice's dispatch to Bob with these answers."""
    fields: dict[str, Any] = {
        "author": Side("alice@example.org", world.ALICE.chain.links),
        "recipient": Side("bob@example.org", world.BOB.chain.links),
        "task": TASK,
        "answers": given,
    }
    return Bundle(**(fields | changes))


WHOLE: Final = answers(delivered, accepted, result)

PROVED: Final[dict[str, tuple[Bundle, str | None]]] = {
    "a whole dispatch": (bundle(*WHOLE), "success"),
    "answers in another order": (bundle(*reversed(WHOLE)), "success"),
    "a dispatch that was declined": (bundle(*answers(delivered, declined)), None),
    "a dispatch that nobody has answered": (bundle(), None),
    "answers of two devices": (
        bundle(*answers(delivered), *answers(accepted, result, by=world.BOB_DESKTOP)),
        "success",
    ),
}


def _altered(document: Document) -> Document:
    return replace(document, body=document.body.replace(b"auf Deutsch", b"auf English"))


REFUSED: Final[dict[str, tuple[Bundle, str]]] = {
    "a chain that lacks a link": (
        bundle(recipient=Side(None, (world.BOB.chain.links[0], *world.BOB.chain.links[2:]))),
        "recipient_chain",
    ),
    "an author's chain without its first link": (
        bundle(author=Side(None, world.ALICE.chain.links[1:])),
        "author_chain",
    ),
    "a task that was altered": (bundle(task=_altered(TASK)), "task_signature"),
    "a task that a stranger signed": (
        bundle(
            task=as_document(
                sign(world.MALLORY_LAPTOP.sign, TASK.payload_type, TASK.body), world.MALLORY_LAPTOP.device
            )
        ),
        "task_signature",
    ),
    "a task for somebody else": (bundle(recipient=Side(None, world.MALLORY.chain.links)), "task"),
    "a task that is an answer": (
        bundle(
            task=as_document(
                sign(world.ALICE_LAPTOP.sign, WHOLE[0].payload_type, WHOLE[0].body), world.ALICE_LAPTOP.device
            )
        ),
        "task",
    ),
    "an answer that a stranger signed": (
        bundle(
            as_document(
                sign(world.MALLORY_LAPTOP.sign, WHOLE[0].payload_type, WHOLE[0].body),
                world.MALLORY_LAPTOP.device,
            )
        ),
        "answer_signatures",
    ),
    "an answer of another device than it says": (
        bundle(
            as_document(
                sign(world.BOB_DESKTOP.sign, WHOLE[0].payload_type, WHOLE[0].body), world.BOB_DESKTOP.device
            )
        ),
        "answer_signatures",
    ),
    "an answer to another dispatch": (
        bundle(*answers(delivered, re=Digest(fixed("evidence other")))),
        "answer_subjects",
    ),
    "an answer that is missing": (bundle(WHOLE[0], WHOLE[2]), "answer_chains"),
    "an answer that was replaced": (
        bundle(*WHOLE, answers(delivered, declined)[1]),
        "answer_chains",
    ),
    "two acceptances": (bundle(*answers(accepted), *answers(accepted, by=world.BOB_DESKTOP)), "decision"),
    "a result without an acceptance": (bundle(*answers(delivered, result)), "decision"),
}


def bundle_vectors() -> dict[str, JSON]:
    """Return every bundle: as base64url of its file, and the check that fails or the outcome that is proved."""
    return {
        "about": "Bundles, as base64url. `outcome` is what a good one proves; `fails` names the first check of a bad one.",
        "proved": [
            {"name": name, "outcome": outcome, "bundle": b64u(value.encode())}
            for name, (value, outcome) in PROVED.items()
        ],
        "refused": [
            {"name": name, "fails": fails, "bundle": b64u(value.encode())}
            for name, (value, fails) in REFUSED.items()
        ],
    }
