"""The statement: what a bundle proves about a result, as an in-toto Statement that other programs can read, sign and keep.

It is said by whoever has verified, and is no signature of the recipient's: its predicate names the signed documents by
their digests, so that it leads back to the evidence. Source: in-toto Attestation Framework, Statement v1.
"""

import hashlib
from typing import Final

from dispatch_protocol.encoding import JSON
from dispatch_protocol.evidence import Verification
from dispatch_protocol.timestamps import format_time

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "urn:dispatch:result:v1"


def statement(bundle: bytes, verification: Verification) -> dict[str, JSON] | None:
    """Return the statement of a bundle that was verified, or None if it does not hold or no result is in it.

    The subjects are the result itself, the changes that it commits to, and every file that the run made.
    """
    if not verification.ok or verification.result is None or verification.task is None:
        return None
    digest, result = verification.result
    subjects = [_subject("result", digest.hex)]
    if result.changeset_digest is not None:
        subjects.append(_subject("changeset", result.changeset_digest.hex))
    subjects += [_subject(f"artifacts/{artifact.name}", artifact.sha256.hex) for artifact in result.artifacts]
    report = verification.to_json()
    return {
        "_type": STATEMENT_TYPE,
        "subject": subjects,
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "dispatchId": report["dispatch_id"],
            "author": report["author"],
            "recipient": report["recipient"],
            "outcome": result.outcome.value,
            "agent": result.agent,
            "startedOn": format_time(result.started_ms),
            "finishedOn": format_time(result.ended_ms),
            "evidence": {
                "task": {"sha256": verification.task.hex},
                "result": {"sha256": digest.hex},
                "bundle": {"sha256": hashlib.sha256(bundle).hexdigest()},
            },
        },
    }


def _subject(name: str, sha256: str) -> dict[str, JSON]:
    return {"name": name, "digest": {"sha256": sha256}}
