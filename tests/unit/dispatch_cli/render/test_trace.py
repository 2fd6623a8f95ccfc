"""Each event in one short block; what no reader needs says nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch_cli.render.lines import View, plain
from dispatch_cli.render.trace import Trace
from dispatch_protocol.messages.trace import EventType
from tests.support.door_documents import Json, event

WIDE = View(None, 0, "/home/bob")
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


def told(*events: Json, width: int | None = None) -> list[str]:
    return [plain(row) for row in Trace().lines(events, View(width, 0, "/home/bob"))]


@pytest.mark.parametrize(
    ("kind", "data", "lines"),
    [
        ("tool_call", {"tool": "Read", "input": {"file_path": "/home/bob/a"}}, ["▸ Read  ~/a"]),
        (
            "gate",
            {"allowed": True, "what": "POST https://a/v1/messages"},
            ["· asks its model: POST https://a/v1/messages"],
        ),
        ("gate", {"allowed": True, "what": "pypi.org:443"}, ["· reaches pypi.org:443"]),
        ("gate", {"allowed": False, "what": "x is not granted"}, ["! stopped at the gate: x is not granted"]),
        ("tool_call", {"tool": "Frob", "input": {"x": 1}}, ['▸ Frob  {"x": 1}']),
        ("tool_result", {"ok": True, "output": "a\nb\n"}, ["  │ a", "  │ b"]),
        ("tool_result", {"ok": True, "output": ""}, []),
        ("tool_result", {"ok": False, "output": "", "error": "no file"}, ["  │ no file", "  ✗ failed"]),
        ("tool_result", {"ok": False, "output": "x", "exit_code": 2}, ["  │ x", "  ✗ failed: exit code 2"]),
        (
            "tool_result",
            {"ok": False, "output": "x", "error": "timed out"},
            ["  │ x", "  ✗ failed: timed out"],
        ),
        ("message", {"text": "hi\x1b"}, ["  │ hi⟨U+001B⟩"]),
        ("reasoning", {"text": "hm"}, ["  │ hm"]),
        (
            "run_started",
            {"cwd": "/home/bob/x", "confinement": {"layers": ["a", 1]}},
            ["· runs in ~/x, confined"],
        ),
        ("approval_decided", {"decision": "approved", "grant": "once"}, ["  ✓ allowed once"]),
        (
            "approval_decided",
            {"decision": "approved", "grant": "always", "decided_by": "rule"},
            ["  ✓ allowed by rule"],
        ),
        ("approval_decided", {"decision": "denied", "reason": "no"}, ["  ✗ denied: no"]),
        (
            "approval_decided",
            {"decision": "approved", "grant": "once", "decided_on": {"device": "ab" * 32, "name": "laptop"}},
            ["  ✓ allowed once, said on laptop"],
        ),
        (
            "approval_decided",
            {"decision": "denied", "reason": "no", "decided_on": {"device": "ab" * 32, "name": None}},
            ["  ✗ denied, said on abababab: no"],
        ),
        ("approval_decided", {"decision": "denied", "decided_on": None}, ["  ✗ denied"]),
        ("applied", {}, ["✓ applied"]),
        ("discarded", {}, ["✗ discarded, no file was changed"]),
        ("warning", {"detail": "odd"}, ["! odd"]),
        ("cancel_requested", {}, ["· cancel requested"]),
        ("cancel_requested", {"by": "author"}, ["· cancel requested"]),
        (
            "cancel_requested",
            {"by": "edge"},
            ["· stopped: the edge that it came over was revoked or narrowed"],
        ),
        (
            "cancel_requested",
            {"by": "device"},
            ["· stopped: the device that it came from was revoked"],
        ),
        ("run_ended", {"detail": "a call was denied"}, ["· a call was denied"]),
        ("run_ended", {}, []),
        ("status", {"status": "running"}, []),
        ("of_tomorrow", {}, []),
    ],
)
def test_every_kind_of_event(kind: str, data: Json, lines: list[str]) -> None:
    assert told(event(1, kind, **data)) == lines


def test_long_output_is_folded_to_its_end() -> None:
    rows = told(event(1, "tool_result", ok=True, output="\n".join(str(n) for n in range(9)), truncated=True))
    assert rows[0] == "  │ … 3 lines before (cut where it was too long)"
    assert rows[1:] == [f"  │ {n}" for n in range(3, 9)]


def test_an_answer_about_changes_is_told_as_such() -> None:
    asked = event(1, "approval_asked", request_id="q", kind="changeset")
    assert told(asked, event(2, "approval_decided", request_id="q", decision="approved")) == [
        "  ✓ changes approved"
    ]
    assert told(asked, event(2, "approval_decided", request_id="q", decision="denied")) == [
        "  ✗ changes denied"
    ]


def test_a_call_fits_the_screen_and_is_remembered() -> None:
    trace = Trace()
    call = event(
        1, "tool_call", call_id="7", tool="Write", input={"file_path": "/srv/" + "long/" * 20 + "end.py"}
    )
    [row] = trace.lines([call], View(50, 0, "/"))
    assert len(plain(row)) <= 50
    assert plain(row).endswith("end.py")
    assert trace.calls == {"7"}


@given(
    st.sampled_from(list(EventType)), st.dictionaries(st.text(max_size=4) | st.just("input"), ODD, max_size=3)
)
def test_no_data_makes_a_trace_fail(kind: EventType, data: Json) -> None:
    Trace().lines([{"type": kind.value, "data": data}], WIDE)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"state": "here"}, "its files are here"),
        ({"state": "missing", "name": "a\x1b.txt"}, "has not come yet"),
        ({"state": "bad", "name": "a", "code": "blob_chunk"}, "is not what was signed (blob_chunk)"),
    ],
)
def test_files_that_come_or_do_not_are_told(data: Json, said: str) -> None:
    (row,) = Trace().lines([{"type": "files", "data": data}], View(None, 0, "/"))
    assert said in plain(row)
    assert "\x1b" not in plain(row)
