import pytest

from dispatch_protocol.errors import MalformedError
from dispatch_protocol.first_contact import Secret
from dispatch_protocol.invitation_token import InvitationToken
from dispatch_protocol.limits import URL_CHARS
from tests.support.documents import ALICE, EDGE, fixed

SECRET = fixed("secret", 16)
GENESIS = ALICE.chain.genesis


def token(broker_url: str = "https://courier.example") -> InvitationToken:
    return InvitationToken(broker_url, EDGE, GENESIS, Secret(SECRET))


@pytest.mark.parametrize(
    "broker_url, written",
    [
        ("https://courier.example", "courier.example"),
        ("https://courier.example:8443/team", "courier.example:8443/team"),
        ("http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("http://[::1]:8000", "[::1]:8000"),
        ("http://relay:8000", "http+relay:8000"),
        ("https://localhost:8443", "https+localhost:8443"),
    ],
)
def test_the_broker_is_written_without_the_scheme_that_everybody_expects(broker_url, written):
    text = token(broker_url).format()
    assert text.startswith(f"dispatch1:{written}/{EDGE.uuid}#{GENESIS.hex}.")
    assert "://" not in text
    parsed = InvitationToken.parse(text)
    assert (parsed.broker_url, parsed.edge, parsed.genesis) == (broker_url, EDGE, GENESIS)
    assert parsed.secret.reveal() == SECRET


GOOD = token().format()


@pytest.mark.parametrize(
    "text",
    [
        "",
        GOOD.removeprefix("dispatch1:"),
        GOOD.replace("dispatch1:", "dispatch2:"),
        GOOD.replace("#", "?"),
        GOOD.replace(".", "-"),
        GOOD.replace("courier.example/", ""),
        GOOD.replace("courier", "Courier"),
        GOOD.replace("courier.example", "https+courier.example"),
        GOOD.replace("courier.example", "ftp+courier.example"),
        GOOD.replace(EDGE.uuid, EDGE.hex),
        GOOD.replace(GENESIS.hex, GENESIS.hex.upper()),
        GOOD[:-1],
        GOOD + "=",
        GOOD + " ",
        GOOD.replace("example/", "example/" + "a" * URL_CHARS + "/"),
    ],
)
def test_any_other_spelling_is_refused_without_repeating_the_secret(text):
    with pytest.raises(MalformedError) as error:
        InvitationToken.parse(text)
    assert GOOD[-22:] not in str(error.value)


def test_it_does_not_show_its_secret():
    assert GOOD[-22:] not in repr(token())
    assert "Secret(hidden)" in repr(token())


def test_a_broker_without_a_spelling_has_no_token():
    with pytest.raises(MalformedError):
        token("https://Courier.example").format()
