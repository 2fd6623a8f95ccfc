import pytest

from sandbox.gate.proxying import parse
from sandbox.gate.refusal import GateRefusalError


def head(first: str, *headers: str) -> bytes:
    return "\r\n".join([first, *headers, "", ""]).encode("latin-1")


@pytest.mark.parametrize("target", ["pypi.org:443", "PyPI.org:443"])
def test_a_tunnel_is_asked_for_by_host_and_port(target: str) -> None:
    asked = parse(
        head(f"CONNECT {target} HTTP/1.1", f"Host: {target}", "User-Agent: x", "Proxy-Connection: keep-alive")
    )
    assert (str(asked.destination), asked.head, asked.body_bytes) == ("pypi.org:443", None, 0)


def test_a_plain_request_is_written_anew() -> None:
    asked = parse(
        head(
            "POST HTTP://Example.org/a/b?c=d HTTP/1.0",
            *(
                "Host: example.org:80",
                "Accept:  */*  ",
                "Connection: close, X-Mine",
                "x-mine: gone",
                "TE: trailers",
            ),
            *(
                "Upgrade: websocket",
                "Expect: 100-continue",
                "Proxy-Authorization: Basic eA==",
                "Content-Length: 007",
            ),
        )
    )
    assert (str(asked.destination), asked.body_bytes) == ("example.org:80", 7)
    assert asked.head == (
        b"POST /a/b?c=d HTTP/1.1\r\nHost: example.org\r\naccept: */*\r\nContent-Length: 7\r\nConnection: close\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("target", "line"),
    [
        ("http://example.org", b"GET / HTTP/1.1"),
        ("http://example.org:80/", b"GET / HTTP/1.1"),
        ("http://example.org?x=1", b"GET /?x=1 HTTP/1.1"),
        ("http://example.org//evil.example/@", b"GET //evil.example/@ HTTP/1.1"),
    ],
)
def test_an_address_becomes_host_and_path(target: str, line: bytes) -> None:
    asked = parse(head(f"GET {target} HTTP/1.1"))
    assert asked.head == line + b"\r\nHost: example.org\r\nConnection: close\r\n\r\n"
    assert asked.body_bytes == 0


FORBIDDEN = [
    *("CONNECT 127.0.0.1:443 HTTP/1.1", "CONNECT [::1]:443 HTTP/1.1", "CONNECT 2130706433:443 HTTP/1.1"),
    *("CONNECT 0x7f.1:443 HTTP/1.1", "CONNECT example.org HTTP/1.1", "CONNECT example.org: HTTP/1.1"),
    *(
        "CONNECT example.org:0 HTTP/1.1",
        "CONNECT example.org:99999 HTTP/1.1",
        "CONNECT a@example.org:443 HTTP/1.1",
    ),
    *(
        "CONNECT example.org.:443 HTTP/1.1",
        "CONNECT https://example.org:443 HTTP/1.1",
        "CONNECT /:443 HTTP/1.1",
    ),
    *("GET / HTTP/1.1", "GET https://example.org/ HTTP/1.1", "GET ftp://example.org/ HTTP/1.1"),
    *("GET http://example.org:443/ HTTP/1.1", "GET http://example.org:8080/ HTTP/1.1"),
    *("GET http://127.0.0.1/ HTTP/1.1", "GET http://a:b@example.org/ HTTP/1.1", "GET http:///x HTTP/1.1"),
    *("GET http://example.org/#x HTTP/1.1", "TRACE http://example.org/ HTTP/1.1", "OPTIONS * HTTP/1.1"),
]


@pytest.mark.parametrize("first", FORBIDDEN)
def test_what_names_no_granted_kind_of_place_does_not_leave(first: str) -> None:
    with pytest.raises(GateRefusalError) as refused:
        parse(head(first))
    assert (refused.value.code, refused.value.status) == ("gate_forbidden", 403)


OF_EXAMPLE = "GET http://example.org/ HTTP/1.1"
MALFORMED = [
    *(
        b"",
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x00\x05hello\r\n\r\n",
        head("get http://example.org/ HTTP/1.1"),
    ),
    *(
        head("GET  http://example.org/ HTTP/1.1"),
        head("GET http://example.org/ HTTP/2.0"),
        head(OF_EXAMPLE)[:-2],
    ),
    *(head("GET http://example.org/ä HTTP/1.1"), head(OF_EXAMPLE, "Host: evil.example")),
    *(head(OF_EXAMPLE, "Host: example.org", "Host: example.org"), head(OF_EXAMPLE, " folded")),
    *(
        head(OF_EXAMPLE, "Name : x"),
        head(OF_EXAMPLE, "no colon"),
        head(OF_EXAMPLE, "a: b\nHost: evil.example"),
    ),
    *(
        head(OF_EXAMPLE, "a: b\rHost: evil.example"),
        head(OF_EXAMPLE, "a: \x00"),
        head(OF_EXAMPLE, "Transfer-Encoding: chunked"),
    ),
    *(head(OF_EXAMPLE, "Content-Length: 1", "Content-Length: 1"), head(OF_EXAMPLE, "Content-Length: +1")),
    *(
        head(OF_EXAMPLE, "Content-Length: 1, 1"),
        head(OF_EXAMPLE, "Content-Length: "),
        head(OF_EXAMPLE, "Content-Length: " + "9" * 16),
    ),
]


@pytest.mark.parametrize("said", MALFORMED)
def test_what_could_be_read_in_two_ways_is_no_request(said: bytes) -> None:
    with pytest.raises(GateRefusalError) as refused:
        parse(said)
    assert refused.value.code == "gate_malformed"
    assert refused.value.status in (400, 411)
