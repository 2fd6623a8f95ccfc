import contextlib
import hashlib
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch_protocol.errors import MalformedError, RefusalCode, RefusedError
from dispatch_protocol.keys import DeviceId, Digest, RecoveryKey, SigningKey
from dispatch_protocol.limits import BODY_BYTES, SIGNATURES, TYPE_BYTES
from dispatch_protocol.signing import (
    Document,
    Signature,
    Signed,
    dispatch_id,
    edge_id,
    pae,
    sign,
    sign_document,
    verify,
    verify_document,
)

KEY = SigningKey(b"\x01" * 32)
OTHER = SigningKey(b"\x02" * 32)
RECOVERY = RecoveryKey(b"\x03" * 32)
TYPE = "application/vnd.dispatch.task.v1+json"

# The order of the curve's main subgroup: adding it to a signature's scalar makes another spelling of the same number.
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493


class TestPae:
    def test_the_example_of_the_dsse_specification(self):
        assert pae("http://example.com/HelloWorld", b"hello world") == (
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        )

    def test_lengths_are_counted_in_bytes(self):
        assert pae("t/ä🎈", b"\xc3\xa4") == b"DSSEv1 8 t/\xc3\xa4\xf0\x9f\x8e\x88 2 \xc3\xa4"

    @given(st.text(st.characters(exclude_categories=["Cs"])), st.binary(), st.text(max_size=5), st.binary())
    def test_no_two_documents_share_an_encoding(self, left_type, left, right_type, right):
        same = (left_type, left) == (right_type, right)
        assert (pae(left_type, left) == pae(right_type, right)) is same


class TestSigned:
    def test_a_signature_holds_for_exactly_these_bytes(self):
        signed = sign(KEY, TYPE, b"body")

        verify(KEY.device, signed)
        assert signed.digest == Digest(hashlib.sha256(pae(TYPE, b"body")).digest())

    @pytest.mark.parametrize(
        "forged",
        [
            lambda s: Signed(s.payload_type, b"Body", s.signature),
            lambda s: Signed(s.payload_type.replace("task", "ack"), s.body, s.signature),
            lambda s: Signed(s.payload_type, s.body, bytes(64)),
            lambda s: Signed(s.payload_type, s.body, s.signature[32:] + s.signature[:32]),
        ],
    )
    def test_any_other_bytes_are_refused(self, forged):
        with pytest.raises(RefusedError) as refusal:
            verify(KEY.device, forged(sign(KEY, TYPE, b"body")))
        assert refusal.value.reason is RefusalCode.SIGNATURE_BAD

    def test_another_device_did_not_sign(self):
        with pytest.raises(RefusedError, match=r"^signature_bad"):
            verify(OTHER.device, sign(KEY, TYPE, b"body"))

    def test_a_second_spelling_of_a_signature_is_refused(self):
        signed = sign(KEY, TYPE, b"body")
        scalar = int.from_bytes(signed.signature[32:], "little") + GROUP_ORDER
        malleated = Signed(TYPE, b"body", signed.signature[:32] + scalar.to_bytes(32, "little"))

        with pytest.raises(RefusedError, match=r"^signature_bad"):
            verify(KEY.device, malleated)

    @pytest.mark.parametrize("point", [bytes(32), b"\x01" + bytes(31), b"\xff" * 32])
    def test_a_key_of_low_order_signs_nothing(self, point):
        with pytest.raises(RefusedError, match=r"^signature_bad"):
            verify(DeviceId(point), Signed(TYPE, b"body", b"\x01" + bytes(63)))

    @given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20), st.binary(max_size=50))
    def test_it_survives_the_round_trip(self, payload_type, body):
        signed = Signed(payload_type, body, b"\x05" * 64)

        assert Signed.decode(signed.encode()) == signed
        assert Signed.read(signed.encode() + b"more") == (signed, len(signed.encode()))

    def test_it_is_written_as_lengths_type_body_and_signature(self):
        signed = Signed("ä", b"body", b"\x05" * 64)

        assert signed.encode() == b"\x00\x02\xc3\xa4\x00\x00\x00\x04body" + b"\x05" * 64
        assert signed.pae == b"DSSEv1 2 \xc3\xa4 4 body"

    def test_cut_short_anywhere_it_is_malformed(self):
        encoded = sign(KEY, TYPE, b"body").encode()

        for length in range(len(encoded)):
            with pytest.raises(MalformedError):
                Signed.decode(encoded[:length])

    @pytest.mark.parametrize(
        "data",
        [
            Signed(TYPE, b"", bytes(64)).encode() + b"\0",
            b"\x00\x01\xff\x00\x00\x00\x00" + bytes(64),
            b"\x00\x00\x00\x00\x00\x00" + bytes(64),
            b"\xff\xff" + b"a" * 65535 + b"\x00\x00\x00\x00" + bytes(64),
        ],
    )
    def test_trailing_bytes_and_impossible_types_are_malformed(self, data):
        with pytest.raises(MalformedError):
            Signed.decode(data)

    @given(st.binary(max_size=100))
    def test_arbitrary_bytes_raise_nothing_but_malformed(self, data):
        with contextlib.suppress(MalformedError):
            Signed.decode(data)

    @pytest.mark.parametrize("payload_type", ["a", "ä" * (TYPE_BYTES // 2)])
    def test_parts_at_their_bounds_survive(self, payload_type):
        signed = Signed(payload_type, bytes(BODY_BYTES), bytes(64))

        assert Signed.decode(signed.encode()) == signed

    @pytest.mark.parametrize(
        "payload_type, body, signature",
        [
            ("", b"", bytes(64)),
            ("ä" * (TYPE_BYTES // 2) + "a", b"", bytes(64)),
            (TYPE, bytes(BODY_BYTES + 1), bytes(64)),
            (TYPE, b"", bytes(63)),
        ],
    )
    def test_parts_beyond_their_bounds_are_malformed(self, payload_type, body, signature):
        with pytest.raises(MalformedError):
            Signed(payload_type, body, signature)


class TestDocument:
    def test_several_keys_sign_one_body(self):
        document = sign_document([KEY, RECOVERY], TYPE, b"body")

        verify_document([RECOVERY.public, KEY.device], document)
        assert document.signers == {KEY.device.raw, RECOVERY.public.raw}
        assert document.digest == sign(KEY, TYPE, b"body").digest

    @pytest.mark.parametrize("signers", [[], [KEY.device], [KEY.device, OTHER.device]])
    def test_exactly_the_expected_keys_must_have_signed(self, signers):
        with pytest.raises(RefusedError, match=r"^signature_bad"):
            verify_document(signers, sign_document([KEY, RECOVERY], TYPE, b"body"))

    def test_every_signature_is_checked(self):
        good, bad = sign_document([KEY, OTHER], TYPE, b"body").signatures
        document = Document(TYPE, b"body", (good, Signature(bad.signer, good.value)))

        with pytest.raises(RefusedError, match=r"^signature_bad"):
            verify_document([KEY.device, OTHER.device], document)

    def test_it_is_dsse_json(self):
        document = sign_document([KEY], "t", b"\xfb\xff")

        assert document.to_json() == {
            "payloadType": "t",
            "payload": "-_8",
            "signatures": [{"keyid": KEY.device.hex, "sig": document.to_json()["signatures"][0]["sig"]}],
        }
        assert Document.from_json(document.to_json()) == document
        assert Document.decode(document.encode()) == document

    @pytest.mark.parametrize(
        "change",
        [
            {"payload": "-_8="},
            {"payloadType": ""},
            {"signatures": []},
            {"signatures": [{"keyid": "00", "sig": "AA"}]},
            {"signatures": [{"keyid": "00" * 32, "sig": "A" * 86, "more": 1}]},
            {"signatures": [{"keyid": "00" * 32, "sig": "A" * 86}] * 2},
            {"more": 1},
        ],
    )
    def test_any_other_shape_is_malformed(self, change):
        with pytest.raises(MalformedError):
            Document.from_json({**sign_document([KEY], "t", b"").to_json(), **change})

    @pytest.mark.parametrize(
        "signatures",
        [
            (),
            tuple(Signature(bytes([index]) * 32, bytes(64)) for index in range(SIGNATURES + 1)),
            (Signature(bytes(32), bytes(64)), Signature(bytes(32), b"\x01" * 64)),
        ],
    )
    def test_none_too_many_or_doubled_signers_are_malformed(self, signatures):
        with pytest.raises(MalformedError):
            Document(TYPE, b"", signatures)

    def test_eight_keys_may_sign(self):
        keys = [SigningKey(bytes([index]) * 32) for index in range(SIGNATURES)]

        verify_document([key.device for key in keys], sign_document(keys, TYPE, b""))

    @pytest.mark.parametrize("signer, value", [(bytes(31), bytes(64)), (bytes(32), bytes(65))])
    def test_a_signature_has_fixed_lengths(self, signer, value):
        with pytest.raises(MalformedError):
            Signature(signer, value)


class TestIds:
    def test_an_id_is_a_uuid_of_version_8_made_from_the_digest(self):
        digest = Digest(b"\xff" * 32)

        assert str(dispatch_id(digest)) == "ffffffff-ffff-8fff-bfff-ffffffffffff"
        assert edge_id(digest).uuid == str(dispatch_id(digest))

    @given(st.binary(min_size=32, max_size=32))
    def test_version_and_variant_are_those_of_rfc_9562(self, raw):
        made = dispatch_id(Digest(raw))

        assert made.version == 8
        assert made.variant == uuid.RFC_4122
