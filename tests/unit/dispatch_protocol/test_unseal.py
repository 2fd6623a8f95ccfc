import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch_protocol.encoding import unb64u
from dispatch_protocol.envelope import Envelope
from dispatch_protocol.errors import MalformedError, RefusedError
from dispatch_protocol.messages.registry import decode_body
from dispatch_protocol.unseal import unseal
from tests.support.vectors.files import load
from tests.support.vectors.leniency import WITHOUT, leave_out
from tests.support.vectors.opening import Book

VALID = Book(load("envelopes.json"))
REFUSED = Book(load("refusals.json"))

# The refusals that no other step would make: leave out their own step, and the envelope opens.
SOLE = [
    "1 malformed: one byte after the end",
    "2 not_listed: wrapped for this device, but listing another",
    "3 unwrap_failed: the tag of the wrap altered",
    "4 commit_mismatch: a commitment to another content key",
    "5 ciphertext_bad: the tag altered",
    "6 padding_bad: a last byte that is not zero",
    "6 padding_bad: a byte that is not zero right after the document",
    "6 padding_bad: padded to the size after the right one",
    "7 signer_unknown: a stranger's device that claims to be the contact's",
    "7 mac_bad: a guessed secret",
    "7 token_needed: no code",
    "7 mac_bad: a confirmation with a guessed secret",
    "8 signature_bad: the signature altered",
    "8 signature_bad: signed by another device of the author",
    "8 signature_bad: signed as another type",
    "8 signature_bad: a second spelling of the signature",
    "9 body_malformed: an unknown field",
    "10 header_mismatch: another digest",
    "10 header_mismatch: another class",
    "10 header_mismatch: another dispatch",
    "10 header_mismatch: another device",
    "10 header_mismatch: another recipient",
    "10 header_mismatch: another creation",
    "10 header_mismatch: another expiry",
    "10 header_mismatch: a device that the stated head does not have",
    *[name for name in REFUSED.cases if name.startswith(("11 ", "12 ", "13 ", "14 "))],
]


@pytest.mark.parametrize("name", VALID.cases)
def test_every_valid_envelope_opens_to_what_was_sealed(name):
    case = VALID.cases[name]

    opened = VALID.open(case)

    assert opened.header == Envelope.decode(unb64u(case["envelope"])).header
    assert opened.body == decode_body(opened.kind, opened.signed.body)
    assert opened.peer.genesis == opened.body.head.sender.identity
    if case["made_from"] is not None:
        assert opened.signed.body.decode() == case["made_from"]["body"]
        assert opened.signed.digest.hex == case["made_from"]["digest"]


@pytest.mark.parametrize("name", REFUSED.cases)
def test_every_other_envelope_is_refused_with_its_own_code(name):
    assert REFUSED.outcome(REFUSED.cases[name]) == REFUSED.cases[name]["outcome"]


@pytest.mark.parametrize("name", SOLE)
def test_no_other_step_stands_in_for_the_one_that_refuses(name, monkeypatch):
    case = REFUSED.cases[name]

    leave_out(case["step"], monkeypatch)

    assert REFUSED.outcome(case) == "opened"


def test_every_step_of_the_list_is_needed():
    assert {REFUSED.cases[name]["step"] for name in SOLE} == set(range(1, 15)) == set(WITHOUT)


def test_a_refusal_may_be_answered_exactly_once_the_author_has_signed():
    for case in REFUSED.cases.values():
        if case["step"] == 1 or case["first_contact"] is not None:
            continue
        with pytest.raises(RefusedError) as refusal:
            REFUSED.open(case)
        answered = case["step"] >= 9 and case["outcome"] not in {"genesis_mismatch", "invitation_used"}
        assert refusal.value.answerable is answered, case["name"]


class TestOneFlippedBit:
    """Whatever one bit of an envelope is changed, it is refused, and no library's own error comes out."""

    @pytest.mark.parametrize("bit", range(8))
    def test_in_every_byte_of_an_envelope_for_one_device(self, bit):
        case = VALID.cases["a decision to decline, of the same size"]
        raw = unb64u(case["envelope"])

        for at in range(len(raw)):
            with pytest.raises((MalformedError, RefusedError)):
                VALID.open(case, flipped(raw, at, bit))

    @given(st.sampled_from(sorted(VALID.cases)), st.data())
    def test_in_any_envelope_but_in_the_wraps_of_others(self, name, data):
        case = VALID.cases[name]
        raw = unb64u(case["envelope"])
        header = Envelope.decode(raw).header
        device, _ = VALID.keys(case)
        wraps_at = 203 + 32 * len(header.devices)
        own_at = wraps_at + 80 * header.devices.index(device)
        places = [
            *range(wraps_at),
            *range(own_at, own_at + 80),
            *range(wraps_at + 80 * len(header.devices), len(raw)),
        ]
        at, bit = data.draw(st.sampled_from(places)), data.draw(st.integers(0, 7))

        with pytest.raises((MalformedError, RefusedError)):
            VALID.open(case, flipped(raw, at, bit))

    def test_in_the_wrap_of_another_device_harms_that_device_alone(self):
        case = VALID.cases["a task for three devices, opened by the first"]
        raw = unb64u(case["envelope"])
        devices = Envelope.decode(raw).header.devices
        other = next(index for index, device in enumerate(devices) if device != VALID.keys(case)[0])

        damaged = flipped(raw, 203 + 32 * len(devices) + 80 * other, 0)

        assert VALID.open(case, damaged).signed.digest.hex == case["made_from"]["digest"]


@given(st.binary(max_size=600))
def test_arbitrary_bytes_raise_nothing_but_a_remote_fault(raw):
    case = VALID.cases["a task for one device"]
    whole = unb64u(case["envelope"])

    for envelope in (raw, whole[: -len(raw) or None] + raw, raw + whole[len(raw) :]):
        if envelope != whole:
            with pytest.raises((MalformedError, RefusedError)):
                VALID.open(case, envelope)


def test_a_device_without_sealing_keys_opens_nothing():
    case = VALID.cases["a task for one device"]
    device, _ = VALID.keys(case)

    with pytest.raises(RefusedError, match=r"^unwrap_failed"):
        unseal(unb64u(case["envelope"]), device=device, sealing=[])


def test_unsealing_alone_vouches_for_nobody():
    case = REFUSED.cases["8 signature_bad: the signature altered"]
    device, sealing = REFUSED.keys(case)

    unsealed = unseal(unb64u(case["envelope"]), device=device, sealing=sealing)

    assert unsealed.header.digest == unsealed.signed.digest
    assert unsealed.signed.signature == bytes(64)


def flipped(raw, at, bit):
    changed = bytearray(raw)
    changed[at] ^= 1 << bit
    return bytes(changed)
