import pytest

from dispatch_protocol.broker_url import check_broker_url, is_loopback, lengthen, shorten
from dispatch_protocol.errors import MalformedError
from dispatch_protocol.limits import URL_CHARS


@pytest.mark.parametrize(
    "url",
    [
        "https://courier.example",
        "https://courier.example:8443/team/one",
        "http://127.0.0.1:8000",
        "http://[::1]:8000",
        "https://[2001:db8::5:0:1]/x",
        "http://relay",
    ],
)
def test_one_spelling(url):
    assert check_broker_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "courier.example",
        "ftp://courier.example",
        "HTTPS://courier.example",
        "https://Courier.example",
        "https://courier.example/",
        "https://courier.example//a",
        "https://courier.example/../a",
        "https://courier.example?q",
        "https://courier.example#f",
        "https://user@courier.example",
        "https://courier.example:443",
        "http://courier.example:80",
        "https://courier.example:0",
        "https://courier.example:65536",
        "https://courier.example\n",
        "http://[::0:]",
        "http://[:]",
        "http://[1:2:3]",
        "http://[12345::]",
        "http://[2001:db8:0:0:0:0:0:1]",
        "http://[2001:0db8::1]",
        "http://[::ffff:7f00:1]",
        "https://-courier",
        "https://courier.example/" + "a" * URL_CHARS,
    ],
)
def test_any_other_is_refused(url):
    with pytest.raises(MalformedError, match="address of a broker"):
        check_broker_url(url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "https://localhost:1", "http://[::1]:8000/x"])
def test_on_this_machine(url):
    assert is_loopback(url)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.2", "https://localhost.example", "http://127.0.0.1.nip.io", "?"]
)
def test_elsewhere(url):
    assert not is_loopback(url)


@pytest.mark.parametrize(
    ("url", "short"),
    [
        ("https://courier.example", "courier.example"),
        ("http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("http://relay:8000", "http+relay:8000"),
        ("https://localhost:8443", "https+localhost:8443"),
    ],
)
def test_a_code_holds_an_address_that_no_program_takes_for_a_link(url, short):
    assert (shorten(url), lengthen(short)) == (short, url)
