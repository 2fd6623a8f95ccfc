"""A key that is said back is replaced wherever it stands, and what is no key is left as it is."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sandbox.redaction import MARK, SHORTEST, Redactor, redacted, redacting

KEY = "sk-aab-aab-aac-0001"


def test_a_text_holds_the_key_no_more() -> None:
    assert redacted(f"your key {KEY} is bad: {KEY}", KEY) == f"your key {MARK} is bad: {MARK}"
    assert redacted("nothing", KEY) == redacted("nothing", None) == redacted("nothing", "") == "nothing"


@example([KEY.encode()[:7], KEY.encode()[7:]])
@example([b"sk-aab-", b"aab-aab-aac-0001"])
@given(
    st.lists(
        st.one_of(
            st.just(KEY.encode()),
            st.sampled_from([KEY.encode()[:n] for n in range(1, 19)]),
            st.binary(max_size=5),
        )
    )
)
def test_in_pieces_as_in_one(pieces: list[bytes]) -> None:
    redactor = Redactor(KEY)
    passed = b"".join(redactor.take(piece) for piece in pieces) + redactor.end()
    assert passed == b"".join(pieces).replace(KEY.encode(), MARK.encode())
    assert redactor.end() == b""


def test_only_what_may_be_its_beginning_is_held_back() -> None:
    redactor = Redactor(KEY)
    assert redactor.take(b"data: one\n") == b"data: one\n"
    assert redactor.take(b"sk-a") == b""
    assert redactor.take(b"nd so on") == b"sk-and so on"


@pytest.mark.parametrize("secret", [None, "", "ollama", "x" * (SHORTEST - 1)])
def test_a_word_that_is_no_secret_stays_in_an_answer(secret: str | None) -> None:
    redactor = Redactor(secret)
    said = f"ask ollama {secret}".encode()
    assert redactor.take(said) + redactor.end() == said


async def test_an_answer_is_given_on_piece_by_piece() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b"one sk-aab", b"-aab", b"-aac-0001", b" sk"):
            yield piece

    assert [piece async for piece in redacting(pieces(), KEY)] == [b"one ", MARK.encode(), b" ", b"sk"]
