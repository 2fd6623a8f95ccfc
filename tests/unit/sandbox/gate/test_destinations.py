import pytest

from dispatch_protocol.scopes import is_host
from sandbox.gate.destinations import Destination

GOOD = {
    "pypi.org": ("pypi.org", 443),
    "localhost": ("localhost", 443),
    "git.lan:8443": ("git.lan", 8443),
    "a-b.xn--p1ai:65535": ("a-b.xn--p1ai", 65_535),
    "8.8.8.dns": ("8.8.8.dns", 443),
}
BAD = [
    *("", ":443", "PyPI.org", "pypi.org.", ".org", "a..b", "-a.org", "a-.org", "a_b.org", "*.org", "a b"),
    *("127.0.0.1", "127.1", "0x7f.1", "2130706433", "[::1]:443", "::1", "1.2.3.4:443", "fe80::1"),
    *("pypi.org:0", "pypi.org:65536", "pypi.org:0443", "pypi.org:", "pypi.org:443:443", "pypi.org:+443"),
    *(
        "a" * 64 + ".org",
        ".".join(["a" * 60] * 5),
        "user@pypi.org",
        "pypi.org/x",
        "pypi.org\n",
        "pypi.org:443\n",
    ),
    *("пример.рф", "pypi。org", "pypi.org%00"),
]


@pytest.mark.parametrize("text", GOOD)
def test_a_host_is_a_name_and_a_port(text: str) -> None:
    found = Destination.read(text)
    assert (found.host, found.port) == GOOD[text]
    assert Destination.read(str(found)) == found


@pytest.mark.parametrize("text", BAD)
def test_nothing_else_is_one(text: str) -> None:
    with pytest.raises(ValueError, match="is no host and port"):
        Destination.read(text)


def test_it_is_what_a_grant_may_name() -> None:
    """The wall reads the scopes of the wire without importing them: both must mean the same."""
    assert all(is_host(text) for text in GOOD)
    assert [text for text in BAD if is_host(text)] == [".".join(["a" * 60] * 5)], (
        "a grant's own bound on length says the rest"
    )
