"""Evidence: what a bundle proves, checked offline in one numbered list.

Nobody is asked: no daemon, no broker, no clock. What stands in the report as author and recipient are fingerprints; who
they belong to is what the reader knows, so the addresses beside them are shown as claims.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from dispatch_protocol.answer_chain import Place, follow_all
from dispatch_protocol.bundle import Bundle
from dispatch_protocol.chain import Chain
from dispatch_protocol.encoding import JSON
from dispatch_protocol.errors import MalformedError, RefusalCode, RefusedError, RemoteError
from dispatch_protocol.head import Head
from dispatch_protocol.keys import DeviceId, Digest
from dispatch_protocol.lifecycle import Outcome
from dispatch_protocol.messages.answers import Answer, Decision, Receipt, Verdict
from dispatch_protocol.messages.registry import Message, decode_body
from dispatch_protocol.messages.result import Result
from dispatch_protocol.messages.task import Task
from dispatch_protocol.payloads import kind_of
from dispatch_protocol.signing import Document, dispatch_id, verify_document


@dataclass(frozen=True, slots=True)
class Check:
    """One step of the list: a stable word, whether it held, and one sentence about what was seen."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Identified:
    """One side: its fingerprint as proved (None if nothing was) and its address as claimed."""

    identity: str | None
    address: str | None


@dataclass(frozen=True, slots=True)
class Verification:
    """What a bundle proves. Nothing of it counts unless `ok`: every check held."""

    checks: tuple[Check, ...]
    author: Identified
    recipient: Identified
    task: Digest | None
    result: tuple[Digest, Result] | None

    @property
    def dispatch_id(self) -> UUID | None:
        """The id that people type, made from the digest of the task."""
        return None if self.task is None else dispatch_id(self.task)

    @property
    def outcome(self) -> Outcome | None:
        """How the run ended whose result is the last one."""
        return None if self.result is None else self.result[1].outcome

    @property
    def ok(self) -> bool:
        """Whether every check held."""
        return all(check.ok for check in self.checks)

    def to_json(self) -> dict[str, JSON]:
        """Return the report in the shape that `dispatch verify --json` prints."""
        return {
            "ok": self.ok,
            "author": {"identity": self.author.identity, "address": self.author.address},
            "recipient": {"identity": self.recipient.identity, "address": self.recipient.address},
            "dispatch_id": None if self.dispatch_id is None else str(self.dispatch_id),
            "outcome": self.outcome,
            "checks": [{"name": check.name, "ok": check.ok, "detail": check.detail} for check in self.checks],
        }


@dataclass(slots=True)
class _Evidence:
    """What the steps have found so far; each step relies on those before it."""

    data: bytes
    bundle: Bundle = field(init=False)
    author: Chain = field(init=False)
    recipient: Chain = field(init=False)
    task: Task = field(init=False)
    answers: list[tuple[Digest, Answer]] = field(default_factory=list)
    result: tuple[Digest, Result] | None = None


def verify_bundle(data: bytes) -> Verification:
    """Check a bundle from its bytes alone; whatever is wrong with it is in the report, nothing is raised.

    The list stops at the first check that fails; the rest are reported as not checked. Source: docs/PROTOCOL.md,
    section 9.
    """
    evidence = _Evidence(data)
    checks: list[Check] = []
    for name, step in _STEPS:
        if checks and not checks[-1].ok:
            checks.append(Check(name, ok=False, detail="not checked, because an earlier check failed"))
            continue
        try:
            checks.append(Check(name, ok=True, detail=step(evidence)))
        except RemoteError as error:
            checks.append(Check(name, ok=False, detail=error.detail))
    return _report(evidence, tuple(checks))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _check_format(evidence: _Evidence) -> str:
    evidence.bundle = Bundle.decode(evidence.data)
    return f"a task with {_count(len(evidence.bundle.answers), 'answer')}"


def _check_author_chain(evidence: _Evidence) -> str:
    evidence.author = Chain.verify(evidence.bundle.author.links, expect=None)
    return f"{evidence.author.genesis.hex}, {_count(len(evidence.author.links), 'link')}"


def _check_recipient_chain(evidence: _Evidence) -> str:
    evidence.recipient = Chain.verify(evidence.bundle.recipient.links, expect=None)
    return f"{evidence.recipient.genesis.hex}, {_count(len(evidence.recipient.links), 'link')}"


def _check_task_signature(evidence: _Evidence) -> str:
    signer = _check_signature(evidence.bundle.task, evidence.author)
    return f"signed by the author's device {signer.hex}"


def _check_task(evidence: _Evidence) -> str:
    """Read the task, which was verified in the step before, and compare whom it names."""
    document = evidence.bundle.task
    task = _read(document)
    if not isinstance(task, Task):
        raise MalformedError("the bundle's task is another kind of document")
    _check_sender(document, task.head, evidence.author)
    to = task.head.recipient
    if to.identity != evidence.recipient.genesis or evidence.recipient.at(to.head) is None:
        raise MalformedError("the task is for another recipient than the bundle's")
    evidence.task = task
    return f"dispatch {dispatch_id(document.digest)} to {to.identity.hex}"


def _check_answer_signatures(evidence: _Evidence) -> str:
    for document in evidence.bundle.answers:
        _check_signature(document, evidence.recipient)
        answer = _read(document)
        if not isinstance(answer, Decision | Receipt | Result):
            raise MalformedError("the bundle holds a document that is no answer")
        _check_sender(document, answer.head, evidence.recipient)
        evidence.answers.append((document.digest, answer))
    return f"{_count(len(evidence.answers), 'answer')} signed by devices of the recipient"


def _check_answer_subjects(evidence: _Evidence) -> str:
    expected = (evidence.bundle.task.digest, evidence.author.genesis, evidence.task.head.edge)
    for _, answer in evidence.answers:
        if (answer.head.re, answer.head.recipient.identity, answer.head.edge) != expected:
            raise MalformedError("an answer concerns another dispatch, or was given to somebody else")
    return "every answer concerns this dispatch and is for its author"


def _check_answer_chains(evidence: _Evidence) -> str:
    devices: dict[DeviceId, list[Place]] = {}
    for digest, answer in evidence.answers:
        devices.setdefault(answer.head.sender.device, []).append(Place(answer.seq, digest, answer.prev))
    for device, places in devices.items():
        followed = follow_all(places)
        if followed.forked:
            raise MalformedError(f"two answers of {device.hex} contradict each other")
        if followed.chain.missing is not None:
            raise MalformedError(f"answer {followed.chain.missing} of {device.hex} is missing")
    return f"no answer is missing, repeated or replaced ({_count(len(devices), 'device')})"


def _check_decision(evidence: _Evidence) -> str:
    decisions = [answer for _, answer in evidence.answers if isinstance(answer, Decision)]
    accepted = [decision for decision in decisions if decision.decision is Verdict.ACCEPTED]
    if len(accepted) > 1:
        raise MalformedError("two devices of the recipient accepted it: a conflict")
    if not accepted and any(isinstance(answer, Result) for _, answer in evidence.answers):
        raise MalformedError("a result without a decision to accept")
    if not decisions:
        return "nobody has decided"
    return f"{(accepted or decisions)[0].decision} by a human of the recipient"


def _check_result(evidence: _Evidence) -> str:
    results = [(digest, answer) for digest, answer in evidence.answers if isinstance(answer, Result)]
    if not results:
        return "no result is in the bundle"
    digest, last = max(results, key=lambda result: (result[1].ended_ms, result[1].seq))
    evidence.result = (digest, last)
    return f"run {last.run_id} ended: {last.outcome}"


_STEPS: Final[tuple[tuple[str, Callable[[_Evidence], str]], ...]] = (
    ("format", _check_format),
    ("author_chain", _check_author_chain),
    ("recipient_chain", _check_recipient_chain),
    ("task_signature", _check_task_signature),
    ("task", _check_task),
    ("answer_signatures", _check_answer_signatures),
    ("answer_subjects", _check_answer_subjects),
    ("answer_chains", _check_answer_chains),
    ("decision", _check_decision),
    ("result", _check_result),
)


def _check_signature(document: Document, chain: Chain) -> DeviceId:
    """Return the one device of the chain that signed a document, whether or not it is active still."""
    signers = tuple(DeviceId(signer) for signer in document.signers)
    if len(signers) != 1 or not any(signers[0] in devices for devices in chain.states):
        raise RefusedError(RefusalCode.SIGNER_UNKNOWN, "not signed by one device of the identity")
    verify_document(signers, document)
    return signers[0]


def _check_sender(document: Document, head: Head, chain: Chain) -> None:
    """Compare whom a verified document names as its sender with whose signature it bears."""
    stated = chain.at(head.sender.head)
    if head.sender.identity != chain.genesis or {head.sender.device.raw} != document.signers:
        raise MalformedError("a document that names another sender than its signer")
    if stated is None or head.sender.device not in stated.devices:
        raise MalformedError("a document whose signer was not active in the chain that it states")


def _read(document: Document) -> Message:
    kind = kind_of(document.payload_type)
    if kind is None:
        raise RefusedError(RefusalCode.UNSUPPORTED, "a payload type that is not known here")
    return decode_body(kind, document.body)


def _report(evidence: _Evidence, checks: tuple[Check, ...]) -> Verification:
    held = {check.name for check in checks if check.ok}
    known = "format" in held
    return Verification(
        checks=checks,
        author=Identified(
            identity=evidence.author.genesis.hex if "author_chain" in held else None,
            address=evidence.bundle.author.address if known else None,
        ),
        recipient=Identified(
            identity=evidence.recipient.genesis.hex if "recipient_chain" in held else None,
            address=evidence.bundle.recipient.address if known else None,
        ),
        task=evidence.bundle.task.digest if "task" in held else None,
        result=evidence.result,
    )
