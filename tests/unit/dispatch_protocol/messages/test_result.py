from dataclasses import replace

import pytest

from dispatch_protocol.encoding import Fields
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.keys import Digest
from dispatch_protocol.lifecycle import Outcome
from dispatch_protocol.limits import DIFF_BYTES
from dispatch_protocol.messages.files import Artifact
from dispatch_protocol.messages.result import Result, read_place, withhold
from dispatch_protocol.messages.trace import Change, ChangeOp, Confinement, Event, EventType, FileDiff, Usage
from dispatch_protocol.scopes import Returns
from tests.support.documents import ALICE, BOB, NOW_MS, RUN, altered, digest, head, read, without

FULL = Result(
    head=head(BOB, ALICE, re=digest("dispatch")),
    seq=4,
    prev=digest("before"),
    run_id=RUN,
    outcome=Outcome.SUCCESS,
    summary="all green",
    returns=Returns.TRACE,
    agent="steps",
    started_ms=NOW_MS,
    ended_ms=NOW_MS + 5,
    changeset=(Change(op=ChangeOp.CREATE, path="/src/a", kind="file", size_bytes=1, sha256=digest("a")),),
    changeset_digest=digest("changeset"),
    diffs=(FileDiff(path="/src/a", text="+a\n"),),
    diff_truncated=True,
    artifacts=(
        Artifact(name="r.txt", kind="text", mime_type="text/plain", size_bytes=1, sha256=digest("r")),
    ),
    events=tuple(Event(seq=seq, at_ms=NOW_MS, type=EventType.MESSAGE, data={"text": "hi"}) for seq in (1, 2)),
    usage=Usage(tool_calls=2),
    confinement=Confinement(layers=("namespaces",), limits_by="prlimit"),
)
FAILED = replace(
    withhold(FULL, Returns.STATUS), outcome=Outcome.FAILED, code="interrupted", usage=None, confinement=None
)


@pytest.mark.parametrize(
    "value", [FULL, withhold(FULL, Returns.RESULT), withhold(FULL, Returns.STATUS), FAILED]
)
def test_reading_is_the_inverse_of_writing(value):
    assert read(Result.read, value.write()) == value


@pytest.mark.parametrize("place", list(FULL.write()))
def test_every_field_is_needed(place):
    with pytest.raises(MalformedError):
        read(Result.read, without(FULL.write(), place))


@pytest.mark.parametrize(
    "place, value",
    [
        ("more", 1),
        ("re", "0" * 64),
        ("outcome", "fine"),
        ("summary", "x" * 100_001),
        ("agent", "The Agent"),
        ("ended", NOW_MS - 1),
        ("code", "interrupted"),
        ("diffs.0.text", "ü" * (DIFF_BYTES // 2) + "x"),
        ("events.1.seq", 3),
        ("events.0.seq", 2),
        ("changeset_digest", "00"),
        ("run_id", str(RUN)),
    ],
)
def test_strictly(place, value):
    with pytest.raises(MalformedError):
        read(Result.read, altered(FULL.write(), place, value))


class TestWithholding:
    def test_a_trace_shows_everything(self):
        assert withhold(FULL, Returns.TRACE) == FULL

    def test_a_result_keeps_the_events_back(self):
        shown = withhold(FULL, Returns.RESULT)
        assert shown == replace(FULL, returns=Returns.RESULT, events=())

    def test_a_status_is_the_outcome_and_what_held_the_run(self):
        shown = withhold(FULL, Returns.STATUS)
        assert (shown.summary, shown.changeset, shown.diffs, shown.artifacts, shown.events) == (
            "",
            (),
            (),
            (),
            (),
        )
        assert (shown.outcome, shown.usage, shown.confinement) == (FULL.outcome, FULL.usage, FULL.confinement)

    @pytest.mark.parametrize("returns", [Returns.STATUS, Returns.RESULT])
    def test_a_result_that_says_more_than_it_may_is_refused(self, returns):
        with pytest.raises(MalformedError, match="says more than"):
            read(Result.read, altered(FULL.write(), "returns", returns.value))


class TestPlace:
    def place(self, seq, prev):
        return read_place(Fields({"seq": seq, "prev": prev}, "test"))

    def test_the_first_answer_follows_nothing(self):
        assert self.place(1, "0" * 64) == (1, Digest.ZERO)
        assert self.place(2, digest("one").hex) == (2, digest("one"))

    @pytest.mark.parametrize("seq, prev", [(0, "0" * 64), (1, "11" * 32), (2, "0" * 64), (2, None)])
    def test_and_every_other_something(self, seq, prev):
        with pytest.raises(MalformedError):
            self.place(seq, prev)
