from dispatch_protocol import limits
from dispatch_protocol.envelope import WRAP_BYTES, padme


def test_the_largest_signed_body_for_the_most_devices_fits_into_an_envelope():
    signed = 2 + limits.TYPE_BYTES + 4 + limits.BODY_BYTES + 64
    devices = limits.DEVICES * (32 + WRAP_BYTES)

    assert 203 + devices + 4 + padme(signed) + 16 <= limits.ENVELOPE_BYTES


def test_an_envelope_fits_into_one_message():
    assert limits.ENVELOPE_BYTES < limits.MESSAGE_BYTES


def test_every_limit_is_a_positive_whole_number():
    values = {name: value for name, value in vars(limits).items() if name.isupper()}

    assert values
    assert all(type(value) is int and value > 0 for value in values.values())
