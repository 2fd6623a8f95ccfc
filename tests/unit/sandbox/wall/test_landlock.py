import pytest

from sandbox.wall import landlock


@pytest.mark.parametrize(("version", "size"), [(1, 8), (3, 8), (4, 16), (5, 16), (6, 24), (7, 24), (99, 24)])
def test_the_ruleset_is_as_long_as_its_abi_knows(version: int, size: int) -> None:
    assert len(landlock.encode_ruleset(version)) == size


def test_rights_grow_with_the_abi() -> None:
    assert landlock.every_right(1) == 0x1FFF
    assert landlock.every_right(2) & landlock.REFER
    assert not landlock.every_right(2) & landlock.TRUNCATE
    assert landlock.every_right(3) & landlock.TRUNCATE
    assert not landlock.every_right(4) & landlock.IOCTL_DEV
    assert landlock.every_right(7) == 0xFFFF


def test_signals_and_abstract_sockets_are_scoped_where_the_abi_can() -> None:
    assert landlock.encode_ruleset(6)[16:] == (3).to_bytes(8, "little")


def test_this_kernel_answers() -> None:
    assert landlock.abi() >= 0
