import pytest

from sandbox.gate.client_hello import HELLO_BYTES, RECORDS, HelloError
from tests.support.hellos import body, message, names, read_hello, real_hello, records

NAMED = message(body(names(b"pypi.org"), (10, b"\x00\x02\x00\x1d")))


@pytest.mark.parametrize("name", ["pypi.org", "a.very.long." + "x" * 60 + ".example.org"])
def test_a_real_client_says_whom_it_asks_for(name: str) -> None:
    assert read_hello(real_hello(name)) == name


@pytest.mark.parametrize(
    "said",
    [
        records(NAMED),
        records(NAMED, version=b"\x03\x03"),
        records(NAMED, sizes=[1, 2, 3, 10]),
        records(NAMED) + b"and what comes after it",
        records(message(body(names(b"PyPI.Org"), session=bytes(32)))),
    ],
    ids=["whole", "another version", "in pieces", "more behind it", "in capitals"],
)
def test_a_hello_is_read_however_it_comes(said: bytes) -> None:
    assert read_hello(said) == "pypi.org"


@pytest.mark.parametrize("cut", [0, 4, 5, 6, 20, -1])
def test_the_beginning_of_a_hello_is_none_yet(cut: int) -> None:
    assert read_hello(records(NAMED)[:cut]) is None


WRONG = {
    "plain http": b"GET / HTTP/1.1\r\n\r\n",
    "ssh": b"SSH-2.0-OpenSSH\r\n",
    "an old version": records(NAMED, version=b"\x03\x00"),
    "application data": records(NAMED, kind=23),
    "an empty record": records(b""),
    "a record too long": b"\x16\x03\x01\xff\xff",
    "another message": records(message(body(names(b"pypi.org")), kind=2)),
    "another message, cut": records(b"\x02"),
    "a message too long": records(b"\x01" + (HELLO_BYTES).to_bytes(3) + b"x"),
    "an empty message": records(b"\x01\x00\x00\x00x"),
    "a second message": records(NAMED + NAMED),
    "too many pieces": records(NAMED, sizes=[1] * RECORDS),
    "no extensions": records(message(body())),
    "no name": records(message(body((10, b"\x00\x02\x00\x1d")))),
    "two names": records(message(body(names(b"pypi.org", b"evil.example")))),
    "a name of another kind": records(message(body(names(b"pypi.org", kind=1)))),
    "an empty name": records(message(body(names(b"")))),
    "a name that is no text": records(message(body(names(b"pypi.\xff")))),
    "an empty list of names": records(message(body(names()))),
    "a name and something behind it": records(message(body((0, names(b"pypi.org")[1] + b"x")))),
    "a name that is cut": records(message(body((0, names(b"pypi.org")[1][:-1])))),
    "the name twice": records(message(body(names(b"pypi.org"), names(b"evil.example")))),
    "a hidden name": records(message(body(names(b"pypi.org"), (0xFE0D, b"x")))),
    "a hidden name, as it was before": records(message(body(names(b"pypi.org"), (0xFFCE, b"x")))),
    "an odd version": records(message(body(names(b"pypi.org"), version=b"\x03\x04"))),
    "half a suite": records(message(body(names(b"pypi.org"), suites=b"\x13"))),
    "no suite": records(message(body(names(b"pypi.org"), suites=b""))),
    "a session too long": records(message(body(names(b"pypi.org"), session=bytes(33)))),
    "something behind the extensions": records(message(body(names(b"pypi.org")) + b"x")),
    "a body that is cut": records(message(body(names(b"pypi.org"))[:-1])),
    "hardly a body": records(message(b"\x03\x03")),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_hello_with_one_name_is_refused(what: str) -> None:
    with pytest.raises(HelloError):
        read_hello(WRONG[what])


def test_a_real_client_without_a_name_is_refused() -> None:
    with pytest.raises(HelloError, match="does not name"):
        read_hello(real_hello(None))
