import pytest

from dispatch_protocol.envelope import EnvelopeClass
from dispatch_protocol.payloads import Kind, class_of, kind_of, payload_type


def test_a_type_names_its_kind_and_version():
    assert payload_type(Kind.TASK) == "application/vnd.dispatch.task.v1+json"


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_is_found_again_by_its_type(kind):
    assert kind_of(payload_type(kind)) is kind


@pytest.mark.parametrize("other", ["", "task", "application/vnd.dispatch.task.v2+json", "application/json"])
def test_any_other_type_is_unknown(other):
    assert kind_of(other) is None


def test_the_class_is_no_finer_than_the_relay_has_to_know():
    classes = {
        EnvelopeClass.TASK: {Kind.TASK},
        EnvelopeClass.FOLLOW_ON: {Kind.CANCEL, Kind.ACK, Kind.MESSAGE, Kind.HEARD},
        EnvelopeClass.ANSWER: {Kind.DECISION, Kind.RECEIPT, Kind.RESULT},
    }
    classes[EnvelopeClass.TRUST] = set(Kind) - set().union(*classes.values())

    assert {kind: class_of(kind) for kind in Kind} == {
        kind: klass for klass, kinds in classes.items() for kind in kinds
    }
