import pytest

from dispatch_protocol.errors import (
    ANSWERABLE,
    DispatchError,
    Fault,
    LocalError,
    MalformedError,
    RefusalCode,
    RefusedError,
    RelayError,
    RemoteError,
)


@pytest.mark.parametrize(
    "error, fault, code",
    [
        (LocalError("bad_transition", "a state does not lead there"), Fault.LOCAL, "bad_transition"),
        (RemoteError("out_of_turn", "a frame came too early"), Fault.REMOTE, "out_of_turn"),
        (MalformedError("not JSON"), Fault.REMOTE, "malformed"),
        (RefusedError(RefusalCode.EXPIRED, "an hour late"), Fault.REMOTE, "expired"),
        (RelayError("quota", "the mailbox is full"), Fault.RELAY, "quota"),
    ],
)
def test_every_error_says_whose_fault_it_is_and_carries_a_stable_code(error, fault, code):
    assert isinstance(error, DispatchError)
    assert error.fault is fault
    assert error.code == code
    assert type(error.code) is str
    assert str(error) == f"{code}: {error.detail}"


def test_a_refusal_keeps_its_reason_as_a_word_of_the_closed_list():
    error = RefusedError(RefusalCode.NOT_LISTED)

    assert error.reason is RefusalCode.NOT_LISTED
    assert error.detail == ""


def test_only_refusals_after_a_verified_signature_may_be_answered():
    assert RefusedError(RefusalCode.EDGE_REVOKED).answerable
    before = [
        RefusalCode.NOT_LISTED,
        RefusalCode.UNWRAP_FAILED,
        RefusalCode.COMMIT_MISMATCH,
        RefusalCode.CIPHERTEXT_BAD,
        RefusalCode.PADDING_BAD,
        RefusalCode.SIGNER_UNKNOWN,
        RefusalCode.SIGNATURE_BAD,
    ]
    assert not any(RefusedError(code).answerable for code in before)
    assert not ANSWERABLE & set(before)
