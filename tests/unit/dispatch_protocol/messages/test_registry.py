import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch_protocol.errors import LocalError, MalformedError, RefusalCode, RefusedError
from dispatch_protocol.keys import Digest
from dispatch_protocol.limits import BODY_BYTES
from dispatch_protocol.messages.answers import Decision, Receipt, ReceiptType, Verdict
from dispatch_protocol.messages.checkpoint import Checkpoint
from dispatch_protocol.messages.follow_on import Ack, Cancel, Heard, Message
from dispatch_protocol.messages.registry import decode_body, encode_body, kind_of
from dispatch_protocol.payloads import Kind
from tests.support.documents import ALICE, BOB, THREAD, comparison, digest, grant, head, reveal, task

RE = digest("dispatch")
ANSWER = {"head": head(BOB, ALICE, re=RE), "seq": 1, "prev": Digest.ZERO}
MESSAGES = {
    Kind.TASK: task(),
    Kind.CANCEL: Cancel(head=head(re=RE)),
    Kind.ACK: Ack(head=head(re=RE), device=BOB.device, seq=1),
    Kind.MESSAGE: Message(head=head(re=RE), thread=THREAD, seq=1, text="hi"),
    Kind.HEARD: Heard(head=head(re=RE), message=digest("message")),
    Kind.DECISION: Decision(**ANSWER, decision=Verdict.DECLINED),
    Kind.RECEIPT: Receipt(**ANSWER, type=ReceiptType.DELIVERED),
    Kind.GRANT: grant(),
    Kind.COMPARISON: comparison(),
    Kind.REVEAL: reveal(),
    Kind.CHECKPOINT: Checkpoint(head=head(), since=0, entries=(RE,), root=RE),
}
NO_MESSAGES = [Kind.INVITATION, Kind.LINK, Kind.SESSION, Kind.RELEASE]


@pytest.mark.parametrize("kind", MESSAGES)
def test_decoding_is_the_inverse_of_encoding(kind):
    message = MESSAGES[kind]
    assert kind_of(message) is kind
    assert decode_body(kind, encode_body(message)) == message


@pytest.mark.parametrize("kind", MESSAGES)
@pytest.mark.parametrize("other", MESSAGES)
def test_a_body_is_never_read_as_another_kind(kind, other):
    if kind is not other:
        with pytest.raises(MalformedError):
            decode_body(other, encode_body(MESSAGES[kind]))


@pytest.mark.parametrize("kind", NO_MESSAGES)
def test_what_is_no_message_is_unsupported(kind):
    with pytest.raises(RefusedError) as refused:
        decode_body(kind, b"{}")
    assert refused.value.reason is RefusalCode.UNSUPPORTED


def test_we_do_not_sign_what_the_other_side_would_refuse():
    with pytest.raises(LocalError) as error:
        encode_body(task(principal=BOB.party))
    assert error.value.code == "mandate_unsupported"
    with pytest.raises(LocalError) as error:
        encode_body(task(task=""))
    assert error.value.code == "not_encodable"


def test_the_longest_task_fits_a_body_whatever_its_letters():
    body = encode_body(task(task="😀" * 100_000, background="😀" * 20_000))
    assert len(body) <= BODY_BYTES


@given(st.binary(max_size=300), st.sampled_from(Kind))
def test_whatever_comes_is_read_or_refused(data, kind):
    with pytest.raises((MalformedError, RefusedError)):
        decode_body(kind, data)
