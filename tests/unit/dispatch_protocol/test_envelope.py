import contextlib
import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch_protocol.envelope import WRAP_BYTES, Envelope, EnvelopeClass, Header, padme
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.keys import DeviceId, Digest, EdgeId, Genesis
from dispatch_protocol.limits import DEVICES, ENVELOPE_BYTES, SAFE_INTEGER

HEADER = Header(
    klass=EnvelopeClass.TASK,
    digest=Digest(b"\x01" * 32),
    re=Digest(bytes(32)),
    from_device=DeviceId(b"\x02" * 32),
    to_genesis=Genesis(b"\x03" * 32),
    edge=EdgeId(b"\x04" * 16),
    created_ms=1_700_000_000_000,
    expires_ms=0,
    size=1024 + 16,
    commit=b"\x05" * 32,
    devices=(DeviceId(b"\x06" * 32), DeviceId(b"\x07" * 32)),
)
ENVELOPE = Envelope(HEADER, (b"\x08" * WRAP_BYTES, b"\x09" * WRAP_BYTES), b"\x0a" * HEADER.size)

devices = st.lists(
    st.binary(min_size=32, max_size=32).map(DeviceId), min_size=1, max_size=DEVICES, unique=True
)
headers = st.builds(
    Header,
    klass=st.sampled_from(EnvelopeClass),
    digest=st.binary(min_size=32, max_size=32).map(Digest),
    re=st.binary(min_size=32, max_size=32).map(Digest),
    from_device=st.binary(min_size=32, max_size=32).map(DeviceId),
    to_genesis=st.binary(min_size=32, max_size=32).map(Genesis),
    edge=st.binary(min_size=16, max_size=16).map(EdgeId),
    created_ms=st.integers(0, SAFE_INTEGER),
    expires_ms=st.integers(0, SAFE_INTEGER),
    size=st.integers(0, 1 << 20).map(lambda length: padme(length) + 16),
    commit=st.binary(min_size=32, max_size=32),
    devices=devices.map(lambda ids: tuple(sorted(ids))),
)


class TestPadme:
    @pytest.mark.parametrize(
        "length, padded",
        [
            (0, 1024),
            (1, 1024),
            (1024, 1024),
            (1025, 1088),
            (1088, 1088),
            (1089, 1152),
            (2047, 2048),
            (2048, 2048),
            (2049, 2176),
            (65_537, 67_584),
            (1_000_000, 1_015_808),
            (1_048_576, 1_048_576),
        ],
    )
    def test_sizes_step_as_published(self, length, padded):
        assert padme(length) == padded

    @given(st.integers(0, 1 << 21))
    def test_padding_is_stable_and_costs_at_most_twelve_percent_above_the_floor(self, length):
        padded = padme(length)

        assert padded >= length
        assert padme(padded) == padded
        assert padded == 1024 or padded <= length * 1.12


class TestHeader:
    @given(headers)
    def test_it_survives_the_round_trip(self, header):
        raw = header.encode()

        assert len(raw) == 203 + 32 * len(header.devices)
        assert Header.read(raw) == Header.read(raw + b"more") == (header, len(raw))

    @pytest.mark.parametrize(
        "change",
        [
            {"devices": tuple(DeviceId(bytes([index]) * 32) for index in range(DEVICES))},
            {"devices": HEADER.devices[:1]},
            {"created_ms": 0, "expires_ms": 0},
            {"created_ms": SAFE_INTEGER, "expires_ms": SAFE_INTEGER},
        ],
    )
    def test_fields_at_their_bounds_are_written_and_read(self, change):
        header = dataclasses.replace(HEADER, **change)

        assert Header.read(header.encode())[0] == header

    @pytest.mark.parametrize(
        "change",
        [
            {"devices": ()},
            {"devices": tuple(DeviceId(bytes([index]) * 32) for index in range(DEVICES + 1))},
            {"devices": HEADER.devices[::-1]},
            {"devices": HEADER.devices[:1] * 2},
            {"created_ms": SAFE_INTEGER + 1},
            {"expires_ms": SAFE_INTEGER + 1},
            {"size": 0},
            {"size": 1024},
            {"size": 1025 + 16},
            {"commit": bytes(31)},
        ],
    )
    def test_fields_beyond_their_bounds_are_malformed(self, change):
        with pytest.raises(MalformedError):
            dataclasses.replace(HEADER, **change)

    @pytest.mark.parametrize(
        "offset, value",
        [(0, b"DSP2"), (4, b"\x02"), (5, b"\x00"), (5, b"\x05"), (202, b"\x00"), (202, b"\x21")],
    )
    def test_another_magic_suite_class_or_count_is_malformed(self, offset, value):
        raw = bytearray(ENVELOPE.encode())
        raw[offset : offset + len(value)] = value

        with pytest.raises(MalformedError):
            Envelope.decode(bytes(raw))


class TestEnvelope:
    def test_it_survives_the_round_trip(self):
        raw = ENVELOPE.encode()

        assert len(raw) == 203 + 2 * (32 + 80) + 4 + 1040
        assert Envelope.decode(raw) == ENVELOPE

    def test_cut_short_anywhere_it_is_malformed(self):
        raw = ENVELOPE.encode()

        for length in range(len(raw)):
            with pytest.raises(MalformedError):
                Envelope.decode(raw[:length])

    def test_bytes_after_it_are_malformed(self):
        with pytest.raises(MalformedError):
            Envelope.decode(ENVELOPE.encode() + b"\0")

    def test_both_lengths_of_the_ciphertext_must_agree(self):
        raw = bytearray(ENVELOPE.encode())
        raw[-1041] ^= 1

        with pytest.raises(MalformedError):
            Envelope.decode(bytes(raw))

    def test_too_much_is_refused_before_it_is_read(self):
        with pytest.raises(MalformedError, match="at most"):
            Envelope.decode(bytes(ENVELOPE_BYTES + 1))

    @given(st.binary(max_size=400).map(lambda tail: b"DSP1\x01\x01" + tail))
    def test_arbitrary_bytes_raise_nothing_but_malformed(self, raw):
        with contextlib.suppress(MalformedError):
            Envelope.decode(raw)
