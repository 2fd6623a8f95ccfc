import hashlib

import pytest

from dispatch_protocol import hkdf
from dispatch_protocol.envelope import Envelope, EnvelopeClass, padme
from dispatch_protocol.errors import LocalError, RefusalCode, RefusedError
from dispatch_protocol.keys import DeviceId, Digest, EdgeId, Genesis, SealingKey, SealingPublic, SigningKey
from dispatch_protocol.limits import DEVICES
from dispatch_protocol.seal import commitment, payload_key, seal, wrap_info
from dispatch_protocol.signing import sign

SIGNER = SigningKey(b"\x01" * 32)
SEALING = [SealingKey(bytes([0x20 + index]) * 32) for index in range(3)]
RECIPIENTS = [(DeviceId(bytes([0x40 - index]) * 32), key.public) for index, key in enumerate(SEALING)]
SIGNED = sign(SIGNER, "type", b"body")
CONTENT_KEY = b"\x09" * 32


def sealed(**changes):
    arguments = {
        "klass": EnvelopeClass.TASK,
        "re": Digest(bytes(32)),
        "from_device": SIGNER.device,
        "to_genesis": Genesis(b"\x03" * 32),
        "edge": EdgeId(b"\x04" * 16),
        "created_ms": 1_700_000_000_000,
        "expires_ms": 1_700_000_060_000,
        "recipients": RECIPIENTS,
        "content_key": CONTENT_KEY,
        "ephemerals": [bytes([0x60 + index]) * 32 for index in range(3)],
    }
    return seal(SIGNED, **{**arguments, **changes})


def test_the_header_says_who_when_and_how_big_and_lists_devices_in_order():
    header = Envelope.decode(sealed()).header

    assert header.digest == SIGNED.digest
    assert header.from_device == SIGNER.device
    assert header.devices == tuple(sorted(device for device, _ in RECIPIENTS))
    assert header.size == padme(len(SIGNED.encode())) + 16 == 1040
    assert header.commit == commitment(CONTENT_KEY)


def test_the_same_arguments_make_the_same_bytes_and_another_key_makes_others():
    assert sealed() == sealed()
    assert sealed(content_key=b"\x0a" * 32) != sealed()


def test_the_order_of_recipients_does_not_matter():
    ephemerals = [bytes([0x60 + index]) * 32 for index in range(3)]

    assert sealed(recipients=RECIPIENTS[::-1], ephemerals=ephemerals[::-1]) == sealed()


def test_as_many_devices_as_an_identity_has_are_sealed_to():
    recipients = [(DeviceId(bytes([index]) * 32), SEALING[0].public) for index in range(DEVICES)]
    ephemerals = [bytes([index]) * 32 for index in range(DEVICES)]

    envelope = Envelope.decode(sealed(recipients=recipients, ephemerals=ephemerals))

    assert envelope.header.devices == tuple(device for device, _ in recipients)


def test_each_key_is_derived_for_its_own_purpose():
    assert commitment(CONTENT_KEY) == hkdf.derive(CONTENT_KEY, salt=b"", info=b"dispatch/v1/commit")
    header = hashlib.sha256(b"header").digest()
    assert payload_key(CONTENT_KEY, b"header") == hkdf.derive(
        CONTENT_KEY, info=b"dispatch/v1/payload" + header
    )
    device, public = RECIPIENTS[0]
    assert wrap_info(b"header", device, public) == (
        b"dispatch/v1/wrap" + header + device.raw + hashlib.sha256(public.raw).digest()
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"recipients": [], "ephemerals": []},
        {"recipients": RECIPIENTS[:1] * 3},
        {
            "recipients": [
                (DeviceId(bytes([index]) * 32), SEALING[0].public) for index in range(DEVICES + 1)
            ],
            "ephemerals": [bytes([index]) * 32 for index in range(DEVICES + 1)],
        },
        {"content_key": bytes(31)},
        {"ephemerals": [b"\x60" * 32, b"\x61" * 32]},
        {"ephemerals": [b"\x60" * 32] * 3},
        {"ephemerals": [b"\x60" * 32, b"\x61" * 32, b"\x62" * 32, b"\x62" * 32]},
    ],
)
def test_arguments_that_would_make_a_weak_envelope_are_our_own_mistake(changes):
    with pytest.raises(LocalError) as refusal:
        sealed(**changes)
    assert refusal.value.code == "seal_arguments"


def test_nothing_is_sealed_to_a_key_of_low_order():
    with pytest.raises(RefusedError) as refusal:
        sealed(recipients=[(DeviceId(bytes(32)), SealingPublic(bytes(32)))], ephemerals=[b"\x60" * 32])
    assert refusal.value.reason is RefusalCode.LOW_ORDER_POINT
