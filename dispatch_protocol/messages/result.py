"""The result: what came of one run, cut down to what the trustor lets the author see.

Its digests commit the recipient to what was changed and made. What `returns` holds back is absent, not hidden:
`withhold` takes it out before anything is signed, and a result that says more than its own `returns` is refused.
"""

from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from dispatch_protocol.body import read_word
from dispatch_protocol.encoding import JSON, Fields
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.head import Head, concerning
from dispatch_protocol.keys import Digest
from dispatch_protocol.lifecycle import Outcome
from dispatch_protocol.limits import DIFF_BYTES
from dispatch_protocol.messages.files import Artifact
from dispatch_protocol.messages.trace import Change, Confinement, Event, FileDiff, Usage
from dispatch_protocol.scopes import Returns

SUMMARY_CHARS: Final = 100_000
CHANGES: Final = 10_000
ARTIFACTS: Final = 1_000
EVENTS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of a run, as far as `returns` lets the author see; `code` names why it did not succeed.

    `prev` is the digest of this device's answer before, `Digest.ZERO` for the first. All diffs together measure at most
    256 KiB; beyond that `diff_truncated` is set.
    """

    head: Head
    seq: int
    prev: Digest
    run_id: UUID
    outcome: Outcome
    summary: str
    returns: Returns
    agent: str
    started_ms: int
    ended_ms: int
    code: str | None = None
    changeset: tuple[Change, ...] = ()
    changeset_digest: Digest | None = None
    diffs: tuple[FileDiff, ...] = ()
    diff_truncated: bool = False
    artifacts: tuple[Artifact, ...] = ()
    events: tuple[Event, ...] = ()
    usage: Usage | None = None
    confinement: Confinement | None = None

    def write(self) -> dict[str, JSON]:
        """Return the body as JSON, but for its version."""
        return {
            **self.head.write(),
            "seq": self.seq,
            "prev": self.prev.hex,
            "run_id": self.run_id.hex,
            "outcome": self.outcome.value,
            "summary": self.summary,
            "returns": self.returns.value,
            "agent": self.agent,
            "started": self.started_ms,
            "ended": self.ended_ms,
            "code": self.code,
            "changeset": [change.write() for change in self.changeset],
            "changeset_digest": None if self.changeset_digest is None else self.changeset_digest.hex,
            "diffs": [diff.write() for diff in self.diffs],
            "diff_truncated": self.diff_truncated,
            "artifacts": [artifact.write() for artifact in self.artifacts],
            "events": [event.write() for event in self.events],
            "usage": None if self.usage is None else self.usage.write(),
            "confinement": None if self.confinement is None else self.confinement.write(),
        }

    @classmethod
    def read(cls, fields: Fields) -> "Result":
        """Read a result strictly; raises MalformedError, also for one that says more than its `returns`."""
        head = concerning(Head.read(fields))
        seq, prev = read_place(fields)
        digest = fields.optional(fields.hex, "changeset_digest", Digest.LENGTH)
        result = cls(
            head=head,
            seq=seq,
            prev=prev,
            run_id=UUID(bytes=fields.hex("run_id", 16)),
            outcome=fields.choice("outcome", Outcome),
            summary=fields.text("summary", max_chars=SUMMARY_CHARS),
            returns=fields.choice("returns", Returns),
            agent=read_word(fields, "agent"),
            started_ms=fields.integer("started"),
            ended_ms=fields.integer("ended"),
            code=fields.optional(lambda name: read_word(fields, name), "code"),
            changeset=tuple(Change.read(entry) for entry in fields.many("changeset", max_items=CHANGES)),
            changeset_digest=None if digest is None else Digest(digest),
            diffs=tuple(FileDiff.read(entry) for entry in fields.many("diffs", max_items=CHANGES)),
            diff_truncated=fields.boolean("diff_truncated"),
            artifacts=tuple(Artifact.read(entry) for entry in fields.many("artifacts", max_items=ARTIFACTS)),
            events=tuple(Event.read(entry) for entry in fields.many("events", max_items=EVENTS)),
            usage=fields.optional(lambda name: Usage.read(fields.fields(name)), "usage"),
            confinement=fields.optional(lambda name: Confinement.read(fields.fields(name)), "confinement"),
        )
        _check_result(result)
        return result


def _check_result(result: Result) -> None:
    if result.ended_ms < result.started_ms:
        raise MalformedError("a run that ended before it started")
    if result.outcome is Outcome.SUCCESS and result.code is not None:
        raise MalformedError("a success needs no reason")
    if sum(len(diff.text.encode("utf-8")) for diff in result.diffs) > DIFF_BYTES:
        raise MalformedError(f"diffs of more than {DIFF_BYTES} bytes together")
    if [event.seq for event in result.events] != list(range(1, len(result.events) + 1)):
        raise MalformedError("events that do not count from 1")
    if withhold(result, result.returns) != result:
        raise MalformedError(f"a result that says more than {result.returns}")


def withhold(result: Result, returns: Returns) -> Result:
    """Return the result with only what `returns` lets the author see: the outcome, what came of it, or all events."""
    if returns is Returns.TRACE:
        return replace(result, returns=returns)
    if returns is Returns.RESULT:
        return replace(result, returns=returns, events=())
    return replace(
        result,
        returns=returns,
        summary="",
        changeset=(),
        changeset_digest=None,
        diffs=(),
        diff_truncated=False,
        artifacts=(),
        events=(),
    )


def read_place(fields: Fields) -> tuple[int, Digest]:
    """Read an answer's place in its chain: `seq` from 1, `prev` zeros exactly for the first; raises MalformedError."""
    seq = fields.integer("seq", minimum=1)
    prev = Digest(fields.hex("prev", Digest.LENGTH))
    if (seq == 1) != (prev == Digest.ZERO):
        raise MalformedError(f"{fields.where}.prev is zeros for the first answer, and for no other")
    return seq, prev
