import pytest

from dispatch_protocol.errors import LocalError, MalformedError
from dispatch_protocol.keys import (
    DeviceId,
    Digest,
    EdgeId,
    Genesis,
    RecoveryKey,
    RecoveryPublic,
    SealingKey,
    SealingPublic,
    SigningKey,
)

PUBLIC = [DeviceId, Genesis, Digest, SealingPublic, RecoveryPublic]
PRIVATE = [SigningKey, SealingKey, RecoveryKey]


@pytest.mark.parametrize("kind", PUBLIC)
def test_a_public_name_is_hex_everywhere(kind):
    name = kind(bytes(range(32)))

    assert name.hex == bytes(range(32)).hex()
    assert kind.from_hex(name.hex) == name
    assert repr(name) == f"{kind.__name__}({name.hex})"
    assert {name: 1}[kind(name.raw)] == 1


@pytest.mark.parametrize("kind", [*PUBLIC, EdgeId])
def test_a_name_of_another_length_is_malformed(kind):
    with pytest.raises(MalformedError):
        kind(bytes(kind.LENGTH - 1))
    with pytest.raises(MalformedError):
        kind.from_hex("00" * (kind.LENGTH + 1))


def test_equal_bytes_of_two_kinds_are_not_the_same_name():
    assert DeviceId(bytes(32)) != Genesis(bytes(32))


def test_names_sort_by_their_bytes():
    low, high = DeviceId(bytes(32)), DeviceId(b"\x01" + bytes(31))

    assert sorted([high, low]) == [low, high]


def test_an_edge_is_shown_as_a_uuid():
    edge = EdgeId(bytes(range(16)))

    assert edge.uuid == "00010203-0405-0607-0809-0a0b0c0d0e0f"
    assert EdgeId.from_uuid(edge.uuid) == edge
    assert EdgeId.SELF.raw == bytes(16)


@pytest.mark.parametrize(
    "text",
    [
        "000102030405060708090a0b0c0d0e0f",
        "00010203-0405-0607-0809-0A0B0C0D0E0F",
        "0001020304-05-0607-0809-0a0b0c0d0e0f",
        "",
    ],
)
def test_an_edge_has_one_spelling(text):
    with pytest.raises(MalformedError):
        EdgeId.from_uuid(text)


@pytest.mark.parametrize("kind", PRIVATE)
def test_a_private_key_never_shows_itself(kind):
    key = kind(b"\x07" * 32)

    assert key.reveal() == b"\x07" * 32
    assert repr(key) == str(key) == f"{kind.__name__}(hidden)"
    assert key != kind(b"\x07" * 32)


@pytest.mark.parametrize("kind", PRIVATE)
def test_a_private_key_of_another_length_is_our_own_mistake(kind):
    with pytest.raises(LocalError) as refusal:
        kind(bytes(31))
    assert refusal.value.code == "key_length"


def test_the_public_halves_follow_rfc_8032_and_rfc_9180():
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    private = bytes.fromhex("8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb")

    signing = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    sealing = "4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a"
    assert SigningKey(seed).device.hex == RecoveryKey(seed).public.hex == signing
    assert SealingKey(private).public.hex == sealing


@pytest.mark.parametrize("kind", [SigningKey, RecoveryKey])
def test_what_libsodium_signs_with_is_the_seed_and_its_public_half(kind):
    key = kind(b"\x07" * 32)

    assert key.expanded == key.reveal() + key.signer
