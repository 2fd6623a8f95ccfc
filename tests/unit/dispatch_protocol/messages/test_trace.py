import pytest

from dispatch_protocol.errors import MalformedError
from dispatch_protocol.messages.trace import Change, ChangeOp, Confinement, Event, EventType, FileDiff, Usage
from tests.support.documents import NOW_MS, altered, digest, read, without

CHANGE = Change(
    op=ChangeOp.MODIFY,
    path="/src/main.py",
    kind="file",
    old_mode=0o644,
    new_mode=0o755,
    size_bytes=12,
    sha256=digest("main"),
    flags=("executable",),
)
VALUES = [
    CHANGE,
    Change(op=ChangeOp.SYMLINK, path="/src/link", kind="symlink", target="main.py"),
    FileDiff(path="/src/main.py", text="@@ -1 +1 @@\n"),
    FileDiff(path="/src/logo.png", text="", truncated=True, binary=True),
    Event(seq=1, at_ms=NOW_MS, type=EventType.TOOL_CALL, data={"call_id": "1", "tool": "Read", "input": {}}),
    Usage(),
    Usage(tool_calls=1, turns=2, input_tokens=3, output_tokens=4, cost_microusd=5),
    Confinement(layers=("namespaces", "seccomp"), limits_by="prlimit", warnings=("a hard link",)),
]


@pytest.mark.parametrize("value", VALUES)
class TestJson:
    def test_reading_is_the_inverse_of_writing(self, value):
        assert read(type(value).read, value.write()) == value

    def test_every_field_is_needed_and_none_is_added(self, value):
        body = value.write()
        for place in body:
            with pytest.raises(MalformedError):
                read(type(value).read, without(body, place))
        with pytest.raises(MalformedError):
            read(type(value).read, {**body, "more": 1})


@pytest.mark.parametrize(
    "place, value",
    [("op", "touch"), ("path", ""), ("old_mode", 0o10000), ("size", -1), ("sha256", "00"), ("flags", [""])],
)
def test_strictly(place, value):
    with pytest.raises(MalformedError):
        read(Change.read, altered(CHANGE.write(), place, value))


@pytest.mark.parametrize("place, value", [("seq", 0), ("type", "surprise"), ("data", []), ("at", -1)])
def test_events_strictly(place, value):
    with pytest.raises(MalformedError):
        read(Event.read, altered(VALUES[4].write(), place, value))
