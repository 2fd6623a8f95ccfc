import pytest

from dispatch_protocol.errors import MalformedError
from dispatch_protocol.limits import URL_CHARS
from dispatch_protocol.pairing_code import PairingCode
from tests.support.documents import fixed

SECRET = fixed("pairing", 16)
CODE = PairingCode("https://courier.example", SECRET)
GOOD = CODE.format()


def test_a_code_is_read_as_it_was_written_and_never_shows_itself():
    read = PairingCode.parse(GOOD)
    assert GOOD.startswith("dispatch-pair1:courier.example#")
    assert (read.broker_url, read.place, read.key("offer")) == (
        CODE.broker_url,
        CODE.place,
        CODE.key("offer"),
    )
    assert GOOD.partition("#")[2] not in repr(read)


def test_the_meeting_place_and_the_keys_are_all_different():
    made = {CODE.place, *(CODE.key(step).hex() for step in ("offer", "join", "reveal", "welcome"))}
    assert len(made) == 5
    assert SECRET.hex() not in made


@pytest.mark.parametrize(
    "text",
    [
        "",
        GOOD.removeprefix("dispatch-pair1:"),
        GOOD.replace("#", "?"),
        GOOD.replace("courier", "Courier"),
        GOOD.replace("courier.example", "https+courier.example"),
        GOOD[:-1],
        GOOD + " ",
        GOOD.replace("example#", "example/" + "a" * URL_CHARS + "#"),
    ],
)
def test_any_other_spelling_is_refused_without_repeating_the_secret(text):
    with pytest.raises(MalformedError) as raised:
        PairingCode.parse(text)
    assert GOOD.partition("#")[2] not in str(raised.value)


def test_a_secret_of_another_length_is_none():
    with pytest.raises(MalformedError):
        PairingCode("https://courier.example", SECRET + b"x")
