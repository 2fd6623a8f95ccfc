"""Pairing at the relay: two machines meet at a place, each says its part, and everybody else finds nothing there."""

import aiohttp
import pytest

from dispatch_broker.core.pairings import LIFE_MS, MESSAGE_CHARS, MESSAGES, PLACES_PER_ACCOUNT
from tests.support.device import RelayRefusalError, now_ms
from tests.support.relay import TestClock

PLACE, OTHER = "ab" * 32, "cd" * 32


def refused(pattern: str):
    return pytest.raises(RelayRefusalError, match=pattern)


async def asked(url: str, place: str) -> tuple[int, list[str] | str]:
    """Ask, as anybody may who knows the place, what is said there; returns the messages or the code of the refusal."""
    async with aiohttp.ClientSession() as client, client.get(f"{url}/v1/pairings/{place}") as answer:
        body = await answer.json()
        return answer.status, body["messages"] if answer.status == 200 else body["code"]


async def joined(
    url: str, place: str, message: object = "join", *, step: str = "", **more
) -> tuple[int, str | None]:
    """Say what the new machine says, or what its person has found (`/verdict`); returns the status and the code of a refusal."""
    if "data" not in more:
        more["json"] = {"message": message}
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{url}/v1/pairings/{place}{step}", **more) as answer,
    ):
        return answer.status, None if answer.status == 204 else (await answer.json())["code"]


class TestTheDeviceThatBegins:
    async def test_a_place_is_opened_heard_spoken_at_and_closed(self, url, alice):
        async with alice.signed_in(url) as wire:
            until_ms = (await wire.call("pairing_open", place=PLACE, message="offer"))["expires_ms"]
            assert abs(until_ms - now_ms() - LIFE_MS) < 60_000
            assert await wire.call("pairing_hear", place=PLACE) == {"message": None, "verdict": None}
            assert await asked(url, PLACE) == (200, ["offer"])
            assert await joined(url, PLACE) == (204, None)
            assert await wire.call("pairing_hear", place=PLACE) == {"message": "join", "verdict": None}
            assert await wire.call("pairing_say", place=PLACE, message="reveal") == {}
            assert await asked(url, PLACE) == (200, ["offer", "reveal"])
            assert await wire.call("pairing_close", place=PLACE) == {}
            assert await asked(url, PLACE) == (404, "not_found")

    async def test_it_needs_no_more_than_four_messages_and_four_places(self, url, alice, bob):
        async with alice.signed_in(url) as wire, bob.signed_in(url) as other:
            await wire.call("pairing_open", place=PLACE, message="offer")
            for _ in range(MESSAGES - 1):
                await wire.call("pairing_say", place=PLACE, message="more")
            with refused("429 quota"):
                await wire.call("pairing_say", place=PLACE, message="more")
            for number in range(1, PLACES_PER_ACCOUNT):
                await wire.call("pairing_open", place=f"{number:064x}", message="offer")
            with refused("429 quota"):
                await wire.call("pairing_open", place=OTHER, message="offer")
            await other.call("pairing_open", place=OTHER, message="of somebody else")
            assert await asked(url, OTHER) == (200, ["of somebody else"])

    async def test_a_place_is_begun_once(self, url, alice, bob):
        async with alice.signed_in(url) as wire, bob.signed_in(url) as other:
            await wire.call("pairing_open", place=PLACE, message="offer")
            for device in (wire, other):
                with refused("409 id_collision"):
                    await device.call("pairing_open", place=PLACE, message="another")
            assert await asked(url, PLACE) == (200, ["offer"])

    async def test_nobody_else_speaks_hears_or_closes_there(self, url, alice, bob):
        async with alice.signed_in(url) as wire, bob.signed_in(url) as other:
            await wire.call("pairing_open", place=PLACE, message="offer")
            await joined(url, PLACE, "for Alice")
            with refused("404 not_found"):
                await other.call("pairing_say", place=PLACE, message="reveal")
            with refused("404 not_found"):
                await other.call("pairing_hear", place=PLACE)
            assert await other.call("pairing_close", place=PLACE) == {}
            assert await wire.call("pairing_hear", place=PLACE) == {"message": "for Alice", "verdict": None}
            assert await asked(url, PLACE) == (200, ["offer"])

    async def test_where_nothing_goes_on_there_is_nothing_to_say_or_to_end(self, url, alice):
        async with alice.signed_in(url) as wire:
            for call in ("pairing_say", "pairing_hear"):
                more = {"message": "x"} if call == "pairing_say" else {}
                with refused("404 not_found"):
                    await wire.call(call, place=PLACE, **more)
            assert await wire.call("pairing_close", place=PLACE) == {}

    async def test_it_is_over_after_ten_minutes_and_the_room_is_free_again(
        self, url, alice, clock: TestClock
    ):
        async with alice.signed_in(url) as wire:
            for number in range(PLACES_PER_ACCOUNT):
                await wire.call("pairing_open", place=f"{number:064x}", message="offer")
            clock.ahead_ms = LIFE_MS + 1
            assert await asked(url, f"{0:064x}") == (404, "not_found")
            assert await joined(url, f"{0:064x}") == (404, "not_found")
            with refused("404 not_found"):
                await wire.call("pairing_hear", place=f"{0:064x}")
            await wire.call("pairing_open", place=PLACE, message="offer")
            assert await asked(url, PLACE) == (200, ["offer"])

    async def test_it_goes_on_in_the_next_session_of_the_device_that_began(self, url, alice):
        async with alice.signed_in(url) as wire:
            await wire.call("pairing_open", place=PLACE, message="offer")
        async with alice.connected(url) as again:
            assert await again.call("pairing_hear", place=PLACE) == {"message": None, "verdict": None}

    @pytest.mark.parametrize(
        "arguments",
        [
            {},
            {"place": PLACE},
            {"place": PLACE, "message": ""},
            {"place": PLACE, "message": "x" * (MESSAGE_CHARS + 1)},
            {"place": PLACE, "message": 1},
            {"place": PLACE[2:], "message": "x"},
            {"place": PLACE.upper(), "message": "x"},
            {"place": PLACE, "message": "x", "more": 1},
        ],
    )
    async def test_what_cannot_be_read_is_refused_and_nothing_begins(self, url, alice, arguments):
        async with alice.signed_in(url) as wire:
            for call in ("pairing_open", "pairing_say"):
                with refused("400 malformed"):
                    await wire.call(call, **arguments)
        assert await asked(url, PLACE) == (404, "not_found")


class TestTheNewMachine:
    async def test_the_first_one_that_comes_is_the_one(self, url, alice):
        async with alice.signed_in(url) as wire:
            await wire.call("pairing_open", place=PLACE, message="offer")
            assert await joined(url, PLACE, "first") == (204, None)
            assert await joined(url, PLACE, "second") == (409, "not_pending")
            assert await wire.call("pairing_hear", place=PLACE) == {"message": "first", "verdict": None}

    async def test_it_says_what_its_person_has_found_once_it_has_joined_and_may_change_its_mind(
        self, url, alice, bob
    ):
        async with alice.signed_in(url) as wire, bob.signed_in(url) as other:
            await wire.call("pairing_open", place=PLACE, message="offer")
            assert await joined(url, PLACE, "yes", step="/verdict") == (409, "not_pending")
            await joined(url, PLACE)
            for verdict in ("yes", "no"):
                assert await joined(url, PLACE, verdict, step="/verdict") == (204, None)
                heard = {"message": "join", "verdict": verdict}
                assert await wire.call("pairing_hear", place=PLACE) == heard
            assert await asked(url, PLACE) == (200, ["offer"]), "it is for the device that began"
            with refused("404 not_found"):
                await other.call("pairing_hear", place=PLACE)
            await wire.call("pairing_close", place=PLACE)
            assert await joined(url, PLACE, "late", step="/verdict") == (404, "not_found")

    @pytest.mark.parametrize("place", [OTHER, "ab", "zz" * 32, PLACE.upper()])
    async def test_where_nothing_goes_on_there_is_nothing(self, url, alice, place):
        async with alice.signed_in(url) as wire:
            await wire.call("pairing_open", place=PLACE, message="offer")
            assert await asked(url, place) == (404, "not_found")
            assert await joined(url, place) == (404, "not_found")
            assert await joined(url, place, step="/verdict") == (404, "not_found")
            assert await wire.call("pairing_hear", place=PLACE) == {"message": None, "verdict": None}

    @pytest.mark.parametrize(
        ("how", "status", "code"),
        [
            ({"data": b"not JSON", "headers": {"Content-Type": "application/json"}}, 400, "malformed"),
            ({"json": {}}, 400, "malformed"),
            ({"json": {"message": ""}}, 400, "malformed"),
            ({"json": {"message": 1}}, 400, "malformed"),
            ({"json": {"message": "x", "more": 1}}, 400, "malformed"),
            ({"json": {"message": "x" * (MESSAGE_CHARS + 1)}}, 400, "malformed"),
            ({"data": b'{"message":"x"}', "headers": {"Content-Type": "text/plain"}}, 415, "media_type"),
            (
                {"json": {"message": "x"}, "headers": {"Origin": "https://page.example"}},
                403,
                "browser_refused",
            ),
        ],
    )
    @pytest.mark.parametrize("step", ["", "/verdict"])
    async def test_what_it_may_not_say_joins_nothing(self, url, alice, how, status, code, step):
        async with alice.signed_in(url) as wire:
            await wire.call("pairing_open", place=PLACE, message="offer")
            async with (
                aiohttp.ClientSession() as client,
                client.post(f"{url}/v1/pairings/{PLACE}{step}", **how) as answer,
            ):
                assert (answer.status, (await answer.json())["code"]) == (status, code)
            assert await wire.call("pairing_hear", place=PLACE) == {"message": None, "verdict": None}
            assert await joined(url, PLACE, "x" * MESSAGE_CHARS) == (204, None)

    async def test_nothing_that_was_said_there_is_kept_on_a_disk(self, url, alice, tmp_path):
        async with alice.signed_in(url) as wire:
            await wire.call("pairing_open", place=PLACE, message="an offer to look for")
            await joined(url, PLACE, "an answer to look for")
            await wire.call("pairing_hear", place=PLACE)
        kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
        assert kept
        assert b"to look for" not in kept
        assert PLACE.encode() not in kept
        assert bytes.fromhex(PLACE) not in kept
