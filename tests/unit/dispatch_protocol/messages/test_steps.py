import pytest

from dispatch_protocol.encoding import Fields
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.limits import STEPS, STEPS_BYTES
from dispatch_protocol.messages.steps import Step, read_steps
from tests.support.documents import altered, read, without

STEP = Step("Bash", {"command": "pytest -q", "timeout": 1000}, save_as="report.txt", allow_failure=True)


def steps(*values: Step) -> tuple[Step, ...]:
    return read_steps(Fields({"steps": [value.write() for value in values]}, "test"), "steps")


def test_reading_is_the_inverse_of_writing():
    plain = Step("Grep", {})
    assert steps(STEP, plain) == (STEP, plain)
    assert steps() == ()


@pytest.mark.parametrize("place", ["tool", "input", "save_as", "allow_failure"])
def test_every_field_is_needed(place):
    with pytest.raises(MalformedError):
        read(Step.read, without(STEP.write(), place))


@pytest.mark.parametrize(
    "place, value",
    [
        ("tool", "rm -rf"),
        ("tool", ""),
        ("input", []),
        ("save_as", "../x"),
        ("allow_failure", 1),
        ("more", 1),
    ],
)
def test_strictly(place, value):
    with pytest.raises(MalformedError):
        read(Step.read, altered(STEP.write(), place, value))


def test_no_more_steps_than_a_person_can_read():
    with pytest.raises(MalformedError):
        steps(*[Step("Read", {})] * (STEPS + 1))


def test_no_more_bytes_than_the_limit_together():
    half = Step("Write", {"content": "x" * (STEPS_BYTES // 2)})
    assert steps(half)
    with pytest.raises(MalformedError, match="longer than"):
        steps(half, half)
