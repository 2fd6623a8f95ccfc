import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch_protocol.errors import MalformedError, RefusalCode, RefusedError
from dispatch_protocol.hpke import open_base, seal_base
from dispatch_protocol.keys import SealingKey, SealingPublic

# RFC 9180, appendix A.2.1: base mode, first message.
RECIPIENT = SealingKey(bytes.fromhex("8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb"))
EPHEMERAL = SealingKey(bytes.fromhex("f4ec9b33b792c372c1d2c2063507b684ef925b8c75a42dbcbf57d63ccd381600"))
INFO = b"Ode on a Grecian Urn"
AAD = b"Count-0"
PLAINTEXT = b"Beauty is truth, truth beauty"
SEALED = bytes.fromhex(
    "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a"
    "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28"
)

# Every point of small order and its other spellings, as published for X25519 (and 0 | 1 beyond the field's prime).
LOW_ORDER = [
    "00" * 32,
    "01" + "00" * 31,
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]


def test_sealing_is_the_published_vector():
    assert seal_base(RECIPIENT.public, PLAINTEXT, info=INFO, aad=AAD, ephemeral=EPHEMERAL) == SEALED


def test_opening_is_the_published_vector():
    assert open_base(RECIPIENT, SEALED, info=INFO, aad=AAD) == PLAINTEXT


@given(
    st.binary(max_size=64),
    st.binary(max_size=64),
    st.binary(max_size=64),
    st.binary(min_size=32, max_size=32),
)
def test_what_is_sealed_opens_again(plaintext, info, aad, ephemeral):
    sealed = seal_base(RECIPIENT.public, plaintext, info=info, aad=aad, ephemeral=SealingKey(ephemeral))

    assert open_base(RECIPIENT, sealed, info=info, aad=aad) == plaintext


@pytest.mark.parametrize(
    "private, sealed, info, aad",
    [
        (EPHEMERAL, SEALED, INFO, AAD),
        (RECIPIENT, SEALED[:-1] + b"\0", INFO, AAD),
        (RECIPIENT, b"\x09" + SEALED[1:], INFO, AAD),
        (RECIPIENT, SEALED, INFO + b"!", AAD),
        (RECIPIENT, SEALED, INFO, b""),
    ],
)
def test_anything_else_does_not_open(private, sealed, info, aad):
    with pytest.raises(RefusedError) as refusal:
        open_base(private, sealed, info=info, aad=aad)
    assert refusal.value.reason is RefusalCode.UNWRAP_FAILED


def test_a_message_that_cannot_hold_a_tag_is_malformed():
    with pytest.raises(MalformedError):
        open_base(RECIPIENT, bytes(47), info=b"", aad=b"")


@pytest.mark.parametrize("point", LOW_ORDER)
def test_a_point_of_low_order_is_refused_on_both_sides(point):
    public = bytes.fromhex(point)

    with pytest.raises(RefusedError) as refusal:
        seal_base(SealingPublic(public), b"", info=b"", aad=b"", ephemeral=EPHEMERAL)
    assert refusal.value.reason is RefusalCode.LOW_ORDER_POINT
    with pytest.raises(RefusedError) as refusal:
        open_base(RECIPIENT, public + bytes(48), info=b"", aad=b"")
    assert refusal.value.reason is RefusalCode.LOW_ORDER_POINT
