import pytest

from sandbox.gate.addresses import is_loopback, why_not

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "151.101.0.223",
    "100.63.255.255",
    "172.15.0.1",
    "2606:4700::1111",
    "2a00:1450::1",
]
PRIVATE = [
    *("127.0.0.1", "127.255.0.9", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1"),
    *("100.127.255.255", "::1", "fc00::1", "fd00:ec2::254"),
]
NOBODY = [
    *("0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.0.1", "192.0.0.1", "192.0.2.1", "192.88.99.1"),
    *(
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
    ),
    *("::", "fe80::1", "fe80::1%lo", "fec0::1", "ff02::1", "100::1", "5f00::1", "4000::1"),
    *(
        "::ffff:127.0.0.1",
        "::ffff:1.1.1.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::101:101",
        "64:ff9b:1::1",
    ),
    *("2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "2002:7f00:1::1", "3fff::1"),
    *("2606:4700::5efe:7f00:1", "2606:4700::200:5efe:a00:1", "2606:4700::1%eth0"),
    *("", "localhost", "1.1.1", "1.1.1.1:443", "01.1.1.1"),
]


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public_may_be_dialled(address: str) -> None:
    assert why_not(address, private=False) == why_not(address, private=True) == ""


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_private_needs_its_owners_word(address: str) -> None:
    assert "the owner of this machine has not opened it" in why_not(address, private=False)
    assert why_not(address, private=True) == ""


@pytest.mark.parametrize("address", NOBODY)
def test_the_rest_nobody_is_dialled_at_whatever_was_said(address: str) -> None:
    assert why_not(address, private=False)
    assert why_not(address, private=True)


def test_the_loopback_is_known_by_all_its_addresses() -> None:
    assert all(is_loopback(each) for each in ("127.0.0.1", "127.9.9.9", "::1"))
    assert not is_loopback("1.1.1.1")
