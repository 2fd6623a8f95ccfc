"""HTTP in pieces: whatever the pieces, the same body; whatever the bytes, a body or a `GarbledError`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch_cli.http1 import HEAD_BYTES, Chunked, GarbledError, Head, body_of, request, split_head

CHUNKED = b"5;x=y\r\nhello\r\n1\r\n \r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n"


def test_a_request_is_written_whole() -> None:
    assert (
        request("GET", "/x", {"A": "b"}, None)
        == b"GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nA: b\r\n\r\n"
    )
    assert request("POST", "/x", {}, b"{}").endswith(
        b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    )


def test_a_head_is_split_from_what_follows() -> None:
    assert split_head(b"HTTP/1.1 200 OK\r\nA:") is None
    found = split_head(b"HTTP/1.1 404 Not Found\r\nContent-Type: Application/JSON; charset=utf-8\r\n\r\nrest")
    assert found is not None
    head, rest = found
    assert (head.status, head.media_type, rest) == (404, "application/json", b"rest")


@pytest.mark.parametrize(
    "data",
    [
        b"x" * (HEAD_BYTES + 1),
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 2\xb20 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    ],
)
def test_a_broken_head_is_refused(data: bytes) -> None:
    with pytest.raises(GarbledError):
        split_head(data)


@given(st.lists(st.integers(1, len(CHUNKED) - 1), max_size=8).map(sorted))
def test_chunks_are_joined_whatever_the_pieces(cuts: list[int]) -> None:
    body = Chunked()
    found = b""
    for start, end in zip([0, *cuts], [*cuts, len(CHUNKED)], strict=True):
        found += body.feed(CHUNKED[start:end])
    assert (found, body.done) == (b"hello 0123456789", True)
    assert body.feed(b"more") == b""
    body.end()


@given(st.binary(max_size=200))
def test_any_bytes_are_a_body_or_garbled(data: bytes) -> None:
    body = Chunked()
    try:
        body.feed(data)
        body.end()
    except GarbledError:
        assert not body.done


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        b"-1\r\n",
        b"123456789\r\n",
        b"1\r\nxy",
        b"g" * (HEAD_BYTES + 1),
        b"0\r\n" + b"t" * (HEAD_BYTES + 1),
    ],
)
def test_broken_chunks_are_refused(data: bytes) -> None:
    with pytest.raises(GarbledError):
        Chunked().feed(data + b"..")


def test_a_sized_body_ends_at_its_size() -> None:
    body = body_of(Head(200, {"content-length": "4"}))
    assert body.feed(b"ab") == b"ab"
    with pytest.raises(GarbledError):
        body.end()
    assert (body.feed(b"cdef"), body.done) == (b"cd", True)
    body.end()


def test_a_body_without_a_size_ends_with_the_connection() -> None:
    body = body_of(Head(200, {}))
    assert (body.feed(b"ab"), body.done) == (b"ab", False)
    body.end()
    assert body.done


def test_some_answers_have_no_body() -> None:
    assert body_of(Head(204, {})).done


@pytest.mark.parametrize("length", ["-1", "x", "9" * 13, "²"])
def test_a_length_that_is_none_is_refused(length: str) -> None:
    with pytest.raises(GarbledError):
        body_of(Head(200, {"content-length": length}))
