"""A statement names what was signed by its digests, and is made of nothing that was not verified."""

import hashlib
from dataclasses import replace
from typing import Any

from dispatch_protocol.bundle import Side, bundle_of
from dispatch_protocol.evidence import verify_bundle
from dispatch_protocol.keys import Digest
from dispatch_protocol.lifecycle import Outcome
from dispatch_protocol.messages.answers import Decision, Mode, Verdict
from dispatch_protocol.messages.files import Artifact
from dispatch_protocol.messages.registry import Message, encode_body, kind_of
from dispatch_protocol.messages.result import Result
from dispatch_protocol.payloads import payload_type
from dispatch_protocol.scopes import Returns
from dispatch_protocol.signing import Signed, sign
from dispatch_protocol.statement import statement
from tests.support.documents import ALICE, BOB, NOW_MS, RUN, Person, digest, head, task


def signed(message: Message, by: Person) -> Signed:
    return sign(by.sign, payload_type(kind_of(message)), encode_body(message))


TASK = signed(task(), ALICE)


def bundle(*, is_done: bool = True, **changes: Any) -> tuple[bytes, Digest]:
    """A dispatch that was accepted, and its result; the digest is the result's."""
    about = head(BOB, ALICE, re=TASK.digest)
    yes = signed(
        Decision(
            head=about,
            seq=1,
            prev=Digest.ZERO,
            decision=Verdict.ACCEPTED,
            mode=Mode.MANUAL,
            run_id=RUN,
        ),
        BOB,
    )
    result = Result(
        head=about,
        seq=2,
        prev=yes.digest,
        run_id=RUN,
        outcome=Outcome.SUCCESS,
        summary="done",
        returns=Returns.RESULT,
        agent="steps",
        started_ms=NOW_MS,
        ended_ms=NOW_MS + 1000,
    )
    end = signed(replace(result, **changes), BOB)
    made = bundle_of(
        task=(TASK, ALICE.device),
        answers=[(answer, BOB.device) for answer in ((yes, end) if is_done else (yes,))],
        author=Side(ALICE.email, ALICE.chain.links),
        recipient=Side(None, BOB.chain.links),
    )
    return made.encode(), end.digest


def test_it_says_who_asked_whom_and_what_came_of_it() -> None:
    data, end = bundle()
    assert statement(data, verify_bundle(data)) == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "result", "digest": {"sha256": end.hex}}],
        "predicateType": "urn:dispatch:result:v1",
        "predicate": {
            "dispatchId": str(verify_bundle(data).dispatch_id),
            "author": {"identity": ALICE.chain.genesis.hex, "address": ALICE.email},
            "recipient": {"identity": BOB.chain.genesis.hex, "address": None},
            "outcome": "success",
            "agent": "steps",
            "startedOn": "2026-01-02T03:04:05.678Z",
            "finishedOn": "2026-01-02T03:04:06.678Z",
            "evidence": {
                "task": {"sha256": TASK.digest.hex},
                "result": {"sha256": end.hex},
                "bundle": {"sha256": hashlib.sha256(data).hexdigest()},
            },
        },
    }


def test_its_subjects_are_the_result_its_changes_and_its_files() -> None:
    report = Artifact(
        name="report.txt", kind="file", mime_type="text/plain", size_bytes=3, sha256=digest("report")
    )
    data, end = bundle(changeset_digest=digest("changes"), artifacts=(report,))
    found = statement(data, verify_bundle(data))
    assert found is not None
    assert found["subject"] == [
        {"name": "result", "digest": {"sha256": end.hex}},
        {"name": "changeset", "digest": {"sha256": digest("changes").hex}},
        {"name": "artifacts/report.txt", "digest": {"sha256": digest("report").hex}},
    ]


def test_of_what_does_not_hold_or_has_not_ended_there_is_none() -> None:
    data, _ = bundle()
    altered = data.replace(b'"sig":"', b'"sig":"A', 1)
    assert statement(altered, verify_bundle(altered)) is None
    unfinished, _ = bundle(is_done=False)
    assert verify_bundle(unfinished).ok
    assert statement(unfinished, verify_bundle(unfinished)) is None
