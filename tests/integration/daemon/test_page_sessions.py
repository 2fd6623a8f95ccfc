"""Links that work once, and the sessions that come of them, by a clock of the test's own."""

import pytest

from dispatch_daemon.adapters.loopback.sessions import (
    IDLE_MS,
    LIFE_MS,
    LINK_MS,
    LINKS,
    SESSIONS,
    PageSessions,
)
from dispatch_daemon.ports import ServiceError


class Hands:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now_ms = 1_767_323_045_678

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def sessions(clock: Hands) -> PageSessions:
    return PageSessions(clock)


def refused(sessions: PageSessions, code: str) -> None:
    with pytest.raises(ServiceError) as caught:
        sessions.open(code)
    assert caught.value.code == "link_over"


def test_a_link_opens_one_page(sessions: PageSessions, clock: Hands) -> None:
    code, until_ms = sessions.make_link()
    token, end_ms = sessions.open(code)
    assert (until_ms, end_ms) == (clock.now_ms + LINK_MS, clock.now_ms + LIFE_MS)
    assert sessions.holds(token)
    assert not sessions.holds(code)
    assert not sessions.holds("")
    assert not sessions.holds(token + "\udcff")


def test_a_link_that_comes_twice_ends_what_it_opened(sessions: PageSessions) -> None:
    code, _ = sessions.make_link()
    token, _ = sessions.open(code)
    other, _ = sessions.open(sessions.make_link()[0])
    refused(sessions, code)
    assert not sessions.holds(token)
    assert sessions.holds(other)
    refused(sessions, code)


def test_a_link_is_good_for_a_minute(sessions: PageSessions, clock: Hands) -> None:
    code, _ = sessions.make_link()
    clock.now_ms += LINK_MS
    refused(sessions, code)


def test_a_late_second_use_still_ends_nothing_else(sessions: PageSessions, clock: Hands) -> None:
    code, _ = sessions.make_link()
    token, _ = sessions.open(code)
    clock.now_ms += LINK_MS
    refused(sessions, code)
    assert sessions.holds(
        token
    )  # after its minute a link is only an old text, and anybody's history may hold it


@pytest.mark.parametrize("guess", ["", "x", "x" * 64, "\udcff"])
def test_a_guess_opens_nothing(sessions: PageSessions, guess: str) -> None:
    sessions.make_link()
    refused(sessions, guess)


def test_codes_and_tokens_are_never_made_twice_and_are_long(sessions: PageSessions) -> None:
    codes = {sessions.make_link()[0] for _ in range(100)}
    assert len(codes) == 100
    assert all(len(code) >= 22 for code in codes)  # 128 bits
    tokens = {sessions.open(sessions.make_link()[0])[0] for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(token) >= 43 for token in tokens)


def test_only_the_newest_links_work(sessions: PageSessions) -> None:
    codes = [sessions.make_link()[0] for _ in range(LINKS + 1)]
    refused(sessions, codes[0])
    assert sessions.open(codes[1])


def test_only_the_newest_pages_stay(sessions: PageSessions) -> None:
    tokens = [sessions.open(sessions.make_link()[0])[0] for _ in range(SESSIONS + 1)]
    assert not sessions.holds(tokens[0])
    assert all(sessions.holds(token) for token in tokens[1:])


def test_a_page_that_is_not_heard_of_ends(sessions: PageSessions, clock: Hands) -> None:
    token, _ = sessions.open(sessions.make_link()[0])
    clock.now_ms += IDLE_MS - 1
    assert sessions.holds(token)
    clock.now_ms += IDLE_MS - 1
    assert sessions.holds(token)
    clock.now_ms += IDLE_MS
    assert not sessions.holds(token)


def test_no_page_outlives_its_day(sessions: PageSessions, clock: Hands) -> None:
    token, end_ms = sessions.open(sessions.make_link()[0])
    while clock.now_ms + IDLE_MS // 2 < end_ms:
        clock.now_ms += IDLE_MS // 2
        assert sessions.holds(token)
    clock.now_ms = end_ms
    assert not sessions.holds(token)


def test_the_end_of_all_is_the_end_of_links_too(sessions: PageSessions) -> None:
    code, _ = sessions.make_link()
    token, _ = sessions.open(sessions.make_link()[0])
    assert sessions.end() == 1
    assert not sessions.holds(token)
    refused(sessions, code)
    assert sessions.end() == 0


def test_a_stream_that_goes_on_is_no_sign_of_life(sessions: PageSessions, clock: Hands) -> None:
    token, _ = sessions.open(sessions.make_link()[0])
    clock.now_ms += IDLE_MS - 1
    assert sessions.stands(token)
    clock.now_ms += 1
    assert not sessions.stands(token)
    assert not sessions.stands("")


def test_whoever_wants_to_know_hears_of_every_early_end(clock: Hands) -> None:
    heard: list[int] = []
    sessions = PageSessions(clock, ended=lambda: heard.append(clock.now_ms))
    code, _ = sessions.make_link()
    sessions.open(code)
    assert heard == []
    refused(sessions, code)
    assert len(heard) == 1
    for _ in range(SESSIONS + 1):
        sessions.open(sessions.make_link()[0])
    assert len(heard) == 2
    sessions.end()
    assert len(heard) == 3
