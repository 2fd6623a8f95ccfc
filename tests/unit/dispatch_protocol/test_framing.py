import contextlib
import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch_protocol.encoding import dumps
from dispatch_protocol.errors import LocalError, MalformedError
from dispatch_protocol.frames import (
    ACK_SEQS,
    Ack,
    Answer,
    Call,
    Challenge,
    Deliver,
    Deposit,
    Deposited,
    Hello,
    Notice,
    Rejected,
    Welcome,
)
from dispatch_protocol.framing import decode_frame, decode_message, encode_frame, encode_messages
from dispatch_protocol.limits import ENVELOPE_BYTES, MESSAGE_BYTES
from dispatch_protocol.signing import sign
from tests.support.documents import ALICE, NOW_MS, altered, fixed, without

PROOF = sign(ALICE.sign, "application/vnd.dispatch.session.v1+json", b"{}")
FRAMES = {
    1: Challenge(fixed("challenge"), "epoch-1", "https://courier.example", NOW_MS),
    2: Hello(PROOF, ALICE.chain.links, None),
    3: Welcome("token", NOW_MS, "epoch-1", NOW_MS),
    4: Rejected(7, "no_edge", 403, "no edge reaches that far"),
    5: Deposit(7, b"sealed"),
    6: Deposited(7),
    7: Deliver(12, b"sealed"),
    8: Ack((12, 13)),
    9: Call(8, "edges", {}),
    10: Answer(8, {"edges": [{"edge_id": "ä"}]}),
    11: Notice("presence", {"online": True}),
}


def raw(kind: int, head, tail: bytes = b"") -> bytes:
    text = dumps(head)
    return struct.pack(">BH", kind, len(text)) + text + tail


def parts(frame) -> tuple[int, object, bytes]:
    """A frame's kind, head and tail as they stand in its bytes."""
    data = encode_frame(frame)
    kind, length = struct.unpack_from(">BH", data)
    return kind, json.loads(data[3 : 3 + length]), data[3 + length :]


@pytest.mark.parametrize("kind", FRAMES)
class TestEveryFrame:
    def test_decoding_is_the_inverse_of_encoding(self, kind):
        frame = FRAMES[kind]
        assert encode_frame(frame)[0] == kind
        assert decode_frame(encode_frame(frame)) == frame

    def test_every_field_of_its_head_is_needed(self, kind):
        _, head, tail = parts(FRAMES[kind])
        for name in head:
            with pytest.raises(MalformedError):
                decode_frame(raw(kind, without(head, name), tail))

    def test_no_field_is_added(self, kind):
        _, head, tail = parts(FRAMES[kind])
        with pytest.raises(MalformedError, match="unknown fields"):
            decode_frame(raw(kind, {**head, "more": 1}, tail))

    def test_no_byte_is_lost(self, kind):
        data = encode_frame(FRAMES[kind])
        for end in range(3 + struct.unpack_from(">H", data, 1)[0]):
            with pytest.raises(MalformedError):
                decode_frame(data[:end])


class TestBounds:
    @pytest.mark.parametrize("kind", [1, 3, 4, 6, 8])
    def test_a_frame_without_a_tail_has_none(self, kind):
        with pytest.raises(MalformedError, match="no tail"):
            decode_frame(encode_frame(FRAMES[kind]) + b"x")

    @pytest.mark.parametrize("kind", [5, 7])
    def test_an_envelope_is_neither_empty_nor_too_long(self, kind):
        _, head, _ = parts(FRAMES[kind])
        with pytest.raises(MalformedError, match="envelope of 0"):
            decode_frame(raw(kind, head))
        with pytest.raises(MalformedError, match="envelope of"):
            decode_frame(raw(kind, head, bytes(ENVELOPE_BYTES + 1)))
        assert decode_frame(raw(kind, head, bytes(ENVELOPE_BYTES))).envelope == bytes(ENVELOPE_BYTES)

    @pytest.mark.parametrize("kind", [2, 9, 10, 11])
    @pytest.mark.parametrize("tail", [b"", b"[]", b"{", b'{"a":1,"a":2}', b'{"more":1}'])
    def test_a_tail_of_json_is_one_strict_object(self, kind, tail):
        _, head, _ = parts(FRAMES[kind])
        if kind != 2 and tail == b'{"more":1}':
            assert decode_frame(raw(kind, head, tail))
        else:
            with pytest.raises(MalformedError):
                decode_frame(raw(kind, head, tail))

    def test_a_hello_holds_nothing_more(self):
        kind, head, tail = parts(FRAMES[2])
        with pytest.raises(MalformedError, match="unknown fields"):
            decode_frame(raw(kind, head, dumps({**json.loads(tail), "more": 1})))

    @pytest.mark.parametrize(
        "kind, place, value",
        [
            (1, "challenge", "AAAA"),
            (1, "epoch", ""),
            (4, "status", 200),
            (4, "status", 600),
            (4, "code", "No Edge"),
            (4, "ref", -1),
            (5, "ref", True),
            (8, "seqs", []),
            (8, "seqs", [True]),
            (8, "seqs", [-1]),
            (8, "seqs", ["1"]),
            (8, "seqs", list(range(ACK_SEQS + 1))),
            (9, "op", "DROP TABLE"),
            (11, "kind", ""),
        ],
    )
    def test_strictly(self, kind, place, value):
        _, head, tail = parts(FRAMES[kind])
        with pytest.raises(MalformedError):
            decode_frame(raw(kind, altered(head, place, value), tail))

    def test_an_unknown_kind_is_refused(self):
        with pytest.raises(MalformedError, match="kind 99"):
            decode_frame(raw(99, {}))

    def test_a_rejection_for_everything_has_no_ref_and_its_detail_is_cut(self):
        frame = decode_frame(encode_frame(Rejected(None, "draining", 503, "x" * 5_000)))
        assert (frame.ref, len(frame.detail)) == (None, 2_000)

    @pytest.mark.parametrize("frame", [Deposit(1, bytes(MESSAGE_BYTES)), Welcome("t" * 70_000, 0, "e", 0)])
    def test_what_does_not_fit_is_not_sent(self, frame):
        with pytest.raises(LocalError) as error:
            encode_frame(frame)
        assert error.value.code == "frame_too_long"


class TestMessages:
    def test_frames_of_one_tick_ride_in_one_message(self):
        (message,) = encode_messages(FRAMES.values())
        assert decode_message(message) == tuple(FRAMES.values())

    def test_no_frames_need_no_message(self):
        assert list(encode_messages([])) == []

    def test_no_message_is_too_long(self):
        deposits = [Deposit(number, bytes(900_000)) for number in range(5)]
        messages = list(encode_messages(deposits))
        assert [len(decode_message(message)) for message in messages] == [2, 2, 1]
        assert max(map(len, messages)) <= MESSAGE_BYTES

    def test_the_longest_frame_fits_a_message(self):
        head = len(dumps({"ref": 1}))
        frame = Deposit(1, bytes(MESSAGE_BYTES - 7 - head))
        (message,) = encode_messages([frame])
        assert len(message) == MESSAGE_BYTES
        with pytest.raises(LocalError):
            encode_frame(Deposit(1, bytes(MESSAGE_BYTES - 6 - head)))

    @pytest.mark.parametrize("message", [b"", bytes(MESSAGE_BYTES + 1), b"\0\0\0", b"\0\0\0\x05abcd"])
    def test_a_message_that_cannot_be_cut_is_refused(self, message):
        with pytest.raises(MalformedError):
            decode_message(message)

    @given(st.binary(max_size=200))
    def test_whatever_comes_is_read_or_malformed(self, data):
        with contextlib.suppress(MalformedError):
            decode_message(data)
